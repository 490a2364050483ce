"""`Churn:` the newest churn row of each provider, window and methodology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.api import Block, PreviewContext, Row, Source, hookimpl


@hookimpl
def source_info() -> Source:
    return Source(contract="1.0", name="churn", title="Churn", kind="view", stream="churn", place=10)


@hookimpl
def render_preview_block(context: PreviewContext) -> Block | None:
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
