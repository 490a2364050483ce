"""LiteLLM's standard logging payload: one finished request a line."""

from __future__ import annotations

from typing import Any

from tracker.api import Event
from tracker_proxy import plain, values

LANE_TAG = "lane:"
TELLING = frozenset(
    {"litellm_call_id", "startTime", "endTime", "prompt_tokens", "completion_tokens", "request_tags", "model_group"}
)


def event(record: dict[str, Any]) -> Event:
    """The line's event. `prompt_tokens` includes what came from a cache, so cache tokens are not counted apart."""
    start, end = record.get("startTime"), record.get("endTime")
    return plain.event(
        {
            "ts": start if values.is_number(start) or start is None else values.UNREADABLE,
            "rid": record.get("trace_id") or record.get("litellm_call_id"),
            "lane": _lane(record.get("request_tags")) or record.get("model_group"),
            "model": record.get("model"),
            "status": record.get("status"),
            "input_tokens": record.get("prompt_tokens"),
            "output_tokens": record.get("completion_tokens"),
            "reason": _error_class(record.get("error_information")),
            "latency_ms": values.elapsed(start, end, 1000),
        }
    )


def _lane(tags: object) -> object:
    """The first `lane:x` among the tags that the caller gave the request."""
    if not isinstance(tags, list):
        return tags and values.UNREADABLE
    return next((tag[len(LANE_TAG) :] for tag in tags if isinstance(tag, str) and tag.startswith(LANE_TAG)), None)


def _error_class(error: object) -> object:
    """`RateLimitError`; the message and the traceback beside it quote the request."""
    return error.get("error_class") if isinstance(error, dict) else None
