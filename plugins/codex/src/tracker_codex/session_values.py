"""Single values of the rows of a session file."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, TypeAlias

from tracker.api import Rejected
from tracker_codex.session_rows import Usage

Numbers: TypeAlias = "list[int]"  # input with caches, read, written, output, reasoning
KINDS = Usage.__struct_fields__
LARGEST = 2**53


def numbers(usage: Usage | dict[str, Any] | None) -> Numbers | None:
    if usage is None:
        return None
    if isinstance(usage, dict):
        return [count(usage.get(name)) for name in KINDS[:5]]
    read, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    return [usage.input_tokens, read, written, usage.output_tokens, usage.reasoning_output_tokens]


def count(value: object) -> int:
    """A count; another value makes the line unreadable: unreadable is not zero."""
    if type(value) is int and 0 <= value < LARGEST:
        return value
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer() and 0 <= value < LARGEST:
        return int(value)
    raise Rejected("an invalid count of tokens")


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def hashed(*values: object) -> str:
    return digest(repr(values), 12)


def digest(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()


def grown(total: Numbers | None, before: Numbers | None) -> Numbers | None:
    if total is None:
        return None
    if before is None or sum(total) < sum(before):  # the first, or counted from 0 anew
        return total
    return [max(new - old, 0) for new, old in zip(total, before, strict=True)]
