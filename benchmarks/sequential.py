"""Gates that are watched after every window: how often equal pairs open them, and how soon unequal ones do.

Prints the table of docs/explanation/statistics.md: `python benchmarks/sequential.py`, a few minutes on one core;
`--quick` does it in seconds; `--write FILE` puts it between the file's marker lines. The evidence is
restated for whole arrays here, and every run checks the restatement against tracker_verdict.stats.anytime.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import needs_tracker  # noqa: F401
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tracker_verdict.stats import anytime

Array: TypeAlias = NDArray[np.float64]

FEATURES, CAPACITY = 2.5, 15.0
LOOKS, LEAST, CHECKED = 60, 3, 3
GATE, LIMIT = 10.0, 20.0
BEGIN, END = "<!-- sequential: begin -->", "<!-- sequential: end -->"


@frozen
class Scenario:
    """How windows come about.

    ratio: of side a's windows to side b's. order: alternated, or all of a first under a trend or a step that both
    share; then only windows within 3 days count, `daily` a day. promise: the share that may ever open.
    """

    name: str
    kappa: float = 0.0
    dead: float = 0.0
    planned: float = 0.0
    features: float = FEATURES
    ratio: int = 1
    order: str = "alternated"
    daily: int = 1
    promise: float = 0.06


SCENARIOS = (
    Scenario("Poisson"),
    Scenario("negative binomial, kappa 0.5", kappa=0.5),
    Scenario("negative binomial, kappa 1", kappa=1.0),
    Scenario("25 % dead windows", dead=0.25),
    Scenario("planned, capacity CV 0.5", planned=0.5),
    Scenario("planned, capacity CV 1", planned=1.0),
    Scenario("0.5 features a window, kappa 0.5", kappa=0.5, features=0.5),
    Scenario("negative binomial, kappa 2", kappa=2.0),
    Scenario("kappa 0.5, three windows of a to one of b", kappa=0.5, ratio=3),
    Scenario("kappa 0.5, a first, trend of 40 %, one a day", kappa=0.5, order="trend", promise=0.005),
    Scenario("kappa 0.5, a first, step to 0.48, one a day", kappa=0.5, order="step", promise=0.005),
    Scenario("kappa 0.5, a first, step to 0.48, two a day", kappa=0.5, order="step", daily=2, promise=0.01),
    Scenario("kappa 0.5, a first, step to 0.48, four a day", kappa=0.5, order="step", daily=4, promise=0.13),
    Scenario("kappa 0.5, a first, step to 0.48, eight a day", kappa=0.5, order="step", daily=8, promise=0.40),
    Scenario("kappa 0.5, a first, trend of 40 %, eight a day", kappa=0.5, order="trend", daily=8, promise=0.05),
)


def draw(
    rng: np.random.Generator, scenario: Scenario, shape: tuple[int, int], scale: float | Array
) -> tuple[Array, Array]:
    """Features and capacity; `scale` multiplies what a unit of capacity delivers."""
    if scenario.planned:
        features = rng.integers(1, 5, shape).astype(float)
        cost = CAPACITY / FEATURES * rng.gamma(1 / scenario.planned**2, scenario.planned**2, shape)
        return features, np.maximum(features * cost / scale, 1e-9)
    used = CAPACITY * rng.gamma(4, 0.25, shape)
    luck = rng.gamma(1 / scenario.kappa, scenario.kappa, shape) if scenario.kappa else 1.0
    alive = (rng.random(shape) >= scenario.dead) / (1 - scenario.dead) if scenario.dead else 1.0
    return rng.poisson(scenario.features / CAPACITY * used * luck * scale * alive).astype(float), used


@frozen
class Totals:
    """What evidence takes of a side at every look: features, exposure, windows, relative HC3 variance."""

    features: Array
    capacity: Array
    n: Array
    relative: Array

    @classmethod
    def of(cls, features: Array, capacity: Array, counts: Array) -> Totals:
        """`counts`: the windows of the side at each look; every one from `LEAST` on has used capacity."""
        found: list[list[Array]] = []
        for n in counts.astype(int):
            f, c = features[:, :n], capacity[:, :n]
            total, used = f.sum(1), c.sum(1)
            with np.errstate(all="ignore"):
                moves = (f / total[:, None] - c / used[:, None]) / (1 - c / used[:, None])
                variance = np.where(total > 0, (moves**2).sum(1), 0.0)
            found.append([total, used, variance])
        stacked = np.array(found).transpose(1, 2, 0)
        return cls(stacked[0], stacked[1], np.broadcast_to(counts, stacked[0].shape), stacked[2])


def log_factor(t: Array, df: Array, n: Array) -> Array:
    return np.asarray((df + 1) / 2 * (np.log1p(t * t / df) - np.log1p(t * t / (df * (1 + n)))) - np.log1p(n) / 2)


def evidence(a: Totals, b: Totals, ratio: float = 1.0) -> Array:
    """The restatement of the e-value against the true ratio being `ratio`."""
    x, y = a.capacity, b.capacity / ratio
    n = a.n * b.n / (a.n + b.n)
    found = []
    for scale in ("log", "root"):
        sides = []
        for side, exposure in ((a, x), (b, y)):
            f = side.features
            if scale == "log":
                share = np.minimum(1.0, 2 * f)
                sides.append((np.log((f + 0.5) / exposure), np.maximum(side.relative * share**2, 1 / (f + 0.5))))
            else:
                excess = np.maximum(side.relative * f * np.minimum(1.0, 2 * f), 1.0)
                sides.append((np.sqrt((f + 0.375) / exposure), excess / (4 * exposure)))
        (la, va), (lb, vb) = sides
        df = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
        found.append(log_factor((la - lb) / np.sqrt(va + vb), df, n))
    return np.asarray(np.exp(np.minimum(np.logaddexp(*found) - np.log(2), 700)))


def usable(side: Totals, capacity: Array) -> NDArray[np.bool_]:
    """Where one window does not outweigh the others; `capacity` are the windows themselves."""
    squares = np.cumsum(capacity**2, 1)[:, side.n[0].astype(int) - 1]
    return np.asarray(side.capacity**2 / squares >= 2)


@frozen
class Result:
    """opened: share that ever reached the gate; missed: that ever left out the truth; median: looks to the gate."""

    opened: float
    missed: float
    median: float | None


def watched(rng: np.random.Generator, scenario: Scenario, repetitions: int, ratio: float) -> Result:
    """Pairs that are looked at after every window of each side."""
    scale_a, scale_b = _trend(scenario)
    n_a = LOOKS
    n_b = LOOKS // scenario.ratio
    fa, ca = draw(rng, scenario, (repetitions, n_a), ratio * scale_a[:n_a])
    fb, cb = draw(rng, scenario, (repetitions, n_b), scale_b[:n_b])
    looks = np.arange(LEAST, n_b + 1)
    if scenario.order != "alternated":
        # of a's windows, all before b's, those of the last 3 days lie within 3 days of b's first ones, and so mirrored
        near = 3 * scenario.daily
        fa, ca, fb, cb = fa[:, -near:], ca[:, -near:], fb[:, :near], cb[:, :near]
        counts_b = np.arange(LEAST, near + 1)
        a = Totals.of(fa, ca, np.full(counts_b.shape, near))
        b = Totals.of(fb, cb, counts_b)
    else:
        a, b = Totals.of(fa, ca, looks * scenario.ratio), Totals.of(fb, cb, looks)
    agree(a, b, fa, ca, fb, cb)
    some = (a.features + b.features > 0) & usable(a, ca) & usable(b, cb)
    e = np.where(some, evidence(a, b), 0.0)
    right = a.features / a.capacity >= b.features / b.capacity
    opened = (e >= GATE) & (right if ratio > 1 else True)
    against_truth = np.where(some, evidence(a, b, ratio), 0.0)
    first = np.where(opened.any(1), opened.argmax(1) + LEAST, np.inf)
    median = float(np.median(first))
    return Result(
        opened=float(opened.any(1).mean()),
        missed=float((against_truth >= LIMIT).any(1).mean()),
        median=median if np.isfinite(median) else None,
    )


def _trend(scenario: Scenario) -> tuple[Array, Array]:
    """What happens to both sides alike: a falls from 1.4 to 1, b from 1 to 0.6; or b is measured after a step."""
    if scenario.order == "trend":
        return np.linspace(1.4, 1.0, LOOKS), np.linspace(1.0, 0.6, LOOKS)
    return np.ones(LOOKS), np.full(LOOKS, 0.48) if scenario.order == "step" else np.ones(LOOKS)


def agree(a: Totals, b: Totals, fa: Array, ca: Array, fb: Array, cb: Array) -> None:
    """Stop where the restatement for arrays and tracker_verdict.stats differ."""
    found = evidence(a, b)
    for row in range(min(CHECKED, len(found))):
        if not a.features[row, -1] + b.features[row, -1]:
            continue
        sides = []
        for features, capacity, side in ((fa, ca, a), (fb, cb, b)):
            n = int(side.n[0, -1])
            sides.append(list(zip(features[row, :n].tolist(), capacity[row, :n].tolist(), strict=True)))
        try:
            ours = anytime(*sides)[6]
        except ValueError:
            continue
        if not np.isclose(ours, found[row, -1], rtol=1e-9):
            sys.exit(f"error: tracker_verdict.stats gives {ours}, this benchmark {found[row, -1]}")


def table(repetitions: int, seed: int) -> Iterator[str]:
    """The lines of the table, in Markdown."""
    yield f"{repetitions} repetitions, seed {seed}; per cent of pairs by {LOOKS} looks, windows of each side."
    yield ""
    head = ("equal: ever 10 to 1", "interval ever misses, ratio 1 / 2", "ratio 2 opens", "median windows")
    yield f"| windows come as | {' | '.join(head)} |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for place, scenario in enumerate(SCENARIOS):
        equal = watched(np.random.default_rng([seed, place]), scenario, repetitions, 1.0)
        cells = [scenario.name, f"{100 * equal.opened:.1f}"]
        if scenario.order == "alternated":
            double = watched(np.random.default_rng([seed, place, 2]), scenario, repetitions, 2.0)
            median = f"over {LOOKS // scenario.ratio}" if double.median is None else f"{double.median:.0f}"
            missed = f"{100 * equal.missed:.1f} / {100 * double.missed:.1f}"
            cells += [missed, f"{100 * double.opened:.0f}", median]
        else:
            cells += ["-", "-", "-"]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="300 repetitions, in seconds")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marker lines of FILE")
    options = parser.parse_args()
    lines = []
    for line in table(min(options.repetitions, 300) if options.quick else options.repetitions, options.seed):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        before, _, rest = options.write.read_text(encoding="utf-8").partition(BEGIN)
        _, found, after = rest.partition(END)
        if not found:
            sys.exit(f"error: {options.write} has no lines {BEGIN} and {END}; add them where the table belongs")
        options.write.write_text(before + "\n".join([BEGIN, *lines, END]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
