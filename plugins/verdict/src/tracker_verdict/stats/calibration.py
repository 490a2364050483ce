"""What a point of a meter buys: pieces between ticks, points per dollar, and whether that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import special

Array: TypeAlias = Any
Interval: TypeAlias = tuple[float, float]
# A figure, and how low and how high it may be.
Limits: TypeAlias = tuple[float, float, float]

# Up to this many days every order is tried; with more days, this many random ones.
EXACT_DAYS, SHUFFLES = 7, 199
# Days on each side of a change.
LEAST_DAYS = 3
# Of two orders with the same statistic neither is larger.
ROUNDING = 1e-9
# What a dollar of cache reads may count to one of fresh tokens.
WEIGHTS = np.linspace(0, 3, 301)


def ticks(readings: Iterable[tuple[Any, float]], target: float = 2) -> list[tuple[Any, Any, float]]:
    """Pieces (from, to, points) between the first readings of new values, each of at least `target` points.

    readings: (time, value) in order; a reset is a fall. Between two such readings the meter moved by the difference,
    whether the vendor rounds or cuts off.
    """
    pieces, last, start = [], None, None
    for at, value in readings:
        if last is not None and value < last:
            start = None
        elif last is not None and value > last:
            if start is None:
                start = (at, value)
            elif value - start[1] >= target:
                pieces.append((start[0], at, value - start[1]))
                start = (at, value)
        last = value
    return pieces


class Fit(NamedTuple):
    """Points per unit of each column, their covariance by leaving out each day, and the quantile of t for the level."""

    slopes: Array
    covariance: Array
    t: float

    def points(self, amounts: Sequence[float]) -> Limits:
        """What some amounts of the columns cost, with limits; never below 0."""
        x = np.array(amounts, float)
        middle, reach = float(x @ self.slopes), self.t * float(np.sqrt(x @ self.covariance @ x))
        return max(middle, 0.0), max(middle - reach, 0.0), max(middle + reach, 0.0)

    def limits(self) -> list[Limits]:
        """Points per unit of each column, with limits."""
        reach = self.t * np.sqrt(np.diag(self.covariance))
        return [
            (float(slope), float(slope - one), float(slope + one))
            for slope, one in zip(self.slopes, reach, strict=True)
        ]

    def ratio(self) -> tuple[float, Interval | None]:
        """Of the second column to the first one, with Fieller's limits; None if no finite ones exist."""
        one, other = self.slopes[:2]
        spread = self.t * self.t * self.covariance
        a, b, c = one**2 - spread[0, 0], one * other - spread[0, 1], other**2 - spread[1, 1]
        if not (a > 0 and b * b >= a * c):
            return float(other / one), None
        root = np.sqrt(b * b - a * c)
        return float(other / one), (float((b - root) / a), float((b + root) / a))


def fit(
    y: Sequence[float],
    Z: Sequence[Sequence[float]],
    day: Sequence[Any],
    level: float = 0.95,
    weights: Sequence[float] | None = None,
) -> Fit:
    """Weighted least squares of points on the columns; the weights are 1 / dollars if they are not given."""
    points, columns, days = np.array(y, float), np.array(Z, float), np.array(day)
    weight = 1 / columns.sum(1) if weights is None else np.array(weights, float)

    def solved(kept: Array) -> Array:
        weighted = (columns[kept] * weight[kept, None]).T
        return np.linalg.solve(weighted @ columns[kept], weighted @ points[kept])

    slopes, known = solved(np.ones(len(points), bool)), np.unique(days)
    moves = np.array([solved(days != one) for one in known]) - slopes
    covariance = (len(known) - 1) / len(known) * moves.T @ moves
    return Fit(slopes, covariance, float(-special.stdtrit(len(known) - columns.shape[1], (1 - level) / 2)))


def calibrate(
    y: Sequence[float], Z: Sequence[Sequence[float]], day: Sequence[Any], level: float = 0.95
) -> list[tuple[Any, ...]]:
    """(points per dollar, low, high) of each column of dollars; of two columns also their ratio, by Fieller.

    y: points of each piece; Z: its dollars, a column for each kind; day: the day of each piece, left out one at a time.
    The ratio's limits are one word, ``unbounded``, if no finite ones exist.
    """
    known = fit(y, Z, day, level)
    found: list[tuple[Any, ...]] = [*known.limits()]
    if len(known.slopes) == 2:
        ratio, reach = known.ratio()
        found.append((ratio, *(reach or ("unbounded",))))
    return found


def shared_weight(
    y: Sequence[float], fresh: Sequence[float], cached: Sequence[float], is_after: Sequence[bool], day: Sequence[Any]
) -> tuple[float, float]:
    """What a dollar of cache reads counts to one of fresh tokens on both sides of a change, and how far that is known.

    Least squares of y = rate of the side x (fresh + w cached), over a grid of w; the days are left out one at a time.
    """
    points, one, other, after = (np.array(given, float) for given in (y, fresh, cached, is_after))
    scale = 1 / (one + other)
    products = np.array([points * one, points * other, one * one, one * other, other * other]) * scale
    days, place = np.unique(np.array(day), return_inverse=True)
    sums = np.zeros((2, len(days), 5))
    for side in (0, 1):
        np.add.at(sums[side], place[after == side], products[:, after == side].T)

    def best(left_out: Array) -> Array:
        yf, yc, ff, fc, cc = np.moveaxis(sums.sum(1, keepdims=True) - left_out, -1, 0)[..., None]
        explained = (yf + WEIGHTS * yc) ** 2 / np.maximum(ff + 2 * WEIGHTS * fc + WEIGHTS**2 * cc, 1e-300)
        return np.asarray(WEIGHTS[explained.sum(0).argmax(-1)])

    weight = float(best(np.zeros((2, 1, 5)))[0])
    error = np.sqrt((len(days) - 1) / len(days) * ((best(sums) - weight) ** 2).sum())
    return weight, float(-special.stdtrit(len(days) - 3, 0.025) * error)


def scan_p(
    y: Sequence[float], x: Sequence[float], seed: int = 1, least_points: float = 0.0
) -> tuple[float, int, float]:
    """The largest change of points `y` per dollar `x` of days: its statistic, its first day, and its p value.

    p is the share of orders of the days with as large a change: all orders of up to 7 days, else 199 random ones.
    least_points: what both sides of a change have, in each order.
    """
    days = len(y)
    if days <= EXACT_DAYS:
        orders = np.array(list(permutations(range(days))), int)
    else:
        rng = np.random.default_rng(seed)
        # the order that was seen is one of the orders
        orders = np.array([np.arange(days), *(rng.permutation(days) for _ in range(SHUFFLES))])
    most, first = _scan(np.array(y, float)[orders], np.array(x, float)[orders], least_points)
    return float(most[0]), int(first[0]), float((most >= most[0] - ROUNDING).mean())


def _scan(y: Array, x: Array, least_points: float = 0.0) -> tuple[Array, Array]:
    """The largest statistic of each order, and after how many days it is; 0 and 0 for too few days."""
    splits = range(LEAST_DAYS, y.shape[1] - LEAST_DAYS + 1)
    found = np.zeros((len(y), len(splits) + 1))
    for place, first in enumerate(splits, 1):
        # a side on which nothing moved has no rate, and too few points
        with np.errstate(divide="ignore", invalid="ignore"):
            (before, one), (after, other) = log_rate(y[:, :first], x[:, :first]), log_rate(y[:, first:], x[:, first:])
            statistic = abs(before - after) / np.sqrt(one + other)
        is_enough = np.minimum(y[:, :first].sum(1), y[:, first:].sum(1)) >= least_points
        found[:, place] = np.where(is_enough & (statistic > 0), statistic, 0)
    return found.max(1), np.array([0, *splits])[found.argmax(1)]


def log_rate(points: Array, dollars: Array) -> tuple[Array, Array]:
    """The logarithm of points per dollar over some days, the last axis, and its variance."""
    total, spent = points.sum(-1), dollars.sum(-1)
    rate, share = total / spent, dollars / spent[..., None]
    moved = (((points - rate[..., None] * dollars) / (1 - share)) ** 2).sum(-1) / spent**2
    return np.log(rate), moved / rate**2 + 1 / (3 * total**2)
