"""The text of a pane: what a terminal adds to it, and the personal addresses and credentials that are never stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

# Patterns are compiled at their first use: a start does not need them.
# Sequences of ECMA-48: CSI; strings (OSC, DCS, SOS, PM, APC; a line end stops one whose terminator was lost);
# escapes of two and more bytes; and what a cut left of any of them.
ESCAPE = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[]PX^_][^\x07\x1b\r\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-Z\\-~]"
    r"|\x1b(?:\[[0-?]*[ -/]*)?"
)
# What moves the cursor or erases, other than a line end: only then is a terminal played (pyte costs 40 ms to import).
MOVEMENT = r"\x1b\[[0-9;]*[@A-HJ-MPSTX`adefrsu]|\x1b[78DEMc]|\x1b\[\?(?:1049|1047|47)[hl]|\x08"
CONTROLS = r"[\x00-\x08\x0e-\x1f\x7f-\x9f]+"  # C0 and C1 without tab and line feed
# a narrow pane wraps or cuts the address within its name
NAME = r"(?:[\w.+%'-]{0,100}(?:[ \t│]{0,200}\r?\n[ \t│]{0,200}[\w.+%'-]{0,100}){1,4}@"
GAP = r"(?:[ \t]+|[ \t│]{0,200}\r?\n[ \t│]{0,200})"  # a narrow pane also breaks a line after a label


def _narrow(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}***{'@' if found[0].endswith('@') else ''}"


BEGIN = r"(?:\b|(?<=%[\da-fA-F]{2})|(?<=\\u[\da-fA-F]{4}))"  # of a key, also after an escape
# Needles, a pattern, and its replacement. One of the needles is in every text that matches, in lower case.
# Only then is the pattern compiled, because all of them together take 3 ms.
Rules: TypeAlias = tuple[tuple[tuple[str, ...], str, str | Callable[[re.Match[str]], str]], ...]
KEYS: Rules = (
    (
        ("sk", "gsk_", "gh", "glpat-", "xox", "akia", "aiza", "hf_", "pplx-", "bearer", "basic"),
        rf"(?im){BEGIN}(sk(?:-|\\+u002d|%2d)|gsk_|gh[opusr]_|github_pat_|glpat-|xox[abeprs]-|AKIA|AIza|hf_|pplx-)"
        r"(?:[\w-]|\\+u002d){8,}(?:[ \t│]*\r?\n[ \t│]*(?=[\w-]*\d)[\w-]{8,}(?=[ \t│]*$)){0,3}"
        r"|\b((?:Bearer|Basic)(?:\s+|%20|\\+u0020))[\w.~+/=-]{8,}",
        r"\1\2***",
    ),
    # a vendor's `32 hexadecimal digits.word`, and a JSON web token
    ((".",), rf"{BEGIN}(?:[0-9a-fA-F]{{32}}\.[A-Za-z0-9]{{8,}}|eyJ[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*)?)", "***"),
    (  # a value with digits and letters, or of capitals and small ones, after a name that says what it is
        ("authorization", "key", "token", "secret", "password"),
        r"(?i)((?:\bauthorization|(?:api|access|auth|secret|private)(?:[-_ ]|%5F)?(?:key|token)|[?&]key|_key|token"
        r"|secret|password)"
        r"(?:[\"'\\\s:=]|%3D|%22){1,8})(?=(?-i:[\w.~+/%-]*(?:\d|[a-z][A-Z])))(?=[\w.~+/%-]*[a-z])[\w.~+/%=-]{16,}",
        r"\1***",
    ),
    (("cookie",), r"(?i)(\b(?:set-)?cookie[\"']?\s*:\s*[\"']?)[^\r\n\"']{8,}", r"\1***"),
)
ADDRESSES: Rules = (
    (
        ("account", "mail", "logged in as"),
        rf"(?m)(\b(?i:Account|E-?mail|Logged in as):{GAP})(\w){NAME}|[\w.+%'-]*(?=[ \t]*│?\r?$))",
        _narrow,
    ),
    (("user", "login"), rf"(?m)(\b(?i:User(?:name)?|Login):{GAP})(\w){NAME})", _narrow),
    # the name before the @ keeps its first character; a domain may be cut off by a narrow pane, or begin with a digit
    (("@",), r"(?<![\w.+%-])([\w+%-])(?:[\w.+%'-]|\x1b\[[\d;]*m)*@(?=[\w\[\x1b]|\s|$)", r"\1***@"),
    (  # the @ as URLs, JSON, HTML and people write it
        ("%", "\\", "&", "＠", "at"),
        r"(?i)(?<![\w.+-])([\w+-])[\w.+'-]*"
        r"(%(?:25)*40|\\+u0040|\\+x40|&#0*64;|&#x0*40;|&commat;|＠| ?[\[(]at[\])] ?)(?=[\w-]+\.\w)",
        r"\1***\2",
    ),
    (('"@',), r'"([^"\s])[^"\n]{0,64}"@(?=[\w\[])', r'"\1***"@'),
    (  # blanks and invisible characters before the @
        ("@",),
        r"(?<![\w.+%-])([\w+%-])[\w.+%'\\\u00ad\u200b-\u200d\ufeff-]*([ \t]{0,3}[\u00ad\u200b-\u200d\ufeff]*@)"
        r"(?=[\w-]+\.\w)",
        r"\1***\2",
    ),
)


def plain_text(text: str) -> str:
    """The text as a reader of the terminal saw it, with ``\\n`` line ends; lines that scrolled off come first.

    Text without cursor movements keeps its lines as they are, and a carriage return that stands alone ends a line: to
    let it overwrite, as a terminal would, could join the label of one row with the number of another.
    """
    text = re.sub(ESCAPE, "", text.replace("\r\r\n", "\n"))
    return re.sub(CONTROLS, "", re.sub(r"\r\n|[\r\x0b\x0c]", "\n", text))


def redact(text: str, *, keep_account: bool = False) -> str:
    """The text with `dev@example.com` as `d***@example.com`, and keys as `***`."""
    lower = text.lower()
    for needles, pattern, instead in KEYS if keep_account else (*KEYS, *ADDRESSES):
        if any(needle in lower for needle in needles):
            text = re.sub(pattern, instead, text)
    return text


def with_addresses(value: Any, text: str) -> Any:
    """A JSON value in which addresses that a plugin has redacted itself are as `text`, which it read, has them."""
    known = {redact(found): found for found in re.findall(r"[\w.+%'-]{1,100}@[\w.-]{1,200}\w", text)}
    return each_text(value, lambda one: known.get(one, one))


def account_id(named: str, text: str = "") -> str:
    """A hash of an account's address: of the whole one if the text that named it has it, else of what is shown.

    A plugin may hash what it finds by itself: a hash is its own.
    """
    if re.fullmatch(r"[0-9a-f]{12}", named):
        return named
    from tracker.journal.records import blake2b

    return blake2b(str(with_addresses(named.partition(" ")[0], text)).casefold().encode(), digest_size=6).hexdigest()


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [each_text(item, change) for item in value]
    if isinstance(value, dict):
        return {key: each_text(item, change) for key, item in value.items()}
    return value
