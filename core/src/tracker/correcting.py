"""Take captures back: a tombstone in the same stream, and the anomalies that it closes."""

from __future__ import annotations

from typing import Any

from tracker.anomalies import STREAM as ANOMALIES
from tracker.anomalies import closing, open_anomalies
from tracker.captures import capture_of
from tracker.capturing import stamped_notes, status_streams, verify_state, write_state
from tracker.errors import TrackerError
from tracker.index import Entry
from tracker.journal import command_line
from tracker.models import Source
from tracker.records import stamp
from tracker.redact import redact
from tracker.session import Session
from tracker.wording import near


def take_back(
    session: Session, source: Source, phase: str | None, window: str | None, position: int, reason: str
) -> None:
    """Append a tombstone for the Nth newest capture that fits, and close what it caused."""
    with session.journal.lock(command_line()):
        found = _find(session, source, phase, window, position)
        capture = capture_of(found, source)
        tombstone = stamp(
            window=capture.window,
            provider=source.name,
            captured_at=session.now,
            source="alias",
            notes=stamped_notes(None, session.lane),
            agent_id=session.lane,
            tombstone=found.record_id,
            reason=redact(reason),
        )
        closed = _closings(session, source, found, tombstone)
        if not session.dry_run:
            verify_state(session, source)
            session.journal.append(source.stream, [tombstone])
            if closed:
                session.journal.append(ANOMALIES, closed)
            write_state(session, source)
    if session.dry_run or session.json:
        session.data(tombstone)
        return
    when = found.record.get("captured_at")
    what = f"{capture.phase} snapshot" if capture.phase else "count"
    session.say(f"removed {source.name} {what} for {capture.window} (captured_at={when})")
    if closed:
        session.note(f"note: closed {len(closed)} anomal{'y' if len(closed) == 1 else 'ies'} that it had caused")
    if _is_finalized(session, source, found):
        again = f"tracker complete --window {capture.window}"
        session.note(f"note: {capture.window} was finalized with it and is stale until `{again} ...` runs again")


def _find(session: Session, source: Source, phase: str | None, window: str | None, position: int) -> Entry:
    """The Nth newest standing capture of the lane; of any lane where the lane has none in a named window."""
    windows = [window] if window else None
    standing = [
        (capture_of(entry, source), entry)
        for entry in session.index.entries(source.stream, windows)
        if entry.record.get("provider", source.name) == source.name
    ]
    fitting = [(capture, entry) for capture, entry in standing if phase is None or capture.phase == phase]
    own = [(capture, entry) for capture, entry in fitting if capture.agent_id == session.lane]
    chosen = sorted(own or (fitting if window else []), key=lambda found: found[0].order, reverse=True)
    if len(chosen) >= position:
        return chosen[position - 1][1]
    what = f"{source.name} {phase or 'capture'}" + (f" for {window}" if window else "")
    lane = f" in lane {session.lane}" if session.lane else ""
    if chosen:
        count = len(chosen)
        raise TrackerError(
            f"there {'is' if count == 1 else 'are'} only {count} {what}{lane}; --index goes up to {count}"
        )
    known = session.index.windows()
    if window and window not in known and known:
        raise TrackerError(f"no window {window!r}: {near(window, known)}")
    gone = " (it was removed before)" if window and _was_removed(session, source, phase, window) else ""
    raise TrackerError(f"there is no {what}{lane} to remove{gone}; `tracker window-audit --window W` shows what stands")


def _was_removed(session: Session, source: Source, phase: str | None, window: str) -> bool:
    targets = session.index.tombstoned(source.stream)
    return any(
        entry.record_id in targets and phase in (None, entry.record.get("phase"))
        for entry in session.index.entries(source.stream, [window], removed=True)
    )


def _closings(session: Session, source: Source, found: Entry, tombstone: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        closing(
            entry,
            f"{source.name} {found.record.get('phase')} of {found.record.get('captured_at')} was removed",
            tombstone["record_id"],
            session.now,
            session.lane,
            "alias",
        )
        for entry in open_anomalies(session.index, status_streams(session), [str(tombstone["window"])])
        if found.record_id in (entry.record.get("records") or ())
    ]


def _is_finalized(session: Session, source: Source, found: Entry) -> bool:
    from tracker.windows import finalized

    row = finalized(session.index, [str(found.record.get("window"))]).get(str(found.record.get("window")))
    used = row.providers.get(source.name, {}).get("records", {}) if row else {}
    return found.record_id in used.values()
