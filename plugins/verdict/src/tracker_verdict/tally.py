"""What windows delivered and used, as columns of numbers: a million windows fit into memory, their objects do not."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tracker.api import Source, instant
from tracker.kernel import Capture, Finalized, ProviderFigures, Session
from tracker_verdict.estimate import WindowResult, estimate

EPOCH = datetime.fromtimestamp(0, UTC)
OTHER_ACCOUNT = "other-account"
Ends = tuple[Capture | None, Capture | None]
# columns of times hold microseconds
NO_TIME, MICROSECOND = -1 << 63, timedelta(microseconds=1)


class Results(Sequence[WindowResult]):
    """What windows delivered, as columns: a million of them take 40 MB."""

    def __init__(self) -> None:
        self._windows: list[str] = []
        self._features, self._capacity, self._quality, self._at = array("d"), array("d"), array("d"), array("q")

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        quality, at = self._quality[place], self._at[place]
        return WindowResult(
            window=self._windows[place],
            features=_compact(self._features[place]),
            capacity=_compact(self._capacity[place]),
            quality=None if math.isnan(quality) else quality,
            at=None if at == NO_TIME else EPOCH + at * MICROSECOND,
        )

    def add(self, window: str, features: float, capacity: float, quality: float | None, at: datetime | None) -> None:
        self._windows.append(window)
        self._features.append(features)
        self._capacity.append(capacity)
        self._quality.append(math.nan if quality is None else quality)
        self._at.append(NO_TIME if at is None else (at - EPOCH) // MICROSECOND)

    def extend(self, other: Results) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))


class Spent:
    """When windows moved a meter, and from which value to which, as columns."""

    def __init__(self) -> None:
        self._windows: list[str] = []
        self._start, self._end, self._old, self._new = array("q"), array("q"), array("d"), array("d")

    def add(self, window: str, pair: Ends, meter: str) -> None:
        before, after = pair
        if before is None or after is None or after.phase is None:
            return
        self._windows.append(window)
        for capture, times, values in ((before, self._start, self._old), (after, self._end, self._new)):
            gauge = capture.reading.gauge(meter)
            times.append((capture.captured_at - EPOCH) // MICROSECOND)
            values.append(math.nan if gauge is None or gauge.used is None else gauge.used)

    def extend(self, other: Spent) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))

    def overlaps(self) -> dict[str, str]:
        """The windows that moved the meter at the same time, with the reason: each delta holds the work of both."""
        found: dict[str, str] = {}
        running: list[int] = []
        for one in sorted(range(len(self._windows)), key=self._start.__getitem__):
            start, window = self._start[one], self._windows[one]
            running = [other for other in running if self._end[other] > start]
            for other in running:
                last = min(one, other, key=self._end.__getitem__)
                if start < self._end[last] and self._old[one] != self._new[last]:
                    name = self._windows[other]
                    found |= {name: f"overlaps {window}", window: f"overlaps {name}"}
            running.append(one)
        return found


class Tally:
    """A provider's windows, added one by one, of each its numbers."""

    def __init__(self, session: Session, source: Source) -> None:
        self.session, self.source, self.results, self.spent = session, source, Results(), Spent()
        self.excluded: dict[str, str] = {}
        self.stale: list[str] = []

    def add(self, row: Finalized, group: Iterable[Capture]) -> None:
        """A finalized window with the provider's captures, if it says something of the provider."""
        found = row.result(self.source, group)
        if found is None:
            return
        self.spent.add(row.window, found.pair, self.source.capacity or "")
        if found.reason is None:
            self.results.add(row.window, found.features, found.capacity, row.quality, _moment(found.pair, row))
        else:
            self.excluded[row.window] = found.reason
        if row.is_stale(self.source.name, group):
            self.stale.append(row.window)

    def extend(self, other: Tally) -> None:
        self.results.extend(other.results)
        self.spent.extend(other.spent)
        self.excluded |= other.excluded
        self.stale += other.stale

    def total(self, account: str = "", *, overlaps: Mapping[str, str] | None = None) -> ProviderFigures:
        """What the windows say together. overlaps: of these and others, by default of these."""
        shared = self.spent.overlaps() if overlaps is None else overlaps
        results: Sequence[WindowResult] = self.results
        excluded = self.excluded
        if shared:
            results = [one for one in self.results if one.window not in shared]
            own = [*excluded, *(one.window for one in self.results if one.window in shared)]
            reasons = {window: excluded.get(window, "") for window in sorted(own, key=_place)}
            excluded = {
                window: reason if reason == OTHER_ACCOUNT else shared.get(window, reason)
                for window, reason in reasons.items()
            }
        found = estimate(self.session, self.source, results)
        unit = self.source.capacity_meter.unit if self.source.capacity_meter else ""
        return ProviderFigures(self.source, unit, found, excluded, self.stale, account)


def _compact(value: float) -> float:
    return int(value) if value.is_integer() else value


def _place(window: str) -> list[tuple[int, str]]:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", window)]


def _moment(pair: Ends, row: Finalized) -> datetime | None:
    """The middle between the captures that count, or when the window was finalized."""
    known = [capture.captured_at for capture in pair if capture is not None]
    if known:
        return known[0] + (known[-1] - known[0]) / 2
    stored: Iterable[datetime | None] = (instant(row.record.get(name)) for name in ("captured_at", "finalized_at"))
    return next((at for at in stored if at is not None), None)
