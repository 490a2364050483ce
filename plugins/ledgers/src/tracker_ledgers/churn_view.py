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
    rows = tuple(_churn_row(current(one, context.features.get(str(one.get("window")), {}))) for one in newest.values())
    return Block(title="Churn", rows=rows) if rows else None


def current(record: Mapping[str, Any], features: Mapping[str, float]) -> Mapping[str, Any]:
    """The record with the features that its window counts now, by provider: `complete` may change them afterwards."""
    origin, net = record.get("features_from"), record.get("net")
    count = counted_features(features, record.get("provider"))
    # a number of an earlier version may have been named by --features: it does not say
    is_named = origin == "option" or (origin is None and record.get("features") is not None)
    if is_named or (count is None and origin is None) or not isinstance(net, int):
        return record
    return {**record, "features": count, "normalized_churn": per_feature(net, count)}


def counted_features(features: Mapping[str, float], provider: str | None) -> float | None:
    """The provider's features; without a provider, all of the window's."""
    if provider is not None:
        return features.get(provider)
    return sum(features.values()) if features else None


def per_feature(net: int, features: float | None) -> float | int | None:
    """Net lines per feature; whole numbers as integers: 11, not 11.0."""
    found = round(net / features, 6) if features else None
    return int(found) if found is not None and found.is_integer() else found


def _churn_row(record: Mapping[str, Any]) -> Row:
    named = ("provider", "window", "methodology", "files_changed", "insertions", "deletions", "net")
    values = {name: record.get(name) for name in (*named, "normalized_churn", "decision")}
    head = "provider={provider} window={window} method={methodology}: "
    if values["decision"] and values["files_changed"] is None:
        return Row(values=values, text=head + "decision={decision}")
    body = "files={files_changed}, +{insertions}/-{deletions} (net={net}), per-feature={normalized_churn:.2}"
    return Row(values=values, text=head + body)
