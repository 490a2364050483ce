"""The kernel's own block of the preview: what was captured of each provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracker.contract.blocks import Block, Row
from tracker.contract.sources import Source
from tracker.windows.captures import Capture

SNAPSHOTS = Source(contract="1.0", name="snapshots", title="Snapshots", kind="view", stream="snapshots", place=90)


def block(windows: Sequence[str], groups: Mapping[tuple[str, str], Sequence[Capture]]) -> Block | None:
    """`Snapshots:` the phases that were captured per provider and window, and the newest one's origin."""
    rows = []
    place = {window: at for at, window in enumerate(windows)}  # natural, or as they were asked for
    for window, provider in sorted(groups, key=lambda key: (key[1], place.get(key[0], len(place)), key[0])):
        records = [capture.record for capture in groups[window, provider]]
        newest = records[-1]
        values = {
            "provider": provider,
            "window": window,
            "phases": ", ".join(sorted({str(record.get("phase") or "count") for record in records})),
            "source": newest.get("source"),
            "notes": newest.get("notes") or None,  # rows of schema 1.0.0 may hold an empty text
        }
        label = provider if len(windows) == 1 else f"{provider} {window}"
        rows.append(Row(label=label, values=values, text="{phases} (source={source}, notes={notes})"))
    return Block(title=SNAPSHOTS.title, rows=tuple(rows)) if rows else None
