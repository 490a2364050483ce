"""Rows about anomalies that go with captures which are taken back or put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

from tracker.api import Source, instant
from tracker.kernel import Capture, Entry, Session, Windows, canonical, iso, stamp

ANOMALIES = "anomalies"
# the fields that identify an anomaly
SAME = ("kind", "provider", "meter", "records")

Row = dict[str, Any]


def texts(value: object) -> list[str]:
    """The texts in a list of a record. An edit by hand may have put anything there."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def closing(session: Session, found: Entry, cause: str, by: str) -> Row:
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


def settled(session: Session, source: Source, window: str, turned: Set[str], like: Row) -> Iterator[Row]:
    """Rows after which a provider's open anomalies in a window are those of the pair that counts then.

    turned: the records that are about to be taken back, or put back. like: a row that does so.
    """
    windows, pair = Windows(session), canonical(_captures(session, source, window, turned))
    counting, opened = [one for one in pair if one], []
    for entry in windows.open_anomalies([window], turned=turned):
        about = texts(entry.record.get("records"))
        others = [one for one in counting if one.record_id not in about]
        if {one.record_id for one in counting}.issuperset(about):
            opened.append([entry.record.get(key) for key in SAME])
        elif others and entry.record.get("provider") == source.name:
            cause = f"superseded by the {others[-1].phase} capture of {iso(others[-1].captured_at)}"
            yield closing(session, entry, cause, others[-1].record_id)
    yield from (row for row in windows.falls(source, pair, like) if [row[key] for key in SAME] not in opened)


def _captures(session: Session, source: Source, window: str, turned: Set[str]) -> list[Capture]:
    """The provider's captures in a window once some were taken back or put back."""
    standing = Windows(session).captures([window]).get((window, source.name), [])
    found, back = [one for one in standing if one.record_id not in turned], turned - {one.record_id for one in standing}
    for entry in session.index.entries(source.stream, [window], removed=True) if back else ():
        record, taken = entry.record, instant(entry.record.get("captured_at"))
        if entry.record_id in back and taken and record.get("provider") == source.name and "tombstone" not in record:
            parsed = record.get("parsed")
            reading = Windows.reading(parsed if isinstance(parsed, dict) else {}, source, taken)
            values = (record.get("phase"), taken, entry.lane, entry.offset, record, reading)
            found.append(Capture(entry.record_id, window, *values))
    return found


def warn_raised(session: Session, rows: Iterable[Row]) -> None:
    for row in rows:
        if "closes" not in row:
            session.warn(f"anomaly {row['kind']} in {row['window']}: {row['cause']}; cure: {row['cure']}")
