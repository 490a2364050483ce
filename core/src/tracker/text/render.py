"""Values as people read them; nothing that was recorded can steer a terminal."""

from __future__ import annotations

import math
import re
from codecs import iterdecode
from collections.abc import Iterator, Mapping
from typing import Any

MISSING = "n/a"
PART = 1 << 20  # bytes
HUGE = 1e21  # from here on digits say less than the exponent
FIELD = r"\{(\w+)(?::(?:\.(\d))?([^}]*))?\}"
# what moves the cursor, ends a line or turns the direction of writing; compiled at first use, which costs 2 ms
CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"


def escape(text: str) -> str:
    """The text with control characters shown instead of sent, line ends and tabs apart."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return re.sub(CONTROL, lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def line(text: object) -> str:
    """One line of text from anything that was recorded."""
    return escape(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def json_parts(value: Any) -> Iterator[str]:
    """A JSON document, indented, whose control characters are escaped; in parts, since a pane of 8 MB takes 100 MB."""
    import orjson

    from tracker.text.json_values import plain

    try:
        data = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except TypeError:  # half characters, or numbers of more than 64 bits
        data = orjson.dumps(plain(value), option=orjson.OPT_INDENT_2)
    for text in iterdecode((data[start : start + PART] for start in range(0, len(data), PART)), "utf-8"):
        yield re.sub(CONTROL, lambda found: f"\\u{ord(found[0]):04x}", text)


def number(value: float, digits: int | None = None) -> str:
    """Whole numbers without decimals, others with two, or with exactly the digits asked for."""
    if abs(value) >= HUGE:
        return f"{value:.3e}" if abs(value) < 1e300 else "huge"
    if digits is not None:
        return f"{value:.{digits}f}"
    if float(value).is_integer():
        return str(int(value))
    return f"{value:.2f}".rstrip("0").rstrip(".")


def rate(found: float | None, size: float | None = None) -> str:
    """A rate with two decimals; below 0.1 with two significant digits, or as many as `size` is shown with."""
    if found is None:
        return MISSING
    whole = abs(found if size is None else size)
    if not 0 < whole < 0.1:
        return number(found, 2)
    if whole < 1e-9:
        return f"{found:.1e}"
    head, _, decimals = f"{found:.{1 - math.floor(math.log10(whole))}f}".partition(".")
    return f"{head}.{decimals.rstrip('0').ljust(2, '0')}"


def value(found: Any, digits: int | None = None, unit: str = "") -> str:
    """A value with its unit; `n/a` alone if there is none."""
    if found is None:
        return MISSING
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return number(found, digits) + unit
    return line(found) + unit


def figure(found: Any, digits: int | None = None, unit: str = "") -> str:
    """A value of a block: whole numbers without decimals even if others have some."""
    is_whole = isinstance(found, int) or (isinstance(found, float) and found.is_integer())
    return value(found, None if is_whole else digits, unit)


def fill(text: str, values: Mapping[str, Any]) -> str:
    """A row's text with its values: `{name}`, `{name:%}`, `{name:.2}` (`1.50`, but `2`), `{name:.0 ms}`."""

    def one(found: re.Match[str]) -> str:
        return figure(values.get(found[1]), int(found[2]) if found[2] else None, found[3] or "")

    return re.sub(FIELD, one, text)


def row(label: str | None, text: str | None, values: Mapping[str, Any]) -> str:
    """One line of a block, without its bullet."""
    if text is None:
        body = " ".join(f"{line(key)}={value(one)}" for key, one in values.items())
    else:
        body = fill(line(text), values)
    return f"{line(label)}: {body}" if label else body


def plural(count: int, noun: str) -> str:
    """`1 window`, `2 windows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
