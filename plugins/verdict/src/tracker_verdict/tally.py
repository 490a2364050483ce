"""What windows delivered and used, as columns of numbers: a million windows fit into memory, their objects do not."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from attrs import evolve

from tracker.api import Source, instant
from tracker.kernel import Capture, FinalizeRow, ProviderFigures, Session
from tracker_verdict.accounts import OTHER_ACCOUNT, plans, several_plans
from tracker_verdict.estimate import ProviderEstimate, WindowResult, day_of, of_results, since
from tracker_verdict.overlaps import EPOCH, MICROSECOND, OVERLAPS, Ends, Overlaps, Spent, microseconds, overlapping
from tracker_verdict.settings import VerdictSettings, effect_in_use

if TYPE_CHECKING:
    from tracker_verdict.regimes import Regime

# Changes of what a point buys, see `regimes`; no file if none is known.
CHANGES = "state/.verdict/changes.json"
# why a window does not count if a capture was taken back and none replaced it
REMOVED = "capture-removed"
NO_TIME = -1 << 63


class Results:
    """What windows delivered, as columns: a million of them take 40 MB."""

    def __init__(self) -> None:
        self._windows: list[str] = []
        self._features, self._capacity, self._quality, self._at = array("d"), array("d"), array("d"), array("q")

    def __len__(self) -> int:
        return len(self._windows)

    def __iter__(self) -> Iterator[WindowResult]:
        columns = self._windows, self._features, self._capacity, self._quality, self._at
        for window, features, capacity, quality, at in zip(*columns, strict=True):
            yield WindowResult(
                window,
                features,
                capacity,
                quality=None if math.isnan(quality) else quality,
                at=None if at == NO_TIME else EPOCH + at * MICROSECOND,
            )

    def add(self, window: str, features: float, capacity: float, quality: float | None, at: datetime | None) -> None:
        self._windows.append(window)
        self._features.append(features)
        self._capacity.append(capacity)
        self._quality.append(math.nan if quality is None else quality)
        self._at.append(NO_TIME if at is None else microseconds(at))

    def extend(self, other: Results) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))


class Figures(ProviderFigures):
    """A provider over finalized windows, with this feature's own estimate."""

    efficiency: ProviderEstimate

    @property
    def overlapping(self) -> list[str]:
        """The windows that are left out because another one moved the same meter at the same time."""
        return [window for window, reason in self.excluded.items() if reason.startswith(OVERLAPS)]


class Tally:
    """A provider's windows, added one by one as numbers."""

    def __init__(self, session: Session, source: Source) -> None:
        self.session, self.source, self.results, self.spent = session, source, Results(), Spent()
        self.excluded: dict[str, str] = {}
        self.stale: list[str] = []
        self.plans: set[tuple[str, str]] = set()

    def add(self, row: FinalizeRow, group: Iterable[Capture]) -> None:
        """A finalized window with the provider's captures, if it says something about the provider."""
        found = row.result(self.source, group)
        if found is None:
            return
        self.spent.add(row.window, found.pair, self.source.capacity or "")
        reason, is_stale = found.reason, row.is_stale(self.source.name, group)
        if is_stale and found.pair.missing and self._is_removed(row):
            reason = reason or REMOVED
        if reason is None:
            self.plans |= plans(found.pair)
            self.results.add(row.window, found.features, found.capacity, row.quality, moment(found.pair, row))
        else:
            self.excluded[row.window] = reason
        if is_stale:
            self.stale.append(row.window)

    def _is_removed(self, row: FinalizeRow) -> bool:
        """Whether a capture that measured the window was taken back: there may be no other in this directory."""
        entry = row.providers.get(self.source.name, {})
        used, times = entry.get("records"), entry.get("captured_at")
        if isinstance(used, Mapping):
            return not self._removed.isdisjoint(map(str, used.values()))
        # schema 1.0.0 names the instants of its captures, and no ids
        known = {*map(instant, times.values())} - {None} if isinstance(times, Mapping) else set()
        records = self.session.index.entries(self.source.stream, [row.window], removed=True) if known else ()
        return any(
            one.record.get("provider") == self.source.name and instant(one.record.get("captured_at")) in known
            for one in records
            if one.record_id in self._removed
        )

    @cached_property
    def _removed(self) -> set[str]:
        return self.session.index.tombstoned(self.source.stream)

    def extend(self, other: Tally) -> None:
        self.results.extend(other.results)
        self.spent.extend(other.spent)
        self.excluded |= other.excluded
        self.stale += other.stale
        self.plans |= other.plans

    def total(self, account: str = "", *, overlaps: Overlaps | None = None) -> Figures:
        """What the windows say together. overlaps: between these and with others, if known."""
        known = overlapping(self.session, self.source, self.spent) if overlaps is None else overlaps
        results, excluded, change = self.results, self.excluded, self._change(account)
        if known.shared or change:
            results = Results()
            for one in self.results:
                if one.window not in known.shared:
                    factor = change.factor(one.at) if change else 1.0
                    results.add(one.window, one.features, one.capacity * factor, one.quality, one.at)
        if known.shared:
            # this says more than any other reason except two accounts
            own = [window for window, reason in excluded.items() if reason != OTHER_ACCOUNT]
            every = chain(own, (one.window for one in self.results))
            shared = {window: f"{OVERLAPS}{known.shared[window]}" for window in every if window in known.shared}
            excluded = excluded | shared
        found = self._estimate(results, known.waiting, change)
        unit = self.source.capacity_meter.unit if self.source.capacity_meter else ""
        return Figures(self.source, unit, found, excluded, self.stale, account)

    def _estimate(self, results: Results, waiting: Mapping[str, str], change: Regime | None) -> ProviderEstimate:
        """With the effect, price and zone of the settings. waiting: as in `Overlaps`, also of other windows."""
        price = None
        if self.source.name in self.session.settings(VerdictSettings).prices:
            from tracker_verdict.price import price_of

            price = price_of(self.session, self.source)
        whole = of_results(results, day_of(self.session), effect=effect_in_use(self.session), price=price)
        own = {one.window: waiting[one.window] for one in results if one.window in waiting} if waiting else {}
        return evolve(whole, waiting=own, plans=several_plans(self.plans), change=since(change, results))

    def _change(self, account: str) -> Regime | None:
        """The known change of the meter; it imports nothing if there is none."""
        if not (self.session.root / CHANGES).exists():
            return None
        from tracker_verdict.regimes import regime

        return regime(self.session, self.source, self.source.capacity, account, several=bool(account))


def moment(pair: Ends, row: FinalizeRow) -> datetime | None:
    """The middle between the captures that count, or when the window was finalized."""
    known = [capture.captured_at for capture in pair if capture is not None]
    if known:
        return known[0] + (known[-1] - known[0]) / 2
    return instant(row.record.get("captured_at")) or instant(row.record.get("finalized_at"))
