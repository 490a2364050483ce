"""The core's own sources: the preview blocks that every provider shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.hookspecs import hookimpl
from tracker.models import Block, PreviewContext, Row, Source

CHURN, SNAPSHOTS = "churn", "snapshots"


class ChurnView:
    """`Churn:` the newest churn row of each provider, window and methodology."""

    @hookimpl
    def source_info(self) -> Source:
        return Source(contract="1.0", name=CHURN, title="Churn", kind="view", stream="churn", place=10)

    @hookimpl
    def render_preview_block(self, context: PreviewContext) -> Block | None:
        newest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        for record in context.records:
            key = tuple(str(record.get(name)) for name in ("provider", "window", "methodology"))
            newest.pop(key, None)
            newest[key] = record
        rows = tuple(_churn_row(record) for record in newest.values())
        return Block(title="Churn", rows=rows) if rows else None


def _churn_row(record: Mapping[str, Any]) -> Row:
    named = ("provider", "window", "methodology", "files_changed", "insertions", "deletions", "net")
    values = {name: record.get(name) for name in (*named, "normalized_churn", "decision")}
    head = "provider={provider} window={window} method={methodology}: "
    if values["decision"] and values["files_changed"] is None:
        return Row(values=values, text=head + "decision={decision}")
    body = "files={files_changed}, +{insertions}/-{deletions} (net={net}), per-feature={normalized_churn:.2}"
    return Row(values=values, text=head + body)


class SnapshotsView:
    """`Snapshots:` which phases stand, per provider and window, and where the newest came from."""

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


SOURCES: dict[str, object] = {CHURN: ChurnView(), SNAPSHOTS: SnapshotsView()}
