"""Anomalies: what cannot be, said once when it is stored, closed by a row that names it, never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tracker.index import Entry, Index
from tracker.records import stamp

STREAM = "anomalies"


def anomaly(
    kind: str, cause: str, cure: str, records: Iterable[str], like: Mapping[str, Any], **figures: Any
) -> dict[str, Any]:
    """A row about records; `like` is the record that caused it, whose window, provider, lane and time it takes."""
    return stamp(
        window=like["window"],
        provider=like["provider"],
        captured_at=datetime.fromisoformat(like["captured_at"]),
        source=like["source"],
        agent_id=like["agent_id"],
        kind=kind,
        cause=cause,
        cure=cure,
        records=list(records),
        **{key: figures.get(key) for key in ("meter", "before", "after", "delta")},
    )


def closing(found: Entry, cause: str, by: str, at: datetime, agent_id: str | None, source: str) -> dict[str, Any]:
    """The row that closes an anomaly; `by` is the record (or tombstone) that did it."""
    return stamp(
        window=found.record.get("window"),
        provider=found.record.get("provider"),
        captured_at=at,
        source=source,
        agent_id=agent_id,
        closes=found.record_id,
        kind=found.record.get("kind"),
        cause=cause,
        by=by,
    )


def open_anomalies(index: Index, streams: Iterable[str], windows: Iterable[str] | None = None) -> list[Entry]:
    """The anomalies that nothing closed and whose records all stand; `streams` are where those are."""
    entries = list(index.entries(STREAM, windows))
    closed = {entry.record["closes"] for entry in entries if isinstance(entry.record.get("closes"), str)}
    raised = [entry for entry in entries if "closes" not in entry.record and entry.record_id not in closed]
    named = {record for entry in raised for record in _records(entry)}
    standing = index.standing(list(streams), named)
    return [entry for entry in raised if all(record in standing for record in _records(entry))]


def _records(entry: Entry) -> list[str]:
    found = entry.record.get("records")
    return [record for record in found if isinstance(record, str)] if isinstance(found, list) else []
