"""How likely more windows are to fit before a quota ends, from what windows have cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Three windows of an assumed spread join the measured ones: a coefficient of variation of 0.7.
ASSUMED_WINDOWS, ASSUMED_SQUARED_CV = 3, 0.5


def fits(costs: Sequence[float], k: int, room: float) -> float:
    """The probability that `k` more windows, at least one, cost no more than `room`; a cost must be above 0."""
    from tracker_verdict.stats.distributions import t_cdf

    if room <= 0:
        return 0.0
    n = len(costs)
    mean = math.fsum(costs) / n
    # (n - 1) s^2 / m^2, from shares, so that no square overflows
    squares = math.fsum((cost / mean - 1) ** 2 for cost in costs)
    squared_cv = (squares + ASSUMED_WINDOWS * ASSUMED_SQUARED_CV) / (n + ASSUMED_WINDOWS - 1)
    spread = math.sqrt(math.log1p(squared_cv * (1 / k + 1 / n)))
    return t_cdf((math.log(room) - math.log(k * mean) + spread**2 / 2) / spread, n + ASSUMED_WINDOWS - 1)
