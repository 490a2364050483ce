"""The intervals of one provider, from the shares of its windows in the totals.

A share is a pair (g, h): the part of all features and of all capacity that one window holds. In shares every figure is
relative to the efficiency, so that neither the unit nor the size of the numbers matters, and nothing overflows.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from tracker_verdict.stats.distributions import gamma_above, gamma_below, t_quantile

Interval: TypeAlias = tuple[float, float]

# A relative standard error below this is rounding, not spread between windows.
NOISE = 1e-12


class Columns:
    """Rows of numbers, 8 bytes for each: windows may be a million."""

    def __init__(self, *columns: Iterable[float]) -> None:
        self.columns = [array("d", column) for column in columns]

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[tuple[float, ...]]:
        return zip(*self.columns, strict=True)

    def add(self, *row: float) -> None:
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)


class WeightedSum(NamedTuple):
    """A sum of counts, each with a weight, in units of the largest weight.

    total: sum f q; spread: sum f q^2, its variance if the counts are Poisson. Both sum f if every q is 1.
    """

    total: float
    spread: float


def relative_error(shares: Columns) -> float:
    """The HC3 standard error over the efficiency; needs every h below 1.

    MacKinnon and White 1985. Each term is how far the efficiency moves when its window is left out, so this is the
    jackknife of a ratio as well.
    """
    error = math.sqrt(math.fsum(((g - h) / (1 - h)) ** 2 for g, h in shares))
    return error if error > NOISE else 0.0


def poisson_limits(counts: WeightedSum, tail: float, fano: float) -> Interval:
    """Limits of the expected weighted count whose variance is `fano` times that of a Poisson count.

    Fay and Feuer 1997; if every weight is 1 these are Garwood's limits of 1936, scaled by the Fano factor.
    """
    if counts.total == 0:
        return 0.0, fano * gamma_above(tail, 1)
    # in units of the Fano factor, whose square would overflow
    total, spread = counts.total / fano, counts.spread / fano
    low = spread / total * gamma_below(tail, total * (total / spread)) if spread > 0 else 0.0
    wider, share = spread + 1, (total + 1) / (spread + 1)
    return fano * low, fano * (wider / (total + 1)) * gamma_above(tail, (total + 1) * share)


def square_root_limits(estimate: float, relative: float, tail: float, df: float) -> Interval:
    """Student's limits on the square-root scale; `relative` is the relative standard error.

    Counts are nearly symmetric there (variance stabilising), and the lower limit cannot fall below 0.
    """
    # by the root of the estimate, since the square of a large 1 + x would overflow
    root, x = math.sqrt(estimate), t_quantile(tail, df) * relative / 2
    return (root * max(0.0, 1 - x)) ** 2, (root * (1 + x)) ** 2


def fieller(shares: Columns, tail: float) -> Interval | None:
    """Fieller's limits of a ratio of means, over the ratio; None if the set is unbounded.

    Fieller 1954. The quadratic's coefficients, each over the product of the means, are 1 minus a (co)variance.
    """
    n, t = len(shares), t_quantile(tail, len(shares) - 1)
    scale, mean = t * t * n / (n - 1), 1 / n
    a = 1 - scale * math.fsum((h - mean) ** 2 for _, h in shares)
    b = 1 - scale * math.fsum((g - mean) * (h - mean) for g, h in shares)
    d = 1 - scale * math.fsum((g - mean) ** 2 for g, _ in shares)
    if not a > 0:
        return None
    root = math.sqrt(max(0.0, b * b - a * d))
    return min(1.0, (b - root) / a), max(1.0, (b + root) / a)
