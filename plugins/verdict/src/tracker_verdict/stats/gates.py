"""The decisions that a comparison may open, and the windows that they still take."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

from attrs import frozen

from tracker_verdict.stats import power
from tracker_verdict.stats.efficiency import ASSUMED_FANO, LEAST_WINDOWS, Efficiency

Pair: TypeAlias = tuple[float, float]

REALLOCATE = 0.75  # a small step that can be taken back
RETIRE, RETIRE_WINDOWS = 0.99, 8  # on any day
RETIRE_AT_REVIEW = 0.95  # at a date that was fixed beforehand: one look instead of many


@frozen(kw_only=True)
class Gate:
    """A decision and what it takes.

    certainty: it opens where the better side is that certain to be better. windows: what either side must have.
    open: whether it is; never where a side is not measured.
    power: the chance that such a certainty is reached with these windows if the true ratio is the chosen one; None
        unless both sides are measured. windows_needed: the fewest windows on each side for which it is 0.8; where a
        side is assumed, under that assumption; None where a side has no features, or beyond 10^9.
    """

    name: str
    certainty: float
    windows: int
    open: bool
    power: float | None
    windows_needed: int | None


def gates(a: Efficiency, b: Efficiency, certainty: float, effect: float, *, review: bool) -> tuple[Gate, ...]:
    """The gates from the smallest decision to the largest; `certainty` is that of the better side."""
    retire = (RETIRE_AT_REVIEW, LEAST_WINDOWS) if review else (RETIRE, RETIRE_WINDOWS)
    measured = a.ci_kind == b.ci_kind == "measured"
    plan = _Plan(math.log(effect), (_window_variance(a), _window_variance(b)))
    return tuple(
        Gate(
            name=name,
            certainty=needed,
            windows=windows,
            open=measured and certainty >= needed and min(a.n, b.n) >= windows,
            power=plan.power(needed, (a.n, b.n)) if measured else None,
            windows_needed=plan.windows(needed, windows),
        )
        for name, needed, windows in (("reallocate", REALLOCATE, LEAST_WINDOWS), ("retire", *retire))
    )


class _Plan(NamedTuple):
    """What a difference of two log efficiencies may come to: the true one, and the variance of one window each."""

    difference: float
    window_variances: Pair

    def power(self, certainty: float, windows: Pair) -> float:
        variances = self.window_variances[0] / windows[0], self.window_variances[1] / windows[1]
        df = welch_df(variances, windows)
        return power.of_gate(certainty, self.difference / math.sqrt(sum(variances)), df)

    def windows(self, certainty: float, first: int) -> int | None:
        if not all(self.window_variances):
            return None
        return power.fewest(lambda windows: self.power(certainty, (windows, windows)), first=first)


def _window_variance(side: Efficiency) -> float:
    """The variance of one window's log efficiency, at least a Poisson count's; 0 where nothing says it."""
    if not side.features or side.efficiency is None:
        return 0.0
    if side.relative_error is None:
        return side.n * ASSUMED_FANO / side.features
    return side.n * max(side.relative_error**2, 1 / side.features)


def welch_df(variances: Pair, windows: Pair) -> float:
    """Welch's degrees of freedom of a difference of two means whose variances are not both 0."""
    parts = [variance / max(variances) for variance in variances]  # the squares of the variances would underflow
    return sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, windows, strict=True))
