"""Values of panels as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from tracker.api import Cell, Chart, Column, Panel
from tracker.kernel import line, number, rate
from tracker_views.content import UNKNOWN

CENT = 0.01
NUMBERS = ("count", "number", "rate", "percent", "share", "money")
FULL, HALF, RANGE, EMPTY = "█", "▌", "▒", "░"
SPARK = "▁▂▃▄▅▆▇█"


def text(value: Cell, column: Column, zone: tzinfo) -> str:
    """A value as a person reads it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, datetime):
        at = value.astimezone(zone)
        # at the end of summer time a clock shows one hour twice
        is_twice = at.replace(fold=1 - at.fold).utcoffset() != at.utcoffset()
        return f"{at:%Y-%m-%d %H:%M %Z}" if is_twice else f"{at:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return line(value)
    if column.kind == "money":
        # a price is never rounded to nothing, nor up to a cent
        if 0 < abs(value) < CENT:
            return "<$0.01" if value > 0 else ">-$0.01"
        return f"${value * (1 + 1e-12):,.2f}"  # halves are rounded up, as those of numbers are
    if column.kind == "count":
        shown = number(value, 0)
        return f"{int(shown):,}" if shown.lstrip("-").isdigit() else shown
    if column.kind in ("percent", "share"):
        return f"{number(value)}%"
    return rate(value) if column.kind == "rate" else number(value)


def bar(used: float, low: Cell, high: Cell, width: int) -> str:
    """A per cent as a bar of `width` characters, with the range that is expected on it."""
    halves = round(min(max(used, 0), 100) / 50 * width)
    drawn = list((FULL * (halves // 2) + HALF * (halves % 2)).ljust(width, EMPTY))
    if isinstance(low, int | float) and isinstance(high, int | float):
        begin, end = (round(min(max(one, 0), 100) / 100 * width) for one in sorted((low, high)))
        begin = min(begin, width - 1)
        for place in range(begin, max(end, begin + 1)):
            drawn[place] = RANGE if drawn[place] == EMPTY else drawn[place]
    return "".join(drawn)


def is_number(column: Column) -> bool:
    return column.kind in NUMBERS


def is_filled(column: Column, rows: Iterable[Mapping[str, Cell]]) -> bool:
    """Whether a row has a value of the column."""
    return any(row.get(column.key) is not None for row in rows)


def short(value: float, column: Column) -> str:
    """A value on a scale: few characters."""
    size, unit = next(
        ((size, unit) for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= size), (1, "")
    )
    is_small = 0 < abs(value) < 0.1  # such as half of a scale to 0.15
    digits = rate(value) if is_small else number(value / size, 1 if size > 1 else None).removesuffix(".0")
    before = "$" if column.kind == "money" else ""
    after = "%" if column.kind in ("percent", "share") else ""
    return f"{before}{digits}{unit}{after}"


def sparkline(panel: Panel) -> str:
    """The last sixty values of the panel's first chart over time, a character each."""
    chart: Chart | None = next((one for one in panel.charts if one.kind in ("columns", "steps")), None)
    if chart is None:
        return ""
    sums: dict[Any, float] = {}
    for row in panel.rows:
        value = row.get(chart.y)
        if isinstance(value, int | float):
            sums[row[chart.x]] = sums.get(row[chart.x], 0.0) + value
    most = max([chart.top or 0, *sums.values()], default=0) or 1
    return "".join(SPARK[min(round(sums[at] / most * 7), 7)] for at in sorted(sums)[-60:])
