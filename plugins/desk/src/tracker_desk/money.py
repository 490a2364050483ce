"""Amounts of money as they are shown."""

from __future__ import annotations

import math

from tracker.kernel import rate


def dollars(usd: float) -> str:
    """In cents; amounts under half a cent get more digits, since they are not nothing."""
    return f"${rate(usd)}" if 0 < usd < 0.005 else f"${usd * (1 + 1e-12):,.2f}"  # halves are rounded up


def floored(usd: float) -> float:
    """Money that leaves requests out, rounded down: in whole cents, or with two significant digits below one."""
    size = 10.0 ** (2 if usd >= 0.01 or usd <= 0 else 1 - math.floor(math.log10(usd)))
    return math.floor(round(usd * size, 7)) / size


def least(usd: float) -> str:
    """The same, as text."""
    found = floored(usd)
    return f"${rate(found)}" if 0 < found < 0.01 else dollars(found)
