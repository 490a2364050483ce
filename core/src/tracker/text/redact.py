"""What is never stored: personal addresses and credentials in texts that are kept."""

from __future__ import annotations

import re
from collections.abc import Callable

# the name before the @ keeps its first character; a domain may be cut off by a narrow pane, or begin with a digit
ADDRESS = re.compile(r"(?<![\w.+%-])([\w+%-])[\w.+%'-]*@(?=[\w\[]|\s|$)")
# a narrow pane wraps or cuts the address within its name
NARROW = re.compile(
    r"(\bAccount:[ \t]+)(\w)"
    r"(?:[\w.+%'-]{0,100}(?:[ \t│]{0,200}\r?\n[ \t│]{0,200}[\w.+%'-]{1,100}){1,4}@|[\w.+%'-]*(?=[ \t]*│?\r?$))",
    re.M,
)
KEYS = re.compile(r"\b(sk-|gsk_|ghp_|github_pat_|xox[abp]-|AKIA|AIza)[\w-]{8,}|\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.I)
WHOLE = re.compile(r"[\w.+%'-]{1,100}@[\w.-]{1,200}\w")
HEADER = re.compile(r"\b(authorization|x-api-key|api[-_]?key|cookie|set-cookie)(\W{1,4})\S+", re.I)


def redact(text: str, *, keep_account: bool = False) -> str:
    """The text with `dev@example.com` as `d***@example.com`, and keys as `***`."""
    text = KEYS.sub(lambda found: f"{found[1] or found[2] + ' '}***", text)
    if keep_account:
        return text
    return ADDRESS.sub(r"\1***@", NARROW.sub(_narrow, text))


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
