"""Take captures back: a tombstone in the same stream, and the anomalies that it closes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.index import Entry
from tracker.journal.journal import command_line
from tracker.journal.records import COUNT, stamp
from tracker.session import Session
from tracker.text.redact import redact
from tracker.text.render import plural, value
from tracker.text.wording import near
from tracker.windows import lane_state as state
from tracker.windows.anomalies import ANOMALIES, about, closing, open_anomalies
from tracker.windows.captures import Capture, canonical, capture_of
from tracker.windows.finalized import finalized
from tracker.windows.rules import falls, status_streams
from tracker.windows.store import stamped_notes


def take_back(
    session: Session,
    source: Source,
    phase: str | None,
    window: str | None,
    position: int,
    reason: str,
    *,
    is_sure: bool = False,
) -> None:
    """Append a tombstone for the Nth newest capture that fits, and close what it caused.

    A capture of a finalized window, and one that nobody named, is removed only if somebody is sure: asked on a
    terminal, else by `is_sure`.
    """
    if not (session.dry_run or is_sure):
        _make_sure(session, source, _find(session, source, phase, window, position), is_named=window is not None)
    if session.dry_run:
        tombstone, *_ = _prepare(session, source, _find(session, source, phase, window, position), reason)
        session.data(tombstone)
        return
    with session.journal.lock(command_line()):
        found = _find(session, source, phase, window, position)
        tombstone, closed, raised = _prepare(session, source, found, reason)
        was_finalized = _is_finalized(session, source, found)
        state.verify(session, source)
        # the closings first: without the tombstone they close nothing
        session.journal.append_all({**({ANOMALIES: closed} if closed else {}), source.stream: [tombstone]})
        _append_after(session, raised)
        for lane in dict.fromkeys((session.lane, found.agent_id)):  # it may have been another lane's
            state.write(session, source, lane)
    if session.json:
        session.data(tombstone)
    else:
        what = f"{found.phase} snapshot" if found.phase else "count"
        when = value(found.record.get("captured_at"))
        session.say(f"removed {source.name} {what} for {found.window} (captured_at={when})")
    if closed:
        session.note(f"note: closed {len(closed)} anomal{'y' if len(closed) == 1 else 'ies'} that it had caused")
    for row in raised:
        session.warn(f"anomaly {row['kind']} in {row['window']}: {row['cause']}; cure: {row['cure']}")
    if was_finalized:
        again = f"tracker complete --window {found.window}"
        session.note(f"note: {found.window} was finalized with it and is stale until `{again} ...` runs again")


def _make_sure(session: Session, source: Source, found: Capture, *, is_named: bool) -> None:
    is_finalized = _is_finalized(session, source, found)
    if is_named and not is_finalized:
        return
    what = f"the {source.name} {found.phase or 'count'} of {value(found.record.get('captured_at'))} in {found.window}"
    why = f"{found.window} is finalized with it" if is_finalized else "no --window names it"
    if sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(f"Remove {what}? ({why})", abort=True, err=True)
        return
    raise TrackerError(
        f"This would remove {what}, and {why}. Use --yes to remove it{'' if is_named else ', or name it with --window'}"
    )


def _prepare(
    session: Session, source: Source, found: Capture, reason: str
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The tombstone, the closings, and anomalies of the captures that count in its place."""
    tombstone = stamp(
        window=found.window,
        provider=source.name,
        captured_at=session.now,
        source="alias",
        notes=stamped_notes(None, session.lane),
        agent_id=session.lane,
        tombstone=found.record_id,
        reason=redact(reason),
    )
    cause = f"{source.name} {found.phase or 'count'} of {value(found.record.get('captured_at'))} was removed"
    by = tombstone["record_id"]
    opened = open_anomalies(session.index, status_streams(session), [found.window])
    closed = [
        closing(entry, cause, by, session.now, session.lane, "alias")
        for entry in opened
        if found.record_id in about(entry) or (not about(entry) and entry.record.get("provider") == source.name)
    ]
    rest = [capture for capture in _standing(session, source, found.window) if capture.record_id != found.record_id]
    rows = falls(session, source, canonical(rest), tombstone)
    left = open_anomalies(session.index, status_streams(session), [found.window], without=found.record_id)
    return tombstone, closed, [row for row in rows if not _is_said(row, left)]


def _is_said(row: dict[str, Any], opened: Iterable[Entry]) -> bool:
    """Whether an open anomaly says the same already."""
    keys = ("kind", "provider", "meter", "records")
    return any(all(entry.record.get(key) == row[key] for key in keys) for entry in opened)


def _append_after(session: Session, rows: list[dict[str, Any]]) -> None:
    """Append what follows from a row that is stored already: a failure is a warning, since that row stands."""
    if rows:
        try:
            session.journal.append(ANOMALIES, rows)
        except TrackerError as error:
            session.warn(f"the capture was removed, but not what this shows: {error}")


def _standing(session: Session, source: Source, window: str | None) -> list[Capture]:
    entries = session.index.entries(source.stream, [window] if window else None)
    return [capture_of(entry, source) for entry in entries if entry.record.get("provider", source.name) == source.name]


def _find(session: Session, source: Source, phase: str | None, window: str | None, position: int) -> Capture:
    """The Nth newest standing capture of the lane; of any lane where the lane has none in a named window."""
    if window is None:  # without reading the history
        phases = () if phase is None else ("after", COUNT) if phase == "after" else (phase,)
        mark = session.index.newest(source.stream, session.lane, source.name, phases, position)
        if mark is not None:
            record = session.journal.record(source.stream, mark.offset)
            return capture_of(Entry(source.stream, mark.offset, mark.record_id, record), source)
    standing = _standing(session, source, window)
    fitting = [capture for capture in standing if phase is None or (capture.phase or "after") == phase]
    own = [capture for capture in fitting if capture.agent_id == session.lane]
    chosen = sorted(own or (fitting if window else []), key=lambda capture: capture.order, reverse=True)
    if len(chosen) >= position:
        return chosen[position - 1]
    place = f" for {window}" if window else ""
    what = f"{source.name} {phase or 'capture'}{place}"
    lane = f" in lane {session.lane}" if session.lane else ""
    if chosen:
        count = len(chosen)
        captures = plural(count, f"{phase} capture" if phase else "capture")
        raise TrackerError(f"{source.name} has only {captures}{place}{lane}; --index goes up to {count}")
    if window and not session.index.knows(window) and (known := session.index.windows()):
        raise TrackerError(f"no window {window!r}: {near(window, known)}")
    gone = " (it was removed before)" if window and _was_removed(session, source, phase, window) else ""
    raise TrackerError(f"there is no {what}{lane} to remove{gone}; `tracker window-audit --window W` shows what stands")


def _was_removed(session: Session, source: Source, phase: str | None, window: str) -> bool:
    targets = session.index.tombstoned(source.stream)
    return any(
        entry.record_id in targets and phase in (None, entry.record.get("phase", "after"))
        for entry in session.index.entries(source.stream, [window], removed=True)
    )


def _is_finalized(session: Session, source: Source, found: Capture) -> bool:
    """Whether the window's finalize row was measured with this capture; a row of schema 1.0.0 says no ids."""
    row = finalized(session.index, [found.window]).get(found.window)
    entry = row.providers.get(source.name) if row else None
    if entry is None:
        return False
    used = entry.get("records")
    return found.record_id in used.values() if isinstance(used, dict) else True
