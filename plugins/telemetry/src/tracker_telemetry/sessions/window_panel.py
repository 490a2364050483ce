"""What each window used, as a table for the preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracker.api import Cell, Column, Panel
from tracker.kernel import Session
from tracker_telemetry.sessions.money import dollars
from tracker_telemetry.sessions.spans import BETWEEN
from tracker_telemetry.sessions.window_facts import used
from tracker_telemetry.window_facts import facts

PRICED = "cost_usd", "cost_usd_per_feature"
COLUMNS = (
    Column(key="window", title="Window", rank=0),
    Column(key="provider", title="Provider", rank=0),
    Column(key="tokens", title="Tokens", kind="count", rank=0),
    Column(key="requests", title="Requests", kind="count", rank=3),
    Column(key="cost_usd", title="Cost, $", kind="money", rank=0),
    Column(key="tokens_per_feature", title="Tokens per feature", kind="count", rank=2),
    Column(key="cost_usd_per_feature", title="$ per feature", kind="money", rank=1),
)


def panel(session: Session, windows: Sequence[str]) -> Panel:
    """Tokens and money of windows as a table; what is not known is a sentence."""
    found = facts(session, windows)
    places = {window: place for place, window in enumerate(windows)}

    def order(key: tuple[str, str]) -> tuple[int, int, tuple[str, str]]:
        """What windows share follows the first of them that is shown."""
        names = key[0].split(BETWEEN)
        return min(places.get(name, len(places)) for name in names), len(names), key

    keys = sorted(found, key=order)
    return Panel(
        name="usage-window",
        title="Tokens and money",
        columns=COLUMNS,
        rows=[_cells(*key, found[key]) for key in keys if "tokens" in found[key]],
        missing=[f"{used(*key, found[key])}." for key in keys if "tokens" not in found[key]],
    )


def _cells(window: str, provider: str, one: Mapping[str, Any]) -> Mapping[str, Cell]:
    """A row; money that leaves requests out is the least that it was."""
    row = {column.key: one.get(column.key) for column in COLUMNS} | {"window": window, "provider": provider}
    if one.get("unpriced_requests"):
        row |= {name: f"≥{dollars(row[name], is_least=True)}" for name in PRICED if row[name] is not None}
    return row
