"""Windows that moved one meter at the same time: the delta of each holds the work of both, so neither counts."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from tracker.api import Source
from tracker.kernel import Capture, Session, Windows
from tracker_verdict.accounts import MIXED, accounts

EPOCH = datetime.fromtimestamp(0, UTC)
# columns of times hold microseconds
MICROSECOND = timedelta(microseconds=1)
# the reason of a window that is left out, before the name of the other one
OVERLAPS = "overlaps "
Ends = tuple[Capture | None, Capture | None]


class Spent:
    """When windows moved a meter, and from which value to which, as columns."""

    def __init__(self) -> None:
        self.windows: list[str] = []
        self._start, self._end, self._old, self._new = array("q"), array("q"), array("d"), array("d")

    def add(self, window: str, pair: Ends, meter: str) -> None:
        before, after = pair
        if before is None or after is None or after.phase is None:
            return
        self.windows.append(window)
        for capture, times, values in ((before, self._start, self._old), (after, self._end, self._new)):
            gauge = capture.reading.gauge(meter)
            times.append((capture.captured_at - EPOCH) // MICROSECOND)
            values.append(math.nan if gauge is None or gauge.used is None else gauge.used)

    @classmethod
    def of(cls, *parts: Spent) -> Spent:
        found = cls()
        for one in parts:
            found.extend(one)
        return found

    def extend(self, other: Spent) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))

    @property
    def span(self) -> tuple[float, float]:
        """From the first BEFORE to the last AFTER, in epoch seconds; there must be one."""
        return min(self._start) / 1e6, max(self._end) / 1e6

    def overlaps(self) -> dict[str, str]:
        """The windows of these that moved the meter at the same time, with the reason."""
        found: dict[str, str] = {}
        running: list[int] = []
        for one in sorted(range(len(self.windows)), key=self._start.__getitem__):
            start, window = self._start[one], self.windows[one]
            running = [other for other in running if self._end[other] > start]
            for other in running:
                last = min(one, other, key=self._end.__getitem__)
                if start < self._end[last] and self._old[one] != self._new[last]:
                    name = self.windows[other]
                    found |= {name: OVERLAPS + window, window: OVERLAPS + name}
            running.append(one)
        return found


def overlapping(session: Session, source: Source, spent: Spent) -> dict[str, str]:
    """The windows that overlap another one of the same account, be it among them or not; the reason of each."""
    names = session.index.meanwhile(source.stream, source.name, *spent.span, spent.windows) if spent.windows else []
    others = spent_in(session, source, names)
    if not others.windows:
        return spent.overlaps()
    found = Spent.of(spent, others).overlaps()
    if not found.keys().isdisjoint(others.windows):
        # an account is asked for only if it matters: a million windows are read for it otherwise
        known = accounts(session, list(found))
        named = {one: known.get((one, source.name)) for one in found}
        own = {named[one] for one in found.keys() - {*others.windows}} - {None, MIXED}
        apart = [one for one in others.windows if own and named.get(one) not in (None, MIXED, *own)]
        if apart:
            others = spent_in(session, source, {*others.windows} - {*apart})
            found = Spent.of(spent, others).overlaps()
    return found


def spent_in(session: Session, source: Source, windows: Iterable[str]) -> Spent:
    """What a provider's finalized windows moved its capacity meter by."""
    spent, rows = Spent(), Windows(session).finalized(windows)
    groups: Mapping[tuple[str, str], list[Capture]] = Windows(session).captures(list(rows)) if rows else {}
    for window, row in rows.items():
        result = row.result(source, groups.get((window, source.name), ()))
        if result is not None:
            spent.add(window, result.pair, source.capacity or "")
    return spent
