"""What is never stored: personal addresses and credentials in texts that are kept."""

from __future__ import annotations

import re
from collections.abc import Callable

# the name before the @ keeps its first character; a domain may be cut off by a narrow pane, or begin with a digit
ADDRESS = re.compile(r"(?<![\w.+%-])([\w+%-])[\w.+%'-]*@(?=[\w\[]|\s|$)")
# the @ as URLs, JSON, HTML and people write it
WRITTEN = re.compile(
    r"(?<![\w.+-])([\w+-])[\w.+'-]*(%(?:25)*40|\\+u0040|\\+x40|&#0*64;|&#x0*40;|&commat;|＠| ?[\[(]at[\])] ?)"
    r"(?=[\w-]+\.\w)",
    re.I,
)
QUOTED = re.compile(r'"([^"\s])[^"\n]{0,64}"@(?=[\w\[])')
# blanks and invisible characters before the @
SPACED = re.compile(
    r"(?<![\w.+%-])([\w+%-])[\w.+%'\\\u00ad\u200b-\u200d\ufeff-]*([ \t]{0,3}[\u00ad\u200b-\u200d\ufeff]*@)"
    r"(?=[\w-]+\.\w)"
)
# a narrow pane wraps or cuts the address within its name
NAME = r"(?:[\w.+%'-]{0,100}(?:[ \t│]{0,200}\r?\n[ \t│]{0,200}[\w.+%'-]{1,100}){1,4}@"
NARROW = re.compile(
    rf"(\b(?i:Account|E-?mail|Logged in as):[ \t]+)(\w){NAME}|[\w.+%'-]*(?=[ \t]*│?\r?$))",
    re.M,
)
WRAPPED = re.compile(rf"(\b(?i:User(?:name)?|Login):[ \t]+)(\w){NAME})", re.M)
KEYS = re.compile(
    r"\b(sk(?:-|\\+u002d|%2d)|gsk_|gh[opusr]_|github_pat_|glpat-|xox[abeprs]-|AKIA|AIza)[\w-]{8,}"
    r"|\b((?:Bearer|Basic)(?:\s+|%20|\\+u0020))[\w.~+/=-]{8,}",
    re.I,
)
# a vendor's `32 hexadecimal digits.word`, and a JSON web token
FORMS = re.compile(r"\b(?:[0-9a-f]{32}\.[A-Za-z0-9]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)")
# a value with digits and letters behind a name that says what it is
NAMED = re.compile(
    r"((?:\bauthorization|(?:api|access|auth|secret|private)(?:[-_ ]|%5F)?(?:key|token)|[?&]key|\btoken|secret"
    r"|password)"
    r"(?:[\"'\\\s:=]|%3D|%22){1,8})(?=[\w.~+/%-]*\d)(?=[\w.~+/%-]*[a-z])[\w.~+/%=-]{16,}",
    re.I,
)
COOKIE = re.compile(r"(\b(?:set-)?cookie[\"']?\s*:\s*[\"']?)[^\r\n\"']{8,}", re.I)
WHOLE = re.compile(r"[\w.+%'-]{1,100}@[\w.-]{1,200}\w")


def redact(text: str, *, keep_account: bool = False) -> str:
    """The text with `dev@example.com` as `d***@example.com`, and keys as `***`."""
    text = KEYS.sub(r"\1\2***", text)
    text = COOKIE.sub(r"\1***", NAMED.sub(r"\1***", FORMS.sub("***", text)))
    if keep_account:
        return text
    text = WRAPPED.sub(_narrow, NARROW.sub(_narrow, text))
    text = QUOTED.sub(r'"\1***"@', WRITTEN.sub(r"\1***\2", ADDRESS.sub(r"\1***@", text)))
    return SPACED.sub(r"\1***\2", text)


def _narrow(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}***{'@' if found[0].endswith('@') else ''}"


def redact_value(value: object, *, keep_account: bool = False) -> object:
    """The same for every text in a JSON value."""
    return _each(value, lambda text: redact(text, keep_account=keep_account))


def with_addresses(value: object, text: str) -> object:
    """A JSON value in which addresses that a plugin has redacted itself are as `text`, which it read, has them."""
    known = {redact(found): found for found in WHOLE.findall(text)}
    return _each(value, lambda one: known.get(one, one))


def _each(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _each(item, change) for key, item in value.items()}
    return value
