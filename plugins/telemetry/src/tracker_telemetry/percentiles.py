"""Percentiles: exact ones of a list, and those of a stream that is too long to keep, within 1 %."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from attrs import define, field

ACCURACY = 0.01
LOG_GROWTH = math.log((1 + ACCURACY) / (1 - ACCURACY))  # from one bucket's upper end to the next one's
LOG_CENTRE = math.log(1 - ACCURACY)  # from a bucket's upper end to the value within 1 % of both ends: 2 / (g + 1)
LARGEST_LOG = math.log(1.797e308)  # floats end just above

P50_P95 = (50, 95)


def percentiles(values: Iterable[float], percents: Sequence[float] = P50_P95) -> tuple[float | None, ...]:
    """The percentiles (0..100) of finite numbers; each None where there are no values.

    Hyndman and Fan 1996, definition 7: numpy's "linear", `statistics.quantiles(method="inclusive")`.
    """
    ordered = sorted(values)
    return tuple(_interpolated(ordered.__getitem__, len(ordered), percent) for percent in percents)


def _interpolated(at: Callable[[int], float], n: int, percent: float) -> float | None:
    """Between the two values around rank (n - 1) p, of `n` values that `at` gives by rank."""
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentile lies between 0 and 100, got {percent!r}")
    if n == 0:
        return None
    rank, rest = divmod((n - 1) * percent, 100)  # whole numbers as long as they can be, so that no rank is off by one
    low = at(int(rank))
    high = at(int(rank) + 1) if rest else low
    weight = rest / 100
    return min(max(low * (1 - weight) + high * weight, low), high)


@define
class Buckets:
    """Counts of numbers >= 0 in logarithmic buckets: a million latencies in a few hundred integers.

    Every percentile is within 1 % of the exact one, two of them are merged by adding, and the order of the numbers
    leaves no trace. Bucket k holds the numbers in (g^(k-1), g^k], g = 1.01/0.99; zeros are counted apart.
    Masson, Rim and Lee 2019 (DDSketch).
    """

    zeros: int = 0
    counts: dict[int, int] = field(factory=dict)

    @property
    def n(self) -> int:
        """How many numbers were added."""
        return self.zeros + sum(self.counts.values())

    def add(self, value: float, times: int = 1) -> None:
        """Count `value`; raises ValueError unless it is finite and at least 0."""
        if not 0 <= value < math.inf:
            raise ValueError(f"only finite numbers of at least 0 can be counted, got {value!r}")
        if value == 0:
            self.zeros += times
            return
        bucket = math.ceil(math.log(value) / LOG_GROWTH)
        self.counts[bucket] = self.counts.get(bucket, 0) + times

    def merge(self, other: Buckets) -> None:
        """Add the counts of `other`."""
        self.zeros += other.zeros
        for bucket, times in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + times

    def percentiles(self, percents: Sequence[float] = P50_P95) -> tuple[float | None, ...]:
        """As the function of that name, within 1 %."""
        buckets = sorted(self.counts)
        values = [0.0, *map(_centre, buckets)]
        ends = list(accumulate((self.counts[bucket] for bucket in buckets), initial=self.zeros))
        return tuple(_interpolated(lambda rank: values[bisect_right(ends, rank)], ends[-1], p) for p in percents)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `from_json` makes an equal one of them."""
        return {"accuracy": ACCURACY, "zeros": self.zeros, "buckets": sorted(map(list, self.counts.items()))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Buckets:
        """What `to_json` gave; raises ValueError for counts of another accuracy, which cannot be merged."""
        if values["accuracy"] != ACCURACY:
            raise ValueError(f"the buckets are for an accuracy of {values['accuracy']!r}, here it is {ACCURACY}")
        return cls(values["zeros"], dict(values["buckets"]))


def _centre(bucket: int) -> float:
    return math.exp(min(bucket * LOG_GROWTH + LOG_CENTRE, LARGEST_LOG))
