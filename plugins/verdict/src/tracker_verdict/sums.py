"""The windows of a row of the scoreboard, added up: those that count, and what the others used."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import define, field

from tracker.api import Source
from tracker.kernel import Capture, FinalizeRow, Session
from tracker_verdict.overlaps import Overlaps
from tracker_verdict.tally import Tally

CHURN = ("churn", "files")
FIGURES = ("churn", "tokens", "cost_usd", "unpriced_requests", "lost_sessions", "accounts")
BETWEEN = "+"  # the names of windows that share requests, in what features say of windows
Numbers: TypeAlias = Mapping[str, float]


class KnownFigures:
    """What is known about windows, a column for each figure; NaN if a window's is not known."""

    def __init__(self) -> None:
        self.columns: dict[str, array[float]] = {}
        self.fractions = set[str]()  # the figures that are not whole numbers
        self.size = 0

    def add(self, numbers: Numbers) -> None:
        self._widen(numbers)
        self.fractions.update(name for name, one in numbers.items() if isinstance(one, float))
        for name, column in self.columns.items():
            column.append(numbers.get(name, math.nan))
        self.size += 1

    def extend(self, other: KnownFigures) -> None:
        self._widen(other.columns)
        for name, column in self.columns.items():
            column.extend(other.columns.get(name) or array("d", [math.nan]) * other.size)
        self.fractions |= other.fractions
        self.size += other.size

    def at(self, place: int) -> dict[str, float]:
        """What is known of one window."""
        found = ((name, column[place]) for name, column in self.columns.items())
        return {name: one if name in self.fractions else int(one) for name, one in found if not math.isnan(one)}

    def _widen(self, names: Mapping[str, object]) -> None:
        for name in names:
            if name not in self.columns:
                self.columns[name] = array("d", [math.nan]) * self.size


@define
class Totals:
    """A row's figures: each summed over the windows that count and for which it is known.

    features: those of these windows; windows: how many of them say something about the efficiency. unsure: figures that
    others may share, so nothing is known per feature.
    """

    sums: dict[str, float] = field(factory=lambda: defaultdict(int))
    features: dict[str, float] = field(factory=lambda: defaultdict(int))
    windows: Counter[str] = field(factory=Counter)
    others: Counter[str] = field(factory=Counter)
    shared: Counter[str] = field(factory=Counter)
    left_out: Counter[str] = field(factory=Counter)
    unsure: set[str] = field(factory=set)

    def per_feature(self, name: str) -> float | None:
        features = self.features[name]
        return self.sums[name] / features if features and name in self.sums and name not in self.unsure else None


class Sums:
    """The windows of one group and provider, added one by one."""

    def __init__(self, session: Session, source: Source) -> None:
        self.tally, self.windows = Tally(session, source), 0
        # the one that the windows were measured on, if there are several
        self.account = ""
        # what is known of the provider in each of the tally's results, and of no provider
        self.own, self.others = KnownFigures(), KnownFigures()
        # what is known of the provider in windows without a result
        self.left_out = Counter[str]()
        # the windows that have something in common, and what that is
        self.sharing, self.common = set[str](), list[tuple[set[str], Numbers]]()

    def add(self, row: FinalizeRow, group: Sequence[Capture], own: Numbers, others: Numbers) -> None:
        features, counted = row.features.get(self.tally.source.name, 0), len(self.tally.results)
        self.tally.add(row, group)
        self.windows += 1
        # `churn` is net lines per feature, so that windows with more features weigh more
        known = {name: own[name] * (features if name == "churn" else 1) for name in FIGURES if name in own}
        if len(self.tally.results) > counted:
            self.own.add(known)
            # the provider's own figure goes first; churn of a window as a whole belongs to no provider
            self.others.add({name: own.get(name, one) for name, one in others.items() if name not in CHURN})
        else:
            self.left_out.update(known)
        if "shared_requests" in own:
            self.sharing.add(row.window)

    def share(self, known: Mapping[str, Numbers]) -> None:
        """What several windows have in common, by their names."""
        for names, numbers in known.items():
            windows = {*names.split(BETWEEN)}
            if not windows.isdisjoint(self.sharing):
                self.common.append((windows, numbers))

    def extend(self, more: Sums) -> None:
        self.tally.extend(more.tally)
        self.windows += more.windows
        self.own.extend(more.own)
        self.others.extend(more.others)
        self.left_out.update(more.left_out)
        self.sharing |= more.sharing

    def totals(self, overlaps: Overlaps) -> Totals:
        """Every figure over the same windows, those that count, so that one can be divided by another.

        What a window without features used counts in full, even if its meter did not move a whole point.
        """
        found, counted = Totals(left_out=Counter(self.left_out)), set[str]()
        for place, one in enumerate(self.tally.results):
            known = self.own.at(place)
            if one.window in overlaps.shared:
                found.left_out.update(known)
                continue
            if one.window in self.sharing:
                counted.add(one.window)
            for name, number in known.items():
                found.sums[name] += number
            is_bare = bool(known.get("unpriced_requests"))
            # session logs name no money for a window without requests of its own: all that it used is shared
            free = {"cost_usd"} if known.get("tokens") == 0 and not is_bare else set[str]()
            if one.features or one.capacity:
                found.windows.update(known.keys() | free)
                found.others.update(self.others.at(place))
            # requests without a price cost something: the sum is the least that these features cost
            priced = {"cost_usd"} if is_bare else free
            for name in known.keys() | priced:
                found.features[name] += one.features
        for windows, numbers in self.common:
            self._add_common(found, windows, numbers, counted)
        return found

    def _add_common(self, found: Totals, windows: set[str], numbers: Numbers, counted: set[str]) -> None:
        """Count once what these windows alone have in common; what they share with others is not known to be theirs."""
        known = {name: numbers[name] for name in FIGURES if name in numbers}
        if windows <= counted:
            for name, one in known.items():
                found.sums[name] += one
        elif windows <= self.sharing and windows.isdisjoint(counted):
            found.left_out.update(known)
        else:
            found.shared.update(numbers)
            found.unsure |= known.keys() if not windows.isdisjoint(counted) else set()
