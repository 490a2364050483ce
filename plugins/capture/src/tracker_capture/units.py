"""The unit of a value, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.api import Source


def unit_of(source: Source | None, key: str) -> str:
    """`%` or ` prompts`; empty if no plugin in use declares what the meter counts."""
    meter = source.meter(key) if source else None
    return "" if meter is None else "%" if meter.unit == "pp" else f" {meter.unit}"
