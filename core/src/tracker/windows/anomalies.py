"""Anomalies: appended rows about captures that contradict each other. They are ignored once one of these is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracker.contract.readings import FELL, amount, iso
from tracker.journal.records import ANOMALIES, stamp
from tracker.windows.captures import Capture, Measurement, Pair, canonical

if TYPE_CHECKING:
    from tracker.contract.sources import Source
    from tracker.journal.index import Entry
    from tracker.session import Session


def falls(source: Source, pair: Pair, measured: Measurement, like: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for every meter that fell between the captures that count; `like` is the record that showed it."""
    rows = []
    for fall in measured.falls:
        before, after, lost = map(amount, (fall.before, fall.after, round(fall.before - fall.after, 6)))
        lane = pair.after and pair.after.agent_id
        place = f"--window {like['window']}{f' --agent {lane}' if lane else ''}"
        cure = f"capture again: tracker end {source.name} --stdin {place}"
        cause = f"{fall.meter} fell from {before} to {after}"
        if fall.reset_at is not None:
            cause += f"; it was reset at {fall.reset_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, inside the window"
            cure = "measure across a reset with readings on both sides, or end a window before it and begin one after"
        kept = " --keep-readings" if fall.reset_at is not None else ""  # both panes are right
        cure += f", or tracker alias delete {source.name} --phase after {place}{kept}"
        cure += f" (and its other captures: once none is left, {source.name} leaves the window)"
        figures = {"meter": fall.meter, "before": before, "after": after, "delta": -(lost or 0)}
        rows.append(row_about(filter(None, pair), like, FELL, cause, cure, **figures))
    return rows


def superseded(session: Session, source: Source, new: Capture, standing: Sequence[Capture]) -> list[dict[str, Any]]:
    """Rows that close the anomalies of captures which, after a new one, no longer count."""
    counting = {capture.record_id for capture in canonical([*standing, new]) if capture}
    cause = f"superseded by the {new.phase} capture of {iso(new.captured_at)}"
    return [
        _row(new.record, closes=found.record_id, kind=found.record.get("kind"), cause=cause, by=new.record_id)
        for found, closed in history(session, [new.window], [source.stream])
        if closed is None
        and found.record.get("provider") == source.name
        # one of schema 1.0.0 names no records: it is about the pair that counted until now
        and (not counting.issuperset(ids) if (ids := about(found)) else new.record_id in counting)
    ]


def row_about(
    captures: Iterable[Capture], like: Mapping[str, Any], kind: str, cause: str, cure: str, **figures: Any
) -> dict[str, Any]:
    """A row about captures; `like` is the record that caused it, and stands for a capture that has no id yet."""
    known = {key: figures.get(key) for key in ("meter", "before", "after", "delta")}
    ids = [one.record_id or like["record_id"] for one in captures]
    return _row(like, kind=kind, cause=cause, cure=cure, records=ids, **known)


def _row(like: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A row with the window, provider, lane and time of a record."""
    common = {name: like[name] for name in ("window", "provider", "source", "agent_id")}
    return stamp(captured_at=datetime.fromisoformat(like["captured_at"]), **common, **fields)


def about(entry: Entry) -> list[str]:
    """The ids of the records that an anomaly is about."""
    found = entry.record.get("records")
    return [record for record in found if isinstance(record, str)] if isinstance(found, list) else []


def history(
    session: Session,
    windows: Iterable[str] | None = None,
    streams: list[str] | None = None,
    *,
    turned: Set[str] = frozenset(),
    removed: bool = False,
) -> list[tuple[Entry, Entry | None]]:
    """The anomalies whose records all stand, or with `removed` once did, each with the row that closed it.

    A row closes an anomaly while the record in its `by` stands. A crash may leave either row without its record: then
    it is ignored. streams: where the records are, if not in all that hold captures. turned: records that are about to
    be taken back, or put back.
    """
    if not (entries := list(session.index.entries(ANOMALIES, windows))):
        return []
    streams = streams or session.registry.status_streams
    ids = {one for entry in entries for one in (*about(entry), entry.record.get("by")) if isinstance(one, str)}
    standing = session.index.standing(streams, ids) ^ turned
    known = session.index.standing(streams, ids, removed=True) if removed else standing
    closed: dict[str, Entry] = {}
    for entry in entries:
        closes, by = entry.record.get("closes"), entry.record.get("by")
        if isinstance(closes, str) and (not isinstance(by, str) or by in standing):
            closed[closes] = entry
    raised = [entry for entry in entries if "closes" not in entry.record and known.issuperset(about(entry))]
    return [(entry, closed.get(entry.record_id)) for entry in raised]
