"""Take a capture back: append a tombstone to its stream, and close the anomalies it caused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import click

from tracker.api import Source, redact
from tracker.kernel import Capture, Session, TrackerError, Windows, canonical, plural, stamp, value
from tracker_corrections.anomaly_rows import ANOMALIES, closing, settled, texts, warn_raised

Row = dict[str, Any]
# for a capture that the finalize row was measured with
USED = "finalized with it"


def take_back(
    session: Session,
    source: Source,
    find: Callable[[], Capture],
    *,
    reason: str,
    is_named: bool,
    is_sure: bool,
    keeps_reading: bool,
) -> None:
    """Append a tombstone for a capture, and close what it caused. keeps_reading: leave it in the meter history.

    A capture of a finalized window or of another lane, or without a named window, is removed only if somebody is sure:
    asked on a terminal, else by `is_sure`.
    """
    if session.dry_run:
        session.data(_tombstone(session, source, find(), reason))
        return
    if not is_sure:
        _make_sure(session, source, find(), is_named=is_named)
    with session.journal.lock():
        found = find()
        tombstone = _tombstone(session, source, found, reason)
        closed = _closed(session, source, found, tombstone)
        others = list(settled(session, source, found.window, {found.record_id}, tombstone))
        # anomalies first: without the tombstone the closings close nothing
        rows = {ANOMALIES: [*closed, *others], source.stream: [tombstone]}
        session.journal.append_all({stream: own for stream, own in rows.items() if own})
        command_id = str(found.record.get("command_id") or "")
        records = [] if keeps_reading else [found.record]
        said = session.registry.ask("undo_rows", session=session, command_id=command_id, records=records)
    if session.json:
        session.data(tombstone)
    else:
        _say(session, source, found)
    for text in chain.from_iterable(said):
        session.note(f"note: {text}; `tracker undo` brings both back")
    _say_anomalies(session, len(closed), others)
    if lost := staleness(session, source, found, "`tracker undo --yes` takes this back"):
        session.note(f"note: {lost}")


def _say(session: Session, source: Source, found: Capture) -> None:
    what = f"{found.phase} snapshot" if found.phase else "count"
    when = value(found.record.get("captured_at"))
    session.say(f"removed {source.name} {what} for {found.window} (captured_at={when})")
    if found.agent_id != session.lane:
        session.note(f"note: it belonged to {_lane(found)}")


def _say_anomalies(session: Session, closed: int, others: list[Row]) -> None:
    if closed:
        session.note(f"note: closed {closed} anomal{'y' if closed == 1 else 'ies'} that it caused")
    warn_raised(session, others)


def _lane(found: Capture) -> str:
    return f"lane {found.agent_id}" if found.agent_id else "the lane without a name"


def staleness(session: Session, source: Source, found: Capture, *ways: str) -> str | None:
    """How to correct a window that was finalized with a capture that is gone. ways: those to name first."""
    if _use(session, source, found) != USED or _is_repeated(session, source, found):
        return None
    place, left = f"--window {found.window}", _standing(session, source, found.window)
    pair, stale = canonical(left), f"{found.window} was finalized with this capture and is stale"
    # a provider without any capture leaves the window, unless it is the last one
    is_needed = left or not any(name != source.name for _, name in Windows(session).captures([found.window]))
    missing = pair.missing if is_needed else ()
    fallen = Windows(session).falls(source, pair, found.record)
    fell = next((str(row["cause"]) for row in fallen if row["meter"] == source.capacity), None)
    if not missing and fell is None:
        return f"{stale} until `tracker complete {place} ...` runs again"
    if missing:
        what = f"its {source.name} {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing"
    else:
        what = f"in the {source.name} captures that count now, {fell}"
    # one that is captured now would follow its AFTER
    if "BEFORE" not in missing:
        lane = "" if found.agent_id == session.lane else f" --agent {found.agent_id or repr('')}"
        ways = (*ways, f"`tracker end {source.name} --stdin {place}{lane}` captures it again")
    reopen = f"`tracker complete --reopen {place}` reopens the window"
    return f"{stale}: {what}. {', or '.join(filter(None, (', '.join(ways), reopen)))}"


def _make_sure(session: Session, source: Source, found: Capture, *, is_named: bool) -> None:
    use, is_own = _use(session, source, found), found.agent_id == session.lane
    meant = _meant(session, source, found) if is_own else None
    if is_named and is_own and not use and meant is None:
        return
    what = f"the {source.name} {found.phase or 'count'} of {value(found.record.get('captured_at'))} in {found.window}"
    if use:
        why = f"{found.window} was {use}"
    elif meant is not None:
        option = f"--agent {meant.agent_id or repr('')}"
        why = f"the open anomaly of {found.window} is about captures of {_lane(meant)} ({option} selects it)"
    elif is_own:
        why = "you did not name a window"
    else:
        why = f"it belongs to {_lane(found)}"
    if sys.stdin.isatty() and sys.stderr.isatty():
        if click.confirm(f"Remove {what}? ({why})", err=True):
            return
        raise TrackerError("Nothing was removed.")
    # a name alone is not enough for a capture that was finalized
    named = "" if use or is_named or meant else ", or name its window with --window"
    raise TrackerError(f"This would remove {what}, and {why}. Use --yes to remove it{named}.")


def _meant(session: Session, source: Source, found: Capture) -> Capture | None:
    """A capture of another lane that an open anomaly is about, if that anomaly does not concern this one.

    The stored cure of the lane without a name has no --agent: typed in another lane, it would take that lane's capture.
    """
    known = {one.record_id: one for one in _standing(session, source, found.window)}
    meant = None
    for entry in Windows(session).open_anomalies([found.window]):
        about = [known[name] for name in texts(entry.record.get("records")) if name in known]
        if any(one.record_id == found.record_id for one in about):
            return None
        if about and all(one.agent_id != found.agent_id for one in about):
            meant = about[-1]
    return meant


def _tombstone(session: Session, source: Source, found: Capture, reason: str) -> Row:
    return stamp(
        window=found.window,
        provider=source.name,
        captured_at=session.now,
        source="alias",
        notes=Windows(session).notes(None),
        agent_id=session.lane,
        tombstone=found.record_id,
        reason=redact(reason),
    )


def _closed(session: Session, source: Source, found: Capture, tombstone: Row) -> list[Row]:
    """Rows that close the anomalies which the capture had caused."""
    cause = f"{source.name} {found.phase or 'count'} of {value(found.record.get('captured_at'))} was removed"
    closed = []
    for entry in Windows(session).open_anomalies([found.window]):
        about = entry.record.get("records") or ()
        if found.record_id in about or (not about and entry.record.get("provider") == source.name):
            closed.append(closing(session, entry, cause, tombstone["record_id"]))
    return closed


def _standing(session: Session, source: Source, window: str | None) -> list[Capture]:
    """The provider's captures in a window, or in all."""
    groups = Windows(session).captures([window] if window else None)
    return [capture for (_, name), group in groups.items() if name == source.name for capture in group]


def _is_repeated(session: Session, source: Source, gone: Capture) -> bool:
    """Whether another capture has the same values and time as the one that is gone."""
    keys = ("phase", "captured_at", "parsed")
    group = _standing(session, source, gone.window)
    return any(all(one.record.get(key) == gone.record.get(key) for key in keys) for one in group)


def find_capture(session: Session, source: Source, phase: str | None, window: str | None, position: int) -> Capture:
    """The Nth newest standing capture of the lane; of any lane if the lane has none in a named window."""
    if window is None:  # without reading the history
        phases = () if phase is None else ("after", "count") if phase == "after" else (phase,)
        mark = session.index.newest(source.stream, session.lane, source.name, phases, position)
        for one in _standing(session, source, mark.window) if mark else ():
            if mark and one.record_id == mark.record_id:
                return one
    standing = _standing(session, source, window)
    fitting = [capture for capture in standing if phase is None or (capture.phase or "after") == phase]
    own = [capture for capture in fitting if capture.agent_id == session.lane]
    chosen = sorted(own or (fitting if window else []), key=lambda capture: capture.order, reverse=True)
    if len(chosen) >= position:
        return chosen[position - 1]
    raise _missing(session, source, phase, window, len(chosen))


def _missing(session: Session, source: Source, phase: str | None, window: str | None, count: int) -> TrackerError:
    name = source.name
    lane = f" in lane {session.lane}" if session.lane else ""
    place = f" for {window}" if window else ""
    if count:
        captures = plural(count, f"{phase} capture" if phase else "capture")
        return TrackerError(f"{name} has only {captures}{place}{lane}; --index goes up to {count}.")
    if window and not session.index.knows(window) and session.index.newest_windows(1):
        return Windows(session).no_window(window)
    gone = " (it was removed before)" if window and _was_removed(session, source, phase, window) else ""
    what = f"{name} {f'{phase} ' if phase else ''}capture{place}{lane}"
    return TrackerError(f"There is no {what} to remove{gone}. `tracker window-audit --window W` shows what is stored.")


def _was_removed(session: Session, source: Source, phase: str | None, window: str) -> bool:
    targets = session.index.tombstoned(source.stream)
    return any(
        entry.record_id in targets and phase in (None, entry.record.get("phase", "after"))
        for entry in session.index.entries(source.stream, [window], removed=True)
    )


def _use(session: Session, source: Source, found: Capture) -> str | None:
    """How the finalize row uses the capture; None without a row. A row of schema 1.0.0 names no ids."""
    row = Windows(session).finalized([found.window]).get(found.window)
    if row is None:
        return None
    entry = row.providers.get(source.name)
    used = entry.get("records") if entry is not None else {}
    return USED if not isinstance(used, dict) or found.record_id in used.values() else "finalized"
