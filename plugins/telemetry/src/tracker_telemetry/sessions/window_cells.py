"""What each window used as rows and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracker.kernel import Session
from tracker_telemetry.sessions.money import dollars
from tracker_telemetry.sessions.spans import BETWEEN
from tracker_telemetry.sessions.window_facts import used
from tracker_telemetry.sessions.window_panel import COLUMNS
from tracker_telemetry.window_facts import facts

PRICED = "cost_usd", "cost_usd_per_feature"


def cells(session: Session, windows: Sequence[str]) -> list[list[Any]]:
    """The rows, the same as sentences, and sentences for what is not known, in the order of the windows."""
    found = facts(session, windows)
    places = {window: place for place, window in enumerate(windows)}

    def order(key: tuple[str, str]) -> tuple[int, int, tuple[str, str]]:
        """What windows share follows the first of them that is shown."""
        names = key[0].split(BETWEEN)
        return min(places.get(name, len(places)) for name in names), len(names), key

    keys = sorted(found, key=order)
    known = [key for key in keys if "tokens" in found[key]]
    said = [str(used(*key, found[key])) for key in known]
    return [
        [_row(*key, found[key]) for key in known],
        said,
        [f"{used(*key, found[key])}." for key in keys if key not in known],
    ]


def _row(window: str, provider: str, one: Mapping[str, Any]) -> Mapping[str, Any]:
    """Money that leaves requests out is a minimum."""
    row = {column.key: one.get(column.key) for column in COLUMNS} | {"window": window, "provider": provider}
    if one.get("unpriced_requests"):
        row |= {name: f"≥{dollars(row[name], is_least=True)}" for name in PRICED if row[name] is not None}
    return row
