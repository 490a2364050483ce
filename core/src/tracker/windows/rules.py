"""The rules of captures, as functions of what stands and what is new: refusals, and the anomalies that a capture shows.

Rows of anomalies are appended, never changed: a row closes another one, and says something only while the records that
it is about stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import evolve

from tracker.contract.readings import Reading, compact, iso
from tracker.errors import TrackerError
from tracker.journal.records import ANOMALIES, stamp, text
from tracker.text.clock import span
from tracker.windows.captures import Capture, Measured, Pair, canonical

if TYPE_CHECKING:
    from tracker.contract.sources import Source
    from tracker.journal.index import Entry
    from tracker.session import Session

LATE_AFTER, CLOCK_SKEW, NEGATIVE = "late-after", "clock-skew", "negative-delta"
IMPLAUSIBLE, STALE = "reset-implausible", "stale-data"
# clocks of machines differ; beyond that a capture claims to be from the future
FUTURE = timedelta(minutes=5)
# panes show resets by the minute, and clocks of machines differ
SLACK = timedelta(minutes=10)
YEAR = timedelta(days=365)

Row = dict[str, Any]

# --- refusals


def has_value(source: Source, reading: Reading) -> bool:
    """Whether a reading says anything at all."""
    return any(gauge.used is not None for gauge in reading.gauges) if source.meters else bool(reading.fields)


def check_time(at: datetime, now: datetime) -> None:
    """Refuse a capture from the future: it would count as the newest until then."""
    if at > now + FUTURE:
        raise TrackerError(
            f"The capture time {iso(at)} is {span(at - now)} ahead. Expected a time that has passed."
            " Check --captured-at and this machine's clock, or store it with --force. Nothing was stored."
        )


def dated(source: Source, reading: Reading, at: datetime, buffer: timedelta, dating: str | None) -> Reading:
    """The reading without resets that cannot be: each lies at most one window of its meter ahead.

    A pane of which every reset is over, or cannot be, is old. It is refused with `dating`, what gives its time, or
    tagged if that is None.
    """
    seen = reading.as_of or at
    resets = {gauge.meter: gauge.reset_at for gauge in reading.gauges if gauge.reset_at is not None}
    meters = {name: source.meter(name) for name in resets}
    longest = {name: (meter and meter.longest) or YEAR for name, meter in meters.items()}
    far = {name for name, reset in resets.items() if reset > seen + longest[name] + SLACK}
    # in the buffer vendors show the old reset
    over = {name for name, reset in resets.items() if reset + buffer <= seen}
    is_old = bool(resets) and len(far | over) == len(resets)
    if not far and not is_old:
        return reading
    if is_old and dating is not None:
        passed = max(reset if reset <= seen else reset - YEAR for reset in resets.values())
        age = span(seen - passed) if passed <= seen else "weeks"
        raise TrackerError(
            f"This {source.name} pane is old: every reset that it shows was over {age} ago. Expected a pane of now."
            f" Capture a new one,{dating} or store it as it is with --force. Nothing was stored."
        )
    gauges = tuple(evolve(one, reset_at=None) if one.meter in far else one for one in reading.gauges)
    tags = [*reading.errors, *(f"{IMPLAUSIBLE}:{name}" for name in sorted(far)), *([STALE] if is_old else [])]
    return evolve(reading, gauges=gauges, errors=tuple(dict.fromkeys(tags)))


def check_after(
    source: Source, before: Capture | None, new: Capture, reset: datetime | None, buffer: timedelta, *, is_sure: bool
) -> str | None:
    """Refuse an AFTER that is not younger than its BEFORE, or in the buffer behind a reset; how close, if sure."""
    old, now, at = before.reading.as_of if before else None, new.reading.as_of, new.captured_at
    if old is not None and now is not None and now <= old and not is_sure:
        raise TrackerError(
            f"This {source.name} reading is of {iso(now)}, and the BEFORE of {new.window} is of {iso(old)}:"
            f" nothing was measured in between. Send {source.title} a message, so that it writes a new reading, then"
            " capture again. Nothing was stored."
        )
    if reset is None:
        return None
    if is_sure or LATE_AFTER in text(new.record.get("notes")):
        return f"captured at {iso(at)}, within {buffer.total_seconds() / 60:g} min after the reset at {iso(reset)}"
    wait = math.ceil((reset + buffer - at).total_seconds())
    raise TrackerError(
        f"The AFTER of {source.name} comes too early: a meter was reset at {iso(reset)}, and the vendor's pane lags."
        f" Expected a capture from {iso(reset + buffer)} on. Wait {wait // 60} min {wait % 60} s and capture again, or"
        f" store it as an anomaly with --force (or '{LATE_AFTER}' in --notes). Nothing was stored."
    )


# --- what a capture shows


def anomalies(
    source: Source, new: Capture, standing: Sequence[Capture], measured: Measured, *, now: datetime, late: str | None
) -> list[Row]:
    """What a new capture shows beside those that stand in its window; `late`: how closely it follows a reset.

    measured: what the pair that counts now says.
    """
    found, known = [], [*standing, new]
    delete = f"tracker alias delete {source.name} --phase {new.phase} --window {new.window}"
    if late is not None:
        again = f"capture again after the buffer: tracker end {source.name} --stdin --window {new.window}"
        found.append(anomaly(LATE_AFTER, late, again, [new], new.record))
    if new.captured_at > now + FUTURE:
        cause = f"captured at {iso(new.captured_at)}, which lies in the future"
        found.append(anomaly(CLOCK_SKEW, cause, delete, [new], new.record))
    # by the new one's lane if that has both phases
    own = [capture for capture in known if capture.agent_id == new.agent_id]
    candidates = own if {"before", "after"} <= {capture.phase for capture in own} else known
    befores = [capture for capture in candidates if capture.phase == "before"]
    after = new if new.phase == "after" else canonical(candidates).after
    if after and after.phase and befores and min(one.captured_at for one in befores) > after.captured_at:
        before = new if new.phase == "before" else max(befores, key=lambda one: one.order)
        cause = f"AFTER of {iso(after.captured_at)} is earlier than its BEFORE of {iso(before.captured_at)}"
        found.append(anomaly(CLOCK_SKEW, cause, delete, [before, after], new.record))
    pair = canonical(known)
    return [*found, *falls(source, pair, measured, new.record)] if measured.falls and new in pair else found


def falls(source: Source, pair: Pair, measured: Measured, like: Mapping[str, Any]) -> list[Row]:
    """A row for every meter that fell between the captures that count; `like` is the record that showed it."""
    rows = []
    for fall in measured.falls:
        assert pair.before is not None
        assert pair.after is not None
        before, after = compact(fall.before), compact(fall.after)
        cause, cure = f"{fall.meter} fell from {before} to {after}", "capture again"
        if fall.reset_at is not None:
            cause += f"; it was reset at {iso(fall.reset_at)}, inside the window"
            cure = (
                "readings from both sides of the reset measure across it: end the window before a reset and begin the"
                " next one behind it"
            )
        cure += (
            f", or tracker alias delete {source.name} --phase {pair.after.phase} --window {pair.after.window} (and the"
            f" other phase: then {source.name} leaves the window)"
        )
        figures = {"meter": fall.meter, "before": before, "after": after, "delta": compact(round(after - before, 6))}
        rows.append(anomaly(NEGATIVE, cause, cure, [pair.before, pair.after], like, **figures))
    return rows


def superseded(source: Source, new: Capture, standing: Sequence[Capture], opened: Iterable[Entry]) -> list[Row]:
    """Rows that close the anomalies of captures which, after a new one, no longer count."""
    known = [*standing, new]
    pairs = (canonical(known), canonical(one for one in known if one.agent_id == new.agent_id))
    counting = {capture.record_id for pair in pairs for capture in pair if capture}
    cause = f"superseded by the {new.phase} capture of {iso(new.captured_at)}"
    return [
        row(new.record, closes=found.record_id, kind=found.record.get("kind"), cause=cause, by=new.record_id)
        for found in opened
        if found.record.get("provider") == source.name
        # one of schema 1.0.0 names no records: it is about the pair that counted until now
        and (not counting.issuperset(ids) if (ids := about(found)) else new.record_id in counting)
    ]


def anomaly(
    kind: str, cause: str, cure: str, captures: Iterable[Capture], like: Mapping[str, Any], **figures: Any
) -> Row:
    """A row about captures; `like` is the record that caused it."""
    known = {key: figures.get(key) for key in ("meter", "before", "after", "delta")}
    return row(like, kind=kind, cause=cause, cure=cure, records=[one.record_id for one in captures], **known)


def row(like: Mapping[str, Any], **fields: Any) -> Row:
    """A row with the window, provider, lane and time of a record."""
    return stamp(
        window=like["window"],
        provider=like["provider"],
        captured_at=datetime.fromisoformat(like["captured_at"]),
        source=like["source"],
        agent_id=like["agent_id"],
        **fields,
    )


# --- the anomalies of the journal


def about(entry: Entry) -> list[str]:
    """The ids of the records that an anomaly is about."""
    found = entry.record.get("records")
    return [record for record in found if isinstance(record, str)] if isinstance(found, list) else []


def history(
    session: Session,
    windows: Iterable[str] | None = None,
    streams: list[str] | None = None,
    *,
    without: str | None = None,
    removed: bool = False,
) -> list[tuple[Entry, Entry | None]]:
    """The anomalies whose records all stand, or with `removed` once did, each with the row that closed it.

    A row closes an anomaly while the record stands that it names as `by`. A crash may leave either row without its
    record: then it says nothing. streams: where the records are, if not in all that hold captures. without: a record
    that is about to be taken back.
    """
    entries = list(session.index.entries(ANOMALIES, windows))
    if not entries:
        return []
    streams = streams or session.registry.status_streams
    ids = {one for entry in entries for one in (*about(entry), entry.record.get("by")) if isinstance(one, str)}
    standing = session.index.standing(streams, ids) - {without}
    known = session.index.standing(streams, ids, removed=True) if removed else standing
    closed: dict[str, Entry] = {}
    for entry in entries:
        closes, by = entry.record.get("closes"), entry.record.get("by")
        if isinstance(closes, str) and (by in standing or not isinstance(by, str)):
            closed[closes] = entry
    raised = [entry for entry in entries if "closes" not in entry.record and known.issuperset(about(entry))]
    return [(entry, closed.get(entry.record_id)) for entry in raised]


def open_anomalies(
    session: Session, windows: Iterable[str] | None = None, *, without: str | None = None
) -> list[Entry]:
    """The anomalies that nothing closed and whose records all stand; `without`: a record about to be taken back."""
    return [entry for entry, closed in history(session, windows, without=without) if closed is None]
