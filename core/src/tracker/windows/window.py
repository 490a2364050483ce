"""A reading on its way into the journal: the window that it belongs to takes it in, and its rows are appended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import evolve

from tracker.contract.readings import Reading, compact, to_parsed
from tracker.journal.records import ANOMALIES, check_window, stamp
from tracker.text.pane import account_id, each_text, redact, with_addresses
from tracker.windows import rules
from tracker.windows.captures import Capture, Pair, canonical, captures, measure
from tracker.windows.lanes import FIRST_WINDOW, next_window

if TYPE_CHECKING:
    from tracker.contract.sources import Source
    from tracker.session import Session

Row = dict[str, Any]


class CaptureRequest(NamedTuple):
    """What the user asked to store.

    phases: ``("before",)``, ``("after",)`` or both, when the pane also opens the next window; none for a report.
    reading: as parsed; text: as it came, None for an override. origin: the record's `source`. needs_before: refuse an
    AFTER alone. details: further fields of the record, such as where a reading was taken from. is_last: the command
    stores no more, so that what features do at its end needs no lock of its own.
    """

    source: Source
    reading: Reading
    text: str | None
    captured_at: datetime
    origin: str
    phases: tuple[str, ...] = ()
    window: str | None = None
    notes: str | None = None
    force: bool = False
    needs_before: bool = False
    details: Mapping[str, Any] = {}
    is_last: bool = True


class Window:
    """A window of one provider: the captures that stand in it, the anomalies that are open, and what is added.

    records, anomalies: the rows to append. pair: what counts with them. moved: each meter since the BEFORE, by field.
    """

    def __init__(self, session: Session, source: Source, name: str) -> None:
        self.session, self.source, self.name = session, source, check_window(name)
        self.standing = captures(session.index, {source.name: source}, [name]).get((name, source.name), [])
        known = rules.history(session, [name], [source.stream])
        self.opened = [found for found, closed_by in known if closed_by is None]
        self.records: list[Row] = []
        self.anomalies: list[Row] = []
        self.moved: dict[str, float] = {}

    def add(self, request: CaptureRequest, phase: str | None) -> None:
        """Take in a reading, by the rules for what stands already; without a phase it is a report's."""
        session, source, at = self.session, self.source, request.captured_at
        # `compute_delta` needs the instant; the place is behind every line of the journal
        reading = evolve(request.reading, as_of=request.reading.as_of or at)
        new = Capture("", self.name, phase, at, session.lane, 2**63, request.details, reading)
        befores = [one for one in self.standing if one.phase == "before"]
        before = canonical([*befores, new]).before if phase else None
        if request.needs_before and phase == "after" and not befores:
            from tracker.windows.messages import no_before

            raise no_before(session, source, self.name)
        broken = list(rules.broken_rules(source, new, befores, before, request.reading.as_of, session.now))
        if phase == "after" and (reset := reset_before(session, source, request.reading, at)) is not None:
            broken.append(rules.late_after(source, new, reset, timedelta(minutes=session.config.buffer_minutes)))
        for rule in broken:
            if not request.force and (rule.kind != rules.LATE_AFTER or rule.kind not in (request.notes or "")):
                raise rule.refusal
        record = _record(session, request, self.name, phase, before)
        new = new._replace(record_id=record["record_id"], record=record)
        self.records.append(record)
        self.anomalies += [rules.anomaly(rule.kind, rule.cause, rule.cure, rule.captures, record) for rule in broken]
        self.pair = pair = canonical([*self.standing, new]) if phase else Pair()
        measured = measure(session.registry, source, pair)
        if new is pair.after:
            self.moved = {name: delta for name, delta in measured.delta.items() if delta is not None}
        if measured.falls and new in pair:
            self.anomalies += rules.falls(source, pair, measured, record)
        if self.opened and phase:
            self.anomalies += rules.superseded(source, new, self.standing, self.opened)


def store(session: Session, request: CaptureRequest) -> list[Row]:
    """Check the rules, append under the lock, say what was stored; with `--dry-run` all but the appending.

    The answer is the records.
    """
    source, request, windows = request.source, _checked(session, request), list[Window]()
    with nullcontext() if session.dry_run else session.journal.lock():
        name = _choose(session, request) if request.window is None else request.window
        for phase in request.phases or (None,):
            # of a pane that also opens the next window the second capture is a BEFORE there
            windows.append(Window(session, source, next_window(name) if windows else name))
            windows[-1].add(request, phase)
        # anomalies first: a crash in between leaves rows about nothing, which readers ignore, instead of a silent one
        rows = {
            ANOMALIES: [row for window in windows for row in window.anomalies],
            source.stream: [row for window in windows for row in window.records],
        }
        if not session.dry_run:
            session.journal.append_all({stream: own for stream, own in rows.items() if own})
            if request.is_last:
                session.finish()
    from tracker.windows.messages import say

    say(session, request, windows)
    return rows[source.stream]


def _checked(session: Session, request: CaptureRequest) -> CaptureRequest:
    """The request with what is stored of its text and reading; refused if that says nothing, or is of another time."""
    source, reading, at = request.source, request.reading, request.captured_at
    if not request.force and not rules.has_value(source, reading):
        from tracker.windows.messages import no_value

        raise no_value(session, request)
    if request.text is not None and request.phases:
        # what was read by itself has a time of its own, and no option for it
        dating = " give the time of this one with --captured-at," if request.origin == "alias" else ""
        buffer = timedelta(minutes=session.config.buffer_minutes)
        reading = rules.dated(source, reading, at, buffer, None if request.force else dating)
    text = request.text and redact(request.text, keep_account=session.config.keep_account)
    # two addresses may be redacted alike
    named = reading.fields.get("account")
    known = {"account": account_id(named, request.text)} if isinstance(named, str) and request.text else {}
    return request._replace(reading=reading, text=text, details={**known, **request.details})


def _choose(session: Session, request: CaptureRequest) -> str:
    """The window of a capture that names none: the one that is open, or the next."""
    source, lane, index = request.source, session.lane, session.index
    newest = index.newest(source.stream, lane, source.name)
    if newest is not None and newest.phase == "before":
        return newest.window
    if request.phases[0] == "after":
        from tracker.windows.messages import nothing_open

        raise nothing_open(session, source)
    if newest is not None:
        return next_window(newest.window)
    # a provider that is new in this lane joins the window that another one has open: only this needs all plugins
    known = [one for one in session.registry.sources.values() if one.kind == "status"]
    marks = [mark for one in known if (mark := index.newest(one.stream, lane, one.name))]
    opened = [mark for mark in marks if mark.phase == "before"]
    window = max(opened, key=lambda mark: mark.at).window if opened else FIRST_WINDOW
    from tracker.windows.results import finalized

    # what is finalized without it would leave it out
    while finalized(index, [window]):
        window = next_window(window)
    return window


def reset_before(session: Session, source: Source, reading: Reading, at: datetime) -> datetime | None:
    """The latest reset in whose buffer an instant lies, by the reading and by what stands."""
    start = at - timedelta(minutes=session.config.buffer_minutes)
    stored = session.index.resets(source.stream, source.name, start.timestamp(), at.timestamp())
    here = [one.reset_at for one in reading.gauges if one.reset_at is not None and start < one.reset_at <= at]
    return max([*here, *(datetime.fromtimestamp(found, at.tzinfo) for found in stored)], default=None)


# --- records


def _record(
    session: Session, request: CaptureRequest, window: str, phase: str | None = None, before: Capture | None = None
) -> Row:
    source, keep = request.source, session.config.keep_account
    parsed = each_text(to_parsed(request.reading, source), partial(redact, keep_account=keep))
    fields: Row = {"phase": phase, "git_head": git_head(), **request.details} if phase else {}
    meter = source.capacity_meter
    if phase and meter is not None and meter.unit != "pp":
        fields |= _count(meter.key, meter.field_name, request.reading, phase, before)
    if phase and keep and request.text is not None:
        parsed = with_addresses(parsed, request.text)
    return stamp(
        window=window,
        provider=source.name,
        captured_at=request.captured_at,
        source=request.origin,
        notes=stamped_notes(request.notes, session.lane),
        agent_id=session.lane,
        **fields,
        parsed=parsed,
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
    """The commit of the working directory's repository, None if there is none. git gets no key of a vendor."""
    import os
    import subprocess

    command = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    kept = {name: text for name, text in os.environ.items() if name.startswith(("PATH", "HOME", "XDG_", "GIT_", "SYS"))}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False, env=kept)
        return done.stdout.strip() or None
    return None
