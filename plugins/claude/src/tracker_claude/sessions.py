"""Claude Code's session files as requests: one message of the model is one request, whatever shows it.

A message stands in one row per content block, in older versions with growing output, and again in forks and resumed
sessions: of one key the largest total counts. A subagent's replay has a request id of its own: its key ends with a
slash and nothing behind it, which fits every key that begins like it.

`cost-state` rows hold Claude's own totals of a session, with what no row shows, such as compaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tracker.api import Event, LogOrigin, Rejected, TelemetrySource, epoch, hookimpl

WORDS = ('"usage"', '"cost-state"', '"session-owner"')  # a line without one of these tells nothing here
SOURCE = TelemetrySource(
    contract="1.2",
    name="claude-sessions",
    title="Claude Code sessions",
    stream="claude_sessions",
    tags={"model:unknown": "The message names no model; it has no price."},
    origins=(
        LogOrigin(
            name="config",
            title="Claude Code's projects",
            variable="CLAUDE_CONFIG_DIR",
            folder="~/.claude",
            pattern="projects/**/*.jsonl",
            words=WORDS,
        ),
        LogOrigin(
            name="xdg",
            title="Claude Code's projects below the configuration folder",
            variable="XDG_CONFIG_HOME",
            folder="~/.config",
            pattern="claude/projects/**/*.jsonl",
            words=WORDS,
        ),
    ),
)
_WORDS = tuple(word.encode() for word in WORDS)
SYNTHETIC = "<synthetic>"
LARGEST = 2**53
TOTAL = "session-total"  # a tag: not a request, but what the client says that the session used until then


@hookimpl
def source_info() -> TelemetrySource:
    return SOURCE


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """The requests that a row reports."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        if any(word in line for word in _WORDS):
            raise Rejected("not JSON") from None
        return []
    if not isinstance(row, dict):
        raise Rejected("not a JSON object")
    kind = row.get("type")
    if kind == "session-owner":
        scratch["account"] = _account(row.get("accountUuid"))
    elif kind == "cost-state":
        return _totals(row, scratch)
    elif kind == "assistant":
        return _requests(row, scratch)
    return []


def _requests(row: Mapping[str, Any], scratch: dict[str, Any]) -> list[Event]:
    message = row.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(usage, dict) or message.get("model") == SYNTHETIC:
        return []
    name = _text(message.get("id"))
    request = _text(row.get("requestId"))
    is_sidechain = row.get("isSidechain") is True
    if name is None and request is None:
        name = _text(row.get("uuid")) or _hash(row.get("sessionId"), row.get("timestamp"), usage)
    key = f"{name}/" if is_sidechain or request is None else f"{name or ''}/{request}"
    if scratch.get("last") == [key, usage]:
        return []  # the row of another block of the same answer
    model = _text(message.get("model"))
    events = [_event(key, model, usage, row, scratch)]
    iterations = usage.get("iterations")
    for at, one in enumerate(iterations if isinstance(iterations, list) else ()):
        if isinstance(one, dict) and (other := _text(one.get("model"))) not in (None, model):
            events.append(_event(f"{name}#{at}/{request or ''}", other, one, row, scratch))
    scratch["last"], scratch["ts"] = [key, usage], events[0]["ts"] or scratch.get("ts")
    return events


def _event(
    key: str, model: str | None, usage: Mapping[str, Any], row: Mapping[str, Any], scratch: Mapping[str, Any]
) -> Event:
    get = usage.get
    written = _count(get("cache_creation_input_tokens"))
    split = get("cache_creation")
    long = short = 0
    if isinstance(split, dict):
        long = _count(split.get("ephemeral_1h_input_tokens"))
        short = _count(split.get("ephemeral_5m_input_tokens"))
    details = get("output_tokens_details")
    output = _count(get("output_tokens"))
    event: Event = {
        "ts": epoch(row.get("timestamp")),
        "key": key,
        "model": model,
        "input_tokens": _count(get("input_tokens")),
        "cache_read_tokens": _count(get("cache_read_input_tokens")),
        "cache_write_5m_tokens": max(written - long, short),
        "cache_write_1h_tokens": long,
        "output_tokens": output,
        "reasoning_tokens": min(_count(details.get("thinking_tokens")), output) if isinstance(details, dict) else 0,
        **_place(row, scratch),  # type: ignore[typeddict-item]
    }
    speed, tier = get("speed"), get("service_tier")
    if isinstance(speed, str) and speed != "standard":
        event["speed"] = speed
    elif isinstance(tier, str) and tier != "standard":
        event["speed"] = tier
    if model is None:
        event["tags"] = ["model:unknown"]
    return event


def _totals(row: Mapping[str, Any], scratch: Mapping[str, Any]) -> list[Event]:
    """One event per model; `rid` is the lineage, which a fork shares with its parent."""
    models = row.get("modelUsage")
    events: list[Event] = []
    for model, used in models.items() if isinstance(models, dict) else ():
        if not isinstance(used, dict):
            continue
        written = _count(used.get("cacheCreationInputTokens"))
        long = _count(used.get("cacheCreationEphemeral1hInputTokens"))
        event: Event = {
            "ts": scratch.get("ts"),
            "rid": str(row.get("startTime")),
            "model": model,
            "input_tokens": _count(used.get("inputTokens")),
            "cache_read_tokens": _count(used.get("cacheReadInputTokens")),
            "cache_write_5m_tokens": max(written - long, 0),
            "cache_write_1h_tokens": long,
            "output_tokens": _count(used.get("outputTokens")),
            "tags": [TOTAL],
            **_place(row, scratch),  # type: ignore[typeddict-item]
        }
        cost = used.get("costUSD")
        if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e12:
            event["cost_usd"] = float(cost)
        numbers = [value for name, value in event.items() if name.endswith("_tokens")]
        event["key"] = f"cost-state:{row.get('sessionId')}:{row.get('startTime')}:{model}:{numbers}"
        events.append(event)
    return events


def _place(row: Mapping[str, Any], scratch: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "session": _text(row.get("sessionId")),
        "project": _text(row.get("cwd")),
        "branch": _text(row.get("gitBranch")),
        "account": scratch.get("account"),
        "client": _text(row.get("version")),
    }


# --- values


def _count(value: object) -> int:
    """A count; another value makes the line unreadable: unreadable is not zero."""
    if type(value) is int and 0 <= value < LARGEST:
        return value
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer() and 0 <= value < LARGEST:
        return int(value)
    raise Rejected("an invalid count of tokens")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _hash(*values: object) -> str:
    return _digest(repr(values), 12)


def _digest(text: str, size: int) -> str:
    # not imported at the top: OpenSSL, which hashlib loads, costs 2.5 ms of each start
    from hashlib import blake2b

    return blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()


def _account(value: object) -> str | None:
    return _digest(value, 6) if isinstance(value, str) else None
