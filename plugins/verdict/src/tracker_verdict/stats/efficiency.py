"""Features per unit of capacity over a provider's windows, and how far the figure can be trusted."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen
from attrs.validators import gt, lt

from tracker_verdict.stats import power
from tracker_verdict.stats.intervals import (
    Interval,
    Weighted,
    effective_windows,
    fieller,
    poisson_limits,
    relative_error,
    square_root_limits,
)

Window: TypeAlias = tuple[float, float] | tuple[float, float, float | None]
Kind: TypeAlias = Literal["measured", "assumed", "none"]

ASSUMED_FANO = 2.0  # finished features come in bursts: twice the variance of a Poisson count is taken for granted
LEAST_WINDOWS = 3
LEAST_EFFECTIVE = 2 - 1e-12  # 2, less the rounding of a sum
SMALLEST, LARGEST = 1e-290, 1e290  # beyond, what follows would overflow or lose its digits
EXACT_INTEGERS = 2.0**53  # above, floats skip integers


@frozen(kw_only=True, slots=False)  # slots would shut out cached_property, and an interval costs an import
class Efficiency:
    """One provider's efficiency over the windows that count.

    features, capacity: the totals, of the n windows that count.
    confidence: of the intervals; effect: the difference that the power is about, in features per unit of capacity.
    efficiency: features per unit of capacity; None where no capacity was used, or floats cannot hold the figures.
    n_eff: how many windows of equal capacity would weigh as much.
    se: HC3 standard error, None unless the kind is ``measured``.
    ci_kind: ``measured`` from the spread between windows; ``assumed`` from a taken-for-granted one, where there are
        fewer than 3 windows, no features, or one window outweighs the others; ``none``: there is no efficiency.
    quality: the same figures with every feature weighted by its window's quality, over the windows that have one.
    weight, shares, counts: what the intervals are computed from, see `tracker_verdict.stats.intervals`.

    Whatever needs scipy is computed when it is asked for.
    """

    features: float
    capacity: float
    n: int
    confidence: float = field(validator=[gt(0.0), lt(1.0)])
    effect: float = field(validator=[gt(0.0), lt(math.inf)])
    efficiency: float | None = None
    n_eff: float | None = None
    se: float | None = None
    ci_kind: Kind = "none"
    quality: Efficiency | None = None
    weight: float = field(default=1.0, repr=False)
    shares: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    counts: Weighted = field(default=Weighted(0.0, 0.0), repr=False)

    @property
    def efficiency_quality(self) -> float | None:
        """Quality-adjusted features per unit of capacity."""
        return self.quality.efficiency if self.quality else None

    @property
    def relative_error(self) -> float | None:
        """The standard error over the efficiency."""
        return self.se / self.efficiency if self.efficiency and self.se is not None else None

    @cached_property
    def ci(self) -> Interval | None:
        """The interval of the efficiency; it always contains it."""
        if self.efficiency is None:
            return None
        tail, estimate = (1 - self.confidence) / 2, self.efficiency
        fano = 1.0 if self.ci_kind == "measured" else ASSUMED_FANO
        low, high = (limit * self.weight / self.capacity for limit in poisson_limits(self.counts, tail, fano))
        if self.relative_error is not None:
            down, up = square_root_limits(self.relative_error, tail, self.n - 1)
            low, high = min(low, estimate * down), max(high, estimate * up)
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
        """The chance that so many windows would show a difference of `effect`; None unless measured."""
        return power.two_sided(self.effect, self._planning_error, self.n) if self.ci_kind == "measured" else None

    @cached_property
    def windows_needed(self) -> int | None:
        """The fewest windows with a power of 0.8; None unless measured, or beyond 10^9."""
        if self.ci_kind != "measured":
            return None
        return power.windows_for_effect(self.effect, self._planning_error, self.n)

    @property
    def _planning_error(self) -> float:
        """The standard error, but never below a Poisson count's: equal ratios in few windows are luck."""
        assert self.se is not None
        return max(self.se, math.sqrt(self.counts.spread) * self.weight / self.capacity)

    def figures(self) -> dict[str, Any]:
        """What ``preview --json`` shows of it, as JSON values."""
        names = "features capacity efficiency efficiency_quality se ci ci_kind fieller n n_eff power windows_needed"
        values = {name: getattr(self, name) for name in names.split()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def measure(windows: Iterable[Window], *, confidence: float = 0.95, effect: float = 0.10) -> Efficiency:
    """The efficiency over `windows`: (features, capacity) or (features, capacity, quality or None) of each.

    Numbers of at least 0, capacity in one unit. A window without features and capacity is dropped. One whose features
    or capacity are unknown is the caller's to leave out, and to name. Raises ValueError for negative numbers and nan.
    """
    rows = [row for row in map(_row, windows) if row[0] or row[1]]
    rows.sort(key=lambda row: (row[0], row[1], row[2] or 0.0))  # no digit may depend on the order of the windows
    rated = [(features, capacity, quality) for features, capacity, quality in rows if quality is not None]
    quality = _estimate(rated, confidence, effect) if rated else None
    return _estimate([(features, capacity, 1.0) for features, capacity, _ in rows], confidence, effect, quality)


_Row: TypeAlias = tuple[float, float, float | None]


def _row(window: Window) -> _Row:
    quality = window[2] if len(window) > 2 else None
    return _number(window[0]), _number(window[1]), None if quality is None else _number(quality)


def _number(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:  # an int beyond floats; the totals will be, too
        number = sys.float_info.max
    if not 0 <= number < math.inf:
        raise ValueError(f"features, capacity and quality must be finite numbers of at least 0, got {value!r}")
    return number


def _estimate(
    rows: list[tuple[float, float, float]], confidence: float, effect: float, quality: Efficiency | None = None
) -> Efficiency:
    features, capacity = _sum(f * q for f, _, q in rows), _sum(c for _, c, _ in rows)
    totals = Efficiency(
        features=_whole(features),
        capacity=_whole(capacity),
        n=len(rows),
        confidence=confidence,
        effect=effect,
        quality=quality,
    )
    weight = max(q for _, _, q in rows) if features else 1.0
    if _sum(f for f, _, _ in rows) > LARGEST or not _computable(features, capacity, weight):
        return totals
    efficiency = features / capacity
    shares = tuple((f * q / features if features else 0.0, c / capacity) for f, c, q in rows)
    n_eff = effective_windows(shares)
    measured = features > 0 and len(rows) >= LEAST_WINDOWS and n_eff >= LEAST_EFFECTIVE
    return evolve(
        totals,
        efficiency=efficiency,
        n_eff=n_eff,
        se=efficiency * relative_error(shares) if measured else None,
        ci_kind="measured" if measured else "assumed",
        weight=weight,
        shares=shares,
        counts=Weighted(_sum(f * (q / weight) for f, _, q in rows), _sum(f * (q / weight) ** 2 for f, _, q in rows)),
    )


def _computable(features: float, capacity: float, weight: float) -> bool:
    """Whether there is an efficiency, and floats hold it and all that follows from it."""
    if not in_range(capacity, weight):
        return False
    return in_range(weight / capacity) and (features == 0 or in_range(features, features / weight, features / capacity))


def in_range(*sizes: float) -> bool:
    """Whether floats can be trusted with numbers of these sizes."""
    return all(SMALLEST <= size <= LARGEST for size in sizes)


def _sum(values: Iterable[float]) -> float:
    """The exact sum, rounded once, so that it is the same in any order; inf beyond floats."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def _whole(value: float) -> float:
    """The same number, as an int where it is one: counts print without decimals."""
    return int(value) if value.is_integer() and value < EXACT_INTEGERS else value
