"""Whether one provider delivers more for the money than another, how sure that is, and what would settle it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, TypeAlias

from attrs import frozen

from tracker_verdict.stats import power
from tracker_verdict.stats.distributions import beta_cdf, beta_odds_below, t_quantile, welch_df
from tracker_verdict.stats.efficiency import LEAST_FANO, Efficiency, Kind, Window, in_range, measure
from tracker_verdict.stats.evidence import Evidence, critical, log_variance

RatioInterval: TypeAlias = tuple[float, float | None]

# A small step that can be taken back, and one that cannot; the latter for each provider that is compared with the best.
REALLOCATE, RETIRE = 3.0, 10.0
# scipy's beta quantiles give nan from 1e16 on
MOST_FEATURES = 1e12
# Less is a rounding of the beta distribution, or of a sum.
NOISE = 1e-12
LARGEST_LOG = math.log(sys.float_info.max)


@frozen(kw_only=True)
class Gate:
    """A decision, the evidence that it takes, and whether that is there.

    windows_needed: the windows on each side with which it is reached in half, and in four fifths, of all cases if the
    true ratio is the chosen one; None if no number up to 10^9 does it, or nothing says how many features come with a
    window, or when one no longer outweighs the others of its side.
    """

    name: str
    evidence: float
    open: bool
    windows_needed: power.Range | None


# slots would shut out cached_property, and each figure costs an import
@frozen(slots=False)
class Comparison:
    """Provider a against provider b, by features for the money.

    worth: units of capacity for one unit of money of both, such as 100 x full bars a month / price; (1, 1) if both have
    the same unit and no price is known. rivals: how many providers are held against the best one.
    per_row: how many windows a row of a side is the sum of, on the side where that is more.
    effect: the true ratio that the windows needed are about; tau: how much subscriptions typically differ, as the
    standard deviation of the logarithm of their ratio. first: the side all of whose windows lie before the other's: a
    change between them looks like a difference, so that no gate opens.
    """

    a: Efficiency
    b: Efficiency
    worth: tuple[float, float] = (1.0, 1.0)
    confidence: float = 0.95
    effect: float = 1.5
    tau: float = 0.5
    rivals: int = 1
    per_row: float = 1.0
    first: Literal["a", "b"] | None = None

    @property
    def kind(self) -> Kind:
        """``assumed`` if a side is, ``none`` if a side has no efficiency, or floats cannot hold what follows."""
        sides = self.a, self.b
        if any(side.efficiency is None or side.features > MOST_FEATURES for side in sides) or not in_range(*self.worth):
            return "none"
        return "measured" if all(side.tells_spread for side in sides) and self.features else "assumed"

    @property
    def features(self) -> float:
        return self.a.features + self.b.features

    @property
    def ratio(self) -> float | None:
        """Of the two efficiencies, a over b; None if b has no features."""
        return self.a.features / self.b.features * self._cost if self.kind != "none" and self.b.features else None

    @cached_property
    def evidence(self) -> float | None:
        """The e-value against equality; None unless measured."""
        return self._evidence.e() if self.kind == "measured" else None

    @cached_property
    def interval(self) -> RatioInterval | None:
        """Of the ratio, at all looks at once; None unless measured."""
        return _finite(self._evidence.limits(1 - self.confidence)) if self.kind == "measured" else None

    @cached_property
    def interval_fixed(self) -> RatioInterval | None:
        """Of the ratio, for a single planned look; from an assumed spread if a side's is not known."""
        if self.kind == "none":
            return None
        fano, tail = 1.0 if self.kind == "measured" else self.assumed_fano, (1 - self.confidence) / 2
        low, high = _count_limits(self.a.features / fano, self.b.features / fano, self._cost, tail)
        lows, highs = [low, self.ratio or low], [high, self.ratio or high]
        if self.kind == "measured" and (welch := self._welch_limits(tail)):
            lows.append(welch[0])
            highs.append(welch[1])
        return _finite((min(lows), max(highs)))

    @cached_property
    def certainty(self) -> float:
        """That a delivers more; sceptical if measured, from the counts and the assumed spread otherwise.

        0.5 if nothing says so: if certainty, ratio and evidence point in different directions.
        """
        return self._certainty if self.favours else 0.5

    @cached_property
    def _certainty(self) -> float:
        if self.kind == "measured" and self.a.features and self.b.features:
            return self._evidence.certainty(self.tau)
        shapes = [(side.features + 0.5) / self.assumed_fano for side in (self.b, self.a)]
        return beta_cdf(self._cost, *shapes)

    @cached_property
    def favours(self) -> Literal["a", "b"] | None:
        """The side that seems to deliver more by every figure; nothing if they are even, or nothing is known.

        The evidence and the certainty add half a feature to each side, which is much for a small capacity.
        """
        if self.kind == "none" or not self.features:
            return None
        leans = [self._certainty - 0.5, math.log(self.ratio) if self.ratio else self.a.features - self.b.features]
        leans += [self._evidence.difference] if self.kind == "measured" else []
        return "a" if min(leans) > NOISE else "b" if max(leans) < -NOISE else None

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The decisions, the small one first."""
        found = self.evidence or 0.0
        return tuple(
            Gate(
                name=name,
                evidence=needed,
                open=found >= needed and self.favours is not None and self.first is None,
                windows_needed=power.in_windows(self._rows_needed(needed), self.per_row),
            )
            for name, needed in (("reallocate", REALLOCATE), ("retire", RETIRE * self.rivals))
        )

    @property
    def verdict(self) -> str | None:
        """The largest decision whose evidence is there."""
        return next((gate.name for gate in reversed(self.gates) if gate.open), None)

    @property
    def windows_needed(self) -> power.Range | None:
        """The windows on each side that the next decision takes; None if none is left."""
        return next((gate.windows_needed for gate in self.gates if not gate.open), None)

    @property
    def rows_needed(self) -> power.Range | None:
        """The same in rows, each the sum of a day's windows, say."""
        return next((self._rows_needed(gate.evidence) for gate in self.gates if not gate.open), None)

    @property
    def assumed_fano(self) -> float:
        """max(2, 1 + F/(2n)) of both sides together."""
        windows = self.a.n + self.b.n
        return max(LEAST_FANO, 1 + self.features / (2 * windows)) if windows else LEAST_FANO

    @property
    def _cost(self) -> float:
        """The exposure of b over that of a: capacity in money."""
        return (self.b.capacity / self.worth[1]) / (self.a.capacity / self.worth[0])

    @property
    def _evidence(self) -> Evidence:
        return Evidence(self.a, self.b, math.log(self._cost))

    def _welch_limits(self, tail: float) -> tuple[float, float] | None:
        """Welch's limits of the log efficiencies; None if neither side's windows differ."""
        sides = self.a, self.b
        variances = [((side.relative_error or 0.0) * min(1.0, 2 * side.features)) ** 2 for side in sides]
        if not any(variances):
            return None
        df = welch_df((variances[0], variances[1]), (self.a.n, self.b.n))
        reach, middle = t_quantile(tail, df) * math.sqrt(sum(variances)), self._evidence.difference
        return _exp(middle - reach), _exp(middle + reach)

    def _rows_needed(self, needed: float) -> power.Range | None:
        if self.kind == "none" or not self.features or self.a.is_lopsided or self.b.is_lopsided:
            return None
        # if the ratio is the chosen one, the worse side delivers at least this many features
        least = self.b.features / self._cost / self.effect, self.a.features * self._cost / self.effect
        variances = self._window_variance(self.a, least[0]), self._window_variance(self.b, least[1])

        def chance(windows: int) -> float:
            df = welch_df(variances, (windows, windows))
            shift = math.log(self.effect) / math.sqrt(sum(variances) / windows)
            return power.above(critical(needed, df, windows / 2), df, shift)

        return power.windows_needed(chance, first=3)

    def _window_variance(self, side: Efficiency, least: float) -> float:
        """The variance of the log efficiency of one window, measured or assumed, with at least `least` features."""
        found = log_variance(side) * (side.features + 0.5) if side.tells_spread else self.assumed_fano
        return side.n * found / (max(side.features, least) + 0.5)


def ratio_assumed(
    A: Sequence[Window], B: Sequence[Window], kA: float = 1.0, kB: float = 1.0, level: float = 0.95
) -> tuple[float, float, float]:
    """Fano factor, low and high of the ratio if nothing but an assumption says how much windows vary."""
    found = Comparison(measure(A), measure(B), worth=(kA, kB), confidence=level)
    if not (found.a.capacity and found.b.capacity):
        raise ValueError("Expected windows that used capacity on each side.")
    fano = found.assumed_fano
    return (fano, *_count_limits(found.a.features / fano, found.b.features / fano, found._cost, (1 - level) / 2))


def anytime(
    A: Sequence[Window], B: Sequence[Window], kA: float = 1.0, kB: float = 1.0, alpha: float = 0.05, tau: float = 0.5
) -> list[float]:
    """T, df and e on the log scale, the same on the root scale, their mean, the interval, the sceptical certainty.

    A, B: windows (features, capacity); kA, kB: units of capacity for one unit of money.
    """
    found = Comparison(measure(A), measure(B), worth=(kA, kB))
    if found.kind != "measured":
        raise ValueError("Expected at least 3 windows on each side, none that outweighs the others, and a feature.")
    known = found._evidence
    return [*known.log_test(), *known.root_test(), known.e(), *known.limits(alpha), known.certainty(tau)]


def _count_limits(a: float, b: float, cost: float, tail: float) -> tuple[float, float]:
    """Clopper and Pearson's limits (1934), of a's share in all features, as limits of the ratio."""
    least = beta_odds_below(tail, a, b + 1) if a else 0.0
    least_of_b = beta_odds_below(tail, b, a + 1) if b else 0.0
    return cost * least, cost / least_of_b if least_of_b else math.inf


def _finite(limits: tuple[float, float]) -> RatioInterval:
    return limits[0], limits[1] if limits[1] < math.inf else None


def _exp(value: float) -> float:
    return math.exp(value) if value < LARGEST_LOG else math.inf
