"""Finalized windows: the row that `complete` appends, and the one that counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tracker.contract.readings import EPOCH, instant
from tracker.journal.index import Index

if TYPE_CHECKING:
    from tracker.windows.captures import Capture

WINDOWS = "windows"


@frozen(kw_only=True)
class Finalized:
    """The canonical finalize row of a window, its fields checked, since a file may be edited."""

    window: str
    record_id: str
    record: Mapping[str, Any]

    @property
    def features(self) -> dict[str, float]:
        """Features per provider; providers whose features were not given are left out."""
        found = self.record.get("features")
        known = found.items() if isinstance(found, dict) else ()
        return {name: count for name, count in known if _is_count(count)}

    @property
    def providers(self) -> dict[str, Mapping[str, Any]]:
        found = self.record.get("providers")
        known = found.items() if isinstance(found, dict) else ()
        return {name: entry for name, entry in known if isinstance(entry, dict)}

    @property
    def named(self) -> set[str]:
        """The providers that were measured, or that finished features."""
        return {*self.providers, *(name for name, count in self.features.items() if count)}

    @property
    def quality(self) -> float | None:
        for key in ("quality_score", "quality"):
            found = self.record.get(key)
            if _is_count(found):
                return float(found)  # type: ignore[arg-type]
        return None

    def is_stale(self, provider: str, group: Iterable[Capture]) -> bool:
        """Whether the captures that a provider was finalized with are no longer those that count."""
        from tracker.windows.efficiency import is_stale

        return is_stale(self.providers.get(provider, {}), group)

    def text(self, name: str) -> str | None:
        found = self.record.get(name)
        return found if isinstance(found, str) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15


def finalized(index: Index, windows: Iterable[str] | None = None) -> dict[str, Finalized]:
    """The latest finalize row of each window; of two of one instant the later line."""
    found: dict[str, tuple[datetime, Finalized]] = {}
    for entry in index.entries(WINDOWS, windows):
        window = entry.record.get("window")
        if not isinstance(window, str):
            continue
        at = instant(entry.record.get("finalized_at") or entry.record.get("captured_at")) or EPOCH
        if window not in found or at >= found[window][0]:
            found[window] = (at, Finalized(window=window, record_id=entry.record_id, record=entry.record))
    return {window: row for window, (_, row) in found.items()}
