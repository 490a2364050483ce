"""What is never stored: personal addresses and credentials in texts that are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tracker.text.digest import blake2b

# a narrow pane wraps or cuts the address within its name
NAME = r"(?:[\w.+%'-]{0,100}(?:[ \t│]{0,200}\r?\n[ \t│]{0,200}[\w.+%'-]{1,100}){1,4}@"
WHOLE = r"[\w.+%'-]{1,100}@[\w.-]{1,200}\w"


class Rule(NamedTuple):
    """A pattern and what stands in its place.

    needles: one of them is in every text that matches, in lower case. Only then is the pattern compiled, because all
    of them together take 3 ms.
    """

    needles: tuple[str, ...]
    pattern: str
    instead: str | Callable[[re.Match[str]], str]


def _narrow(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}***{'@' if found[0].endswith('@') else ''}"


KEYS = (
    Rule(
        ("sk", "gsk_", "gh", "glpat-", "xox", "akia", "aiza", "hf_", "pplx-", "bearer", "basic"),
        r"(?i)\b(sk(?:-|\\+u002d|%2d)|gsk_|gh[opusr]_|github_pat_|glpat-|xox[abeprs]-|AKIA|AIza|hf_|pplx-)"
        r"(?:[\w-]|\\+u002d){8,}|\b((?:Bearer|Basic)(?:\s+|%20|\\+u0020))[\w.~+/=-]{8,}",
        r"\1\2***",
    ),
    # a vendor's `32 hexadecimal digits.word`, and a JSON web token
    Rule((".",), r"\b(?:[0-9a-fA-F]{32}\.[A-Za-z0-9]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)", "***"),
    # a value with digits and letters behind a name that says what it is
    Rule(
        ("authorization", "key", "token", "secret", "password"),
        r"(?i)((?:\bauthorization|(?:api|access|auth|secret|private)(?:[-_ ]|%5F)?(?:key|token)|[?&]key|_key|\btoken"
        r"|secret|password)"
        r"(?:[\"'\\\s:=]|%3D|%22){1,8})(?=[\w.~+/%-]*\d)(?=[\w.~+/%-]*[a-z])[\w.~+/%=-]{16,}",
        r"\1***",
    ),
    Rule(("cookie",), r"(?i)(\b(?:set-)?cookie[\"']?\s*:\s*[\"']?)[^\r\n\"']{8,}", r"\1***"),
)
ADDRESSES = (
    Rule(
        ("account", "mail", "logged in as"),
        rf"(?m)(\b(?i:Account|E-?mail|Logged in as):[ \t]+)(\w){NAME}|[\w.+%'-]*(?=[ \t]*│?\r?$))",
        _narrow,
    ),
    Rule(("user", "login"), rf"(?m)(\b(?i:User(?:name)?|Login):[ \t]+)(\w){NAME})", _narrow),
    # the name before the @ keeps its first character; a domain may be cut off by a narrow pane, or begin with a digit
    Rule(("@",), r"(?<![\w.+%-])([\w+%-])(?:[\w.+%'-]|\x1b\[[\d;]*m)*@(?=[\w\[\x1b]|\s|$)", r"\1***@"),
    # the @ as URLs, JSON, HTML and people write it
    Rule(
        ("%", "\\", "&", "＠", "at"),
        r"(?i)(?<![\w.+-])([\w+-])[\w.+'-]*"
        r"(%(?:25)*40|\\+u0040|\\+x40|&#0*64;|&#x0*40;|&commat;|＠| ?[\[(]at[\])] ?)(?=[\w-]+\.\w)",
        r"\1***\2",
    ),
    Rule(('"@',), r'"([^"\s])[^"\n]{0,64}"@(?=[\w\[])', r'"\1***"@'),
    # blanks and invisible characters before the @
    Rule(
        ("@",),
        r"(?<![\w.+%-])([\w+%-])[\w.+%'\\\u00ad\u200b-\u200d\ufeff-]*([ \t]{0,3}[\u00ad\u200b-\u200d\ufeff]*@)"
        r"(?=[\w-]+\.\w)",
        r"\1***\2",
    ),
)


def redact(text: str, *, keep_account: bool = False) -> str:
    """The text with `dev@example.com` as `d***@example.com`, and keys as `***`."""
    lower = text.lower()
    for rule in KEYS if keep_account else (*KEYS, *ADDRESSES):
        if any(needle in lower for needle in rule.needles):
            text = re.sub(rule.pattern, rule.instead, text)
    return text


def with_addresses(value: Any, text: str) -> Any:
    """A JSON value in which addresses that a plugin has redacted itself are as `text`, which it read, has them."""
    known = {redact(found): found for found in re.findall(WHOLE, text)}
    return each_text(value, lambda one: known.get(one, one))


def account_id(named: str, text: str = "") -> str:
    """A hash of an account's address: of the whole one if the text that named it has it, else of what is shown.

    A plugin may hash what it finds by itself: a hash is its own.
    """
    if re.fullmatch(r"[0-9a-f]{12}", named):
        return named
    whole = with_addresses(named.partition(" ")[0], text)
    return blake2b(str(whole).casefold().encode(), digest_size=6).hexdigest()


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [each_text(item, change) for item in value]
    if isinstance(value, dict):
        return {key: each_text(item, change) for key, item in value.items()}
    return value
