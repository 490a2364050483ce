"""Calibration of meters on simulated accounts: bias and coverage; power and false alarms of the scan for a change.

`python benchmarks/calibration.py [--repetitions 200] [--seed 1]`, minutes on one core; `--quick` in seconds. A weekly
meter of 45 points in 45 active hours counts list-price dollars; a factor per hour is hidden, other devices use the
account at random waking hours, and readings are floored. What is measured is what `tracker meters calibrate` and
`drift` do: ticks, weighted least squares with days left out, the scan.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections.abc import Iterator
from typing import TypeAlias

import needs_tracker  # noqa: F401
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tracker_verdict.stats import scan_p, ticks
from tracker_verdict.stats.calibration import fit

Array: TypeAlias = NDArray[np.float64]

RATE = 0.184  # points per list-price dollar
ACTIVE, DOLLARS = 45, 245.0  # hours and dollars of a week
MINUTES = 10
SURE = 0.01


@frozen
class Scenario:
    """hidden: the CV of the factor per hour. others: what other devices use, as a share of own use. alpha: what a
    dollar of cache reads counts. change: the factor on points from the middle on."""

    name: str
    weeks: int
    hidden: float = 0.1
    others: float = 0.0
    alpha: float = 1.0
    change: float = 1.0
    columns: str = "dollars"


SCENARIOS = (
    Scenario("1 week, hidden 10 %", 1),
    Scenario("2 weeks, hidden 10 %", 2),
    Scenario("4 weeks, hidden 10 %", 4),
    Scenario("2 weeks, hidden 30 %", 2, hidden=0.3),
    Scenario("4 weeks, others 10 %, ignored", 4, others=0.1),
    Scenario("4 weeks, others 10 %, as a column", 4, others=0.1, columns="dollars others"),
    Scenario("4 weeks, cache reads free, at list price", 4, alpha=0.0),
    Scenario("4 weeks, cache reads 0.4, a rate of their own", 4, alpha=0.4, columns="fresh cached"),
    Scenario("2 weeks, others 30 %, as a column", 2, others=0.3, columns="dollars others"),
    Scenario("4 weeks, others 30 %, as a column", 4, others=0.3, columns="dollars others"),
)
CHANGES = (
    Scenario("2 weeks, no change", 2),
    Scenario("4 weeks, no change", 4),
    Scenario("2 weeks, halved (x1/0.48)", 2, change=1 / 0.48),
    Scenario("2 weeks, hidden 30 %, halved (x1/0.48)", 2, hidden=0.3, change=1 / 0.48),
    Scenario("4 weeks, x1.25", 4, change=1.25),
)


@frozen
class Pieces:
    """Points, dollars of fresh tokens and of cache reads, waking hours, and day of each piece."""

    points: Array
    fresh: Array
    cached: Array
    awake: Array
    day: Array


def simulated(rng: np.random.Generator, scenario: Scenario) -> Pieces:
    """The pieces of one account."""
    days = 7 * scenario.weeks
    hours = days * 24
    is_awake = (np.arange(hours) % 24 >= 8).astype(float)
    active = np.zeros(hours)
    for week in range(scenario.weeks):
        waking = np.flatnonzero(is_awake[week * 168 : (week + 1) * 168]) + week * 168
        active[rng.choice(waking, ACTIVE, replace=False)] = 1
    bins = hours * 60 // MINUTES
    hour_of = np.arange(bins) * MINUTES // 60
    turns = rng.poisson(1.5, bins) * active[hour_of]
    size = rng.lognormal(0, 0.8, bins) * turns
    share = rng.beta(4, 4, bins)
    dollars = size * DOLLARS * scenario.weeks / max(size.sum(), 1e-9)
    fresh, cached = dollars * (1 - share), dollars * share
    factor = rng.gamma(1 / scenario.hidden**2, scenario.hidden**2, hours)[hour_of]
    shift = np.where(np.arange(bins) >= bins // 2, scenario.change, 1.0)
    rise = RATE * (fresh + scenario.alpha * cached) * factor * shift
    if scenario.others:
        visits = (rng.random(hours) < 0.15) * is_awake
        rise = rise + scenario.others * rise.sum() * visits[hour_of] / max(visits[hour_of].sum(), 1)
    level = np.cumsum(rise)
    for week in range(1, scenario.weeks):
        start = week * 168 * 60 // MINUTES
        level[start:] -= level[start - 1]
    readings = [(place, float(value)) for place, value in enumerate(np.floor(level))]
    sums = [np.concatenate([[0.0], np.cumsum(one)]) for one in (fresh, cached, is_awake[hour_of] * MINUTES / 60)]
    pieces = ticks(readings)
    start, end = (np.array([piece[at] for piece in pieces], int) + 1 for at in (0, 1))
    amounts = [one[end] - one[start] for one in sums]
    return Pieces(np.array([piece[2] for piece in pieces], float), *amounts, (end * MINUTES) // 1440)


def estimated(pieces: Pieces, columns: str) -> list[tuple[float, ...]] | None:
    """The limits of each column; None if there is too little."""
    dollars = pieces.fresh + pieces.cached
    kept = dollars > 0
    if kept.sum() < 8 or len(set(pieces.day[kept])) < 6:
        return None
    known = {"dollars": dollars, "fresh": pieces.fresh, "cached": pieces.cached, "others": pieces.awake}
    rows = np.stack([known[name][kept] for name in columns.split()], 1)
    weights = (1 / np.maximum(dollars[kept], 0.05 * dollars[kept].mean())).tolist()
    points, days = pieces.points[kept].tolist(), pieces.day[kept].tolist()
    return fit(points, rows.tolist(), days, weights=None if "others" in columns else weights).limits()


def rates(scenarios: tuple[Scenario, ...], repetitions: int, seed: int) -> Iterator[str]:
    yield "| points per dollar | known in % | bias % | covers % | half width % |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for place, scenario in enumerate(scenarios):
        rng = np.random.default_rng([seed, place])
        found = [estimated(simulated(rng, scenario), scenario.columns) for _ in range(repetitions)]
        known = np.array([one[0][:3] for one in found if one is not None])
        if not len(known):
            yield f"| {scenario.name} | 0 | - | - | - |"
            continue
        bias = 100 * (np.median(known[:, 0]) / RATE - 1)
        covers = 100 * ((known[:, 1] <= RATE) & (known[:, 2] >= RATE)).mean()
        half = 100 * np.median((known[:, 2] - known[:, 1]) / 2 / known[:, 0])
        share = 100 * len(known) / repetitions
        yield f"| {scenario.name} | {share:.0f} | {bias:+.1f} | {covers:.0f} | {half:.0f} |"


def changes(scenarios: tuple[Scenario, ...], repetitions: int, seed: int) -> Iterator[str]:
    yield "| change | found % at p 0.01 | right day, give or take one, % |"
    yield "| --- | ---: | ---: |"
    for place, scenario in enumerate(scenarios):
        rng = np.random.default_rng([seed, 100 + place])
        hits = right = 0
        for one in range(repetitions):
            pieces = simulated(rng, scenario)
            days = sorted(set(pieces.day.tolist()))
            if len(days) < 6:
                continue
            points = [float(pieces.points[pieces.day == day].sum()) for day in days]
            dollars = [float((pieces.fresh + pieces.cached)[pieces.day == day].sum()) for day in days]
            if min(dollars) <= 0:
                continue
            _, first, p = scan_p(points, dollars, seed=one)
            if p <= SURE:
                hits += 1
                right += abs(bisect_right(days, 7 * scenario.weeks // 2) - first) <= 1
        near = f"{100 * right / hits:.0f}" if hits and scenario.change != 1 else "-"
        yield f"| {scenario.name} | {100 * hits / repetitions:.0f} | {near} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="8 repetitions")
    options = parser.parse_args()
    repetitions = 8 if options.quick else options.repetitions
    print(f"{repetitions} repetitions, seed {options.seed}.\n", flush=True)
    for line in rates(SCENARIOS, repetitions, options.seed):
        print(line, flush=True)
    print()
    for line in changes(CHANGES, repetitions, options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
