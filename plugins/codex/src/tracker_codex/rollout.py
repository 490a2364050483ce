"""The session files that Codex writes (`rollout-*.jsonl`): the last event that tells the main bucket's limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from tracker.api import Reading, instant
from tracker_codex import backend
from tracker_codex.meters import reading

MAIN = (None, "codex")  # `limit_id`; other buckets have events of their own
EVENT = '"token_count"'
RELATIVE = b"resets_in_seconds"


def read(text: str) -> Reading | None:
    """The reading of a session file or of lines from one; None where the text is none."""
    if EVENT not in text:
        return None
    events = [event for line in text.split("\n") if EVENT in line and (event := _event(line)) is not None]
    for event in reversed(events):
        limits = backend.mapping(event["payload"].get("rate_limits"))
        as_of = instant(event.get("timestamp"))
        known = orjson.dumps(limits)
        found = _reading(known, as_of if RELATIVE in known else None)
        if found.gauges and limits.get("limit_id") in MAIN:
            return Reading(gauges=found.gauges, fields=found.fields, errors=found.errors, as_of=as_of)
    return reading((), {}) if events else None


@lru_cache(maxsize=64)
def _reading(limits: bytes, as_of: datetime | None) -> Reading:
    """The reading of some limits, which stand in many lines."""
    found = backend.mapping(orjson.loads(limits))
    return reading(tuple(backend.gauges(found, None, as_of)), backend.fields(found))


def _event(line: str) -> Mapping[str, Any] | None:
    try:
        event = backend.mapping(orjson.loads(line))
    except orjson.JSONDecodeError:  # a line that is still being written
        return None
    payload = backend.mapping(event.get("payload"))
    return event if event.get("type") == "event_msg" and payload.get("type") == "token_count" else None
