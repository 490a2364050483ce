"""Whose requests a file's records are, and from when, if its lines do not say so.

Where its own first line is lost, the copied first line of its parent is taken for it, as a legacy fork has one behind
its own. That copy and those of what the parent had used have the fork's time; the file's own requests come later, and
no line names their thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tracker.api import epoch
from tracker_codex.session_rows import Row, text

BURST_SECONDS = 1.0  # a legacy fork writes its parent's history at once
TURN = re.compile(r"(0[0-9a-f]{7})-([0-9a-f]{4})-7")
MOST = 50  # threads that a file names
NAMES = ("id", "session_id", "forked_from_id", "thread_id", "parent_thread_id")


def note_named(meta: Mapping[str, Any], scratch: dict[str, Any]) -> None:
    """Note the threads that a `session_meta` names."""
    scratch["threads"] = sorted({*scratch.get("threads", ())[:MOST], *_named(meta)})


def _named(meta: Mapping[str, Any]) -> Iterator[str]:
    """The thread of a `session_meta`, and the threads that it comes from."""
    about = [*_parts(meta), meta.get("history_base")]
    yield from (one[name] for one in about if isinstance(one, dict) for name in NAMES if text(one.get(name)))


def _parts(meta: Mapping[str, Any]) -> list[Any]:
    """A `session_meta`, and what it says of where its thread comes from."""
    source = meta.get("source")
    about = [meta, *(source.values() if isinstance(source, dict) else ())]
    return about + [part for one in about[1:] if isinstance(one, dict) for part in one.values()]


def note_first(row: Row, scratch: dict[str, Any]) -> None:
    """Note whether the file's first request has the time of its first line, as only a copy has."""
    if "is_stamped" not in scratch:
        scratch["is_stamped"] = _since_first_line(row, scratch) <= BURST_SECONDS


def is_headless(thread: str | None, row: Row, scratch: Mapping[str, Any]) -> bool:
    """Whether a record of a thread that is not that of the first line is the file's own all the same."""
    known = scratch.get("threads", (thread,))
    if thread in known or len(known) >= MOST or not scratch.get("is_stamped"):
        return False
    # these tell copies otherwise
    may_copy = any(scratch[name] for name in ("is_fork", "is_paginated", "is_subagent", "may_copy"))
    return not may_copy and _since_first_line(row, scratch) > BURST_SECONDS


def _since_first_line(row: Row, scratch: Mapping[str, Any]) -> float:
    """How many seconds later a row was written; 0 if that is not known."""
    at, first = epoch(row.timestamp), scratch.get("forked")
    return 0.0 if at is None or first is None else at - first


def spawner(meta: Mapping[str, Any]) -> str | None:
    """The thread that began a subagent."""
    found = (text(one.get("parent_thread_id")) for one in _parts(meta) if isinstance(one, dict))
    return next(filter(None, found), None)


def look_for_copies(parent: str | None, row: Row, scratch: dict[str, Any]) -> bool:
    """Look for copies behind a subagent's first line, or that of its parent, which follow it within milliseconds.

    Whole seconds leave it open, and then a request counts. Returns whether copies may follow.
    """
    at, stamp = epoch(row.timestamp), row.timestamp
    is_exact = "." in stamp if isinstance(stamp, str) else at is not None and (stamp != at or at % 1 > 0)
    if parent is None or at is None or not is_exact or at < (scratch["forked"] or at) or type(scratch["start"]) is int:
        return False
    if not (scratch["may_copy"] and "is_replay" in scratch):  # the first of the lines of those before it
        scratch["parent"], scratch["may_copy"], scratch["burst"] = parent, True, at
    return True


def is_older(row: Row, scratch: Mapping[str, Any]) -> bool:
    """Whether a row of a subagent's file is from before it began: a copy, written with the file's first line."""
    if not scratch.get("is_subagent"):
        return False
    at, first = epoch(row.timestamp), scratch["forked"]
    if type(start := scratch.get("start")) is type(row.ordinal) is int:
        # where Codex made pages of the file later, its own rows stand below it, too
        return row.ordinal < start and (at is None or first is None or at - first <= BURST_SECONDS)
    return at is not None and first is not None and at < first


def begun(turn: object) -> float | None:
    """When a turn began: its id is a UUID of version 7, which begins with the milliseconds since 1970."""
    found = TURN.match(turn) if isinstance(turn, str) else None
    return int(found[1] + found[2], 16) / 1000 if found else None


def later(one: float | None, other: float | None) -> float | None:
    """Copies may have the times of their originals."""
    return max(filter(None, (one, other)), default=None)
