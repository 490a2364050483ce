"""Anomalies: what cannot be, said once when it is stored, closed by a row that names it, never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tracker.journal.index import Entry
from tracker.journal.records import stamp
from tracker.session import Session

ANOMALIES = "anomalies"


def anomaly(
    kind: str, cause: str, cure: str, records: Iterable[str], like: Mapping[str, Any], **figures: Any
) -> dict[str, Any]:
    """A row about records; `like` is the record that caused it, whose window, provider, lane and time it takes."""
    more = {"kind": kind, "cause": cause, "cure": cure, "records": list(records)}
    return _row(like, **more, **{key: figures.get(key) for key in ("meter", "before", "after", "delta")})


def closing(found: Entry, cause: str, like: Mapping[str, Any]) -> dict[str, Any]:
    """The row that closes an anomaly because of the record `like`."""
    more = {"kind": found.record.get("kind"), "cause": cause, "by": like["record_id"]}
    return _row(like, closes=found.record_id, **more)


def _row(like: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return stamp(
        window=like["window"],
        provider=like["provider"],
        captured_at=datetime.fromisoformat(like["captured_at"]),
        source=like["source"],
        agent_id=like["agent_id"],
        **fields,
    )


def closings(session: Session, entries: Iterable[Entry], streams: list[str] | None = None) -> dict[str, Entry]:
    """The row that closes each closed anomaly; it does so while the record stands that it names as `by`.

    A crash may fall between the row and that record, and the record may be taken back: then nothing is closed.
    streams: where those records are, if not in all that hold captures.
    """
    rows = [entry for entry in entries if isinstance(entry.record.get("closes"), str)]
    named = {entry.record_id: by for entry in rows if isinstance(by := entry.record.get("by"), str)}
    standing = session.index.standing(streams or session.registry.status_streams, named.values()) if named else set()
    return {entry.record["closes"]: entry for entry in rows if named.get(entry.record_id) in {None, *standing}}


def open_anomalies(
    session: Session,
    windows: Iterable[str] | None = None,
    streams: list[str] | None = None,
    *,
    without: str | None = None,
) -> list[Entry]:
    """The anomalies that nothing closed and whose records all stand; without a record that is about to be taken back.

    streams: where the records are, if not in all that hold captures.
    """
    entries = list(session.index.entries(ANOMALIES, windows))
    if not entries:
        return []
    rows = closings(session, entries, streams).items()
    closed = {found for found, row in rows if without is None or row.record.get("by") != without}
    found = raised(session, entries, streams)
    return [entry for entry in found if entry.record_id not in closed and without not in about(entry)]


def raised(
    session: Session, entries: Iterable[Entry], streams: list[str] | None = None, *, removed: bool = False
) -> list[Entry]:
    """The anomalies among some rows whose records all stand; with `removed` also those whose records once did.

    One about a record that never was is what a crash, or a full disk, left between the row and that record.
    """
    rows = [entry for entry in entries if "closes" not in entry.record]
    ids = {one for entry in rows for one in about(entry)}
    known = session.index.standing(streams or session.registry.status_streams, ids, removed=removed) if ids else set()
    return [entry for entry in rows if known.issuperset(about(entry))]


def about(entry: Entry) -> list[str]:
    """The ids of the records that an anomaly is about."""
    found = entry.record.get("records")
    return [record for record in found if isinstance(record, str)] if isinstance(found, list) else []


def history(session: Session, windows: Iterable[str]) -> list[tuple[Entry, Entry | None]]:
    """Every anomaly whose records once stood, each with the row that closed it."""
    rows = list(session.index.entries(ANOMALIES, windows))
    closed = closings(session, rows)
    return [(entry, closed.get(entry.record_id)) for entry in raised(session, rows, removed=True)]
