"""Rows that close anomalies whose records were taken back."""

from __future__ import annotations

from typing import Any

from tracker.kernel import Entry, Session, stamp

ANOMALIES = "anomalies"


def closing(session: Session, found: Entry, cause: str, by: str) -> dict[str, Any]:
    """The row that closes an anomaly; `by` is the id of the tombstone that did it."""
    return stamp(
        window=found.record.get("window"),
        provider=found.record.get("provider"),
        captured_at=session.now,
        source="alias",
        agent_id=session.lane,
        closes=found.record_id,
        kind=found.record.get("kind"),
        cause=cause,
        by=by,
    )
