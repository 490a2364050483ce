"""The rules of captures, as functions of what stands and what is new: refusals, and the anomalies that a capture shows.

Rows of anomalies are appended, never changed: a row closes another one, and says something only while the records that
it is about stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import evolve

from tracker.contract.readings import Reading, compact, iso
from tracker.errors import TrackerError
from tracker.journal.records import ANOMALIES, stamp
from tracker.text.clock import span
from tracker.windows.captures import BY_TIME, OTHER_ACCOUNT, Capture, Measured, Pair, canonical

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


class Broken(NamedTuple):
    """A rule that a capture breaks: it is refused with `advice`, or stored with an anomaly if the user insists."""

    kind: str
    cause: str
    advice: str
    cure: str
    captures: tuple[Capture, ...]

    @property
    def refusal(self) -> TrackerError:
        return TrackerError(f"{self.cause[0].upper()}{self.cause[1:]}. {self.advice} Nothing was stored.")


def broken_rules(
    source: Source,
    new: Capture,
    befores: Sequence[Capture],
    before: Capture | None,
    seen: datetime | None,
    now: datetime,
) -> Iterator[Broken]:
    """What is wrong with the time of a capture.

    befores: those that stand in its window. before: the one that counts for it. seen: when its reading says it is from.
    """
    delete = f"tracker alias delete {source.name} --phase {new.phase} --window {new.window}"
    at = new.captured_at
    if at > now + FUTURE:
        # it would count as the newest until then
        cause = f"the capture time {iso(at)} lies in the future, {span(at - now)} ahead"
        advice = (
            "Expected a time that has passed. Check --captured-at and this machine's clock, or store it with --force."
        )
        yield Broken(CLOCK_SKEW, cause, advice, delete, (new,))
    if new.phase == "after" and befores:
        old = before or max(befores, key=BY_TIME)
        is_younger = before is not None and (seen is None or old.reading.as_of is None or seen > old.reading.as_of)
        if not is_younger:
            cause = (
                f"this {source.name} reading is of {iso(seen or at)}, and the BEFORE of {new.window} is of"
                f" {iso(old.reading.as_of or old.captured_at)}: there is nothing in between"
            )
            advice = (
                f"Send {source.title} a message, so that it writes a new reading, then capture again, or store it with"
                " --force."
            )
            yield Broken(CLOCK_SKEW, cause, advice, delete, (old, new))

    if new.phase == "after" and Pair(before, new).is_mixed:
        cause = f"this {source.name} reading is of another account than the BEFORE of {new.window}"
        advice = "Expected both of one account. Name another window with --window, or store it with --force."
        yield Broken(OTHER_ACCOUNT, cause, advice, delete, (new,) if before is None else (before, new))


def late_after(source: Source, new: Capture, reset: datetime, buffer: timedelta) -> Broken:
    """An AFTER in the buffer behind a reset."""
    wait = math.ceil((reset + buffer - new.captured_at).total_seconds())
    cause = f"the AFTER of {source.name} comes too early: a meter was reset at {iso(reset)}, and the vendor's pane lags"
    advice = (
        f"Expected a capture from {iso(reset + buffer)} on. Wait {wait // 60} min {wait % 60} s and capture again, or"
        f" store it as an anomaly with --force (or '{LATE_AFTER}' in --notes)."
    )
    cure = f"capture again after the buffer: tracker end {source.name} --stdin --window {new.window}"
    return Broken(LATE_AFTER, cause, advice, cure, (new,))


def has_value(source: Source, reading: Reading) -> bool:
    """Whether a reading says anything at all."""
    return any(gauge.used is not None for gauge in reading.gauges) if source.meters else bool(reading.fields)


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


# --- what a capture shows


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
    """A row about captures; `like` is the record that caused it, and stands for a capture that has no id yet."""
    known = {key: figures.get(key) for key in ("meter", "before", "after", "delta")}
    ids = [one.record_id or like["record_id"] for one in captures]
    return row(like, kind=kind, cause=cause, cure=cure, records=ids, **known)


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
