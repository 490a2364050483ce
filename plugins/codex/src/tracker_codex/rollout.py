"""The session files that Codex writes (`rollout-*.jsonl`): the last event that tells the main bucket's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tracker.api import Reading, instant
from tracker_codex import backend
from tracker_codex.meters import reading

MAIN = (None, "codex")  # `limit_id`; other buckets have events of their own
EVENT = '"token_count"'


def read(text: str) -> Reading | None:
    """The reading of a session file or of lines from one; None where the text is none."""
    if EVENT not in text:
        return None
    events = [event for line in text.split("\n") if EVENT in line and (event := _event(line)) is not None]
    for event in reversed(events):
        limits = backend.mapping(event["payload"].get("rate_limits"))
        as_of = instant(event.get("timestamp"))
        gauges = tuple(backend.gauges(limits, None, as_of))
        if gauges and limits.get("limit_id") in MAIN:
            return reading(gauges, backend.fields(limits), as_of=as_of)
    return reading((), {}) if events else None


def _event(line: str) -> Mapping[str, Any] | None:
    try:
        event = backend.mapping(orjson.loads(line))
    except orjson.JSONDecodeError:  # a line that is still being written
        return None
    payload = backend.mapping(event.get("payload"))
    return event if event.get("type") == "event_msg" and payload.get("type") == "token_count" else None
