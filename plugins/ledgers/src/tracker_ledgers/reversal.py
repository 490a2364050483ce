"""What `tracker undo` does to the ledgers: it appends a reversing row to the file that has the row.

The stream `ledger_rows.jsonl` records which command wrote a row; for the churn ledger, `churn.jsonl` does.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from tracker.api import Finding
from tracker.kernel import Session, TrackerError, line, plural, stamp
from tracker_ledgers import csv_append, ledgers
from tracker_ledgers.command_log import taken_at
from tracker_ledgers.documents import place, read
from tracker_ledgers.ledgers import Ledger

STREAM = "ledger_rows"


def record(session: Session, ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows that `tracker undo` can reverse; with `--dry-run`, only check that this is possible."""
    if session.dry_run:
        ledgers.check(session, ledger)
        return
    with session.journal.lock(), csv_append.opened(session, ledger) as book:
        append(session, book, *rows)


def append(session: Session, book: csv_append.OpenLedger, *rows: Mapping[str, Any]) -> None:
    """Append rows, and record that this command wrote them; if only that fails, it is a warning."""
    common: dict[str, Any] = {"provider": None, "source": "automation", "agent_id": session.lane}
    common |= {"ledger": book.ledger.file, "ledger_path": place(session, book.path)}
    # made before a row is written: without a record there must be no row
    # evidence of a window is a record of the window, which its card then shows
    found = [stamp(**common, window=row.get("window_id"), captured_at=session.now, row=dict(row)) for row in rows]
    book.append(*rows)
    try:
        session.journal.append(STREAM, found)
    except (TrackerError, OSError) as error:
        session.warn(f"the row is in {book.ledger.file}, but `tracker undo` cannot reverse it: {error}")


# --- taking back


@frozen(kw_only=True)
class LedgerEntry:
    """A row that a command wrote, and the file to reverse it in. `is_imported`: written on another machine."""

    record_id: str
    ledger: Ledger
    row: Mapping[str, Any]
    path: Path
    is_imported: bool = False


def undo(session: Session, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Reverse the ledger rows of a command, or refuse before reversing any; returns a line about each."""
    found = [one for record in records if (one := _booked(session, record))]
    for one in found:
        if not os.path.lexists(one.path):
            raise _gone(one)
        ledgers.check(session, one.ledger, one.path)
    taken = {one.record_id for one in found}
    return [_reverse(session, one, taken) for one in found]


def _reverse(session: Session, found: LedgerEntry, taken: Collection[str]) -> str:
    usual = os.path.realpath(ledgers.path_of(session, found.ledger))
    name = found.ledger.file if str(found.path) == usual else line(str(found.path))
    # an undo that failed later may have reversed it; or it was edited, or is on another branch
    gone = f"{name} has no row{_about(found.row)} to reverse"
    others = _others(session, found, taken)
    if session.dry_run:
        kept = ledgers.standing(found.ledger, ledgers.split(found.path, read(found.path) or b""))
        is_there = len(ledgers.equals(found.ledger, kept, found.row)) > others
        return f"would reverse a row{_about(found.row)} in {name}" if is_there else gone
    reverse = ledgers.reversing(found.row)
    if "date" in reverse:
        reverse["date"] = session.now.date().isoformat()
    with session.journal.lock(), csv_append.opened(session, found.ledger, found.path) as book:
        if len(book.equal_rows(found.row)) <= others:
            return gone
        book.append(reverse)
    return f"reversed a row{_about(found.row)} in {name}"


def _others(session: Session, found: LedgerEntry, taken: Collection[str]) -> int:
    """How many equal rows of its file belong to records that stay."""
    said = ledgers.content(found.ledger, found.row)
    rest = (one for one in written(session, found.ledger) if one.record_id not in taken and one.path == found.path)
    return sum(ledgers.content(one.ledger, one.row) == said for one in rest)


def written(session: Session, ledger: Ledger, window: str | None = None) -> list[LedgerEntry]:
    """The rows that commands wrote and nobody took back, in whatever file they are: of any folder, on any branch.

    Oldest first, including those of other machines. window: only evidence of that window.
    """
    entries = session.index.entries("churn" if ledger is ledgers.CHURN else STREAM)
    records = (entry.record for entry in entries)
    if ledger is not ledgers.CHURN:
        # before the places are looked up, which takes the most time
        records = (one for one in records if one.get("ledger") == ledger.file)
    if window is not None:
        records = (one for one in records if isinstance(row := one.get("row"), dict) and row.get("window_id") == window)
    known = sorted(records, key=taken_at)
    came = session.index.made_elsewhere() if known else ()
    found = (_booked(session, record, came) for record in known)
    return [one for one in found if one and one.ledger is ledger]


def findings(session: Session) -> Iterator[Finding]:
    """Ledgers that lack rows which commands wrote into them, for `tracker doctor`."""
    for ledger in ledgers.LEDGERS:
        entries = [one for one in written(session, ledger) if not one.is_imported]
        for path in dict.fromkeys(one.path for one in entries if one.path.is_file()):
            wanted = Counter(tuple(ledgers.content(ledger, one.row)) for one in entries if one.path == path)
            # what cannot be read is a finding of its own
            with contextlib.suppress(TrackerError):
                wanted -= Counter(tuple(ledgers.content(ledger, row)) for row in ledgers.rows(path, ledger))
                if count := wanted.total():
                    problem = (
                        f"lacks {plural(count, 'row')} that commands wrote: another program may have saved over it"
                    )
                    cure = "record them again; rows of another branch or machine are in the file there"
                    yield Finding(check="ledger", place=str(path), problem=problem, cure=cure, severity="note")


def _booked(session: Session, record: Mapping[str, Any], came: Container[object] = ()) -> LedgerEntry | None:
    known = {ledger.file: ledger for ledger in ledgers.LEDGERS}
    ledger, row = known.get(str(record.get("ledger"))), record.get("row")
    if record.get("source") == "churn":
        ledger, row = ledgers.CHURN, record
    if "tombstone" in record or ledger is None or not isinstance(row, dict):
        return None
    row = {name: row.get(name) for name in ledger.columns}
    path = _path(session, ledger, row, record.get("ledger_path"))
    own, is_imported = str(record.get("record_id")), record.get("command_id") in came
    return LedgerEntry(record_id=own, ledger=ledger, row=row, path=path, is_imported=is_imported)


def _path(session: Session, ledger: Ledger, row: Mapping[str, Any], place: object) -> Path:
    """The file that has a row. Older records do not name it: then it is the usual one here."""
    usual = Path(os.path.realpath(ledgers.path_of(session, ledger)))
    if not isinstance(place, str):
        return usual
    path = Path(os.path.normpath(os.path.join(os.path.realpath(session.root), place)))
    if os.path.lexists(path):
        return path
    # the repository may have been moved
    is_here = tuple(ledgers.content(ledger, row)) in ledgers.contents(ledger, usual, read(usual) or b"")
    return usual if is_here else path


def _gone(found: LedgerEntry) -> TrackerError:
    path, folder = shlex.quote(str(found.path)), shlex.quote(str(found.path.parent))
    return TrackerError(
        f"The row{_about(found.row)} to reverse is in {line(str(found.path))}, which does not exist. Move it back. If"
        f" it is gone for good, `mkdir -p {folder} && touch {path}` creates a new one. Nothing was taken back."
    )


def _about(row: Mapping[str, Any]) -> str:
    about = row.get("feature_id") or row.get("window") or row.get("window_id") or row.get("session_id")
    return f" of {line(about)}" if about else ""
