"""Coverage: how often the efficiency's 95 % interval holds the true efficiency, over simulated windows.

Prints the tables of docs/explanation/statistics.md: `python benchmarks/coverage.py`, about a minute on one core;
`--quick` does it in seconds with fewer repetitions; `--write FILE` puts them between the file's marker lines. The
chosen interval is restated for whole arrays here, and every run checks the restatement against tracker_verdict.stats;
the other intervals are what older tools and textbooks offer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import needs_tracker  # noqa: F401
import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from scipy import special

from tracker_verdict.stats.efficiency import ASSUMED_WINDOWS, LEAST_EFFECTIVE, LEAST_FANO, LEAST_WINDOWS, measure

Array: TypeAlias = NDArray[np.float64]
Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], tuple[Array, Array]]

WINDOWS = (3, 4, 5, 8, 10, 20, 40)
TAIL = 0.025
FEATURES, CAPACITY = 2.5, 15.0  # of a window, in the mean
RESAMPLES, RESAMPLED = 999, 2000  # of the bootstrap: draws, and repetitions at most
CHECKED = 50  # repetitions per cell that are held against tracker_verdict.stats
BEGIN, END = "<!-- coverage: begin -->", "<!-- coverage: end -->"


@frozen
class Scenario:
    """A way in which windows come about. `draw` gives features and capacity, one repetition a row."""

    name: str
    draw: Draw
    truth: float = FEATURES / CAPACITY
    promise: float | None = None  # the least coverage that tracker claims


def positive(rng: np.random.Generator, shape: tuple[int, int], cv: float) -> Array:
    """Gamma variables with mean 1 and the given coefficient of variation."""
    return rng.gamma(1 / cv**2, cv**2, shape)


def bars(rng: np.random.Generator, capacity: Array) -> Array:
    """What a bar in whole percent shows of it: the difference of two rounded readings, from anywhere on the bar."""
    start = rng.random(capacity.shape)
    return np.floor(start + capacity + 0.5) - np.floor(start + 0.5)


def counts(features: float = FEATURES, capacity: float = CAPACITY, cv: float = 0.5, kappa: float = 0.0) -> Draw:
    """Features are Poisson for the capacity used; `kappa` makes them negative binomial, variance m + kappa m^2."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
        used = capacity * positive(rng, shape, cv)
        luck = positive(rng, shape, kappa**0.5) if kappa else 1.0
        return rng.poisson(features / capacity * used * luck).astype(float), bars(rng, used)

    return draw


def dead(share: float) -> Draw:
    """Poisson, but the given share of the windows delivers nothing."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
        features, used = counts(FEATURES / (1 - share))(rng, shape)
        return features * (rng.random(shape) >= share), used

    return draw


def planned(cv: float) -> Draw:
    """One to four features are planned and finished; what they cost is left to chance."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
        features = rng.integers(1, 5, shape).astype(float)
        return features, bars(rng, features * CAPACITY / FEATURES * positive(rng, shape, cv))

    return draw


def lognormal(sigma: float) -> Draw:
    """Poisson around a rate that is lognormal from window to window."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
        used = CAPACITY * positive(rng, shape, 0.5)
        rate = FEATURES / CAPACITY * rng.lognormal(-(sigma**2) / 2, sigma, shape)
        return rng.poisson(rate * used).astype(float), bars(rng, used)

    return draw


SCENARIOS = (
    Scenario("Poisson", counts(), promise=0.94),
    Scenario("negative binomial, kappa 0.5", counts(kappa=0.5), promise=0.94),
    Scenario("25 % dead windows", dead(0.25), promise=0.94),
    Scenario("planned features", planned(0.5), promise=0.94),
    Scenario("tiny capacity, 2 points", counts(capacity=2.0), truth=FEATURES / 2, promise=0.94),
    Scenario("negative binomial, kappa 1", counts(kappa=1.0), promise=0.91),
    Scenario("kappa 0.5, capacity CV 1", counts(kappa=0.5, cv=1.0), promise=0.91),
    Scenario("planned, capacity CV 1", planned(1.0), promise=0.91),
    Scenario("kappa 0.5, 10 features", counts(10.0, kappa=0.5), truth=10 / CAPACITY, promise=0.91),
    Scenario("negative binomial, kappa 2", counts(kappa=2.0)),
    Scenario("lognormal rate, sigma 1", lognormal(1.0)),
    Scenario("planned, capacity CV 1.5", planned(1.5)),
)


@frozen
class Sample:
    """Repetitions of n windows, one a row, with what all intervals are made from."""

    features: Array
    capacity: Array

    @property
    def estimate(self) -> Array:
        return np.asarray(self.features.sum(1) / self.capacity.sum(1))

    @property
    def n(self) -> Array:
        """Windows that count: those that used something or delivered something."""
        return np.asarray((self.features + self.capacity > 0).sum(1), float)

    @property
    def t(self) -> Array:
        return np.asarray(-special.stdtrit(self.n - 1, TAIL))

    def without_each(self) -> Array:
        """The estimate without window i."""
        rest = self.capacity.sum(1, keepdims=True) - self.capacity
        return np.asarray((self.features.sum(1, keepdims=True) - self.features) / rest)

    def hc3(self) -> Array:
        """The HC3 standard error, by its other definition: the jackknife's."""
        counts = self.features + self.capacity > 0
        moves = np.where(counts, self.without_each() - self.estimate[:, None], 0.0)
        return np.asarray(np.sqrt((moves**2).sum(1)))


def chosen(sample: Sample) -> tuple[Array, Array]:
    """tracker's own interval, see tracker_verdict.stats.efficiency."""
    features, capacity = sample.features.sum(1), sample.capacity.sum(1)
    measured = is_measured(sample)
    assumed = np.maximum(LEAST_FANO, 1 + features / (2 * sample.n))
    fano = np.where(measured, 1.0, assumed)
    low = fano * np.where(features > 0, special.gammaincinv(features / fano, TAIL), 0.0) / capacity
    high = fano * special.gammainccinv(features / fano + 1, TAIL) / capacity
    spread = sample.hc3() ** 2 * capacity / sample.estimate
    df = ASSUMED_WINDOWS + sample.n - 1
    moderated = (ASSUMED_WINDOWS * assumed + (sample.n - 1) * spread) / df
    x = -special.stdtrit(df, TAIL) * np.sqrt(moderated / features) / 2
    least = np.minimum(low, sample.estimate * np.maximum(0.0, 1 - x) ** 2)
    most = np.maximum(high, sample.estimate * (1 + x) ** 2)
    return np.where(measured, least, low), np.where(measured, most, high)


def is_measured(sample: Sample) -> NDArray[np.bool_]:
    effective = sample.capacity.sum(1) ** 2 / (sample.capacity**2).sum(1)
    enough = (sample.n >= LEAST_WINDOWS) & (effective >= LEAST_EFFECTIVE)
    return np.asarray(enough & (sample.features.sum(1) > 0))


def naive_error(sample: Sample) -> Array:
    """What older tools take for the standard error: too small by the square root of n."""
    residuals = sample.features - sample.estimate[:, None] * sample.capacity
    return np.asarray(np.sqrt((residuals**2).sum(1) / (sample.n - 1)) / sample.capacity.sum(1))


def bca(sample: Sample, rng: np.random.Generator) -> tuple[Array, Array]:
    """The bias-corrected and accelerated bootstrap of whole windows (Efron 1987)."""
    n = sample.features.shape[1]
    draws = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float)
    resampled = np.sort((sample.features @ draws.T) / (sample.capacity @ draws.T), axis=1)
    estimate = sample.estimate[:, None]
    below = ((resampled < estimate).mean(1) + (resampled <= estimate).mean(1)) / 2
    bias = special.ndtri(np.clip(below, 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES))
    moves = sample.without_each().mean(1, keepdims=True) - sample.without_each()
    acceleration = np.nan_to_num((moves**3).sum(1) / (6 * (moves**2).sum(1) ** 1.5))
    ends = []
    for z in (special.ndtri(TAIL), -special.ndtri(TAIL)):
        level = special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
        rank = np.clip(np.floor(level * (RESAMPLES + 1)).astype(int) - 1, 0, RESAMPLES - 1)
        ends.append(np.take_along_axis(resampled, rank[:, None], 1)[:, 0])
    return ends[0], ends[1]


def fieller(sample: Sample, truth: float) -> tuple[Array, Array]:
    """Whether Fieller's set holds the truth, be it bounded or not; and whether it is bounded."""
    n, t2 = sample.n, sample.t**2
    features, capacity = sample.features.sum(1) / n, sample.capacity.sum(1) / n
    counts = sample.features + sample.capacity > 0
    off = np.where(counts, sample.features - features[:, None], 0.0)
    used = np.where(counts, sample.capacity - capacity[:, None], 0.0)
    error = ((off - truth * used) ** 2).sum(1) / (n - 1) / n
    bounded = capacity**2 > t2 * (used**2).sum(1) / (n - 1) / n
    return (features - truth * capacity) ** 2 <= t2 * error, bounded


COLUMNS = ("chosen", "width", "naive", "naive x sqrt n", "HC3, z", "HC3, t", "BCa", "Fieller", "unbounded", "assumed")


def cell(scenario: Scenario, n: int, repetitions: int, rng: np.random.Generator) -> list[float]:
    """One row of the table: coverages, the median width over the efficiency, and two shares."""
    features, capacity = scenario.draw(rng, (repetitions, n))
    used = capacity.sum(1) > 0
    sample = Sample(features[used], capacity[used])
    few = Sample(sample.features[:RESAMPLED], sample.capacity[:RESAMPLED])
    truth, estimate, root = scenario.truth, sample.estimate, np.sqrt(sample.n)

    def around(error: Array) -> float:
        return float((np.abs(estimate - truth) <= error).mean())

    def within(ends: tuple[Array, Array]) -> float:
        return float(((ends[0] <= truth) & (truth <= ends[1])).mean())

    # intervals that do not exist cover nothing
    with np.errstate(all="ignore"):
        low, high = chosen(sample)
        agree(sample, low, high)
        naive, hc3 = 1.96 * naive_error(sample), sample.hc3()
        holds, bounded = fieller(sample, truth)
        return [
            within((low, high)),
            float(np.median((high - low) / truth)),
            around(naive),
            around(naive * root),
            around(1.96 * hc3),
            around(sample.t * hc3),
            within(bca(few, rng)),
            float(holds.mean()),
            1 - float(bounded.mean()),
            1 - float(is_measured(sample).mean()),
        ]


def agree(sample: Sample, low: Array, high: Array) -> None:
    """Stop where the restatement for arrays and tracker_verdict.stats differ."""
    for row in range(min(CHECKED, len(low))):
        ours = measure(zip(sample.features[row].tolist(), sample.capacity[row].tolist(), strict=True)).ci
        if ours is None or not np.allclose(ours, (low[row], high[row]), rtol=1e-9, atol=1e-12):
            sys.exit(f"error: tracker_verdict.stats gives {ours}, this benchmark {(low[row], high[row])}")


def figures(repetitions: int, seed: int) -> Iterator[tuple[Scenario, int, list[float]]]:
    """Every row of the table; each has its own stream of random numbers, so that none depends on the rows before."""
    for place, scenario in enumerate(SCENARIOS):
        for n in WINDOWS:
            yield scenario, n, cell(scenario, n, repetitions, np.random.default_rng([seed, place, n]))


def assumed(rng: np.random.Generator, repetitions: int) -> Iterator[tuple[str, list[float]]]:
    """One and two windows of each side: coverage of the efficiency and of the ratio, from an assumed spread."""
    for name, features, kappa in (("kappa 0.5", FEATURES, 0.5), ("kappa 0.5, 10 features", 10.0, 0.5)):
        draw, truth = counts(features, kappa=kappa), features / CAPACITY
        for n in (1, 2):
            pairs = [Sample(*draw(rng, (repetitions, n))) for _ in range(2)]
            used = (pairs[0].capacity.sum(1) > 0) & (pairs[1].capacity.sum(1) > 0)
            a, b = (Sample(one.features[used], one.capacity[used]) for one in pairs)
            with np.errstate(all="ignore"):
                low, high = chosen(a)
                least, most = ratio_limits(a, b)
            covered = ((low <= truth) & (truth <= high)).mean(), ((least <= 1) & (most >= 1)).mean()
            yield f"{name}, {n} window{'s' if n > 1 else ''} a side", [float(one) for one in covered]


def ratio_limits(a: Sample, b: Sample) -> tuple[Array, Array]:
    """The restatement of tracker_verdict.stats.ratio_assumed."""
    f, g = a.features.sum(1), b.features.sum(1)
    fano = np.maximum(LEAST_FANO, 1 + (f + g) / (2 * (a.n + b.n)))
    x, y, scale = f / fano, g / fano, b.capacity.sum(1) / a.capacity.sum(1)
    low = np.where(f > 0, special.betaincinv(x, y + 1, TAIL), 0.0)
    high = np.where(g > 0, special.betaincinv(x + 1, y, 1 - TAIL), 1.0)
    return scale * low / (1 - low), scale * high / (1 - high)


def floored(rng: np.random.Generator, repetitions: int) -> Iterator[tuple[str, list[float]]]:
    """40 windows that start at a reset on a floored meter: bias, as shown and with r + 1/2, and coverage of both."""
    for points in (1.5, 5.0, 15.0):
        used = points * positive(rng, (repetitions, 40), 0.5)
        features = rng.poisson(FEATURES / points * used).astype(float)
        truth, found = FEATURES / points, []
        for shown in (np.floor(used), np.floor(used) + 0.5):
            sample = Sample(features, shown)
            with np.errstate(all="ignore"):
                low, high = chosen(sample)
            covered = float(((low <= truth) & (truth <= high)).mean())
            found += [float(features.sum() / shown.sum() / truth - 1), covered]
        yield f"{points:g} points a window", found


def runs(rng: np.random.Generator, repetitions: int) -> Iterator[tuple[str, list[float]]]:
    """40 windows in days of 4 to 5 whose luck goes on (AR): coverage over windows, and over days."""
    blocks = np.repeat(np.arange(9), [4, 5, 4, 5, 4, 5, 4, 5, 4])
    for memory in (0.0, 0.6, 0.9):
        log_luck = np.empty((repetitions, 40))
        log_luck[:, 0] = rng.normal(size=repetitions)
        for at in range(1, 40):
            log_luck[:, at] = memory * log_luck[:, at - 1] + np.sqrt(1 - memory**2) * rng.normal(size=repetitions)
        sigma = np.sqrt(np.log(1.5))
        used = CAPACITY * positive(rng, (repetitions, 40), 0.5)
        rate = FEATURES / CAPACITY * np.exp(sigma * log_luck - sigma**2 / 2)
        windows = Sample(rng.poisson(rate * used).astype(float), used)
        days = Sample(*(np.stack([x[:, blocks == b].sum(1) for b in range(9)], 1) for x in (windows.features, used)))
        found = []
        for sample in (windows, days):
            low, high = chosen(sample)
            truth = FEATURES / CAPACITY
            found.append(float(((low <= truth) & (truth <= high)).mean()))
        yield f"AR {memory:g}", found


def repairs(repetitions: int, seed: int) -> Iterator[str]:
    """The lines of the three small tables."""
    rng = np.random.default_rng([seed, 99])
    yield "| assumed spread | efficiency | ratio |"
    yield "| --- | ---: | ---: |"
    for name, found in assumed(rng, repetitions):
        yield f"| {name} | {100 * found[0]:.1f} | {100 * found[1]:.1f} |"
    yield ""
    yield "| floored meter from a reset, n = 40 | bias as shown | covers | bias of r + 1/2 | covers |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, found in floored(rng, repetitions):
        yield f"| {name} | {' | '.join(f'{100 * one:.1f}' for one in found)} |"
    yield ""
    yield "| runs of alike windows, n = 40 | over windows | over 9 days |"
    yield "| --- | ---: | ---: |"
    for name, found in runs(rng, repetitions):
        yield f"| {name} | {' | '.join(f'{100 * one:.1f}' for one in found)} |"


def table(repetitions: int, seed: int) -> Iterator[str]:
    """The lines of the table, in Markdown, and what became of the promises."""
    yield f"{repetitions} repetitions, seed {seed}; per cent, `width` in efficiencies."
    yield ""
    yield f"| windows come as | promised | n | {' | '.join(COLUMNS)} |"
    yield f"| --- | {' | '.join(['---:'] * (len(COLUMNS) + 2))} |"
    least: dict[float, float] = {}
    for scenario, n, values in figures(repetitions, seed):
        shown = [f"{v:.2f}" if name == "width" else f"{100 * v:.1f}" for name, v in zip(COLUMNS, values, strict=True)]
        promise = scenario.promise
        yield f"| {scenario.name} | {f'{100 * promise:.0f}' if promise else 'none'} | {n} | {' | '.join(shown)} |"
        least[promise or 0.0] = min(values[0], least.get(promise or 0.0, 1.0))
    yield ""
    for promise, coverage in sorted(least.items(), reverse=True):
        name = f"Promised {100 * promise:.0f}" if promise else "Nothing promised"
        yield f"{name}: the chosen interval covers at least {100 * coverage:.1f} %."
    yield ""
    yield from repairs(repetitions, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marker lines of FILE")
    parser.add_argument("--quick", action="store_true", help="400 repetitions, in seconds")
    options = parser.parse_args()
    if options.quick:
        options.repetitions = min(options.repetitions, 400)
    lines = []
    for line in table(options.repetitions, options.seed):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        before, _, rest = options.write.read_text(encoding="utf-8").partition(BEGIN)
        _, found, after = rest.partition(END)
        if not found:
            sys.exit(f"error: {options.write} has no lines {BEGIN} and {END}; add them where the table belongs")
        block = "\n".join([BEGIN, *lines, END])
        options.write.write_text(before + block + after, encoding="utf-8")


if __name__ == "__main__":
    main()
