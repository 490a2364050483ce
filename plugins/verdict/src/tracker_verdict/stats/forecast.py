"""How likely a meter is full before its reset, from the past weeks and how this one began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import special

Array: TypeAlias = Any

# Tuned on simulations of their own, see docs/explanation/statistics.md: memory in weeks, weight of the prior, points
# added before logarithms, Fano factor, spread of weeks, its degrees of freedom, slope beforehand and its weight.
CONSTANTS: Mapping[str, float] = {
    "tau": 4.0, "kap": 1.0, "c": 5.0, "phi": 3.0, "sig": 0.4, "d0": 6.0, "b0": 0.4, "lam": 2.0,
}  # fmt: skip
# What a week uses if no week is known.
USUAL_POINTS, FULL = 85.0, 100.0


def runout(
    weeks: Sequence[Sequence[float | None]],
    h: int,
    a: float,
    prior: Sequence[float],
    phases: Sequence[int] | None = None,
    now: int = 0,
    P: Mapping[str, float] = CONSTANTS,
) -> list[float]:
    """Points to come, spread, degrees of freedom, probability to be full before the reset, 80 % range of the points.

    weeks: points of each bin, None once the meter was full; each begins at bin phases[w] of the calendar week.
    h: bins of this week that are over, a: points used in them; this week begins at bin `now`. prior: the usual profile.
    """
    profile = np.array(prior, float) / sum(prior)
    c, order = P["c"], (now + np.arange(len(profile))) % len(profile)
    if len(weeks) == 0:
        done, left = profile[order[:h]].sum(), profile[order[h:]].sum()
        rest = left * USUAL_POINTS * (a + c) / (done * USUAL_POINTS + c)
        spread, df = np.sqrt(P["phi"] / (a + c) + P["phi"] / (rest + c) + P["sig"] ** 2), P["d0"]
    else:
        past = _Past(weeks, phases, profile, P)
        mean = past.profile()
        done, left = mean[order[:h]].sum(), mean[order[h:]].sum()
        slope, errors = past.slope(h)
        rest = max((left + c) * ((a + c) / (done + c)) ** slope - c, 0.0)
        guess = P["d0"] * (P["phi"] / (rest + c) + P["sig"] ** 2)
        variance = ((errors**2).sum() + guess) / (len(errors) + P["d0"])
        spread, df = np.sqrt(variance * (1 + 1 / (len(weeks) + P["kap"]))), len(errors) + P["d0"] - 1
    full = 1.0 if a >= FULL else special.stdtr(df, (np.log(rest + c) - np.log(FULL - a + c)) / spread)
    reach = -special.stdtrit(df, 0.1) * spread
    low, high = (max((rest + c) * np.exp(sign * reach) - c, 0.0) for sign in (-1, 1))
    return [float(one) for one in (rest, spread, df, full, low, high)]


def course(
    weeks: Sequence[Sequence[float | None]],
    h: int,
    rest: float,
    prior: Sequence[float],
    phases: Sequence[int] | None = None,
    now: int = 0,
) -> list[float]:
    """How the points to come, `rest`, usually spread over the bins that are left."""
    profile = np.array(prior, float) / sum(prior)
    if len(weeks):
        profile = _Past(weeks, phases, profile, CONSTANTS).profile()
    left = profile[(now + np.arange(len(profile))) % len(profile)][h:]
    return [float(one) for one in left * rest / left.sum()] if left.sum() else [0.0] * len(left)


class _Past:
    """The past weeks by the bins of the calendar week, the newest with the most weight."""

    def __init__(
        self,
        weeks: Sequence[Sequence[float | None]],
        phases: Sequence[int] | None,
        prior: Array,
        constants: Mapping[str, float],
    ) -> None:
        count, bins = len(weeks), len(prior)
        self.rises = np.array([[np.nan if one is None else one for one in week] for week in weeks], float)
        self.places = (np.array(phases or [0] * count)[:, None] + np.arange(bins)) % bins
        self.weights = np.exp(-np.arange(count - 1, -1, -1) / constants["tau"])
        self.prior, self.constants = prior, constants
        self.sums, self.seen = np.zeros((count, bins)), np.zeros((count, bins))
        for week in range(count):
            known = np.isfinite(self.rises[week])
            self.sums[week, self.places[week][known]] = self.rises[week][known]
            self.seen[week, self.places[week][known]] = 1

    def profile(self, without: int | None = None) -> Array:
        """Points of each bin, of all weeks or of all but one."""
        weights = self.weights * (np.arange(len(self.weights)) != without) if without is not None else self.weights
        sums, seen = (self.sums * weights[:, None]).sum(0), (self.seen * weights[:, None]).sum(0)
        # weeks that a full meter or an early reset hid from their first night on say nothing of a week's points
        usual = (self.prior * seen).sum()
        level = sums.sum() / usual if usual else USUAL_POINTS
        weight = self.constants["kap"]
        return (sums + weight * level * self.prior) / (seen + weight)

    def slope(self, h: int) -> tuple[float, Array]:
        """How far a busy start goes on: each week's rest against its start, predicted from the other weeks."""
        c, b0, weight = self.constants["c"], self.constants["b0"], self.constants["lam"]
        if len(self.weights) < 2:
            return b0, np.zeros(0)
        starts, rests = [], []
        for week in range(len(self.weights)):
            usual = self.profile(week)[self.places[week]]
            known = np.isfinite(self.rises[week])
            rises = np.where(known, self.rises[week], 0.0)
            level = max(1.0, (rises.sum() + c) / (usual[known].sum() + c))
            rises = np.where(known, rises, usual * level)
            starts.append(np.log((rises[:h].sum() + c) / (usual[:h].sum() + c)))
            rests.append(np.log((rises[h:].sum() + c) / (usual[h:].sum() + c)))
        u, v = np.array(starts), np.array(rests)
        slope = ((self.weights * u * v).sum() + weight * b0) / ((self.weights * u * u).sum() + weight)
        slope = float(min(max(slope, -0.5), 1.0))
        return slope, v - slope * u
