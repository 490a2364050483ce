"""The windows as a panel: the rows of `tracker windows`, the newest first."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.api import Cell, Column, Panel, Period
from tracker.kernel import Session
from tracker_desk.window_list import FIGURES, ListedWindow, listed

START = (
    Column(key="window", title="Window", rank=0),
    Column(key="provider", title="Provider", rank=0),
    Column(key="lane", title="Lane", rank=6),
    Column(key="from", title="From", kind="instant"),
    Column(key="to", title="To", kind="instant", rank=4),
    Column(key="state", title="State", rank=2),
    Column(key="features", title="Features", kind="number"),
    Column(key="capacity", title="Capacity", kind="number"),
    Column(key="unit", title="Unit", rank=2),
    Column(key="efficiency", title="Per unit", kind="rate"),
)


def panel(session: Session, period: Period) -> Panel:
    """The windows of a period, with the columns that features add."""
    found = listed(session, period.windows)
    rows = [row for one in reversed(found) for row in _rows(one)]
    known = {column.key for column in START}
    extra = dict.fromkeys(key for row in rows for key in row if key not in known)
    added = tuple(_column(key, rank) for rank, key in enumerate(extra, 5))
    return Panel(
        name="windows",
        title="Windows",
        place=60,
        about="The newest first; providers that did nothing in a window are left out.",
        columns=(*START, *added),
        rows=rows,
    )


def _column(key: str, rank: int) -> Column:
    kinds = {"tokens": "count", "requests": "count", "files": "count", "cost_usd": "money"}
    kind = kinds.get(key, "number")
    title = key.replace("_usd", "").replace("_", " ").capitalize()
    return Column(key=key, title=title, kind=kind, rank=rank)  # type: ignore[arg-type]


def _rows(one: ListedWindow) -> list[Mapping[str, Cell]]:
    start = {
        "window": one.window,
        "lane": ", ".join(lane for lane in one.lanes if lane) or None,
        "from": one.begin,
        "to": one.end,
        "state": one.state if one.outcome is None else f"{one.state}, {one.outcome}",
    }
    providers = one.providers or {"": {}}
    return [
        {**start, "provider": name or None, **columns, **one.facts}
        for name, columns in providers.items()
        if len(providers) == 1 or any(columns.get(key) is not None for key in (*FIGURES, "tokens"))
    ]
