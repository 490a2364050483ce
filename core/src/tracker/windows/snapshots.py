"""The kernel's own block of the preview: what was captured of each provider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tracker.contract.blocks import Row
from tracker.contract.sources import Source
from tracker.journal.records import text
from tracker.windows.captures import Groups

SNAPSHOTS = Source(contract="1.0", name="snapshots", title="Snapshots", kind="view", stream="snapshots", place=90)


class Snapshots:
    """The block as windows are added, in their order; its lines are made when they are read."""

    title = SNAPSHOTS.title

    def __init__(self, *, is_alone: bool) -> None:
        self._is_alone = is_alone
        # by provider: a window and what was captured, which is the same in most
        self._found: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
        self._known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def add(self, windows: Sequence[str], groups: Groups) -> None:
        place = {window: at for at, window in enumerate(windows)}  # natural, or as they were asked for
        for window, provider in sorted(groups, key=lambda key: place[key[0]]):
            records = [capture.record for capture in groups[window, provider]]
            phases = ", ".join(sorted({str(record.get("phase") or "count") for record in records}))
            # rows of schema 1.0.0 may hold an empty text
            found = phases, text(records[-1].get("source")) or None, text(records[-1].get("notes")) or None
            self._found.setdefault(provider, []).append((window, self._known.setdefault(found, found)))

    @property
    def is_empty(self) -> bool:
        return not self._found

    @property
    def rows(self) -> Iterator[Row]:
        for provider, found in sorted(self._found.items()):
            for window, (phases, source, notes) in found:
                values = {"provider": provider, "window": window, "phases": phases, "source": source, "notes": notes}
                label = provider if self._is_alone else f"{provider} {window}"
                yield Row(label=label, values=values, text="{phases} (source={source}, notes={notes})")
