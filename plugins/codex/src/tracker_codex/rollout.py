"""The session files that Codex writes (`rollout-*.jsonl`): the last event with the main bucket's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
# What begins with its parent's history has it with its own time, and the first gap is the wait for an answer.
GAP = timedelta(seconds=1)


def read(text: str) -> Reading | None:
    """The reading of a session file or of lines from one; None for any other text.

    Of a fork's copied events it has the time of the last one, and no values.
    """
    lines = text.split("\n")
    begun, end = _copying(lines)
    has_event, copied = False, None
    for line in reversed(lines):
        if EVENT not in line or (event := _event(line)) is None:
            continue
        has_event = True
        limits = backend.mapping(event["payload"].get("rate_limits"))
        as_of = instant(event.get("timestamp"))
        if begun is not None and end is not None and as_of is not None and begun <= as_of <= end:
            copied = copied or as_of
            continue  # of an earlier time, which it does not say
        known = orjson.dumps(limits)
        found = _reading(known, as_of if RELATIVE in known else None)
        if found.gauges and limits.get("limit_id") in MAIN:
            return Reading(gauges=found.gauges, fields=found.fields, errors=found.errors, as_of=as_of)
    return reading((), {}, as_of=copied) if has_event else None


def _copying(lines: Sequence[str]) -> tuple[datetime | None, datetime | None]:
    """From when to when a fork's parent's events were copied, if the first line is one's."""
    begun = end = _begun(tuple(line for line in lines[:2] if FIRST in line))
    for line in lines if begun is not None else ():
        if EVENT in line and end is not None and (at := instant(_row(line).get("timestamp"))) is not None:
            if at - end > GAP:
                break
            end = max(end, at)
    return begun, end


@lru_cache(maxsize=8)
def _begun(lines: Sequence[str]) -> datetime | None:
    """When a thread began, if its first line or its parent's behind it shows that it has another one's history."""
    rows = [row for row in map(_row, lines) if row.get("type") == FIRST]
    metas = [backend.mapping(row.get("payload")) for row in rows]
    if not metas or metas[0].get("history_base"):
        return None
    is_other = metas[0].get("id") != metas[-1].get("id")
    is_fork = is_other or metas[0].get("forked_from_id") or "parent_thread_id" in str(metas[0].get("source"))
    return instant(rows[0].get("timestamp")) if is_fork else None


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
