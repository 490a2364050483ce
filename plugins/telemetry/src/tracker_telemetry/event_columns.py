"""Events by column: what they add up to, and a compact form from which they can be added up otherwise."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import orjson
from attrs import define, field

from tracker_telemetry.percentiles import Buckets

MISSING = math.nan
DAY = 86400
COUNTED = 1 << 53  # no count of tokens is as large
MEASURED = 1e300  # nor any latency
EPOCH = datetime.fromtimestamp(0, UTC)
FIELDS = ("ts", "rid", "lane", "model", "routed", "ok", "input_tokens", "output_tokens", "latency_ms")
CACHE = ("cache_read_tokens", "cache_write_tokens")
TOKENS = ("input", "output", "cache_read", "cache_write")
WIDTHS = {1: "B", 2: "H", 4: "I", 8: "q"}  # bytes of an item and the type of array that has them

Row: TypeAlias = tuple[Any, ...]  # FIELDS and CACHE of one event
Column: TypeAlias = Sequence[Any]  # one of FIELDS and CACHE, of some events
_fields = itemgetter(*FIELDS)


def row_of(event: Mapping[str, Any]) -> Row:
    """What is kept of an event."""
    return tuple(map(event.get, (*FIELDS, *CACHE)))


def columns_of(events: Iterable[Mapping[str, Any]], names: Collection[str]) -> Sequence[Column]:
    """What is kept of events that have these names among them; columns of `CACHE` are left out where none has them."""
    if not {*FIELDS} <= {*names} or not {*CACHE}.isdisjoint(names):
        return list(zip(*map(row_of, events), strict=True))
    try:
        return list(zip(*map(_fields, events), strict=True))
    except KeyError:
        return list(zip(*map(row_of, events), strict=True))


class Group(NamedTuple):
    """What events are added up by; `day` is in UTC; each is empty where events have none."""

    lane: str
    model: str
    day: str
    routed: bool


@define
class Sums:
    """What some events add up to; tokens in the order of `TOKENS`."""

    events: int = 0
    errors: int = 0
    tokens: Sequence[int] = (0, 0, 0, 0)
    buckets: Buckets = field(factory=Buckets)

    def add(self, other: Sums) -> None:
        self.events += other.events
        self.errors += other.errors
        self.tokens = tuple(map(sum, zip(self.tokens, other.tokens, strict=True)))
        self.buckets.merge(other.buckets)


@define
class Columns:
    """The events of one run. `places` says which group each is of; a latency or moment is NaN where there is none."""

    groups: list[Group] = field(factory=list)
    places: array[int] = field(factory=lambda: array("q"))
    tokens: tuple[array[int], ...] = field(factory=lambda: tuple(array("q") for _ in TOKENS))
    latencies: array[float] = field(factory=lambda: array("d"))
    moments: array[float] = field(factory=lambda: array("d"))  # epoch seconds
    rids: list[str] = field(factory=list)  # empty where an event has none

    def __len__(self) -> int:
        return len(self.rids)

    def extend(self, other: Columns) -> None:
        """Add the events of another run."""
        numbers = {group: number for number, group in enumerate(dict.fromkeys([*self.groups, *other.groups]))}
        self.groups = list(numbers)
        self.places.extend(numbers[other.groups[place]] for place in other.places)
        for mine, theirs in zip(self.tokens, other.tokens, strict=True):
            mine.extend(theirs)
        self.latencies.extend(other.latencies)
        self.moments.extend(other.moments)
        self.rids += other.rids

    def pack(self) -> tuple[bytes, ...]:
        """As values of a table's row: `unpack` takes them."""
        return (
            orjson.dumps([tuple(group) for group in self.groups]),
            *map(_packed, (self.places, *self.tokens)),
            self.latencies.tobytes(),
            self.moments.tobytes(),
            orjson.dumps(self.rids),
        )

    @classmethod
    def unpack(cls, row: Sequence[bytes]) -> Columns:
        groups, *counts, latencies, moments, rids = row
        names: list[str] = orjson.loads(rids)
        places, *tokens = (_unpacked(blob, len(names)) for blob in counts)
        return cls(
            groups=[Group(*group) for group in orjson.loads(groups)],
            places=places,
            tokens=tuple(tokens),
            latencies=array("d", latencies),
            moments=array("d", moments),
            rids=names,
        )


def _packed(values: array[int]) -> bytes:
    """In as few bytes as the largest one needs; in none where all are 0."""
    largest = max(values, default=0)
    code = next(code for width, code in WIDTHS.items() if largest < 1 << (8 * width) or width == 8)
    return array(code, values).tobytes() if largest else b""


def _unpacked(blob: bytes, items: int) -> array[int]:
    return array("q", array(WIDTHS[len(blob) // items], blob)) if blob else array("q", bytes(8 * items))


@define
class Tally:
    """Events that are being added up: the columns, and which events failed."""

    columns: Columns = field(factory=Columns)
    _errors: Counter[int] = field(factory=Counter)
    _numbers: dict[tuple[Any, ...], int] = field(factory=dict)  # of groups, by the values that events have
    _groups: dict[Group, int] = field(factory=dict)

    def add(self, rows: Sequence[Row]) -> None:
        """Add events, some hundred at a time."""
        if rows:
            self.add_columns(*zip(*rows, strict=True))

    def add_columns(
        self,
        ts: Column,
        rids: Column,
        lanes: Column,
        models: Column,
        sides: Column,
        fine: Column,
        inputs: Column,
        outputs: Column,
        latencies: Column,
        reads: Column = (),
        writes: Column = (),
    ) -> None:
        """Add events by column."""
        to = self.columns
        moments = _moments(ts)
        days = _days(moments)
        places = self._places(lanes, models, days, sides)
        if not all(fine):
            self._errors.update(place for place, is_fine in zip(places, fine, strict=True) if is_fine is not True)
        to.places.extend(places)
        for column, counts in zip(to.tokens, (inputs, outputs, reads, writes), strict=True):
            column.extend(_whole(counts) if any(counts) else array("q", bytes(8 * len(ts))))
        to.latencies.extend(_durations(latencies))
        to.moments.extend(moments)
        to.rids += [rid if type(rid) is str else _text(rid) for rid in rids]

    def _places(self, *labels: Iterable[Any]) -> list[int]:
        keys = list(zip(*labels, strict=True))
        try:
            return list(map(self._numbers.__getitem__, keys))
        except (KeyError, TypeError):  # a new group; or a file was edited, and a list stands where a name belongs
            return [self._place(*key) for key in keys]

    def _place(self, lane: Any, model: Any, day: float | None, side: Any) -> int:
        """The number of a new group, or of one whose labels cannot be looked up."""
        group = Group(_text(lane), _text(model), _date(day), side is True)
        if group not in self._groups:
            self._groups[group] = len(self.columns.groups)
            self.columns.groups.append(group)
        with suppress(TypeError):
            self._numbers[lane, model, day, side] = self._groups[group]
        return self._groups[group]

    def sums(self) -> list[Sums]:
        """What the events of each group add up to."""
        columns = self.columns
        events = Counter(columns.places)
        tokens = [[0] * len(columns.groups) for _ in TOKENS]
        for total, column in zip(tokens, columns.tokens, strict=True):
            for place, count in zip(columns.places, column if any(column) else (), strict=False):
                total[place] += count
        of_group = zip(*tokens, strict=True)
        found = [Sums(events[place], self._errors[place], counts) for place, counts in enumerate(of_group)]
        for (place, latency), times in Counter(zip(columns.places, columns.latencies, strict=True)).items():
            if latency == latency:
                found[place].buckets.add(latency, times)
        return found


def tally(rows: Iterable[Row]) -> Tally:
    """The tally of some events."""
    found = Tally()
    found.add(list(rows))
    return found


def _days(moments: array[float]) -> list[float | None]:
    first, last = min(moments) // DAY, max(moments) // DAY
    if first == last and not math.isnan(sum(moments)):
        return [first] * len(moments)
    return [moment // DAY if moment == moment else None for moment in moments]


def _whole(values: Sequence[Any]) -> array[int]:
    try:
        found = array("Q", values)  # refuses what is below 0
        if max(found) < COUNTED:
            return array("q", found.tobytes())
    except (TypeError, OverflowError):
        pass
    return array("q", [value if isinstance(value, int) and 0 < value < COUNTED else 0 for value in values])


def _durations(values: Sequence[Any]) -> array[float]:
    try:
        found = array("d", values)
        if min(found) >= 0 and sum(found) < MEASURED:  # a quarter faster than the largest one
            return found
    except (TypeError, OverflowError):
        pass
    is_fine = (isinstance(value, int | float) and 0 <= value < MEASURED for value in values)
    return array("d", [value if fine else MISSING for value, fine in zip(values, is_fine, strict=True)])


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _moments(ts: Sequence[Any]) -> array[float]:
    parse = datetime.fromisoformat
    try:  # nearly always every event has a time with a zone
        return array("d", [(parse(one) - EPOCH).total_seconds() for one in ts])
    except (TypeError, ValueError):
        return array("d", map(moment, ts))


def epoch(ts: object) -> tuple[float, str]:
    """Epoch seconds and day (UTC) of an event's time; NaN and no day where it has none."""
    seconds = moment(ts)
    return seconds, _date(seconds // DAY if seconds == seconds else None)


def _date(day: float | None) -> str:
    return "" if day is None else (EPOCH + timedelta(days=day)).date().isoformat()


def moment(ts: object) -> float:
    """Epoch seconds of an event's time, in UTC where it names no zone; NaN where it has none."""
    try:
        if isinstance(ts, str):
            found = datetime.fromisoformat(ts)
            return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH).total_seconds()
        if isinstance(ts, int | float):
            EPOCH + timedelta(seconds=ts)  # refuses what no date can be
            return float(ts)
    except (ValueError, OverflowError):
        pass
    return MISSING
