"""Windows that moved one meter at the same time: the delta of each holds the work of both, so neither counts."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from tracker.api import Source
from tracker.kernel import Capture, FinalizeRow, Session, Windows, canonical
from tracker_verdict.accounts import MIXED, accounts

EPOCH = datetime.fromtimestamp(0, UTC)
# columns of times hold microseconds
MICROSECOND = timedelta(microseconds=1)
NOT_YET = (1 << 63) - 1
# Clocks of two machines may differ by this much, which a fall near one reset shows; a pane rounds what a log has
# exactly, and may show a reset by the hour.
SKEW, ROUNDING, COARSE = 300_000_000, 1.0, 3_600_000_000
# windows whose accounts are read at once
PART = 2000
# the reason of a window that is left out, before the name of the other one
OVERLAPS = "overlaps "
Ends: TypeAlias = tuple[Capture | None, Capture | None]
# captures by window and provider
Groups: TypeAlias = Mapping[tuple[str, str], Sequence[Capture]]


def microseconds(at: datetime) -> int:
    """Since the epoch."""
    return (at - EPOCH) // MICROSECOND


class Overlaps(NamedTuple):
    """By window the name of another one. shared: both are finalized, so that neither counts.

    waiting: at least one of the two is not finalized; they would be shared if both were.
    """

    shared: Mapping[str, str] = {}
    waiting: Mapping[str, str] = {}


class Spent:
    """When windows moved a meter, and from which value to which, as columns."""

    def __init__(self) -> None:
        self.windows: list[str] = []
        self.starts, self.ends, self.old, self.new = array("q"), array("q"), array("d"), array("d")
        self.old_reset, self.new_reset = array("q"), array("q")
        self.finalized = array("b")

    def add(self, window: str, pair: Ends, meter: str, *, is_finalized: bool = True) -> None:
        """A window that has both captures; one that is not finalized may lack its AFTER, and goes on then."""
        before, after = pair
        if before is None or (is_finalized and after is None) or (after is not None and after.phase is None):
            return
        self.windows.append(window)
        self.finalized.append(is_finalized)
        sides = (before, self.starts, self.old, self.old_reset), (after, self.ends, self.new, self.new_reset)
        for capture, times, values, resets in sides:
            gauge = capture.reading.gauge(meter) if capture else None
            reset = gauge.reset_at if gauge is not None else None
            resets.append(NOT_YET if reset is None else microseconds(reset))
            times.append(microseconds(capture.captured_at) if capture else NOT_YET)
            values.append(math.nan if gauge is None or gauge.used is None else gauge.used)

    def extend(self, other: Spent) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))

    def _fell(self, one: int, later: int) -> bool:
        """Whether the later window begins below the end of another one without a reset: it began before that end."""
        is_later = self.ends[one] <= self.starts[later] and self.old[later] < self.new[one] - ROUNDING
        reset, other = self.new_reset[one], self.old_reset[later]
        return is_later and reset < NOT_YET and abs(reset - other) <= COARSE

    def pairs(self) -> tuple[array[int], array[int]]:
        """The places of two windows each that moved the meter at the same time, as columns: many make millions."""
        ones, others, running, ends = array("I"), array("I"), list[int](), self.ends
        for one in sorted(range(len(self.windows)), key=self.starts.__getitem__):
            start, old = self.starts[one], self.old[one]
            running = [other for other in running if ends[other] > start - SKEW]
            for other in running:
                last = one if ends[one] <= ends[other] else other
                # nothing is known yet about two that go on
                if (start < ends[last] < NOT_YET and old != self.new[last]) or self._fell(other, one):
                    ones.append(one)
                    others.append(other)
            running.append(one)
        return ones, others


def overlapping(session: Session, source: Source, *spent: Spent) -> Overlaps:
    """The windows that overlap another one of the same account, whether that is among them or not."""
    every = Spent()
    for some in spent:
        every.extend(some)
    if not every.windows:
        return Overlaps()
    # from the first BEFORE to the last AFTER, in epoch seconds
    begin, end = min(every.starts) / 1e6, max(every.ends) / 1e6
    opened = _going_on(session, source)
    slack = SKEW / 1e6
    others = {*session.index.meanwhile(source.stream, source.name, begin - slack, end + slack, every.windows)}
    others |= opened.difference(every.windows)
    for part in Windows(session).parts(sorted(others), with_open=True):
        every.extend(_spent(source, part.rows, part.groups, opened))
    # an account is asked for only if it matters: a million windows are read for it otherwise
    pairs = every.pairs()
    asked = sorted(every.windows[place] for place in {*pairs[0], *pairs[1]})
    named = dict[str, str]()
    for start in range(0, len(asked), PART):
        known = accounts(session, asked[start : start + PART])
        named |= {window: account for (window, name), account in known.items() if name == source.name}
    shared, waiting = dict[str, str](), dict[str, str]()
    # an account that is not known, or none, may be any other
    owners = [None if (name := named.get(window)) == MIXED else name for window in every.windows]
    for one, other in zip(*pairs, strict=True):
        if owners[one] is None or owners[other] is None or owners[one] == owners[other]:
            found = shared if every.finalized[one] and every.finalized[other] else waiting
            found[every.windows[other]] = every.windows[one]
            found[every.windows[one]] = every.windows[other]
    return Overlaps(shared, waiting)


def overlaps_of(session: Session, source: Source, rows: Mapping[str, FinalizeRow], groups: Groups) -> Overlaps:
    """The same of windows by their finalize rows and captures."""
    return overlapping(session, source, _spent(source, rows, groups, _going_on(session, source)))


def _going_on(session: Session, source: Source) -> set[str]:
    """The windows that lanes have open: each lane's newest capture is a BEFORE."""
    marks = (mark for _, mark in session.index.lanes(source.stream) if mark.provider == source.name)
    return {mark.window for mark in marks if mark.phase == "before"}


def _spent(source: Source, rows: Mapping[str, FinalizeRow], groups: Groups, opened: Collection[str]) -> Spent:
    """What windows moved the capacity meter by; of those that are not finalized what is known so far."""
    spent, meter = Spent(), source.capacity or ""
    # without a capture nobody knows when a window moved it
    for (window, name), group in groups.items():
        if name != source.name:
            continue
        if (row := rows.get(window)) is None:
            pair = canonical(group)
            if pair.after or window in opened:
                spent.add(window, pair, meter, is_finalized=False)
        elif (result := row.result(source, group)) is not None:
            spent.add(window, result.pair, meter)
    return spent
