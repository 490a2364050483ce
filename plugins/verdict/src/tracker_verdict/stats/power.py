"""The chance that the windows at hand show an effect that was chosen beforehand, and how many would.

Never at the observed effect: that only says again what the interval has said already.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from tracker_verdict.stats.distributions import noncentral_t_cdf, t_quantile

TARGET = 0.8
MOST_WINDOWS = 10**9  # more are no plan


def two_sided(effect: float, se: float, n: int) -> float:
    """The power of the two-sided 5 % test over `n` windows against a difference of `effect`, in the unit of `se`."""
    critical, shift = t_quantile(0.025, n - 1), effect / se if se > 0 else math.inf
    above = 1 - noncentral_t_cdf(critical, n - 1, shift)
    return min(1.0, above + noncentral_t_cdf(-critical, n - 1, shift))


def of_gate(certainty: float, shift: float, df: float) -> float:
    """The chance that a one-sided gate at `certainty` opens; `shift` is ln(true ratio) in standard errors."""
    return 1 - noncentral_t_cdf(t_quantile(1 - certainty, df), df, shift)


def windows_for_effect(effect: float, se: float, n: int) -> int | None:
    """The fewest windows whose power is 0.8, where `n` windows gave the standard error `se`; None beyond 10^9."""
    return fewest(lambda windows: two_sided(effect, se * math.sqrt(n / windows), windows), first=2)


def fewest(power_at: Callable[[int], float], *, first: int) -> int | None:
    """The smallest number of windows from `first` on at which a power, which grows with them, is 0.8."""
    windows = first + bisect_left(range(first, MOST_WINDOWS), TARGET, key=power_at)
    return windows if windows < MOST_WINDOWS else None
