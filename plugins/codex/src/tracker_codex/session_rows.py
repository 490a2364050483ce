"""The rows of a session file that say what was used: msgspec reads them, and makes no objects of anything else.

It checks types as it reads. For a line that it refuses, `unchecked` makes the same objects with the values as they are.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any, TypeAlias

import msgspec

from tracker.api import Rejected

LARGEST = 2**53
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=LARGEST)]
Numbers: TypeAlias = "list[int]"  # input with caches, read, written, output, reasoning
# The fields are in the order of Codex's own rows: msgspec looks first for the one after the last that it found.


class Usage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The tokens of a response, or of all until then. An unknown field may also hold tokens."""

    input_tokens: Count = 0
    cached_input_tokens: Count = 0
    cache_write_input_tokens: Count = 0
    output_tokens: Count = 0
    reasoning_output_tokens: Count = 0
    total_tokens: Any = None


class Info(msgspec.Struct, gc=False):
    """What a `token_count` says."""

    total_token_usage: Usage | None = None
    last_token_usage: Usage | None = None


class Limits(msgspec.Struct, gc=False):
    """The account's limits."""

    plan_type: Any = None


class Payload(msgspec.Struct, gc=False):
    """What a row of any type says."""

    type: Any = None
    thread_id: Any = None
    turn_id: Any = None
    response_id: Any = None
    usage: Usage | None = None
    thread_token_usage: Usage | None = None
    model: Any = None
    info: Info | None = None
    rate_limits: Limits | None = None
    latest_token_usage_record: Payload | None = None


class Row(msgspec.Struct, gc=False):
    """A line; `epoch` reads its timestamp."""

    timestamp: Any = None
    ordinal: Any = None
    type: Any = None
    payload: Payload | None = None


decode = msgspec.json.Decoder(Row).decode


# fields that hold an object, by its kind; a usage is checked where it is counted
_OBJECTS = {"payload": Payload, "latest_token_usage_record": Payload, "info": Info, "rate_limits": Limits}
_USAGES = frozenset(("usage", "thread_token_usage", "total_token_usage", "last_token_usage"))


def unchecked(row: dict[str, Any], kind: Any = Row) -> Any:
    """The row of a line that `decode` refuses. What should be an object is one or None, and a usage is a dictionary."""
    found = {}
    for name in kind.__struct_fields__:
        value = row.get(name)
        if name in _OBJECTS:
            value = unchecked(value, _OBJECTS[name]) if isinstance(value, dict) else None
        elif name in _USAGES and not isinstance(value, dict):
            value = None
        found[name] = value
    return kind(**found)


# --- values


def numbers(usage: Usage | dict[str, Any] | None) -> Numbers | None:
    if usage is None:
        return None
    if isinstance(usage, dict):
        return [count(usage.get(name)) for name in Usage.__struct_fields__[:5]]
    read, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    return [usage.input_tokens, read, written, usage.output_tokens, usage.reasoning_output_tokens]


def count(value: object) -> int:
    """A count; another value makes the line unreadable: unreadable is not zero."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and 0 <= value < LARGEST:
        return value
    raise Rejected("an invalid count of tokens")


def grown(total: Numbers, before: Numbers | None) -> Numbers:
    if before is None or sum(total) < sum(before):  # the first, or counted from 0 anew
        return total
    return [max(new - old, 0) for new, old in zip(total, before, strict=True)]


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def digest(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()
