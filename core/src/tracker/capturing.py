"""Take a reading into the journal: its window, the rules that it must keep, the anomalies that it shows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import field, frozen

from tracker import lanes
from tracker.anomalies import STREAM as ANOMALIES
from tracker.anomalies import anomaly, closing, open_anomalies
from tracker.captures import Capture, Pair, canonical, captures, measure, reset_instants, with_instant
from tracker.errors import TrackerError
from tracker.journal import command_line
from tracker.models import Reading, Source
from tracker.parsed import iso, number, to_parsed
from tracker.records import stamp
from tracker.redact import redact, redact_value
from tracker.session import Session
from tracker.wording import near

LATE_AFTER = "late-after"
CLOCK_SKEW = "clock-skew"
FUTURE = timedelta(minutes=2)  # clocks of machines differ; beyond that a capture claims to be from the future


@frozen(kw_only=True)
class Request:
    """What the user asked to store.

    phases: ``("before",)``, ``("after",)`` or both, when the pane also opens the next window. reading: as parsed;
    text: as it came, None for an override. origin: the record's `source`. needs_before: refuse an AFTER alone.
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


@frozen(kw_only=True)
class Stored:
    """What was stored: the snapshots, in the order of the request's phases, and the anomalies they show."""

    records: tuple[dict[str, Any], ...]
    anomalies: tuple[dict[str, Any], ...] = ()
    closings: tuple[dict[str, Any], ...] = field(default=())


def store(session: Session, request: Request) -> Stored:
    """Check the rules and append, under the lock; with `--dry-run` all but the appending."""
    source = request.source
    check_values(source, request.reading, force=request.force)
    if session.dry_run:
        return _prepare(session, request)
    with session.journal.lock(command_line()):
        stored = _prepare(session, request)
        verify_state(session, source)
        if stored.anomalies:  # first: a crash in between leaves an anomaly about nothing, not a silent one
            session.journal.append(ANOMALIES, stored.anomalies)
        session.journal.append(source.stream, stored.records)
        if stored.closings:
            session.journal.append(ANOMALIES, stored.closings)
        write_state(session, source)
    return stored


def check_values(source: Source, reading: Reading, *, force: bool) -> None:
    """Refuse a reading without any value."""
    has_value = any(gauge.used is not None for gauge in reading.gauges) if source.meters else bool(reading.fields)
    if has_value or force:
        return
    tags = reading.errors or ("insufficient-data",)
    meanings = [source.tags[tag] for tag in dict.fromkeys(tag.partition(":")[0] for tag in tags) if tag in source.tags]
    why = f": {'; '.join(meanings)}" if meanings else ""
    raise TrackerError(
        f"this text holds no {source.name} reading ({', '.join(tags)}){why}; nothing was stored"
        " (--force stores it with its tags)"
    )


def _prepare(session: Session, request: Request) -> Stored:
    source = request.source
    window = lanes.check_window(request.window) if request.window else _choose(session, source, request)
    group = captures(session.index, session.registry, [window]).get((window, source.name), [])
    records: list[dict[str, Any]] = []
    anomalies: list[dict[str, Any]] = []
    closings: list[dict[str, Any]] = []
    for phase in request.phases:
        here = window if phase == request.phases[0] else lanes.next_window(window)
        if here != window:
            group = captures(session.index, session.registry, [here]).get((here, source.name), [])
        before = canonical([*group, _draft(request, phase, here, session.lane)]).before if phase == "after" else None
        if phase == "after" and request.needs_before and not any(found.phase == "before" for found in group):
            raise _no_before(session, source, here)
        record = _record(session, request, phase, here, before)
        new = _draft(request, phase, here, session.lane, record)
        records.append(record)
        late = _late(session, request) if phase == "after" else None
        anomalies += _anomalies(session, request, record, canonical([*group, new]), group, late)
        closings += _superseded(session, source, here, [*group, new], record)
    return Stored(records=tuple(records), anomalies=tuple(anomalies), closings=tuple(closings))


def _choose(session: Session, source: Source, request: Request) -> str:
    streams = {name: other.stream for name, other in session.registry.sources.items() if other.kind == "status"}
    if request.phases[0] == "after":
        found = lanes.open_window(session.index, source.stream, session.lane, source.name)
        if found is not None:
            return found
        lane = f" in lane {session.lane}" if session.lane else ""
        raise TrackerError(
            f"{source.name} has no open window{lane}; begin one with `tracker alias start {source.name} --stdin`,"
            " or name the window with --window"
        )
    return lanes.choose_window(session.index, streams, session.lane, source.name)


def _no_before(session: Session, source: Source, window: str) -> TrackerError:
    known = session.index.windows()
    hint = "" if window in known or not known else f" ({near(window, known)})"
    return TrackerError(
        f"{window} has no {source.name} BEFORE{hint}; capture it first with"
        f" `tracker alias start {source.name} --stdin --window {window}`; nothing was stored"
    )


def _draft(
    request: Request, phase: str, window: str, agent: str | None, record: dict[str, Any] | None = None
) -> Capture:
    """The capture that is about to be stored, later than any line of the journal."""
    return Capture(
        record_id=record["record_id"] if record else "",
        window=window,
        phase=phase,
        captured_at=request.captured_at,
        agent_id=agent,
        offset=2**63,
        record=record or {},
        reading=with_instant(request.reading, request.captured_at),
    )


def _record(session: Session, request: Request, phase: str, window: str, before: Capture | None) -> dict[str, Any]:
    source, keep = request.source, session.config.keep_account
    fields: dict[str, Any] = {"phase": phase, "git_head": git_head()}
    meter = source.capacity_meter
    if meter is not None and meter.unit != "pp":
        fields |= _count(meter.key, meter.field_name, request.reading, phase, before)
    fields["parsed"] = redact_value(to_parsed(request.reading, source), keep_account=keep)
    fields["raw_text"] = None if request.text is None else redact(request.text, keep_account=keep)
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
        return {"baseline": None if now is None else number(now)}
    old = before.reading.gauge(key) if before else None
    base = old.used if old else None
    own = number(now - base) if now is not None and base is not None and now >= base else None
    return {"baseline": None if base is None else number(base), name: own}


def stamped_notes(notes: str | None, lane: str | None) -> str | None:
    """The caller's notes with the lane behind them, addresses redacted."""
    parts = [redact(notes)] if notes else []
    if lane is not None:
        parts.append(f"AGENT_ID={lane}")
    return "; ".join(parts) or None


def _late(session: Session, request: Request) -> dict[str, Any] | None:
    """The reset that this AFTER follows too closely: refused, unless the user insists."""
    source, at = request.source, request.captured_at
    buffer = timedelta(minutes=session.config.buffer_minutes)
    stored = session.index.resets(source.stream, source.name, (at - buffer).timestamp(), at.timestamp())
    here = [found for found in reset_instants(request.reading) if found <= at < found + buffer]
    instants = [*here, *(datetime.fromtimestamp(found, at.tzinfo) for found in stored)]
    if not instants:
        return None
    reset = max(instants)
    over = reset + buffer
    cause = f"captured at {iso(at)}, within {session.config.buffer_minutes:g} min after the reset at {iso(reset)}"
    if not request.force and LATE_AFTER not in (request.notes or ""):
        wait = over - at
        raise TrackerError(
            f"no {source.name} AFTER before {iso(over)}: a meter was reset at {iso(reset)} and the vendor's pane lags;"
            f" wait {int(wait.total_seconds()) // 60} min {int(wait.total_seconds()) % 60} s and capture again, or"
            f" store it as an anomaly with --force (or '{LATE_AFTER}' in --notes); nothing was stored"
        )
    return {"cause": cause}


def _anomalies(
    session: Session,
    request: Request,
    record: dict[str, Any],
    pair: Pair,
    group: Iterable[Capture],
    late: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    source, phase, window = request.source, record["phase"], record["window"]
    cure = f"tracker alias delete {source.name} --phase {phase} --window {window}"
    found = []
    if late is not None:
        again = f"capture again after the buffer: tracker alias end {source.name} --stdin --window {window}"
        found.append(anomaly(LATE_AFTER, late["cause"], again, [record["record_id"]], record))
    if request.captured_at > session.now + FUTURE:
        cause = f"captured at {record['captured_at']}, which lies in the future"
        found.append(anomaly(CLOCK_SKEW, cause, cure, [record["record_id"]], record))
    befores = [capture for capture in group if capture.phase == "before"]
    if phase == "after" and befores and pair.before is None:
        latest = max(befores, key=lambda capture: capture.order)
        cause = f"AFTER of {record['captured_at']} is earlier than its BEFORE of {iso(latest.captured_at)}"
        found.append(anomaly(CLOCK_SKEW, cause, cure, [latest.record_id, record["record_id"]], record))
    if pair.before is None or pair.after is None:
        return found
    ids = [pair.before.record_id, pair.after.record_id]
    if record["record_id"] not in ids:
        return found
    for fall in measure(session.registry, source, pair).falls:
        cause = f"{fall.meter} fell from {number(fall.before)} to {number(fall.after)}"
        both = f"capture again, or {cure} (and the other phase: then {source.name} leaves the window)"
        figures = {"meter": fall.meter, "before": number(fall.before), "after": number(fall.after)}
        down = number(round(fall.after - fall.before, 6))
        found.append(anomaly("negative-delta", cause, both, ids, record, delta=down, **figures))
    return found


def _superseded(
    session: Session, source: Source, window: str, group: list[Capture], record: dict[str, Any]
) -> list[dict[str, Any]]:
    """Rows that close the anomalies of captures which, after this one, no longer count."""
    lane_pairs = [canonical([capture for capture in group if capture.agent_id == record["agent_id"]]), canonical(group)]
    counting = {capture.record_id for pair in lane_pairs for capture in (pair.before, pair.after) if capture}
    return [
        closing(
            found,
            f"superseded by the {record['phase']} capture of {record['captured_at']}",
            record["record_id"],
            datetime.fromisoformat(record["captured_at"]),
            record["agent_id"],
            record["source"],
        )
        for found in open_anomalies(session.index, status_streams(session), [window])
        if found.record.get("provider") == source.name
        and (about := found.record.get("records"))
        and not set(about) <= counting
    ]


def status_streams(session: Session) -> list[str]:
    """The streams that captures stand in."""
    return sorted({source.stream for source in session.registry.sources.values() if source.kind == "status"})


# --- the lane's state


def _state(session: Session, source: Source) -> tuple[Path, dict[str, Any]]:
    newest = next(iter(session.index.captures(source.stream, session.lane, source.name)), None)
    baseline = None
    if newest is not None and newest.phase == "before":
        _, record = next(iter(session.journal.read(source.stream, newest.offset)))
        baseline = record.get("baseline")
    path = lanes.state_path(session.root, session.state_dir, session.lane, source.name)
    return path, lanes.state_of(newest, session.lane, baseline)


def verify_state(session: Session, source: Source) -> None:
    """Warn where the lane's state file does not say what the journal says."""
    lanes.verify(*_state(session, source), session.warn)


def write_state(session: Session, source: Source) -> None:
    """Write the lane's state file; its loss would cost nothing, so a failure is a warning."""
    path, state = _state(session, source)
    try:
        lanes.write_state(path, state)
    except OSError as error:
        session.warn(f"the lane's state {path} could not be written ({error.strerror}); the record is stored")


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
