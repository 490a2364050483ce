"""Captures of a provider in a window, which of them count, and what they measure. Nothing here reads or writes."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tracker.contract.readings import CROSSED, EPOCH, FELL, Delta, Meter, Reading, amount, fell, from_parsed, instant
from tracker.contract.sources import Source
from tracker.errors import PluginError, TrackerError
from tracker.hosting.discovery import owner
from tracker.hosting.registry import Registry
from tracker.journal.records import PHASES, WINDOWS, lane_of, text
from tracker.session import Session
from tracker.text.clock import zone
from tracker.text.pane import MOVEMENT

if TYPE_CHECKING:
    from tracker.journal.index import Index

KEPT = range(100, 20_000)  # windows whose captures are kept once read: fewer are read quickly, more are too large
AT_RESET = timedelta(minutes=5)  # how long after a reset a floored 0 is taken as nothing used
# A delta that samples on both sides of a reset measured: its tag, and the field of the record that brings it.
SPLIT, SPLIT_FIELD = "reset-split", "reset_split"
# Tags of a pair that measured nothing: of two accounts, as which `window_accounts` names them, or of two plans.
OTHER_ACCOUNT, OTHER_PLAN, MIXED = "other-account", "other-plan", "2 accounts"
TOO_FAR, NO_METER = "reset-implausible", "no-meter"  # tags of a reset that cannot be, of a plan without the meter

Groups = Mapping[tuple[str, str], list["Capture"]]
Span = tuple[datetime, datetime | None]


class Capture(NamedTuple):
    """One standing record of a provider's meters."""

    record_id: str
    window: str
    phase: str | None  # None: a count of schema 1.0.0, which is a difference already
    captured_at: datetime
    agent_id: str | None
    offset: int
    record: Mapping[str, Any]
    reading: Reading

    @property
    def order(self) -> tuple[datetime, int]:
        """The latest wins; of two with one instant, the later line."""
        return self.captured_at, self.offset


def read_text(
    session: Session,
    source: Source,
    text: str,
    captured_at: datetime,
    timezone: str | None,
    scope: str | None = None,
    origin: str | None = None,
) -> Reading:
    """The source's reading; empty and tagged if it recognises nothing."""
    given = {"scope": scope, "origin": origin, "timezone": zone(timezone) if timezone else session.zone}
    if not {"\x1b", "\x08"}.isdisjoint(text) and re.search(MOVEMENT, text):
        played = session.registry.first("screen_text", text=text)
        if played is None:
            raise TrackerError(
                "The text contains cursor movements, and nothing installed can play them. Paste the pane as text."
                f" {owner('hooks', 'screen_text')}".rstrip()
            )
        text = played
    answer = session.registry.call(source.name, "parse_status", text=text, captured_at=captured_at, **given)
    return answer if isinstance(answer, Reading) else Reading(errors=("insufficient-data",))


def captures(
    index: "Index", sources: Mapping[str, Source], windows: Iterable[str] | None = None
) -> dict[tuple[str, str], list[Capture]]:
    """The standing captures of some sources by window and provider, oldest first; of `status` sources alone."""
    wanted = None if windows is None else set(windows)
    known = {name: source for name, source in sources.items() if source.kind == "status"}
    streams = sorted({source.stream for source in known.values()})

    def read() -> dict[tuple[str, str], list[Capture]]:
        found: dict[tuple[str, str], list[Capture]] = {}
        for stream in streams:
            for entry in index.entries(stream, wanted):
                source, window = known.get(text(entry.record.get("provider"))), text(entry.record.get("window"))
                if source is None or entry.record.get("phase") not in (None, *PHASES):
                    continue
                # the figures of many records fit into memory, their panes do not
                record = {key: value for key, value in entry.record.items() if key != "raw_text"}
                taken, parsed = instant(record.get("captured_at")) or EPOCH, record.get("parsed")
                reading = from_parsed(parsed if isinstance(parsed, dict) else {}, source, taken)
                values = (record.get("phase"), taken, lane_of(record), entry.offset, record, reading)
                found.setdefault((window, source.name), []).append(Capture(entry.record_id, window, *values))
        for group in found.values():
            group.sort(key=lambda one: (one.captured_at, one.offset))
        return found

    return index.once(streams, wanted, known, read) if wanted and len(wanted) in KEPT else read()


def is_finalized(index: "Index", window: str) -> bool:
    return any(True for _ in index.entries(WINDOWS, [window]))


class Pair(NamedTuple):
    """The captures of a provider that count in a window."""

    before: Capture | None = None
    after: Capture | None = None

    def capacity(self, session: Session, source: Source) -> float | None:
        return capacity_delta(source, measure(session.registry, source, self).delta)

    @property
    def account(self) -> str | None:
        """The hash of the captures' account; `2 accounts` if they have two."""
        named = {text(one.record.get("account")) for one in self if one is not None} - {""}
        return MIXED if len(named) > 1 else next(iter(named), None)

    @property
    def mixed(self) -> str | None:
        """The tag of captures whose percentages are of two quotas. Panes and JSON have their own words for a plan."""
        records = [one.record for one in self if one is not None]
        accounts = {text(one.get("account")) for one in records} - {""}
        known = [(text(one.get("origin") or one.get("source")), one.get("parsed")) for one in records]
        told = [(by, text(found.get("plan"))) for by, found in known if isinstance(found, dict) and found.get("plan")]
        plans = {(by, plan.islower(), plan.casefold()) for by, plan in told}
        is_of_two = len(plans) > len({one[:2] for one in plans})
        return OTHER_ACCOUNT if len(accounts) > 1 else OTHER_PLAN if is_of_two else None

    @property
    def missing(self) -> tuple[str, ...]:
        """The captures that measuring still needs: `BEFORE`, `AFTER`."""
        if self.after is None:
            return ("AFTER",) if self.before else ("BEFORE", "AFTER")
        return () if self.before or self.after.phase is None else ("BEFORE",)

    def lacking(self, meter: Meter | None) -> list[Capture]:
        """The captures that do not show a meter; a count of schema 1.0.0 is the difference itself."""
        known = [(one, one.reading.gauge(meter.key)) for one in self if one and one.phase and meter]
        return [one for one, gauge in known if gauge is None or gauge.used is None]


def canonical(group: Iterable[Capture]) -> Pair:
    """The last AFTER, and the latest BEFORE that is not later than it, of its own lane if that has one."""
    known = sorted(group, key=lambda one: (one.captured_at, one.offset))
    befores = [capture for capture in known if capture.phase == "before"]
    after = next((capture for capture in reversed(known) if capture.phase != "before"), None)
    if after is not None:
        befores = [one for one in befores if one.captured_at <= after.captured_at and after.phase]
        befores = [one for one in befores if one.agent_id == after.agent_id] or befores
    return Pair(before=befores[-1] if befores else None, after=after)


class Fall(NamedTuple):
    """A meter that went down; `reset_at` is its reset between both readings, if that is known."""

    meter: str
    before: float
    after: float
    reset_at: datetime | None = None


class Measurement(NamedTuple):
    """What a pair says: a delta per record field, the tags, and the falls that are anomalies."""

    delta: Mapping[str, float | None] = {}
    errors: tuple[str, ...] = ()
    falls: tuple[Fall, ...] = ()


def measure(registry: Registry, source: Source, pair: Pair) -> Measurement:
    """The delta of a pair, by the rules that hold for every provider; nothing of one that is not whole."""
    if pair.after is None:
        return Measurement()
    if pair.before is None:
        return _difference(source, pair.after) if pair.after.phase is None else Measurement()
    capacity = source.meter(source.capacity)
    if mixed := pair.mixed:
        return Measurement(delta={capacity.field_name: None} if capacity else {}, errors=(mixed,))
    before, after = pair.before.reading, pair.after.reading
    answer: Delta = registry.call(source.name, "compute_delta", before=before, after=after)
    across = _across_resets(pair.before, pair.after) if SPLIT_FIELD in pair.after.record else {}
    values, errors, falls = dict[str, float | None](), [*before.errors, *after.errors], []
    for change in answer.changes:
        key, delta, is_capacity = change.meter, change.delta, change.meter == source.capacity
        tags = [change.reason] if change.reason else ["capacity-missing"] if delta is None and is_capacity else []
        if (meter := source.meter(key)) is None:
            continue
        if key in across:
            delta, tags = across[key], [f"{SPLIT}:{key}"]
        elif delta is not None and delta >= 0 and not change.reason:
            delta = _risen(delta, meter, before, after)
            tags += [f"{CROSSED}:{key}"] if delta is None else []
        elif (why := change.reason or FELL).startswith((FELL, CROSSED)) and (fall := _fall(meter, before, after)):
            # a plugin may measure across a reset, or have a reason of its own; the core's default never does
            crossed = [f"{CROSSED}:{key}"] if fall.reset_at or why.startswith(CROSSED) else []
            odd = [FELL if is_capacity else f"{FELL}:{key}"] if is_capacity or not crossed else []
            falls += [fall] if odd else []
            delta, tags = None, odd + crossed
        elif delta is not None:
            what = f"Invalid delta {delta:g} of {key}. Expected 0 or more, and no reason."
            raise PluginError(source.name, "compute_delta", what)
        values[meter.field_name] = amount(delta)
        errors += tags
    if capacity and capacity.field_name not in values:
        values[capacity.field_name] = None
        errors.append("capacity-missing")
    elif (refuted := f"{NO_METER}:{source.capacity}") in errors:
        errors.remove(refuted)
    return Measurement(delta=values, errors=tuple(dict.fromkeys(errors)), falls=tuple(falls))


def _risen(delta: float, meter: Meter, before: Reading, after: Reading) -> float | None:
    """A delta that is the difference of two readings: None if the later one's period began after the other reading.

    Vendors also reset early. A fifth of a period is left for resets that they move on; a period of 0 % begins with its
    first use. No reset moves back: an earlier one is another subscription's. For floored readings it is the delta of
    what they stand for: 12 stands for 12 to 12.99.
    """
    old, new = (next((one for one in known.gauges if one.meter == meter.key), None) for known in (before, after))
    if not (old and new) or old.used is None or new.used is None or delta != max(round(new.used - old.used, 6), 0):
        return delta
    if old.used and new.reset_at and before.as_of and meter.longest:
        latest, early = before.as_of + meter.longest, old.reset_at and old.reset_at - meter.longest / 10
        late = max(latest, (old.reset_at or latest) + meter.longest / 5)
        # what an old pane shows is of a period that is over, even if another meter's reset fits
        is_old = old.reset_at <= before.as_of if old.reset_at else f"{TOO_FAR}:{meter.key}" in before.errors
        if new.reset_at > late or (early and new.reset_at < early) or (is_old and new.reset_at != old.reset_at):
            return None
    if meter.rounding != "floor":
        return delta
    # of an idle meter some panes show no reset: the later reading shows that of the same period
    rest = _rest(meter, old.used, old.reset_at or new.reset_at, before.as_of)
    return max(round(new.used + _rest(meter, new.used, new.reset_at, after.as_of) - old.used - rest, 6), 0)


def _rest(meter: Meter, used: float, end: datetime | None, at: datetime | None) -> float:
    """What a floored value lacks on average: half a point, but nothing at a reset; one with decimals is exact."""
    is_new = at and end and isinstance(meter.window, timedelta) and timedelta(0) <= at - end + meter.window <= AT_RESET
    return 0.5 if float(used).is_integer() and not (is_new and used == 0) else 0.0


def _across_resets(before: Capture, after: Capture) -> dict[str, float]:
    """Deltas that an AFTER's record brings, made from readings on both sides of a reset, for this very BEFORE."""
    split = after.record.get(SPLIT_FIELD)
    if not isinstance(split, dict) or split.get("before") != before.record_id:
        return {}
    known = meters.items() if isinstance(meters := split.get("meters"), dict) else ()
    return {key: n for key, one in known if isinstance(one, dict) and (n := amount(one.get("delta"))) is not None}


def _fall(meter: Meter, before: Reading, after: Reading) -> Fall | None:
    """A meter's fall, with the reset in between that either reading shows: the old period's end, or the new one's."""
    old, new = before.gauge(meter.key), after.gauge(meter.key)
    start, stop = before.as_of, after.as_of
    if not (old and new and start and stop) or old.used is None or new.used is None or not fell(old.used, new.used):
        return None
    begun = new.reset_at - meter.window if new.reset_at and isinstance(meter.window, timedelta) else None
    resets = (one for one in (old.reset_at, begun) if one and start < one <= stop)
    return Fall(meter=meter.key, before=old.used, after=new.used, reset_at=next(resets, None))


def _difference(source: Source, after: Capture) -> Measurement:
    """A count of schema 1.0.0, which was stored as the window's own."""
    meter = source.capacity_meter
    gauge = after.reading.gauge(meter.key) if meter else None
    own = amount(after.record.get(meter.field_name, gauge and gauge.used)) if meter else None
    if meter is None or own is None:
        return Measurement(errors=("capacity-missing",))
    return Measurement(delta={meter.field_name: own}, errors=after.reading.errors)


def capacity_delta(source: Source, delta: object) -> float | None:
    """The provider's cost in a stored delta; schema 1.0.0 has counts under the meter's own name."""
    meter = source.capacity_meter
    if meter is None or not isinstance(delta, Mapping):
        return None
    found = amount(delta.get(meter.field_name))
    return amount(delta.get(meter.key)) if found is None else found


def spans(groups: Groups) -> dict[str, Span]:
    """When each window was measured: from its first BEFORE to its last AFTER that count; None: not ended yet."""
    pairs: dict[str, list[Pair]] = {}
    for (window, _), group in groups.items():
        pairs.setdefault(window, []).append(canonical(group))
    begins = {window: [pair.before.captured_at for pair in own if pair.before] for window, own in pairs.items()}
    ends = {window: [pair.after.captured_at for pair in own if pair.after] for window, own in pairs.items()}
    return {window: (min(own), max(ends[window], default=None)) for window, own in begins.items() if own}
