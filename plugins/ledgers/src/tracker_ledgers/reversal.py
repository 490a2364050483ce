"""What `tracker undo` does to the ledgers: a row that reverses the one that is taken back, in the file that has it.

The stream `ledger_rows.jsonl` knows which command wrote a row; `churn.jsonl` has the churn ledger's.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from tracker.kernel import Session, TrackerError, line, stamp
from tracker_ledgers import csv_append, ledgers
from tracker_ledgers.documents import read
from tracker_ledgers.ledgers import Ledger

STREAM = "ledger_rows"


def record(session: Session, ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows that `tracker undo` can reverse; with `--dry-run` only check that it could be."""
    if session.dry_run:
        ledgers.check(session, ledger)
        return
    with session.journal.lock(), csv_append.opened(session, ledger) as book:
        append(session, book, *rows)


def append(session: Session, book: csv_append.OpenLedger, *rows: Mapping[str, Any]) -> None:
    """Append rows, and remember that this command wrote them; a failure of that is a warning, since they stand."""
    common: dict[str, Any] = {"window": None, "provider": None, "source": "automation", "agent_id": session.lane}
    common |= {"ledger": book.ledger.file, "ledger_path": place(session, book.path)}
    # before a row is written: what makes no record makes no row
    found = [stamp(**common, captured_at=session.now, row=dict(row)) for row in rows]
    book.append(*rows)
    try:
        session.journal.append(STREAM, found)
    except (TrackerError, OSError) as error:
        session.warn(f"the row is in {book.ledger.file}, but `tracker undo` cannot reverse it: {error}")


def place(session: Session, path: Path) -> str:
    """A ledger's place as seen from the data directory: a project that is moved with its records keeps both."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(session.root))


# --- taking back


@frozen(kw_only=True)
class Booked:
    """A row that a command wrote, and the file to reverse it in."""

    ledger: Ledger
    row: Mapping[str, Any]
    path: Path


def undo(session: Session, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Reverse the ledger rows of a command, or refuse before one is; a line about each."""
    found = list(_booked(session, records))
    for one in found:
        ledgers.check(session, one.ledger, one.path)
    return [] if session.dry_run else [_reverse(session, one) for one in found]


def _reverse(session: Session, found: Booked) -> str:
    usual = os.path.realpath(ledgers.path_of(session, found.ledger))
    name = found.ledger.file if str(found.path) == usual else line(str(found.path))
    reverse = ledgers.reversing(found.row)
    if "date" in reverse:
        reverse["date"] = session.now.date().isoformat()
    with session.journal.lock(), csv_append.opened(session, found.ledger, found.path) as book:
        # an undo that failed behind this may have reversed it; it was edited, or stands on another branch
        if not book.has(found.row):
            return f"{name} has no row{_about(found.row)} to reverse"
        book.append(reverse)
    return f"reversed a row{_about(found.row)} in {name}"


def _booked(session: Session, records: Sequence[Mapping[str, Any]]) -> Iterator[Booked]:
    known = {ledger.file: ledger for ledger in ledgers.LEDGERS}
    for record in records:
        if "tombstone" in record:
            continue
        ledger, row = known.get(str(record.get("ledger"))), record.get("row")
        if record.get("source") == "churn":
            ledger, row = ledgers.CHURN, record
        if ledger is not None and isinstance(row, dict):
            row = {name: row.get(name) for name in ledger.columns}
            yield Booked(ledger=ledger, row=row, path=_path(session, ledger, row, record.get("ledger_path")))


def _path(session: Session, ledger: Ledger, row: Mapping[str, Any], place: object) -> Path:
    """The file that has a row. Older records do not say which: then it is the usual one here."""
    usual = Path(os.path.realpath(ledgers.path_of(session, ledger)))
    path = usual
    if isinstance(place, str):
        path = Path(os.path.normpath(os.path.join(os.path.realpath(session.root), place)))
    if os.path.lexists(path):
        return path
    if ledgers.equal(ledger, ledgers.split(usual, read(usual) or b""), row):
        return usual  # the repository was moved
    begin = f"touch {shlex.quote(str(path))}"
    if not path.parent.is_dir():
        begin = f"mkdir -p {shlex.quote(str(path.parent))} && {begin}"
    raise TrackerError(
        f"The row{_about(row)} to reverse is in {line(str(path))}, which is not there. Type this in the repository that"
        f" has the ledger now. If it is gone for good, `{begin}` begins a new one. Nothing was taken back."
    )


def _about(row: Mapping[str, Any]) -> str:
    about = row.get("feature_id") or row.get("window") or row.get("window_id") or row.get("session_id")
    return f" of {line(about)}" if about else ""
