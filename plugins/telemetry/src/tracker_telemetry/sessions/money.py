"""Amounts of money: what they add up to, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracker.kernel import rate


def total(costs: Sequence[float]) -> float | None:
    """The same in whichever order and groups: the noise of floats must not decide how halves are rounded."""
    return round(math.fsum(costs), 9) if costs else None


def dollars(usd: float | None, *beside: float | None, is_least: bool = False) -> str:
    """In cents; with more digits for an amount under half a cent, which is not nothing, and for those beside it."""
    if usd is None:
        return "n/a"
    smallest = min((abs(one) for one in (usd, *beside) if one), default=1.0)
    if not needs_digits(smallest, is_least=is_least):
        return f"${rounded(usd, is_least=is_least):,.2f}"
    if is_least:
        usd = rounded(usd, 1 - math.floor(math.log10(smallest)), is_least=True)
    return f"${rate(usd, smallest)}"


def needs_digits(usd: float, *, is_least: bool = False) -> bool:
    """Whether an amount would be zero in cents."""
    return 0 < abs(usd) < (0.01 if is_least else 0.005)


def rounded(usd: float, digits: int = 2, *, is_least: bool = False) -> float:
    """Rounded half up; rounded down if the amount leaves something out and so is a minimum."""
    size = 10.0**digits
    return math.floor(round(usd * size, 7) + (0 if is_least else 0.5)) / size


def floored(usd: float) -> float:
    """Money that leaves requests out, rounded down: in whole cents, or with two significant digits below one."""
    return rounded(usd, 2 if usd >= 0.01 else 1 - math.floor(math.log10(usd)), is_least=True)
