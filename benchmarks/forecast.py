"""Forecasts of weekly meters, scored on simulated users: Brier and reliability, against the linear pace and CodexBar.

`python benchmarks/forecast.py [--weeks 0 1 3 6] [--cases 300] [--seed 1]`, a minute on one core; `--quick` in seconds.
The users are those of docs/explanation/statistics.md: office hours, bursts, evenings, a trend, a step, and one who
holds back.
CodexBar's method is restated from its source: past weeks shifted to this week's pace, weighted by exp(-age / 3).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeAlias

import needs_tracker  # noqa: F401
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tracker_verdict.stats import runout

Array: TypeAlias = NDArray[np.float64]

HOURS, FULL = 168, 100.0
PRIOR = [float(8 <= hour % 24 < 24) for hour in range(HOURS)]
EDGES = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0001)


@frozen
class Case:
    """Past weeks as the meter showed them, the hour of the forecast, what is used by then, and what comes."""

    weeks: list[list[float | None]]
    hour: int
    used: float
    rest: float

    @property
    def is_full(self) -> bool:
        return self.used + self.rest >= FULL


def profile(kind: str) -> Array:
    hours = np.arange(HOURS) % 24
    day = np.arange(HOURS) // 24
    if kind == "evening":
        return np.where((hours >= 18) | (hours < 1), 1.0, 0.1)
    office = np.where((hours >= 9) & (hours < 18), 1.0, 0.05) * np.where(day < 5, 1.0, 0.15)
    return office if kind != "bursty" else np.ones(HOURS)


KINDS = ("office", "bursty", "evening", "trend", "step", "adaptive")


def demand(rng: np.random.Generator, kind: str, mean: float, week: int, at_step: int) -> Array:
    """Points of each hour of a week, were the meter endless."""
    shape = profile(kind)
    level = mean * rng.lognormal(0, 0.25)
    if kind == "trend":
        level *= 1.08 ** (week - 4)
    if kind == "step" and week >= at_step:
        level *= 2
    spread = 1.2 if kind == "bursty" else 0.7
    busy = rng.gamma(1 / spread**2, spread**2, 7).repeat(24) * shape * rng.gamma(0.5, 2.0, HOURS)
    found = level * busy / max((shape * np.ones(HOURS)).sum(), 1e-9)
    if kind == "adaptive":
        past = np.cumsum(found)
        found = np.where(past > 75, found * 0.5, found)
    return np.asarray(found)


def case(rng: np.random.Generator, kind: str, history: int) -> Case:
    """One forecast: floored rises of the past weeks, hidden once the meter was full."""
    mean, at_step = rng.uniform(60, 115), int(rng.integers(0, history + 1))
    weeks: list[list[float | None]] = []
    for week in range(history):
        shown = np.floor(np.minimum(np.cumsum(demand(rng, kind, mean, week, at_step)), FULL))
        rises: list[float | None] = [float(one) for one in np.diff(shown, prepend=0.0)]
        full = np.flatnonzero(shown >= FULL)
        if full.size:
            rises[int(full[0]) + 1 :] = [None] * (HOURS - int(full[0]) - 1)
        weeks.append(rises)
    now = np.cumsum(demand(rng, kind, mean, history, at_step))
    hour = int(rng.integers(12, 156))
    used = float(np.floor(min(now[hour - 1], FULL)))
    return Case(weeks, hour, used, float(now[-1] - used))


def ours(one: Case) -> float:
    return runout(one.weeks, one.hour, one.used, PRIOR)[3]


def linear(one: Case) -> float:
    """Yes or no: whether the average of the week so far fills the meter."""
    return float(one.used / (one.hour / HOURS) >= FULL)


def codexbar(one: Case) -> float:
    """The weighted share of past weeks that would be full from here on, with half a week either way."""
    if not one.weeks:
        return 0.5
    weights = np.exp(-np.arange(len(one.weeks) - 1, -1, -1) / 3)
    mass = 0.0
    for weight, week in zip(weights, one.weeks, strict=True):
        left = sum(0.0 if rise is None else rise for rise in week[one.hour :])
        mass += weight * float(one.used + left >= FULL or None in week)
    scale = len(one.weeks) / weights.sum()
    return float((mass * scale + 0.5) / (len(one.weeks) + 1))


METHODS: dict[str, Callable[[Case], float]] = {"tracker": ours, "CodexBar": codexbar, "linear pace": linear}


def table(weeks: list[int], cases: int, seed: int) -> Iterator[str]:
    """The Brier score of each method by weeks of history, the reliability from 3 weeks on, the cover of the range."""
    stated: list[float] = []
    happened: list[bool] = []
    held: list[bool] = []
    yield f"{cases} cases of each of {len(KINDS)} users, seed {seed}."
    yield ""
    yield f"| Brier score, weeks of history | {' | '.join(METHODS)} | full |"
    yield f"| ---: |{' ---: |' * (len(METHODS) + 1)}"
    for history in weeks:
        rng = np.random.default_rng([seed, history])
        found = [case(rng, kind, history) for kind in KINDS for _ in range(cases)]
        found = [one for one in found if one.used < FULL]
        truth = np.array([one.is_full for one in found])
        cells = []
        for method in METHODS.values():
            said = np.array([method(one) for one in found])
            cells.append(f"{((said - truth) ** 2).mean():.3f}")
            if method is ours and history >= 3:
                stated += said.tolist()
                happened += truth.tolist()
                for one in found:
                    low, high = runout(one.weeks, one.hour, one.used, PRIOR)[4:]
                    held.append(low <= one.rest <= high)
        yield f"| {history} | {' | '.join(cells)} | {truth.mean():.2f} |"
    if not stated:
        return
    yield ""
    yield "| stated | happened | forecasts |"
    yield "| ---: | ---: | ---: |"
    chance, came = np.array(stated), np.array(happened)
    for low, high in pairwise(EDGES):
        inside = (chance >= low) & (chance < high)
        if inside.any():
            yield f"| {low:g} to {min(high, 1):g} | {came[inside].mean():.2f} | {inside.sum()} |"
    yield ""
    yield f"The 80 % range held the points to come in {100 * np.mean(held):.0f} %."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weeks", type=int, nargs="+", default=[0, 1, 2, 3, 4, 6, 8])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="20 cases, 0 and 4 weeks")
    options = parser.parse_args()
    weeks, cases = ([0, 4], 20) if options.quick else (options.weeks, options.cases)
    for line in table(weeks, cases, options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
