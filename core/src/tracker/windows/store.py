"""Take a reading into the journal: its window, the rules that it must keep, the anomalies that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen

from tracker.contract.readings import Gauge, Reading, compact, to_parsed
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.records import check_window, stamp
from tracker.session import Session
from tracker.text.redact import redact, redact_value, with_addresses
from tracker.text.render import line
from tracker.text.wording import near
from tracker.windows.captures import Capture, Pair, canonical, captures_of, measure
from tracker.windows.lanes import FIRST_WINDOW, OLD_BASELINE, LaneFile, next_window
from tracker.windows.messages import say, window_notes
from tracker.windows.rules import ANOMALIES, anomalies_of, check_after, check_values, dated, superseded

Row = dict[str, Any]


@frozen(kw_only=True, slots=False)
class CaptureRequest:
    """What the user asked to store.

    phases: ``("before",)``, ``("after",)`` or both, when the pane also opens the next window; none for a report.
    reading: as parsed; text: as it came, None for an override. origin: the record's `source`. needs_before: refuse an
    AFTER alone. details: further fields of the record, such as where a reading was taken from. is_last: the command
    stores no more, so that what features do at its end needs no lock of its own.
    """

    source: Source
    phases: tuple[str, ...] = ()
    reading: Reading
    text: str | None
    captured_at: datetime
    origin: str
    window: str | None = None
    notes: str | None = None
    force: bool = False
    needs_before: bool = False
    details: Mapping[str, Any] = field(factory=dict)
    is_last: bool = True


@frozen(kw_only=True, slots=False)
class Stored:
    """What a request stores: its records, and the rows of anomalies that they show or close.

    adopted: BEFOREs that stood in a state file of schema 1.0.0 alone and are records now. notes: what is worth knowing
    beside what was stored. moved: how far each meter moved since the BEFORE, by record field.
    """

    records: list[Row] = field(factory=list)
    anomalies: list[Row] = field(factory=list)
    closings: list[Row] = field(factory=list)
    adopted: list[Row] = field(factory=list)
    notes: list[str] = field(factory=list)
    moved: dict[str, float] = field(factory=dict)


def store(session: Session, request: CaptureRequest) -> Stored:
    """Check the rules, append under the lock, and say what was stored; with `--dry-run` all but the appending."""
    check_values(session, request)
    if request.text is not None:
        reading = dated(session, request) if request.phases else request.reading
        text = redact(request.text, keep_account=session.config.keep_account)
        request = evolve(request, reading=reading, text=text)
    with nullcontext() if session.dry_run else session.journal.lock():
        stored = _plan(session, request)
        # anomalies first: a crash in between leaves rows about nothing, which readers ignore, instead of a silent one
        rows = {ANOMALIES: stored.anomalies + stored.closings, request.source.stream: stored.adopted + stored.records}
        if not session.dry_run:
            session.journal.append_all({stream: own for stream, own in rows.items() if own})
            if request.is_last:
                session.finish()
    say(session, request.source, stored)
    return stored


def _plan(session: Session, request: CaptureRequest) -> Stored:
    """The rows to append. Of a pane that also opens the next window the second one is a BEFORE there."""
    source, stored = request.source, Stored()
    file = LaneFile(session=session, source=source, lane=session.lane)
    file.check()
    meter = source.capacity_meter
    old = file.old_baseline() if meter is not None and meter.unit != "pp" else None
    window = check_window(_choose(session, request, old and old[0]) if request.window is None else request.window)
    adopted = []
    if old and old[0] == window and "after" in request.phases:
        adopted.append(_adopted(session, request, old))
        stored.adopted.append(dict(adopted[0].record))
    if not request.phases:
        stored.records.append(_record(session, request, window))
    for phase in request.phases:
        if stored.records:
            window, adopted = check_window(next_window(window)), []
        _add(session, request, phase, window, [*captures_of(session, source, window), *adopted], stored)
    return stored


def _add(
    session: Session, request: CaptureRequest, phase: str, window: str, group: list[Capture], stored: Stored
) -> None:
    """Add a capture; `group`: what stands in its window."""
    source, before, late = request.source, None, None
    new = _draft(session, request, phase, window)
    if phase == "after":
        if request.needs_before and not any(found.phase == "before" for found in group):
            raise _no_before(session, source, window)
        before = canonical([*group, new]).before
        late = check_after(session, request, before, window)
    record = _record(session, request, window, phase, before)
    new = evolve(new, record_id=record["record_id"], record=record)
    stored.records.append(record)
    stored.anomalies.extend(anomalies_of(session, source, new, group, late))
    stored.closings.extend(superseded(session, source, new, group))
    if before is not None:
        measured = measure(session.registry, source, Pair(before=before, after=new))
        stored.moved.update({name: delta for name, delta in measured.delta.items() if delta is not None})
    if phase == "before":
        stored.notes.extend(window_notes(session, request, new, group))


def _choose(session: Session, request: CaptureRequest, old: str | None) -> str:
    """The window of a capture that names none; `old`: that of a baseline of schema 1.0.0."""
    source, lane = request.source, session.lane
    newest = session.index.newest(source.stream, lane, source.name)
    if newest is not None and newest.phase == "before":
        return newest.window
    if request.phases[0] == "after":
        if old is not None:
            return old
        place = f" in lane {lane}" if lane else ""
        left = [mark.window for mark in session.index.left_open(source.stream, lane, source.name)]
        others = f" (but {', '.join(map(line, left))} never ended)" if left else ""
        raise TrackerError(
            f"{source.name} has no open window{place}{others}."
            f" Begin one with `tracker start {source.name} --stdin`, or name the window with --window."
        )
    if newest is not None:
        return next_window(newest.window)
    if old is not None:
        return old
    # a provider that is new in this lane joins the window that another one has open: only this needs all plugins
    known = [one for one in session.registry.sources.values() if one.kind == "status"]
    marks = [mark for one in known if (mark := session.index.newest(one.stream, lane, one.name))]
    opened = [mark for mark in marks if mark.phase == "before"]
    window = max(opened, key=lambda mark: mark.at).window if opened else FIRST_WINDOW
    from tracker.windows.finalized import finalized

    # what is finalized without it would leave it out
    while finalized(session.index, [window]):
        window = next_window(window)
    return window


def _adopted(session: Session, request: CaptureRequest, old: tuple[str, float, datetime]) -> Capture:
    """The BEFORE that schema 1.0.0 kept in its state file alone, as a capture of its own."""
    window, used, at = old
    source = request.source
    if not session.dry_run:
        session.warn(f"the BEFORE of {source.name} in {window} was in a state file alone: it is a record now")
    meter = source.capacity_meter
    assert meter is not None
    start = evolve(
        request,
        reading=Reading(gauges=(Gauge(meter=meter.key, used=used),), errors=(OLD_BASELINE,)),
        text=None,
        captured_at=min(at, request.captured_at),
        notes="from the state file of schema 1.0.0",
        details={},
    )
    draft = _draft(session, start, "before", window)
    record = _record(session, start, window, "before")
    return evolve(draft, record_id=record["record_id"], record=record, offset=draft.offset - 1)


def _no_before(session: Session, source: Source, window: str) -> TrackerError:
    known = session.index.windows()
    hint = "" if window in known or not known else f" ({near(window, known)})"
    return TrackerError(
        f"{window} has no {source.name} BEFORE{hint}. Capture it first with"
        f" `tracker start {source.name} --stdin --window {window}`. Nothing was stored."
    )


def _draft(session: Session, request: CaptureRequest, phase: str, window: str) -> Capture:
    """The capture that is about to be stored, later than any line of the journal."""
    reading = request.reading
    return Capture(
        record_id="",
        window=window,
        phase=phase,
        captured_at=request.captured_at,
        agent_id=session.lane,
        offset=2**63,
        record={},
        # `compute_delta` needs the instant
        reading=reading if reading.as_of is not None else evolve(reading, as_of=request.captured_at),
    )


def _record(
    session: Session, request: CaptureRequest, window: str, phase: str | None = None, before: Capture | None = None
) -> Row:
    source, keep = request.source, session.config.keep_account
    fields: Row = {"phase": phase, "git_head": git_head(), **request.details} if phase else {}
    meter = source.capacity_meter
    if phase and meter is not None and meter.unit != "pp":
        fields |= _count(meter.key, meter.field_name, request.reading, phase, before)
    fields["parsed"] = redact_value(to_parsed(request.reading, source), keep_account=keep)
    if phase and keep and request.text is not None:
        fields["parsed"] = with_addresses(fields["parsed"], request.text)
    return stamp(
        window=window,
        provider=source.name,
        captured_at=request.captured_at,
        source=request.origin,
        notes=stamped_notes(request.notes, session.lane),
        agent_id=session.lane,
        **fields,
        raw_text=request.text,
    )


def _count(key: str, name: str, reading: Reading, phase: str, before: Capture | None) -> Row:
    """A count's baseline, and with an AFTER the window's own part of it."""

    def used(found: Reading | None) -> float | None:
        gauge = found.gauge(key) if found else None
        return None if gauge is None or gauge.used is None else compact(gauge.used)

    now, base = used(reading), used(before.reading if before else None)
    if phase == "before":
        return {"baseline": now}
    own = compact(now - base) if now is not None and base is not None and now >= base else None
    return {"baseline": base, name: own}


def stamped_notes(notes: str | None, lane: str | None) -> str | None:
    """The caller's notes with the lane behind them, addresses redacted."""
    return "; ".join([*([redact(notes)] if notes else []), *([f"AGENT_ID={lane}"] if lane else [])]) or None


def git_head() -> str | None:
    """The commit of the working directory's repository, None if there is none."""
    import subprocess

    command = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
