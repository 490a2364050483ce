"""What `tracker undo` does to the ledgers: a row that reverses the figures of the one that is taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracker.kernel import Session
from tracker_ledgers import csv_append, ledgers

FIGURES = ("files_changed", "insertions", "deletions", "net")


def undo(session: Session, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Reverse the churn rows of a command; a line about each."""
    rows = list(_rows(session, records))
    if rows and not session.dry_run:
        with session.journal.lock(), csv_append.opened(session, ledgers.CHURN) as book:
            for row in rows:
                book.append(row)
    return [f"reversed the churn of {row['window']} in {ledgers.CHURN.file}" for row in rows]


def _rows(session: Session, records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        if record.get("source") == "churn" and "tombstone" not in record:
            row = {name: record.get(name) for name in ledgers.CHURN.columns}
            row |= {name: -record[name] for name in FIGURES if isinstance(record.get(name), int)}
            yield row | {"date": session.now.date().isoformat(), "notes": "reversed by tracker undo"}
