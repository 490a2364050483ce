"""The report as JSON: the values that its tables show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tracker.api import Cell, Panel
from tracker.kernel import iso
from tracker_views.content import Content


def document(content: Content) -> dict[str, Any]:
    """One JSON object; instants in UTC, what is not known is null."""
    period = content.period
    return {
        "now": iso(content.now),
        "windows": list(period.windows),
        "provider": period.provider,
        "since": period.since and iso(period.since),
        "until": period.until and iso(period.until),
        "headlines": list(content.headlines),
        "panels": [_panel(one) for one in content.panels],
        "sections": [{"title": one.title, "lines": list(one.lines)} for one in content.sections],
        "missing": list(content.missing),
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "name": panel.name,
        "title": panel.title,
        "about": panel.about,
        "columns": [{"key": one.key, "title": one.title, "kind": one.kind} for one in panel.columns],
        "rows": [{one.key: _plain(row.get(one.key)) for one in panel.columns} for row in panel.rows],
    }


def _plain(value: Cell) -> Cell:
    return iso(value) if isinstance(value, datetime) else value
