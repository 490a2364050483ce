"""The rules that a capture must keep, and the anomalies that it shows, each with its cause and its cure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from tracker.contract.readings import Reading, compact, iso
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.session import Session
from tracker.text.clock import span
from tracker.windows.anomalies import about, anomaly, closing, open_anomalies
from tracker.windows.captures import Capture, Pair, canonical, measure, reset_instants

LATE_AFTER, CLOCK_SKEW, NEGATIVE = "late-after", "clock-skew", "negative-delta"
FUTURE = timedelta(minutes=2)  # clocks of machines differ; beyond that a capture claims to be from the future


# --- the time that a pane is from

SLACK = timedelta(minutes=10)  # panes show resets by the minute, and clocks of machines differ
LONGEST_MONTH = timedelta(days=31)
YEAR = timedelta(days=365)
IMPLAUSIBLE, STALE = "reset-implausible", "stale-data"


def dated(session: Session, source: Source, reading: Reading, at: datetime, *, force: bool) -> Reading:
    """The reading without resets that cannot be: each lies at most one window of its meter ahead.

    A pane of which every reset is over, or cannot be, is old: it is refused, unless `force`, which tags it.
    """
    now = reading.as_of or at
    resets = {gauge.meter: gauge.reset_at for gauge in reading.gauges if gauge.reset_at is not None}
    far = {name for name, reset in resets.items() if reset > now + _length(source, name) + SLACK}
    buffer = timedelta(minutes=session.config.buffer_minutes)  # in which vendors show the old reset
    over = {name for name, reset in resets.items() if reset + buffer <= now}
    is_old = bool(resets) and len(far | over) == len(resets)
    if is_old and not force:
        passed = [reset if reset <= now else reset - YEAR for reset in resets.values()]
        age = span(now - max(passed)) if max(passed) <= now else "weeks"
        raise TrackerError(
            f"This {source.name} pane is old: every reset that it shows was over {age} ago. Expected a pane of now."
            " Capture a new one, give the time of this one with --captured-at, or store it as it is with --force;"
            " nothing was stored"
        )
    if not far and not is_old:
        return reading
    gauges = tuple(evolve(one, reset_at=None) if one.meter in far else one for one in reading.gauges)
    tags = [*reading.errors, *(f"{IMPLAUSIBLE}:{name}" for name in sorted(far)), *([STALE] if is_old else [])]
    return evolve(reading, gauges=gauges, errors=tuple(dict.fromkeys(tags)))


def _length(source: Source, name: str) -> timedelta:
    """The longest time until a meter's next reset; a year for a meter that declares none."""
    meter = source.meter(name)
    window = meter.window if meter else None
    return LONGEST_MONTH if window == "month" else window if isinstance(window, timedelta) else YEAR


def check_younger(source: Source, before: Capture | None, reading: Reading, window: str) -> None:
    """Refuse an AFTER whose reading says that it is as old as its BEFORE's, or older."""
    if before is None or reading.as_of is None or before.reading.as_of is None:
        return
    if reading.as_of <= before.reading.as_of:
        raise TrackerError(
            f"This {source.name} reading is of {iso(reading.as_of)}, and the BEFORE of {window} is of"
            f" {iso(before.reading.as_of)}: nothing was measured in between. Send {source.title} a message, so that it"
            " writes a new reading, then capture again; nothing was stored"
        )


# --- the buffer after a reset


def reset_before(session: Session, source: Source, reading: Reading, at: datetime) -> datetime | None:
    """The latest reset in whose buffer an instant lies, by the reading and by what stands."""
    buffer = timedelta(minutes=session.config.buffer_minutes)
    stored = session.index.resets(source.stream, source.name, (at - buffer).timestamp(), at.timestamp())
    here = [found for found in reset_instants(reading) if found <= at < found + buffer]
    return max([*here, *(datetime.fromtimestamp(found, at.tzinfo) for found in stored)], default=None)


def late_after(session: Session, source: Source, reading: Reading, at: datetime, *, insists: bool) -> str | None:
    """Why this AFTER follows a reset too closely; refused, unless the user insists."""
    reset = reset_before(session, source, reading, at)
    if reset is None:
        return None
    over = reset + timedelta(minutes=session.config.buffer_minutes)
    if not insists:
        wait = math.ceil((over - at).total_seconds())
        raise TrackerError(
            f"no {source.name} AFTER before {iso(over)}: a meter was reset at {iso(reset)} and the vendor's pane lags;"
            f" wait {wait // 60} min {wait % 60} s and capture again, or"
            f" store it as an anomaly with --force (or '{LATE_AFTER}' in --notes); nothing was stored"
        )
    return f"captured at {iso(at)}, within {session.config.buffer_minutes:g} min after the reset at {iso(reset)}"


# --- anomalies


def anomalies_of(
    session: Session, source: Source, new: Capture, group: Sequence[Capture], late: str | None
) -> list[dict[str, Any]]:
    """What a new capture shows beside those that stand in its window; `late` as `late_after` said."""
    record, found = new.record, []
    if late is not None:
        again = f"capture again after the buffer: tracker alias end {source.name} --stdin --window {new.window}"
        found.append(anomaly(LATE_AFTER, late, again, [new.record_id], record))
    if new.captured_at > session.now + FUTURE:
        cause = f"captured at {record['captured_at']}, which lies in the future"
        found.append(anomaly(CLOCK_SKEW, cause, _delete(source, new), [new.record_id], record))
    turned = _turned(new, group)
    if turned is not None:
        before, after = turned
        cause = f"AFTER of {iso(after.captured_at)} is earlier than its BEFORE of {iso(before.captured_at)}"
        found.append(anomaly(CLOCK_SKEW, cause, _delete(source, new), [before.record_id, after.record_id], record))
    pair = canonical([*group, new])
    if new.record_id in {capture.record_id for capture in (pair.before, pair.after) if capture}:
        found += falls(session, source, pair, record)
    return found


def _turned(new: Capture, group: Sequence[Capture]) -> tuple[Capture, Capture] | None:
    """A BEFORE and the AFTER that is earlier than it, one of them new; by the new one's lane where that has both."""
    known = [*group, new]
    own = [capture for capture in known if capture.agent_id == new.agent_id]
    phases = {capture.phase for capture in own}
    candidates = own if phases >= {"before", "after"} else known
    befores = [capture for capture in candidates if capture.phase == "before"]
    if new.phase == "after":
        after: Capture | None = new
    else:
        after = canonical(candidates).after
    if after is None or after.phase is None or not befores:
        return None
    if any(capture.captured_at <= after.captured_at for capture in befores):
        return None
    before = new if new.phase == "before" else max(befores, key=lambda capture: capture.order)
    return before, after


def falls(session: Session, source: Source, pair: Pair, like: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for every meter that fell between the captures that count."""
    if pair.before is None or pair.after is None:
        return []
    ids = [pair.before.record_id, pair.after.record_id]
    rows = []
    for fall in measure(session.registry, source, pair).falls:
        before, after = compact(fall.before), compact(fall.after)
        cause = f"{fall.meter} fell from {before} to {after}"
        delete = f"{_delete(source, pair.after)} (and the other phase: then {source.name} leaves the window)"
        cure = f"capture again, or {delete}"
        if fall.reset_at is not None:
            cause += f"; it was reset at {iso(fall.reset_at)}, inside the window"
            cure = (
                f"readings from both sides of the reset measure across it: end the window before a reset and begin the"
                f" next one behind it, or {delete}"
            )
        figures = {"meter": fall.meter, "before": before, "after": after, "delta": compact(round(after - before, 6))}
        rows.append(anomaly(NEGATIVE, cause, cure, ids, like, **figures))
    return rows


def _delete(source: Source, capture: Capture) -> str:
    return f"tracker alias delete {source.name} --phase {capture.phase} --window {capture.window}"


def superseded(session: Session, source: Source, new: Capture, group: Iterable[Capture]) -> list[dict[str, Any]]:
    """Rows that close the anomalies of captures which, after a new one, no longer count."""
    known = [*group, new]
    own_lane = [capture for capture in known if capture.agent_id == new.agent_id]
    pairs = (canonical(own_lane), canonical(known))
    counting = {capture.record_id for pair in pairs for capture in (pair.before, pair.after) if capture}
    cause = f"superseded by the {new.phase} capture of {iso(new.captured_at)}"
    return [
        closing(found, cause, new.record_id, new.captured_at, new.agent_id, str(new.record["source"]))
        for found in open_anomalies(session, [new.window], [source.stream])
        if found.record.get("provider") == source.name
        # one of schema 1.0.0 names no records: it is about the pair that counted until now
        and (not counting.issuperset(ids) if (ids := about(found)) else new.record_id in counting)
    ]
