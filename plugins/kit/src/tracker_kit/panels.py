"""Faults of a panel that the core accepts, but that a view would leave out or show incompletely."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args, get_type_hints

from tracker.api import Chart, Column, Panel


def faults(panel: Panel) -> Iterator[str]:
    """Each as the end of a sentence that begins with the plugin's name."""
    place, keys = f"the panel {panel.name!r}", {column.key for column in panel.columns}
    shown = keys.union(*panel.rows)
    parts: list[Column | Chart] = [*panel.columns, *panel.charts]
    for part in parts:
        known = get_args(get_type_hints(type(part))["kind"])
        if part.kind not in known:
            yield f"gives {part.kind!r:.40} as a kind in {place}. Expected one of {', '.join(known)}."
    if panel.rows and keys.isdisjoint(key for row in panel.rows for key in row):
        yield f"gives rows without a value for any column of {place}"
    for chart in panel.charts:
        # a row may lack the rest, such as a range that is not known yet
        for key in dict.fromkeys([*({chart.x} - shown), *({chart.y} - keys)]):
            yield f"draws {key!r}, but {place} has no such column"
        yield from _wrong_values(panel, chart)
    for value in (value for row in panel.rows for value in row.values()):
        if not (_is_number(value) or _is_instant(value) or isinstance(value, str | None)):
            yield f"gives {value!r:.40} in {place}. Expected a text, instant with its zone, number or None."


def _wrong_values(panel: Panel, chart: Chart) -> Iterator[str]:
    """Values that a table can show and a chart cannot draw."""
    times = [chart.x] if chart.kind in ("columns", "steps") else []
    for key in (*times, chart.y, chart.low, chart.high):
        found = [row[key] for row in panel.rows if key is not None and row.get(key) is not None]
        wrong = next(
            (one for one in found if not (isinstance(one, datetime) if key in times else _is_figure(one))), None
        )
        if wrong is not None:
            wanted = "an instant" if key in times else "a number"
            yield f"draws {wrong!r:.40} of {key!r} in the panel {panel.name!r}. Expected {wanted}."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and -1e15 < value < 1e15


def _is_figure(value: Any) -> bool:
    return _is_number(value) and not isinstance(value, bool)


def _is_instant(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None
