"""Captures of a provider in a window, which of them count, and what they measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from attrs import field, frozen

from tracker.contract.readings import (
    CROSSED,
    EPOCH,
    FELL,
    Delta,
    Gauge,
    Meter,
    Reading,
    compact,
    fell,
    from_parsed,
    instant,
)
from tracker.contract.sources import Source
from tracker.hosting.registry import Registry
from tracker.journal.index import Entry, Index
from tracker.journal.records import PHASES, lane_of, text, without_text
from tracker.session import Session

# How long after a reset a floored 0 is taken as nothing used.
AT_RESET = timedelta(minutes=5)
# A delta that samples on both sides of a reset measured: its tag, and the field of the record that brings it.
SPLIT, SPLIT_FIELD = "reset-split", "reset_split"


@frozen(kw_only=True, slots=False)
class Capture:
    """One standing record of a provider's meters."""

    record_id: str
    window: str
    phase: str | None  # None: a count of schema 1.0.0, which is a difference already
    captured_at: datetime
    agent_id: str | None
    offset: int
    record: Mapping[str, Any]
    reading: Reading

    # the latest wins, of two of one instant the later line
    order = property(attrgetter("captured_at", "offset"))

    @classmethod
    def of(cls, entry: Entry, source: Source) -> Capture:
        """A stored record as a capture, whatever its schema, without its text."""
        record = without_text(entry.record)
        taken = instant(record.get("captured_at")) or EPOCH
        parsed = record.get("parsed")
        phase = record.get("phase")
        return cls(
            record_id=entry.record_id,
            window=text(record.get("window")),
            phase=phase if phase in PHASES else None,
            captured_at=taken,
            agent_id=lane_of(record),
            offset=entry.offset,
            record=record,
            reading=from_parsed(parsed if isinstance(parsed, dict) else {}, source, taken),
        )


def captures(
    index: Index, registry: Registry, windows: Iterable[str] | None = None
) -> dict[tuple[str, str], list[Capture]]:
    """The standing captures by window and provider, oldest first; of `status` sources alone."""
    wanted = None if windows is None else list(windows)
    statuses = {name: source for name, source in registry.sources.items() if source.kind == "status"}
    found: dict[tuple[str, str], list[Capture]] = {}
    for stream in sorted({source.stream for source in statuses.values()}):
        owners = [name for name, source in statuses.items() if source.stream == stream]
        fallback = owners[0] if len(owners) == 1 else None  # of two providers a record without a name is nobody's
        for entry in index.entries(stream, wanted):
            name = entry.record.get("provider") or fallback
            source = statuses.get(name) if isinstance(name, str) else None
            if source is not None and entry.record.get("phase") in (None, *PHASES):
                capture = Capture.of(entry, source)
                found.setdefault((capture.window, source.name), []).append(capture)
    for group in found.values():
        group.sort(key=lambda capture: capture.order)
    return found


def captures_of(session: Session, source: Source, window: str) -> list[Capture]:
    """The standing captures of one provider in a window, oldest first. Loads no other plugin."""
    found = []
    for entry in session.index.entries(source.stream, [window]):
        name = entry.record.get("provider")
        # only a record without a name needs to know who else writes to the stream
        is_own = name == source.name if name else _owns(session.registry, source)
        if is_own and entry.record.get("phase") in (None, *PHASES):
            found.append(Capture.of(entry, source))
    return sorted(found, key=lambda capture: capture.order)


def _owns(registry: Registry, source: Source) -> bool:
    """Whether no other provider writes to the source's stream."""
    others = [one for one in registry.sources.values() if one.kind == "status" and one.stream == source.stream]
    return len(others) == 1


@frozen(kw_only=True, slots=False)
class Pair:
    """The captures of a provider that count in a window."""

    before: Capture | None = None
    after: Capture | None = None

    def falls(self, session: Session, source: Source, like: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Anomalies of the meters that fell in between, as rows that are like another record."""
        from tracker.windows.rules import falls

        return falls(session, source, self, like)

    def capacity(self, session: Session, source: Source) -> float | None:
        """What the provider's capacity meter says so far."""
        is_whole = self.after is not None and (self.before is not None or self.after.phase is None)
        return capacity_delta(source, measure(session.registry, source, self).delta) if is_whole else None

    @property
    def missing(self) -> tuple[str, ...]:
        """The captures that measuring still needs: `BEFORE`, `AFTER`."""
        is_difference = self.after is not None and self.after.phase is None
        needs = [*(["BEFORE"] if self.before is None and not is_difference else []), *([] if self.after else ["AFTER"])]
        return tuple(needs)


def canonical(group: Iterable[Capture]) -> Pair:
    """The last AFTER, and the latest BEFORE that is not later than it, of its own lane if that has one."""
    known = list(group)
    befores = [capture for capture in known if capture.phase == "before"]
    afters = [capture for capture in known if capture.phase != "before"]
    if not afters:
        return Pair(before=max(befores, key=lambda capture: capture.order, default=None), after=None)
    after = max(afters, key=lambda capture: capture.order)
    if after.phase is None:
        return Pair(before=None, after=after)
    earlier = [capture for capture in befores if capture.captured_at <= after.captured_at]
    own_lane = [capture for capture in earlier if capture.agent_id == after.agent_id]
    return Pair(before=max(own_lane or earlier, key=lambda capture: capture.order, default=None), after=after)


@frozen(kw_only=True, slots=False)
class Fall:
    """A meter that went down; `reset_at` is its reset between both readings, if that is known."""

    meter: str
    before: float
    after: float
    reset_at: datetime | None = None


@frozen(kw_only=True, slots=False)
class Measured:
    """What a pair says: a delta per record field, the tags, and the falls that are anomalies."""

    delta: Mapping[str, float | None] = field(factory=dict)
    errors: tuple[str, ...] = ()
    falls: tuple[Fall, ...] = ()


def measure(registry: Registry, source: Source, pair: Pair) -> Measured:
    """The delta of a whole pair, by the rules that hold for every provider."""
    assert pair.after is not None
    if pair.before is None:
        return _difference(source, pair.after)
    before, after = pair.before.reading, pair.after.reading
    delta: Delta = registry.call(source.name, "compute_delta", before=before, after=after)
    values: dict[str, float | None] = {}
    errors, falls = [*before.errors, *after.errors], []
    parts = _across_resets(pair) if SPLIT_FIELD in pair.after.record else {}
    for change in delta.changes:
        meter = source.meter(change.meter)
        if meter is None:
            continue
        fall, tag = None, change.reason
        found = parts.get(change.meter, change.delta)
        if change.meter in parts:
            tag = f"{SPLIT}:{change.meter}"
        elif found is None or found < 0:
            # a plugin may measure across a reset; the core's default never does
            fall = _fall(before, after, change.meter, is_capacity=change.meter == source.capacity)
        if fall is not None or (found is not None and found < 0):
            found = None
            tag = FELL if fall and change.meter == source.capacity else f"{FELL}:{change.meter}"
        elif found is not None and meter.rounding == "floor" and change.meter not in parts:
            found = _corrected(found, meter, before, after)
        values[meter.field_name] = None if found is None else compact(found)
        errors += [tag] if tag else []
        if fall is not None:
            falls.append(fall)
            errors += [f"{CROSSED}:{change.meter}"] if fall.reset_at is not None else []
    if source.capacity and (meter := source.capacity_meter) and meter.field_name not in values:
        values[meter.field_name] = None
        errors.append("capacity-missing")
    return Measured(delta=values, errors=tuple(dict.fromkeys(errors)), falls=tuple(falls))


def _corrected(delta: float, meter: Meter, before: Reading, after: Reading) -> float:
    """The delta of what floored readings stand for, if it is their difference: 12 stands for 12 to 12.99."""
    old, new = before.gauge(meter.key), after.gauge(meter.key)
    if old is None or new is None or old.used is None or new.used is None:
        return delta
    shift = _cut_off(meter, new, after.as_of) - _cut_off(meter, old, before.as_of)
    is_plain = delta == max(round(new.used - old.used, 6), 0)
    return max(round(new.used - old.used + shift, 6), 0) if shift and is_plain else delta


def _cut_off(meter: Meter, gauge: Gauge, at: datetime | None) -> float:
    """What a floored reading lacks on average: half a point, but nothing at a reset; one with decimals is exact."""
    assert gauge.used is not None
    if not float(gauge.used).is_integer():
        return 0.0
    if gauge.used == 0 and at is not None and gauge.reset_at is not None and isinstance(meter.window, timedelta):
        return 0.0 if timedelta(0) <= at - (gauge.reset_at - meter.window) <= AT_RESET else 0.5
    return 0.5


def _across_resets(pair: Pair) -> dict[str, float]:
    """Deltas that an AFTER's record brings, made from readings on both sides of a reset, for this very BEFORE."""
    assert pair.after is not None
    split = pair.after.record.get(SPLIT_FIELD)
    if not isinstance(split, dict) or pair.before is None or split.get("before") != pair.before.record_id:
        return {}
    meters = split.get("meters")
    found = {key: one.get("delta") for key, one in meters.items()} if isinstance(meters, dict) else {}
    return {key: delta for key, delta in found.items() if isinstance(delta, int | float) and delta >= 0}


def _fall(before: Reading, after: Reading, meter: str, *, is_capacity: bool) -> Fall | None:
    """A meter's fall, unless it was reset in between; of the capacity meter even then."""
    old, new = before.gauge(meter), after.gauge(meter)
    if old is None or new is None or old.used is None or new.used is None:
        return None
    if not fell(old.used, new.used):
        return None
    assert before.as_of is not None
    assert after.as_of is not None
    crossed = old.reset_at is not None and before.as_of < old.reset_at <= after.as_of
    if crossed and not is_capacity:
        return None
    return Fall(meter=meter, before=old.used, after=new.used, reset_at=old.reset_at if crossed else None)


def _difference(source: Source, after: Capture) -> Measured:
    """A count of schema 1.0.0, which was stored as the window's own."""
    meter = source.capacity_meter
    gauge = after.reading.gauge(source.capacity) if source.capacity else None
    own = after.record.get(meter.field_name, gauge and gauge.used) if meter else None
    if meter is None or after.phase is not None or isinstance(own, bool) or not isinstance(own, int | float):
        return Measured(errors=("capacity-missing",))
    return Measured(delta={meter.field_name: own}, errors=after.reading.errors)


def capacity_delta(source: Source, delta: object) -> float | None:
    """The provider's cost in a stored delta; schema 1.0.0 has counts under the meter's own name."""
    meter = source.capacity_meter
    if meter is None or not isinstance(delta, Mapping):
        return None
    found = delta.get(meter.field_name)
    found = delta.get(meter.key) if found is None else found
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def spans(
    session: Session, windows: Iterable[str], groups: Mapping[tuple[str, str], list[Capture]] | None = None
) -> dict[str, tuple[datetime, datetime | None]]:
    """From its first BEFORE to its last AFTER that count, when each window was measured; None is no end yet."""
    wanted = list(windows)
    known = captures(session.index, session.registry, wanted) if groups is None else groups
    found: dict[str, tuple[datetime, datetime | None]] = {}
    for window in wanted:
        pairs = [canonical(group) for (name, _), group in known.items() if name == window]
        befores = [pair.before.captured_at for pair in pairs if pair.before is not None]
        afters = [pair.after.captured_at for pair in pairs if pair.after is not None]
        if befores:
            found[window] = min(befores), max(afters, default=None)
    return found
