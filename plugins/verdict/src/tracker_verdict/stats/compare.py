"""Whether one provider delivers more for the money than another, and how sure that is."""

from __future__ import annotations

import math
import sys
from typing import Literal, NamedTuple, TypeAlias

from attrs import frozen

from tracker_verdict.stats.distributions import beta_cdf, beta_odds_below, t_cdf, t_quantile
from tracker_verdict.stats.efficiency import ASSUMED_FANO, Efficiency, Kind, in_range
from tracker_verdict.stats.gates import Gate, Pair, gates, welch_df

RatioInterval: TypeAlias = tuple[float, float | None]
Side: TypeAlias = Literal["a", "b"]

NOT_ENOUGH = "not enough data"
MOST_FEATURES = 1e12  # scipy's beta quantiles give nan from 1e16 on
LARGEST_LOG = math.log(sys.float_info.max)


@frozen(kw_only=True)
class Comparison:
    """Provider a against provider b, by features for the money.

    kind: ``assumed`` where either side is, ``none`` where either has no efficiency.
    ratio: of the two efficiencies, a over b; None where b has no features.
    interval: of the ratio, from counts and, where measured, spread; None as its upper limit: there is none.
    p1: the certainty from the spread between windows (log Welch), None unless measured.
    p2: the certainty from the counts (Jeffreys); of half of them where the kind is ``assumed``.
    certainty: that a beats b: the more careful of the two, 0.5 where they point in different directions.
    gates: the decisions, small ones first.
    effect: the true ratio that powers and windows needed are about.
    review: whether this is a review date fixed beforehand. On any other day a look is one more chance to be wrong.
    looks: how often these two have been compared, where known.
    """

    kind: Kind
    gates: tuple[Gate, ...]
    ratio: float | None = None
    interval: RatioInterval | None = None
    p1: float | None = None
    p2: float | None = None
    certainty: float = 0.5
    confidence: float = 0.95
    effect: float = 1.5
    review: bool = False
    looks: int | None = None

    @property
    def favours(self) -> Side | None:
        """The side that is more likely better."""
        if self.certainty == 0.5:
            return None
        return "a" if self.certainty > 0.5 else "b"

    @property
    def verdict(self) -> str:
        """The largest decision whose gate is open, in favour of the better side, or that the data are not enough."""
        return next((gate.name for gate in reversed(self.gates) if gate.open), NOT_ENOUGH)

    @property
    def windows_needed(self) -> int | None:
        """The windows on each side that the next decision takes; None where none is left, or no figure leads to one."""
        return next((gate.windows_needed for gate in self.gates if not gate.open), None)


def compare(
    a: Efficiency,
    b: Efficiency,
    *,
    worth: Pair = (1.0, 1.0),
    confidence: float = 0.95,
    effect: float = 1.5,
    review: bool = False,
    looks: int | None = None,
) -> Comparison:
    """Compare two efficiencies, each times the `worth` of one unit of its capacity.

    worth: units for one unit of money, such as 100 x full bars a month / price; (1, 1) where both have the same unit
    and no price is known. Raises ValueError for a worth, confidence or effect that makes no sense.
    """
    if not all(0 < value < math.inf for value in worth):
        raise ValueError(f"the worth of a unit must be a finite number above 0, got {worth!r}")
    if not (0 < confidence < 1 < effect < math.inf):
        raise ValueError(f"confidence must lie between 0 and 1 and effect above 1, got {confidence!r} and {effect!r}")
    exposures = a.capacity / worth[0], b.capacity / worth[1]
    figures = _figures(a, b, exposures, (1 - confidence) / 2) if _comparable(a, b, exposures) else _NO_FIGURES
    better = max(figures.certainty, 1 - figures.certainty)
    return Comparison(
        **figures._asdict(),
        gates=gates(a, b, better, effect, review=review),
        confidence=confidence,
        effect=effect,
        review=review,
        looks=looks,
    )


class _Figures(NamedTuple):
    kind: Kind
    ratio: float | None
    interval: RatioInterval | None
    p1: float | None
    p2: float | None
    certainty: float


class _Welch(NamedTuple):
    """The difference of two log efficiencies, its standard error and degrees of freedom."""

    difference: float
    se: float
    df: float


_NO_FIGURES = _Figures(kind="none", ratio=None, interval=None, p1=None, p2=None, certainty=0.5)


def _comparable(a: Efficiency, b: Efficiency, exposures: Pair) -> bool:
    """Whether both have an efficiency, and floats hold what follows from the two."""
    if a.efficiency is None or b.efficiency is None or not in_range(*exposures):
        return False
    if max(a.features, b.features) > MOST_FEATURES:
        return False
    cost, features = exposures[1] / exposures[0], a.features / b.features if b.features else 0.0
    return in_range(cost) and (features == 0 or in_range(features, features * cost))


def _figures(a: Efficiency, b: Efficiency, exposures: Pair, tail: float) -> _Figures:
    measured = a.ci_kind == b.ci_kind == "measured"
    weight = 1.0 if measured else 1 / ASSUMED_FANO
    p2 = beta_cdf(exposures[1] / exposures[0], weight * (b.features + 0.5), weight * (a.features + 0.5))
    welch = _welch(a, b, exposures) if measured else None
    p1 = t_cdf(welch.difference / welch.se, welch.df) if welch else p2 if measured else None
    ratio = a.features / b.features * (exposures[1] / exposures[0]) if b.features else None
    return _Figures(
        kind="measured" if measured else "assumed",
        ratio=ratio,
        interval=_interval(a, b, exposures, ratio, welch, tail),
        p1=p1,
        p2=p2,
        certainty=p2 if p1 is None else _nearer_half(p1, p2),
    )


def _welch(a: Efficiency, b: Efficiency, exposures: Pair) -> _Welch | None:
    """Welch's test of the log efficiencies; None where neither side's windows differ.

    Half a feature more keeps the logarithm finite, as in the log odds (Haldane, Anscombe).
    """
    variances = _log_variance(a), _log_variance(b)
    if not any(variances):
        return None
    logs = [math.log(side.features + 0.5) - math.log(cost) for side, cost in zip((a, b), exposures, strict=True)]
    return _Welch(logs[0] - logs[1], math.sqrt(sum(variances)), welch_df(variances, (a.n, b.n)))


def _log_variance(side: Efficiency) -> float:
    """V / max(E, 1/(2C))^2: relative to half a feature where there are not even so many."""
    return ((side.relative_error or 0.0) * min(1.0, 2 * side.features)) ** 2


def _nearer_half(p1: float, p2: float) -> float:
    if (p1 - 0.5) * (p2 - 0.5) < 0:
        return 0.5
    return min(p1, p2, key=lambda p: abs(p - 0.5))


def _interval(
    a: Efficiency, b: Efficiency, exposures: Pair, ratio: float | None, welch: _Welch | None, tail: float
) -> RatioInterval:
    """The hull of Clopper and Pearson's limits (1934), of a's share in all features, and of the log Welch ones."""
    scale = exposures[1] / exposures[0]
    least = beta_odds_below(tail, a.features, b.features + 1) if a.features else 0.0
    least_of_b = beta_odds_below(tail, b.features, a.features + 1) if b.features else 0.0
    lows, highs = [scale * least], [scale / least_of_b if least_of_b else math.inf]
    if ratio is not None:
        lows.append(ratio)
        highs.append(ratio)
    if welch:
        reach = t_quantile(tail, welch.df) * welch.se
        lows.append(_exp(welch.difference - reach))
        highs.append(_exp(welch.difference + reach))
    return min(lows), max(highs) if max(highs) < math.inf else None


def _exp(value: float) -> float:
    return math.exp(value) if value < LARGEST_LOG else math.inf
