"""The session files that Codex writes (`rollout-*.jsonl`): the last event that tells the main bucket's limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from tracker.api import Reading, instant
from tracker_codex import backend
from tracker_codex.meters import reading

MAIN = (None, "codex")  # `limit_id`; other buckets have events of their own
EVENT = '"token_count"'
RELATIVE = b"resets_in_seconds"
FIRST = "session_meta"
# What begins with its parent's history has it with its own time; an answer takes longer than this.
COPYING = timedelta(seconds=0.1)


def read(text: str) -> Reading | None:
    """The reading of a session file or of lines from one; None where the text is none."""
    lines = text.split("\n")
    begun = _begun(lines[0]) if FIRST in lines[0] else None
    has_event = False
    for line in reversed(lines):
        if EVENT not in line or (event := _event(line)) is None:
            continue
        has_event = True
        limits = backend.mapping(event["payload"].get("rate_limits"))
        as_of = instant(event.get("timestamp"))
        if begun is not None and as_of is not None and begun <= as_of <= begun + COPYING:
            continue  # of an earlier time, which it does not say
        known = orjson.dumps(limits)
        found = _reading(known, as_of if RELATIVE in known else None)
        if found.gauges and limits.get("limit_id") in MAIN:
            return Reading(gauges=found.gauges, fields=found.fields, errors=found.errors, as_of=as_of)
    return reading((), {}) if has_event else None


@lru_cache(maxsize=8)
def _begun(line: str) -> datetime | None:
    """When a session began, if the line is its first one."""
    event = _row(line)
    return instant(event.get("timestamp")) if event.get("type") == FIRST else None


@lru_cache(maxsize=64)
def _reading(limits: bytes, as_of: datetime | None) -> Reading:
    """The reading of some limits, which stand in many lines."""
    found = backend.mapping(orjson.loads(limits))
    return reading(tuple(backend.gauges(found, None, as_of)), backend.fields(found))


def _event(line: str) -> Mapping[str, Any] | None:
    event = _row(line)
    payload = backend.mapping(event.get("payload"))
    return event if event.get("type") == "event_msg" and payload.get("type") == "token_count" else None


def _row(line: str) -> Mapping[str, Any]:
    try:
        return backend.mapping(orjson.loads(line))
    except orjson.JSONDecodeError:  # a line that is still being written
        return {}
