"""Take a reading into the journal: its window, the rules that it must keep, the anomalies that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen

from tracker.contract.readings import Gauge, Reading, compact, to_parsed
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.records import stamp
from tracker.session import Session
from tracker.text.redact import redact, redact_value, with_addresses
from tracker.text.render import line
from tracker.text.wording import near
from tracker.windows import lane_state as state
from tracker.windows import lanes
from tracker.windows import neighbors as beside
from tracker.windows.anomalies import ANOMALIES
from tracker.windows.captures import Capture, Pair, canonical, captures_of, measure, with_instant
from tracker.windows.rules import (
    LATE_AFTER,
    anomalies_of,
    check_younger,
    dated,
    late_after,
    reset_before,
    superseded,
)
from tracker.windows.sanity import check_values

__all__ = [
    "LATE_AFTER",
    "CaptureRequest",
    "Stored",
    "reset_before",
    "stamped_notes",
    "store",
]

OLD_BASELINE = "baseline-from-state"  # the tag of a BEFORE that only a state file of schema 1.0.0 knew


@frozen(kw_only=True)
class CaptureRequest:
    """What the user asked to store.

    phases: ``("before",)``, ``("after",)`` or both, when the pane also opens the next window. reading: as parsed;
    text: as it came, None for an override. origin: the record's `source`. needs_before: refuse an AFTER alone.
    details: further fields of the record, such as where a reading was taken from.
    """

    source: Source
    phases: tuple[str, ...]
    reading: Reading
    text: str | None
    captured_at: datetime
    origin: str
    window: str | None = None
    notes: str | None = None
    force: bool = False
    needs_before: bool = False
    details: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Stored:
    """What was stored: the snapshots, in the order of the request's phases, and the anomalies they show or close.

    adopted: BEFOREs that stood in a state file of schema 1.0.0 alone and are records now. notes: what is worth knowing
    beside what was stored, said behind it. moved: how far each meter moved since the BEFORE, by record field.
    """

    records: tuple[dict[str, Any], ...]
    anomalies: tuple[dict[str, Any], ...] = ()
    closings: tuple[dict[str, Any], ...] = ()
    adopted: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    moved: Mapping[str, float] = field(factory=dict)


def store(session: Session, request: CaptureRequest) -> Stored:
    """Check the rules and append, under the lock; with `--dry-run` all but the appending."""
    source = request.source
    check_values(session, source, request.reading, request.text, request.captured_at, force=request.force)
    if request.text is not None:
        reading = dated(session, source, request.reading, request.captured_at, force=request.force)
        request = evolve(request, reading=reading)
    if request.text is not None:
        request = evolve(request, text=redact(request.text, keep_account=session.config.keep_account))
    if session.dry_run:
        return _prepare(session, request)
    with session.journal.lock():
        stored = _prepare(session, request)
        if stored.adopted:
            window = stored.adopted[0]["window"]
            session.warn(f"the BEFORE of {source.name} in {window} was in a state file alone: it is a record now")
        else:
            state.verify(session, source)
        rows: dict[str, tuple[dict[str, Any], ...]] = {}
        # first, so that a crash in between leaves rows about nothing, which readers ignore, instead of a silent one
        if anomalies := (*stored.anomalies, *stored.closings):
            rows[ANOMALIES] = anomalies
        session.journal.append_all({**rows, source.stream: (*stored.adopted, *stored.records)})
    return stored


def _prepare(session: Session, request: CaptureRequest) -> Stored:
    """The rows to append. Of a pane that also opens the next window the second one is a BEFORE there."""
    source = request.source
    old = state.old_baseline(session, source)
    window = lanes.check_window(_choose(session, request, old) if request.window is None else request.window)
    adopted = _adopt(session, request, old) if old and old.window == window and "after" in request.phases else []
    windows = (window, lanes.check_window(lanes.next_window(window))) if len(request.phases) > 1 else (window,)
    records: list[dict[str, Any]] = []
    anomalies: list[dict[str, Any]] = []
    closings: list[dict[str, Any]] = []
    notes: list[str] = []
    moved: dict[str, float] = {}
    for phase, here in zip(request.phases, windows, strict=True):
        group = captures_of(session, source, here)
        group += [capture for capture in adopted if capture.window == here]
        if phase == "after" and request.needs_before and not any(found.phase == "before" for found in group):
            raise _no_before(session, source, here)
        if phase == "before" and request.window is None:
            _say_who_else(session, source, here, group)
        draft = _draft(request, phase, here, session.lane)
        before = canonical([*group, draft]).before if phase == "after" else None
        if phase == "after" and not request.force:
            check_younger(source, before, request.reading, here)
        record = _record(session, request, phase, here, before)
        new = evolve(draft, record_id=record["record_id"], record=record)
        late = None
        if phase == "after":
            insists = request.force or LATE_AFTER in (request.notes or "")
            late = late_after(session, source, request.reading, request.captured_at, insists=insists)
        records.append(record)
        anomalies += anomalies_of(session, source, new, group, late)
        if before is not None and not moved:
            measured = measure(session.registry, source, Pair(before=before, after=new))
            moved |= {name: delta for name, delta in measured.delta.items() if delta is not None}
        closings += superseded(session, source, new, group)
        notes += beside.on_the_window(session, source, new, group) if phase == "before" else ()
        notes += beside.left_open(session, source, here) if request.phases == ("before",) else ()
    return Stored(
        records=tuple(records),
        anomalies=tuple(anomalies),
        closings=tuple(closings),
        adopted=tuple(dict(capture.record) for capture in adopted),
        notes=tuple(notes),
        moved=moved,
    )


def _choose(session: Session, request: CaptureRequest, old: state.Baseline | None) -> str:
    """The window of a capture that names none."""
    source = request.source
    if request.phases[0] == "after":
        found = lanes.open_window(session.index, source.stream, session.lane, source.name)
        found = found or (old.window if old else None)
        if found is not None:
            return found
        lane = f" in lane {session.lane}" if session.lane else ""
        left = [mark.window for mark in session.index.left_open(source.stream, session.lane, source.name)]
        others = f" (but {', '.join(map(line, left))} never ended)" if left else ""
        raise TrackerError(
            f"{source.name} has no open window{lane}{others};"
            f" begin one with `tracker alias start {source.name} --stdin`, or name the window with --window"
        )
    newest = session.index.newest(source.stream, session.lane, source.name)
    if newest is not None:
        return newest.window if newest.phase == "before" else lanes.next_window(newest.window)
    if old is not None:
        return old.window
    # a provider that is new in this lane joins the window that another one has open: only this needs all plugins
    streams = {name: other.stream for name, other in session.registry.sources.items() if other.kind == "status"}
    return lanes.joined_window(session.index, streams, session.lane) or lanes.FIRST_WINDOW


def _adopt(session: Session, request: CaptureRequest, old: state.Baseline) -> list[Capture]:
    """The BEFORE that schema 1.0.0 kept in its state file alone, as a capture of its own."""
    meter = request.source.capacity_meter
    assert meter is not None
    reading = Reading(gauges=(Gauge(meter=meter.key, used=old.used),), errors=(OLD_BASELINE,))
    start = evolve(
        request,
        phases=("before",),
        reading=reading,
        text=None,
        captured_at=min(old.at, request.captured_at),
        notes="from the state file of schema 1.0.0",
        details={},
    )
    draft = _draft(start, "before", old.window, session.lane)
    record = _record(session, start, "before", old.window, None)
    return [evolve(draft, record_id=record["record_id"], record=record, offset=draft.offset - 1)]


def _say_who_else(session: Session, source: Source, window: str, group: Iterable[Capture]) -> None:
    """A lane's first capture in a window that it did not name: another lane may be measuring there."""
    found = {capture.agent_id for capture in group}
    if found and session.lane not in found:
        named = ", ".join(sorted(f"lane {agent}" if agent else "the lane without a name" for agent in found))
        session.note(
            f"note: {window} holds captures of {source.name} by {line(named)}, too; one pair per provider and window"
            " counts: `--window` names another"
        )


def _no_before(session: Session, source: Source, window: str) -> TrackerError:
    known = session.index.windows()
    hint = "" if window in known or not known else f" ({near(window, known)})"
    return TrackerError(
        f"{window} has no {source.name} BEFORE{hint}; capture it first with"
        f" `tracker alias start {source.name} --stdin --window {window}`; nothing was stored"
    )


def _draft(request: CaptureRequest, phase: str, window: str, agent: str | None) -> Capture:
    """The capture that is about to be stored, later than any line of the journal."""
    return Capture(
        record_id="",
        window=window,
        phase=phase,
        captured_at=request.captured_at,
        agent_id=agent,
        offset=2**63,
        record={},
        reading=with_instant(request.reading, request.captured_at),
    )


def _record(
    session: Session, request: CaptureRequest, phase: str, window: str, before: Capture | None
) -> dict[str, Any]:
    source, keep = request.source, session.config.keep_account
    fields: dict[str, Any] = {"phase": phase, "git_head": git_head(), **request.details}
    meter = source.capacity_meter
    if meter is not None and meter.unit != "pp":
        fields |= _count(meter.key, meter.field_name, request.reading, phase, before)
    fields["parsed"] = redact_value(to_parsed(request.reading, source), keep_account=keep)
    if keep and request.text is not None:
        fields["parsed"] = with_addresses(fields["parsed"], request.text)
    fields["raw_text"] = request.text
    return stamp(
        window=window,
        provider=source.name,
        captured_at=request.captured_at,
        source=request.origin,
        notes=stamped_notes(request.notes, session.lane),
        agent_id=session.lane,
        **fields,
    )


def _count(key: str, name: str, reading: Reading, phase: str, before: Capture | None) -> dict[str, Any]:
    """A count's baseline, and with an AFTER the window's own part of it."""
    gauge = reading.gauge(key)
    now = gauge.used if gauge else None
    if phase == "before":
        return {"baseline": None if now is None else compact(now)}
    old = before.reading.gauge(key) if before else None
    base = old.used if old else None
    own = compact(now - base) if now is not None and base is not None and now >= base else None
    return {"baseline": None if base is None else compact(base), name: own}


def stamped_notes(notes: str | None, lane: str | None) -> str | None:
    """The caller's notes with the lane behind them, addresses redacted."""
    parts = [redact(notes)] if notes else []
    if lane is not None:
        parts.append(f"AGENT_ID={lane}")
    return "; ".join(parts) or None


def git_head() -> str | None:
    """The commit of the working directory's repository, None where there is none."""
    import subprocess

    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
