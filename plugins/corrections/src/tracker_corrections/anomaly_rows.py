"""Rows that close anomalies whose records were taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracker.api import Source
from tracker.kernel import Entry, Session, Windows, canonical, iso, stamp

ANOMALIES = "anomalies"


def texts(value: object) -> list[str]:
    """The texts in a list of a record. An edit by hand may have put anything there."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


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


def closed_again(session: Session, source: Source, window: str, gone: str) -> Iterator[dict[str, Any]]:
    """Closing rows for anomalies that the removed capture had closed, if what counts without it closes them too."""
    windows = Windows(session)
    group = [one for one in windows.captures([window]).get((window, source.name), ()) if one.record_id != gone]
    counting = {one.record_id: one for one in canonical(group) if one}
    was_open = {entry.record_id for entry in windows.open_anomalies([window])}
    for entry in windows.open_anomalies([window], without=gone):
        about = set(texts(entry.record.get("records")))
        others = [one for name, one in counting.items() if name not in about]
        is_own = entry.record.get("provider") == source.name and entry.record_id not in was_open
        if is_own and others and not counting.keys() >= about:
            cause = f"superseded by the {others[-1].phase} capture of {iso(others[-1].captured_at)}"
            yield closing(session, entry, cause, others[-1].record_id)
