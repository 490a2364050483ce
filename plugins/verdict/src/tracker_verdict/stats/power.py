"""The chance that windows show an effect that was chosen beforehand, and how many windows would.

The effect is a ratio, such as 1.5, and never the observed one: that would only repeat the interval.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import TypeAlias

from tracker_verdict.stats.distributions import noncentral_t_cdf, t_quantile

Range: TypeAlias = tuple[int, int]

# The two ends of a range of windows: an even chance, and four in five.
CHANCES = (0.5, 0.8)
# More windows are not a plan.
MOST_WINDOWS = 10**9


def of_interval(effect: float, relative: float, df: float, tail: float = 0.025) -> float:
    """The chance that the interval leaves out an efficiency `effect` times as large as the true one.

    relative: the standard error over the efficiency, which on the square-root scale is the same for both.
    """
    shift = 2 * (math.sqrt(effect) - 1) / relative if relative > 0 else math.inf
    return above(t_quantile(tail, df), df, shift)


def above(critical: float, df: float, shift: float) -> float:
    """The chance that a noncentral t exceeds a critical value."""
    return 1 - noncentral_t_cdf(critical, df, shift) if critical < math.inf else 0.0


def in_windows(needed: Range | None, per_row: float) -> Range | None:
    """A range of rows, such as days, in windows; a row is the sum of `per_row` windows on average."""
    return needed and (math.ceil(needed[0] * per_row), math.ceil(needed[1] * per_row))


def windows_needed(power_at: Callable[[int], float], *, first: int) -> Range | None:
    """The fewest windows from `first` on whose power, which grows with them, reaches each of the chances."""
    found = [first + bisect_left(range(first, MOST_WINDOWS), chance, key=power_at) for chance in CHANCES]
    return (found[0], found[1]) if found[1] < MOST_WINDOWS else None
