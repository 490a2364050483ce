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
QUANTILES = 1000


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
    past = _Past(weeks, phases, prior, P)
    usual = past.profile(now)
    done, left = usual[:h].sum(), usual[h:].sum()
    if len(weeks) == 0:
        rest = left * USUAL_POINTS * (a + added) / (done * USUAL_POINTS + added)
        spread = np.sqrt(P["phi"] / (a + added) + P["phi"] / (rest + added) + P["sig"] ** 2)
    else:
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


def left_over(rest: float, spread: float, df: float, room: float) -> float:
    """Points of `room` that nobody uses before the reset, on average over what `runout` expects."""
    chances = (np.arange(QUANTILES) + 0.5) / QUANTILES
    to_come = np.maximum((rest + P["c"]) * np.exp(special.stdtrit(df, chances) * spread) - P["c"], 0.0)
    return float(np.maximum(room - to_come, 0.0).mean())


def course(
    weeks: Sequence[Sequence[float | None]],
    h: int,
    rest: float,
    prior: Sequence[float],
    phases: Sequence[int] | None = None,
    now: int = 0,
) -> list[float]:
    """How the points to come, `rest`, usually spread over the bins that are left."""
    left = _Past(weeks, phases, prior, P).profile(now)[h:]
    total = left.sum()
    return [float(one) for one in left * rest / total] if total else [0.0] * len(left)


class _Past:
    """The past weeks, the newest with the most weight. Their rises are nan if a full meter hid them."""

    def __init__(
        self,
        weeks: Sequence[Sequence[float | None]],
        phases: Sequence[int] | None,
        prior: Sequence[float],
        P: Mapping[str, float],
    ) -> None:
        self.P, self.prior = P, np.array(prior, float) / sum(prior)
        self.phases = phases or [0] * len(weeks)
        self.weeks = np.array(weeks, float).reshape(len(weeks), len(prior))
        self.weights = np.exp(-np.arange(len(weeks) - 1, -1, -1) / P["tau"])
        # by the bins of the calendar week
        self.rises = self.weeks.copy()
        for week, phase in enumerate(self.phases):
            self.rises[week] = np.roll(self.weeks[week], phase)

    def profile(self, phase: int, without: int = -1) -> Array:
        """Points of each bin of a week that begins at bin `phase`, from all weeks or from all but one.

        Without weeks it is the prior, as shares of the whole.
        """
        if len(self.weights) == 0:
            return np.roll(self.prior, -phase)
        weights = (self.weights * (np.arange(len(self.weights)) != without))[:, None]
        sums, seen = (np.nan_to_num(self.rises) * weights).sum(0), (np.isfinite(self.rises) * weights).sum(0)
        # weeks hidden from their first night on, by a full meter or an early reset, say nothing about a week's points
        usual = (self.prior * seen).sum()
        level = sums.sum() / usual if usual else USUAL_POINTS
        return np.roll((sums + self.P["kap"] * level * self.prior) / (seen + self.P["kap"]), -phase)

    def slope(self, h: int) -> tuple[float, Array]:
        """How far a busy start goes on: each week's rest against its start, predicted from the other weeks."""
        if len(self.weights) < 2:
            return self.P["b0"], np.zeros(0)
        starts, rests = [], []
        added, weight = self.P["c"], self.P["lam"]
        for week, rises in enumerate(self.weeks):
            usual, known = self.profile(self.phases[week], without=week), np.isfinite(rises)
            level = max(1.0, (np.nan_to_num(rises).sum() + added) / (usual[known].sum() + added))
            filled = np.where(known, rises, usual * level)
            starts.append(np.log((filled[:h].sum() + added) / (usual[:h].sum() + added)))
            rests.append(np.log((filled[h:].sum() + added) / (usual[h:].sum() + added)))
        u, v = np.array(starts), np.array(rests)
        learned, seen = (self.weights * u * v).sum(), (self.weights * u * u).sum()
        slope = (learned + weight * self.P["b0"]) / (seen + weight)
        slope = float(min(max(slope, -0.5), 1.0))
        return slope, v - slope * u
