"""Evidence against equality that may be looked at after every window: e-values, and intervals made of them.

An e-value of 10 says that the data are 10 times likelier under a difference than under equality; if there is none, the
chance that it ever reaches 10 is at most 1 in 10, however often one looks (Ville 1939). This one is the Bayes factor of
Welch's t test with an effect of N(0, 1) (Goenen, Johnson, Lu and Westfall 2005), the mean of two scales of the
efficiency: the logarithm is stronger for equally many windows, the square root if a side has no features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from attrs import frozen

from tracker_verdict.stats.distributions import t_cdf, welch_df
from tracker_verdict.stats.efficiency import Efficiency

Pairs: TypeAlias = Sequence[tuple[tuple[float, float], tuple[float, float]]]

# About the largest logarithm whose exponential floats can hold.
FARTHEST = 700.0
BETS = (0.05, 0.1, 0.2, 0.4, 0.8)


def log_variance(side: Efficiency) -> float:
    """The variance of ln((F + 1/2) / x), never below that of a count."""
    share = min(1.0, 2 * side.features)
    return max(side.relative_variance * share * share, 1 / (side.features + 0.5))


def root_variance(side: Efficiency) -> float:
    """The variance of sqrt((F + 3/8) / x), times 4 x, never below that of a count."""
    return max(side.relative_variance * side.features * min(1.0, 2 * side.features), 1.0)


class Statistic(NamedTuple):
    """A difference over its standard error, its degrees of freedom, and the e-value of both."""

    t: float
    df: float
    e: float


@frozen
class Evidence:
    """Side a against side b; `cost` is ln(exposure of b / exposure of a), the exposure being capacity in money."""

    a: Efficiency
    b: Efficiency
    cost: float

    @property
    def difference(self) -> float:
        """ln of the ratio of the two efficiencies, with half a feature more on both sides."""
        return math.log((self.a.features + 0.5) / (self.b.features + 0.5)) + self.cost

    def log_test(self, log_ratio: float = 0.0) -> Statistic:
        return self._test(self.difference - log_ratio, self._log_variances)

    def root_test(self, log_ratio: float = 0.0) -> Statistic:
        """In units in which the exposures multiply to 1, so that neither under- nor overflows."""
        half = math.exp((self.cost - log_ratio) / 2)
        variances = root_variance(self.a) * half / 4, root_variance(self.b) / half / 4
        root = math.sqrt((self.a.features + 0.375) * half) - math.sqrt((self.b.features + 0.375) / half)
        return self._test(root, variances)

    def e(self, log_ratio: float = 0.0) -> float:
        """The evidence against the true ratio being exp(`log_ratio`)."""
        return (self.log_test(log_ratio).e + self.root_test(log_ratio).e) / 2

    def limits(self, alpha: float) -> tuple[float, float]:
        """Every ratio with evidence below 1/alpha against it; holds at all looks at once with probability 1 - alpha."""
        low = self._limit(alpha, -1) if self.a.features else 0.0
        high = self._limit(alpha, 1) if self.b.features else math.inf
        return low, high

    def _limit(self, alpha: float, sign: int) -> float:
        near, far = self.difference, self.difference + 30 * sign
        if self.e(far) < 1 / alpha:
            return 0.0 if sign < 0 else math.inf
        while (middle := (near + far) / 2) not in (near, far):
            near, far = (middle, far) if self.e(middle) < 1 / alpha else (near, middle)
        return math.exp(near)

    def certainty(self, tau: float) -> float:
        """That a delivers more, for a sceptic to whom the log ratio of subscriptions is N(0, tau^2) beforehand."""
        v = sum(self._log_variances)
        df = welch_df(self._log_variances, (self.a.n, self.b.n))
        return t_cdf(self.difference * tau / math.sqrt(v * (tau * tau + v)), df)

    @property
    def _log_variances(self) -> tuple[float, float]:
        return log_variance(self.a), log_variance(self.b)

    def _test(self, difference: float, variances: tuple[float, float]) -> Statistic:
        t, df = difference / math.sqrt(sum(variances)), welch_df(variances, (self.a.n, self.b.n))
        return Statistic(t, df, bayes_factor(t, df, self.a.n * self.b.n / (self.a.n + self.b.n)))


def bayes_factor(t: float, df: float, n: float) -> float:
    """How much likelier t is if the effect is N(0, 1), in standard deviations of a window, than if there is none."""
    gain = math.log1p(t * t / df) - math.log1p(t * t / (df * (1 + n)))
    return math.exp(min((df + 1) / 2 * gain - math.log1p(n) / 2, FARTHEST))


def critical(e: float, df: float, n: float) -> float:
    """The t whose Bayes factor is `e`; inf if none is."""
    rise = math.exp(2 / (df + 1) * (math.log(e) + math.log1p(n) / 2))
    return math.sqrt(df * (rise - 1) / (1 - rise / (1 + n))) if rise < 1 + n else math.inf


def signflip(pairs: Pairs, kA: float = 1.0, kB: float = 1.0, theta: float = 1.0) -> list[float]:
    """e-values that a delivers more than theta times b, and less, from pairs in which chance gave the order.

    Exact whatever the spread, the tail, a trend or the day: within a pair the labels could as well be swapped.
    """
    moves = []
    for (fa, ca), (fb, cb) in pairs:
        a, b = theta * ca / kA, cb / kB
        moves.append((b * fa - a * fb) / (a + b) if a + b else (fa - theta * fb) / (1 + theta))
    return [_bets([sign * move for move in moves]) for sign in (1, -1)]


def _bets(moves: Sequence[float]) -> float:
    """The mean over bets l of the product of exp(l D) / cosh(l D) = 2 / (1 + exp(-2 l D))."""
    from numpy import array, logaddexp

    D = array(moves, float)
    grown = [math.fsum(math.log(2) - logaddexp(0, -2 * bet * D)) for bet in BETS]
    return math.fsum(math.exp(min(one, FARTHEST)) for one in grown) / len(BETS)
