"""The core's own sources: the preview blocks that every provider shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.contract.blocks import Block, PreviewContext, Row
from tracker.contract.hooks import hookimpl
from tracker.contract.sources import Source

SNAPSHOTS = "snapshots"


class SnapshotsView:
    """`Snapshots:` the phases that were captured per provider and window, and the newest one's origin."""

    @hookimpl
    def source_info(self) -> Source:
        return Source(contract="1.0", name=SNAPSHOTS, title="Snapshots", kind="view", stream="snapshots", place=90)

    @hookimpl
    def render_preview_block(self, context: PreviewContext) -> Block | None:
        groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for record in context.records:
            groups.setdefault((str(record.get("provider")), str(record.get("window"))), []).append(record)
        rows = []
        place = {window: at for at, window in enumerate(context.windows)}  # natural, or as they were asked for
        for provider, window in sorted(groups, key=lambda key: (key[0], place.get(key[1], len(place)), key[1])):
            records = groups[provider, window]
            label = provider if len(context.windows) == 1 else f"{provider} {window}"
            phases = sorted({str(record.get("phase") or "count") for record in records})
            newest = records[-1]  # they come oldest first, of one instant the later line last
            values = {
                "provider": provider,
                "window": window,
                "phases": ", ".join(phases),
                "source": newest.get("source"),
                "notes": newest.get("notes") or None,  # rows of schema 1.0.0 may hold an empty text
            }
            rows.append(Row(label=label, values=values, text="{phases} (source={source}, notes={notes})"))
        return Block(title="Snapshots", rows=tuple(rows)) if rows else None


SOURCES: dict[str, object] = {SNAPSHOTS: SnapshotsView()}
