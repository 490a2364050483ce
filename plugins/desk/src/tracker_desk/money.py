"""Amounts of money as they are shown."""

from __future__ import annotations

import math

from tracker.kernel import rate


def dollars(usd: float) -> str:
    """In cents; what is under half a cent with more digits, since it is not nothing."""
    return f"${rate(usd)}" if 0 < usd < 0.005 else f"${usd * (1 + 1e-12):,.2f}"  # halves are rounded up


def floored(usd: float) -> float:
    """Money that leaves requests out, in whole cents: it was at least that."""
    return math.floor(round(usd * 100, 7)) / 100 if usd >= 0.01 else usd
