"""Log records of Claude Code: `claude_code.api_request` and `claude_code.api_error` are requests, all others none.

https://docs.claude.com/en/docs/claude-code/monitoring-usage
"""

from __future__ import annotations

from typing import Any

from tracker.api import Event
from tracker_proxy import plain, values
from tracker_proxy.attributes import attributes, nanoseconds, scalar

# The log record's body has the program's name before the event's; the attribute `event.name` mostly does not.
HEALTH = {
    "claude_code.api_request": "ok",
    "claude_code.api_error": "error",
    "api_request": "ok",
    "api_error": "error",
}


def event(resource: dict[str, object], record: dict[str, Any]) -> Event | None:
    """The request of a log record, if it is one of a request."""
    found = attributes(record)
    health = _health(scalar(record.get("body")), found.get("event.name"))
    if health is None:
        return None
    stamp = found.get("event.timestamp")
    numbers = {name: values.number(value) for name, value in found.items()}
    return plain.event(
        {
            "ts": values.epoch_seconds(nanoseconds(record.get("timeUnixNano")), 10**9) if stamp is None else stamp,
            "rid": found.get("request_id") or _sequenced(found.get("session.id"), numbers.get("event.sequence")),
            "lane": resource.get("lane") or resource.get("service.name"),
            "model": found.get("model"),
            "status": _status(health, numbers.get("status_code")),
            "input_tokens": numbers.get("input_tokens"),
            "output_tokens": numbers.get("output_tokens"),
            "cache_read_tokens": numbers.get("cache_read_tokens"),
            "cache_write_tokens": numbers.get("cache_creation_tokens"),
            "latency_ms": numbers.get("duration_ms"),
        }
    )


def _health(body: object, name: object) -> str | None:
    if isinstance(body, str) and body.startswith("claude_code."):
        return HEALTH.get(body)
    return HEALTH.get(name) if isinstance(name, str) else None


def _status(health: str, code: object) -> object:
    """The code, unless it is none ("undefined": no answer came) or an error came in an answer of 200."""
    return code if type(code) is int and values.is_healthy(code) == (health == "ok") else health


def _sequenced(session: object, sequence: object) -> object:
    """Releases up to 2.0 number no events: their events have the session in common."""
    if not isinstance(session, str) or sequence is None:
        return session
    return f"{session}:{sequence}" if type(sequence) is int else values.UNREADABLE
