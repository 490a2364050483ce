"""Features per unit of capacity over a provider's windows, and how far the figure can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen

from tracker_verdict.stats import power
from tracker_verdict.stats.intervals import (
    Columns,
    Interval,
    WeightedSum,
    fieller,
    poisson_limits,
    relative_error,
    square_root_limits,
)
from tracker_verdict.stats.power import Range

Window: TypeAlias = tuple[float, float] | tuple[float, float, float | None]
Kind: TypeAlias = Literal["measured", "assumed", "none"]

# Finished features come in bursts: at least twice the variance of a Poisson count is assumed.
LEAST_FANO = 2.0
# This many windows of the assumed spread join the measured ones.
ASSUMED_WINDOWS = 3.0
LEAST_WINDOWS = 3
# 2, less the rounding of a sum
LEAST_EFFECTIVE = 2 - 1e-12
# No quota, price or count is beyond; what follows from such a number might overflow or lose its digits.
SMALLEST, LARGEST = 1e-50, 1e50
# Above, floats skip integers.
EXACT_INTEGERS = 2.0**53


# slots would shut out cached_property, and an interval costs an import
@frozen(kw_only=True, repr=False, slots=False)
class Efficiency:
    """One provider's efficiency over the windows that count.

    features, capacity: the totals, of the n windows that count.
    confidence: of the intervals; effect: the ratio that the power is about.
    efficiency: features per unit of capacity; None if no capacity was used, or floats cannot hold the figures.
    n_eff: how many windows of equal capacity would weigh as much.
    se: HC3 standard error, None unless the kind is ``measured``.
    ci_kind: ``measured`` from the spread between windows; ``assumed`` from a taken-for-granted one, if there are
        fewer than 3 windows, no features, or one window outweighs the others; ``none``: there is no efficiency.
    quality: the same figures with every feature weighted by its window's quality, over the windows that have one.
    weight, shares, counts: what the intervals are computed from, see `tracker_verdict.stats.intervals`.
    assumed_windows: how many of the assumed spread join the measured ones.

    Whatever needs scipy is computed when it is asked for.
    """

    features: float
    capacity: float
    n: int
    confidence: float
    effect: float
    efficiency: float | None = None
    n_eff: float | None = None
    se: float | None = None
    ci_kind: Kind = "none"
    quality: Efficiency | None = None
    weight: float = 1.0
    shares: Columns = field(factory=lambda: Columns((), ()), eq=False)
    counts: WeightedSum = field(default=WeightedSum(0.0, 0.0))
    assumed_windows: float = ASSUMED_WINDOWS

    @property
    def efficiency_quality(self) -> float | None:
        return self.quality.efficiency if self.quality else None

    @property
    def relative_error(self) -> float | None:
        return self.se / self.efficiency if self.efficiency and self.se is not None else None

    @property
    def relative_variance(self) -> float:
        return (self.relative_error or 0.0) ** 2

    @property
    def tells_spread(self) -> bool:
        """Whether the windows show how much they vary, even if none of them delivered."""
        return self.n >= LEAST_WINDOWS and self.n_eff is not None and self.n_eff >= LEAST_EFFECTIVE

    @property
    def is_lopsided(self) -> bool:
        """Whether there are enough windows, but one used so much of the capacity that they do not show the spread."""
        return self.n >= LEAST_WINDOWS and self.n_eff is not None and self.n_eff < LEAST_EFFECTIVE

    @property
    def count(self) -> float:
        """The features, of equal weight, that say as much as these: F, or (sum f q)^2 / sum f q^2."""
        total, spread = self.counts.total, self.counts.spread
        return total * (total / spread) if spread > 0 else total

    @property
    def assumed_fano(self) -> float:
        """max(2, 1 + F/(2n)): the variance is m + m^2/2 for a mean of m features per window."""
        return max(LEAST_FANO, 1 + self.count / (2 * self.n)) if self.n else LEAST_FANO

    @property
    def fano(self) -> float | None:
        """The variance over that of a Poisson count: measured and moderated, or assumed."""
        if self.ci_kind != "measured":
            return self.assumed_fano if self.ci_kind == "assumed" else None
        return self._moderated**2 * self.count

    @property
    def _moderated(self) -> float:
        """The relative standard error, from the measured windows and three of the assumed spread."""
        assert self.relative_error is not None
        # each Fano factor over the count, which may be tiny
        assumed = max(LEAST_FANO / self.count, 1 / self.count + 1 / (2 * self.n))
        measured = (self.n - 1) * self.relative_error**2
        return math.sqrt((self.assumed_windows * assumed + measured) / self._df)

    @property
    def _df(self) -> float:
        return self.assumed_windows + self.n - 1

    @cached_property
    def ci(self) -> Interval | None:
        """The interval of the efficiency; it always contains it."""
        if self.efficiency is None:
            return None
        tail, estimate = (1 - self.confidence) / 2, self.efficiency
        fano = 1.0 if self.ci_kind == "measured" else self.assumed_fano
        low, high = (limit * self.weight / self.capacity for limit in poisson_limits(self.counts, tail, fano))
        if self.ci_kind == "measured":
            down, up = square_root_limits(estimate, self._moderated, tail, self._df)
            low, high = min(low, down), max(high, up)
        return min(low, estimate), max(high, estimate)

    @cached_property
    def fieller(self) -> Interval | Literal["unbounded"] | None:
        """Fieller's interval, the cross-check of a measured one."""
        if self.ci_kind != "measured" or self.efficiency is None:
            return None
        limits = fieller(self.shares, (1 - self.confidence) / 2)
        return (self.efficiency * limits[0], self.efficiency * limits[1]) if limits else "unbounded"

    @cached_property
    def power(self) -> float | None:
        """The chance that this interval leaves out an efficiency `effect` times as large; None unless measured."""
        return self._power_at(self.n) if self.ci_kind == "measured" else None

    @cached_property
    def windows_needed(self) -> Range | None:
        """The windows with which that chance is even, and with which it is 0.8; None unless measured, or over 10^9."""
        return power.windows_needed(self._power_at, first=2) if self.ci_kind == "measured" else None

    def _power_at(self, windows: int) -> float:
        """Never with less than a Poisson count's error: equal ratios in few windows are luck."""
        error = max(self._moderated, math.sqrt(1 / self.count)) * math.sqrt(self.n / windows)
        return power.of_interval(self.effect, error, self.assumed_windows + windows - 1, (1 - self.confidence) / 2)

    def figures(self) -> dict[str, Any]:
        """What ``preview --json`` shows of it, as JSON values."""
        names = "features capacity efficiency efficiency_quality se ci ci_kind fieller n n_eff power windows_needed"
        values = {name: getattr(self, name) for name in names.split()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def interval(w: Iterable[Window], level: float = 0.95, d0: float = ASSUMED_WINDOWS) -> tuple[str, float, float, float]:
    """Kind, Fano factor, low and high of windows (features, capacity); d0: how many of assumed spread join them."""
    found = evolve(measure(w, confidence=level), assumed_windows=d0)
    if found.ci is None or found.fano is None:
        raise ValueError("Expected windows that used capacity.")
    return (found.ci_kind, found.fano, *found.ci)


def measure(windows: Iterable[Window], *, confidence: float = 0.95, effect: float = 1.5) -> Efficiency:
    """The efficiency over `windows`: (features, capacity) or (features, capacity, quality or None) of each.

    Numbers of at least 0, capacity in one unit. A window without features and capacity is dropped. One whose features
    or capacity are unknown is the caller's to leave out, and to name. Raises ValueError for negative numbers and nan.
    """
    # features, capacity and quality
    whole, rated = Columns((), (), ()), Columns((), (), ())
    for window in windows:
        features, capacity = _number(window[0]), _number(window[1])
        quality = window[2] if len(window) > 2 else None
        if features or capacity:
            whole.add(features, capacity, 1.0)
            if quality is not None:
                rated.add(features, capacity, _number(quality))
    empty = Efficiency(features=0, capacity=0, n=0, confidence=confidence, effect=effect)
    return _estimate(whole, evolve(empty, quality=_estimate(rated, empty) if len(rated) else None))


def _number(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"features, capacity and quality must be finite numbers of at least 0, got {value!r}")
    # so that no total overflows
    return float(min(value, 2 * LARGEST))


def _estimate(rows: Columns, empty: Efficiency) -> Efficiency:
    features, capacity = math.fsum(f * q for f, _, q in rows), math.fsum(c for _, c, _ in rows)
    totals = evolve(empty, features=_whole(features), capacity=_whole(capacity), n=len(rows))
    weight = max(q for _, _, q in rows) if features else 1.0
    if not in_range(capacity, weight) or (features and not in_range(features)):
        return totals
    efficiency = features / capacity
    shares = Columns((f * q / features if features else 0.0 for f, _, q in rows), (c / capacity for _, c, _ in rows))
    n_eff = 1 / math.fsum(h * h for _, h in shares)
    measured = features > 0 and len(rows) >= LEAST_WINDOWS and n_eff >= LEAST_EFFECTIVE
    return evolve(
        totals,
        efficiency=efficiency,
        n_eff=n_eff,
        se=efficiency * relative_error(shares) if measured else None,
        ci_kind="measured" if measured else "assumed",
        weight=weight,
        shares=shares,
        counts=WeightedSum(features / weight, math.fsum(f * (q / weight) ** 2 for f, _, q in rows)),
    )


def in_range(*sizes: float) -> bool:
    """Whether floats can be trusted with what follows from numbers of these sizes."""
    return all(SMALLEST <= size <= LARGEST for size in sizes)


def _whole(value: float) -> float:
    """The same number, as an int if it is one: counts print without decimals."""
    return int(value) if value.is_integer() and value < EXACT_INTEGERS else value
