"""The rows of a session file that say what was used: msgspec reads them, and makes no objects of anything else.

It checks types as it reads. Of a line that it refuses `unchecked` makes the same objects, with the values as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
# The fields stand in the order of Codex's own rows: msgspec looks first for the one behind the last that it found.


class Usage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The tokens of a response, or of all until then. An unknown field may hold tokens, too."""

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


def unchecked(row: dict[str, Any]) -> Row:
    """The row of a line that `decode` refuses. What should be an object is one or None, and a usage is a dictionary."""
    timestamp, ordinal, kind = map(row.get, ("timestamp", "ordinal", "type"))
    return Row(timestamp=timestamp, ordinal=ordinal, type=kind, payload=_payload(row.get("payload")))


def _payload(value: object) -> Payload | None:
    if not isinstance(value, dict):
        return None
    get, info, limits = value.get, value.get("info"), value.get("rate_limits")
    return Payload(
        type=get("type"),
        thread_id=get("thread_id"),
        turn_id=get("turn_id"),
        response_id=get("response_id"),
        usage=_usage(get("usage")),
        thread_token_usage=_usage(get("thread_token_usage")),
        model=get("model"),
        info=_info(info) if isinstance(info, dict) else None,
        rate_limits=Limits(plan_type=limits.get("plan_type")) if isinstance(limits, dict) else None,
        latest_token_usage_record=_payload(get("latest_token_usage_record")),
    )


def _info(value: dict[str, Any]) -> Info:
    total, last = value.get("total_token_usage"), value.get("last_token_usage")
    return Info(total_token_usage=_usage(total), last_token_usage=_usage(last))


def _usage(value: Any) -> Any:
    return value if isinstance(value, dict) else None
