"""What `tracker undo` does to the ledgers: a row that reverses the one that is taken back.

The stream `ledger_rows.jsonl` knows which command wrote a row; `churn.jsonl` has the churn ledger's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracker.kernel import Session, TrackerError, stamp
from tracker_ledgers import csv_append, ledgers
from tracker_ledgers.ledgers import Ledger

STREAM = "ledger_rows"


def record(session: Session, ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows that `tracker undo` can reverse; with `--dry-run` only check that it could be."""
    if session.dry_run:
        ledgers.check(session, ledger)
        return
    with session.journal.lock(), csv_append.opened(session, ledger) as book:
        for row in rows:
            book.append(row)
        note(session, ledger, rows)


def note(session: Session, ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember that this command wrote the rows; a failure is a warning, since they stand."""
    common: dict[str, Any] = {"window": None, "provider": None, "source": "automation", "agent_id": session.lane}
    found = [stamp(**common, captured_at=session.now, ledger=ledger.file, row=dict(row)) for row in rows]
    try:
        session.journal.append(STREAM, found)
    except (TrackerError, OSError) as error:
        session.warn(f"the row is in {ledger.file}, but `tracker undo` cannot reverse it: {error}")


def undo(session: Session, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Reverse the ledger rows of a command; a line about each."""
    rows = list(_rows(session, records))
    for ledger, row in rows if not session.dry_run else ():
        with session.journal.lock(), csv_append.opened(session, ledger) as book:
            book.append(row)
    return [f"reversed a row{_about(row)} in {ledger.file}" for ledger, row in rows]


def _about(row: Mapping[str, Any]) -> str:
    about = row.get("feature_id") or row.get("window") or row.get("window_id") or row.get("session_id")
    return f" of {about}" if about else ""


def _rows(session: Session, records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Ledger, dict[str, Any]]]:
    known = {ledger.file: ledger for ledger in ledgers.LEDGERS}
    day = {"date": session.now.date().isoformat()}
    for record in records:
        if "tombstone" in record:
            continue
        ledger, row = known.get(str(record.get("ledger"))), record.get("row")
        if ledger is not None and isinstance(row, dict):
            reverse = ledgers.reversing({name: row.get(name) for name in ledger.columns})
            yield ledger, reverse | (day if "date" in reverse else {})
        elif record.get("source") == "churn":
            yield ledgers.CHURN, ledgers.reversing({name: record.get(name) for name in ledgers.CHURN.columns}) | day
