"""How likely a meter is full before its reset, from the past weeks and how this one began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import special

Array: TypeAlias = Any

# Tuned on simulations of their own, see docs/explanation/statistics.md. tau: weeks that are remembered; kap: the weight
# of the prior; c: points that are added before a logarithm; phi: the Fano factor; sig, d0: the spread of weeks and its
# degrees of freedom; b0, lam: the slope beforehand and its weight.
P: Mapping[str, float] = {"tau": 4.0, "kap": 1.0, "c": 5.0, "phi": 3.0, "sig": 0.4, "d0": 6.0, "b0": 0.4, "lam": 2.0}
# What a week uses if no week is known.
USUAL_POINTS, FULL = 85.0, 100.0


def runout(
    weeks: Sequence[Sequence[float | None]],
    h: int,
    a: float,
    prior: Sequence[float],
    phases: Sequence[int] | None = None,
    now: int = 0,
    P: Mapping[str, float] = P,
    room: float | None = None,
) -> list[float]:
    """Points to come, spread, degrees of freedom, probability to be full before the reset, 80 % range of the points.

    weeks: points of each bin, None once the meter was full; each begins at bin phases[w] of the calendar week.
    h: bins of this week that are over, a: points used in them; this week begins at bin `now`. prior: the usual profile.
    P: the constants. room: points until the meter is full; what `a` leaves, if a point bought the same all week.
    """
    added, df = P["c"], P["d0"]
    profile = np.array(prior, float) / sum(prior)
    order = (now + np.arange(len(profile))) % len(profile)
    if len(weeks) == 0:
        done, left = profile[order[:h]].sum(), profile[order[h:]].sum()
        rest = left * USUAL_POINTS * (a + added) / (done * USUAL_POINTS + added)
        spread = np.sqrt(P["phi"] / (a + added) + P["phi"] / (rest + added) + P["sig"] ** 2)
    else:
        past = _Past(weeks, phases, profile, P)
        mean = past.profile()
        done, left = mean[order[:h]].sum(), mean[order[h:]].sum()
        slope, errors = past.slope(h)
        rest = max((left + added) * ((a + added) / (done + added)) ** slope - added, 0.0)
        guess = df * (P["phi"] / (rest + added) + P["sig"] ** 2)
        variance = ((errors**2).sum() + guess) / (len(errors) + df)
        spread, df = np.sqrt(variance * (1 + 1 / (len(weeks) + P["kap"]))), len(errors) + df - 1
    room = FULL - a if room is None else room
    full = 1.0 if room <= 0 else special.stdtr(df, (np.log(rest + added) - np.log(room + added)) / spread)
    reach = -special.stdtrit(df, 0.1) * spread
    low, high = (max((rest + added) * np.exp(sign * reach) - added, 0.0) for sign in (-1, 1))
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
        profile = _Past(weeks, phases, profile).profile()
    left = profile[(now + np.arange(len(profile))) % len(profile)][h:]
    return [float(one) for one in left * rest / left.sum()] if left.sum() else [0.0] * len(left)


class _Past:
    """The past weeks by the bins of the calendar week, the newest with the most weight."""

    def __init__(
        self,
        weeks: Sequence[Sequence[float | None]],
        phases: Sequence[int] | None,
        prior: Array,
        P: Mapping[str, float] = P,
    ) -> None:
        self.P = P
        count, bins = len(weeks), len(prior)
        self.rises = np.array([[np.nan if one is None else one for one in week] for week in weeks], float)
        self.places = (np.array(phases or [0] * count)[:, None] + np.arange(bins)) % bins
        self.weights = np.exp(-np.arange(count - 1, -1, -1) / P["tau"])
        self.prior = prior
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
        return (sums + self.P["kap"] * level * self.prior) / (seen + self.P["kap"])

    def slope(self, h: int) -> tuple[float, Array]:
        """How far a busy start goes on: each week's rest against its start, predicted from the other weeks."""
        if len(self.weights) < 2:
            return self.P["b0"], np.zeros(0)
        starts, rests = [], []
        added, weight = self.P["c"], self.P["lam"]
        for week in range(len(self.weights)):
            usual = self.profile(week)[self.places[week]]
            known = np.isfinite(self.rises[week])
            rises = np.where(known, self.rises[week], 0.0)
            level = max(1.0, (rises.sum() + added) / (usual[known].sum() + added))
            rises = np.where(known, rises, usual * level)
            starts.append(np.log((rises[:h].sum() + added) / (usual[:h].sum() + added)))
            rests.append(np.log((rises[h:].sum() + added) / (usual[h:].sum() + added)))
        u, v = np.array(starts), np.array(rests)
        learned, seen = (self.weights * u * v).sum(), (self.weights * u * u).sum()
        slope = (learned + weight * self.P["b0"]) / (seen + weight)
        slope = float(min(max(slope, -0.5), 1.0))
        return slope, v - slope * u
