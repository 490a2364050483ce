"""Texts and values as people and programs read them; nothing that was recorded can steer a terminal."""

from __future__ import annotations

import math
import re
import sys
from codecs import iterdecode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

MISSING = "n/a"
PART = 1 << 20  # bytes
HUGE = 1e21  # from here on digits say less than the exponent
FIELD = r"\{(\w+)(?::(?:\.(\d))?([^}]*))?\}"
# what moves the cursor, ends a line or turns the direction of writing; compiled at first use, which costs 2 ms
CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
FORMULA = r"[\t\r\n]|\s*[=+\-@＝＋－＠]"
NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
WIDE = "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\U0001f300-\U0003fffd]"
HALF = r"[\ud800-\udc7f\udd00-\udfff]"  # of a character; what is left out are bytes that the locale could not decode
BITS_64 = range(-(1 << 63), 1 << 64)


def escape(text: str) -> str:
    """The text with control characters shown instead of sent, line ends and tabs apart."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return re.sub(CONTROL, lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def line(text: object) -> str:
    """One line of text from anything that was recorded."""
    return escape(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def json_parts(value: Any) -> Iterator[str]:
    """A JSON document, indented, whose control characters are escaped; in parts, since a pane of 8 MB takes 100 MB.

    The items of an iterator become a list, one by one.
    """
    import orjson

    if isinstance(value, Iterator):
        begin = "["
        for item in value:
            yield f"{begin}\n  {''.join(json_parts(item)).replace(chr(10), chr(10) + '  ')}"
            begin = ","
        yield "[]" if begin == "[" else "\n]"
        return
    try:
        data = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except TypeError:  # half characters, or numbers of more than 64 bits
        data = orjson.dumps(plain(value), option=orjson.OPT_INDENT_2)
    for text in iterdecode((data[start : start + PART] for start in range(0, len(data), PART)), "utf-8"):
        yield re.sub(CONTROL, lambda found: f"\\u{ord(found[0]):04x}", text)


def number(value: float, digits: int | None = None) -> str:
    """Whole numbers without decimals, others with two, tiny ones with six, or as asked for; halves are rounded up."""
    if abs(value) >= HUGE:
        return f"{value:.3e}" if abs(value) < 1e300 else "huge"
    if digits is None and float(value).is_integer():
        return str(int(value))
    decimals = digits if digits is not None else 2 if abs(value) >= 0.005 else 6
    shown = f"{value * (1 + 1e-12) if abs(value) < 1e6 else value:z.{decimals}f}"
    return shown if digits is not None else shown.rstrip("0").rstrip(".")


def rate(found: float | None, size: float | None = None) -> str:
    """A rate with two decimals; below 0.1 with two significant digits, or as many as `size` is shown with."""
    if found is None:
        return MISSING
    whole = abs(found if size is None else size)
    if not 0 < whole < 0.1:
        return number(found, 2)
    if whole < 1e-9:
        return f"{found:.1e}"
    head, _, decimals = number(found, 1 - math.floor(math.log10(whole))).partition(".")
    return f"{head}.{decimals.rstrip('0').ljust(2, '0')}"


def value(found: Any, digits: int | None = None, unit: str = "") -> str:
    """A value with its unit; `n/a` alone if there is none."""
    if found is None:
        return MISSING
    if isinstance(found, bool):
        return "yes" if found else "no"
    return number(found, digits) + unit if isinstance(found, int | float) else line(found) + unit


def fill(text: str, values: Mapping[str, Any]) -> str:
    """A row's text with its values: `{name}`, `{name:%}`, `{name:.2}` (`1.50`, but `2`), `{name:.0 ms}`."""

    def one(found: re.Match[str]) -> str:
        known, digits = values.get(found[1]), int(found[2]) if found[2] else None
        is_whole = isinstance(known, int | float) and float(known).is_integer()
        return value(known, None if is_whole else digits, found[3] or "")

    return re.sub(FIELD, one, text)


def plural(count: float, noun: str) -> str:
    """`1 window`, `2 windows`."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def spelling(name: str) -> str:
    """What a name has in common with one that differs by a slip alone: `W0-7` and `w0-O7` for `W0-07`."""
    return re.sub(r"0+(?=\d)", "", name.casefold().translate({ord("o"): "0", ord("l"): "1"}))


def near(wrong: str, known: Iterable[str]) -> str:
    """A sentence that says what to try instead: a close name, else all of them."""
    from difflib import get_close_matches

    names = list(dict.fromkeys(known))
    asked, alike = wrong.lower(), [name for name in names if len(name) == len(wrong)]
    likely = [name for name in names if name.lower().startswith(asked) or asked in name.lower().split("-")]
    parts = {part: name for name in reversed(names) for part in re.split("[-_.]", name)}
    likely = [name for name in names if spelling(name) == spelling(wrong)] or sorted(likely, key=len)
    close = likely or get_close_matches(wrong, names, 1, 0.7) or get_close_matches(wrong, alike, 1, 0.65)
    if close := close or [parts[one] for one in get_close_matches(asked, parts, 1, 0.8)]:
        return f"Did you mean {close[0]}?"
    shown, more = (names, "") if len(names) <= 12 else (names[:11], f" or {len(names) - 11} more")
    return f"Expected {'one of ' if len(names) > 1 else ''}{', '.join(shown)}{more}." if names else "There are none."


def folded(text: str) -> str:
    """Lines that are too long for the terminal, broken between words and indented; a command is never broken."""
    from shutil import get_terminal_size
    from textwrap import TextWrapper

    wrapper = TextWrapper(get_terminal_size((80, 24)).columns, break_long_words=False, break_on_hyphens=False)
    wrapper.replace_whitespace = False
    text = re.sub(WIDE, "\\g<0>\1", text)  # they take two cells
    found = []
    for one in re.sub("(?m)`[^`\n]+`|^([A-Z]\\S+)? +tracker .+", lambda it: it[0].replace(" ", "\0"), text).split("\n"):
        wrapper.subsequent_indent = " " * (len(one) - len(one.lstrip(" \0")) + 2)
        found.append(wrapper.fill(one))
    return "\n".join(found).replace("\0", " ").replace("\1", "")


def tell(text: str) -> None:
    """Print on stderr at once, so that it stands before what follows; on a terminal folded between words."""
    print(folded(escape(text)) if sys.stderr.isatty() else escape(text), file=sys.stderr, flush=True)


def decoded(text: str) -> str:
    """The text of an argument, its escaped bytes read as UTF-8. Paths stay as they come: the system reads them back."""
    return re.sub(HALF, "\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def plain(value: Any) -> Any:
    """The value with what JSON cannot say replaced: half characters, numbers that are not finite or too long."""
    if isinstance(value, str):
        return decoded(value)
    if isinstance(value, int) and not isinstance(value, bool) and int(value) not in BITS_64:
        return plain(float(value)) if abs(value) < 1 << 1023 else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    return value


def cell(value: object) -> str:
    """A value as a cell: nothing in it steers a terminal, and no text runs in a spreadsheet; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = decoded(str(value))
    is_formula = re.match(FORMULA, text) and not re.fullmatch(NUMBER, text)
    return f"'{escape(text)}" if is_formula else escape(text)


def csv_line(values: Sequence[object], end: str = "\n") -> bytes:
    """One row with its end."""
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([cell(value) for value in values])  # it quotes this one in a value
    return f"{text.getvalue()[:-1]}{end}".encode()
