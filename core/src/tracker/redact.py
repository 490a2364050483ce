"""What is never stored: personal addresses and credentials in texts that are kept."""

from __future__ import annotations

import re

# the name before the @ keeps its first character; a domain may be cut off by a narrow pane
ADDRESS = re.compile(r"(?<![\w.+%-])([\w+%-])[\w.+%-]*@(?=[A-Za-z]|\s|$)")
KEYS = re.compile(r"\b(sk-|gsk_|ghp_|github_pat_|xox[abp]-|AKIA|AIza)[\w-]{8,}|\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.I)


def redact(text: str, *, keep_account: bool = False) -> str:
    """The text with `dev@example.com` as `d***@example.com`, and keys as `***`."""
    text = KEYS.sub(lambda found: f"{found[1] or found[2] + ' '}***", text)
    return text if keep_account else ADDRESS.sub(r"\1***@", text)


def redact_value(value: object, *, keep_account: bool = False) -> object:
    """The same for every text in a JSON value."""
    if isinstance(value, str):
        return redact(value, keep_account=keep_account)
    if isinstance(value, list):
        return [redact_value(item, keep_account=keep_account) for item in value]
    if isinstance(value, dict):
        return {key: redact_value(item, keep_account=keep_account) for key, item in value.items()}
    return value


# a JSON text after a colon or in a list; keys, and short values of these, stay readable
TEXT = re.compile(
    r'("(?:ts|rid|lane|model|status|level|type|kind|name)"\s*:\s*"[\w.:/+-]{0,80}")|("[^"\\]*"\s*:)|"(?:[^"\\]|\\.)*(?:"|$)',
    re.S,
)
HEADER = re.compile(r"\b(authorization|x-api-key|api[-_]?key|cookie|set-cookie)(\W{1,4})\S+", re.I)


def redact_line(line: bytes) -> str:
    """A line that could not be read, as it may be kept: of JSON the shape, without the texts that it holds."""
    text = redact(line.decode("utf-8", "replace"))
    if text.lstrip()[:1] in ("{", "["):
        text = TEXT.sub(lambda found: found[1] or found[2] or '"***"', text)
    return HEADER.sub(r"\1\2***", text)
