"""Append to ledgers: locked, checked, in one write. A failure never truncates a ledger."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from tracker.kernel import Busy, Session, TrackerError, csv_line, read_at
from tracker_ledgers.documents import line_end, refuse_outside, refuse_special
from tracker_ledgers.ledgers import DIR, Ledger, Row, check_header, equals, path_of, split, standing

# do not follow links or wait for pipes
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
WAIT_SECONDS = 5.0
RETRY_SECONDS = 0.02
ATTEMPTS = 5
UNSURE = "The row may be in the file: check before you repeat the command"


@define
class OpenLedger:
    """A ledger opened for appending. `size` and `rows` are its content when it was read; `end` ends its lines.

    `file` holds a lock on the ledger itself, not on a lock file beside it: ledgers are in the user's repository, and
    the lock shows whether an editor has put another file in its place.
    """

    session: Session
    ledger: Ledger
    path: Path
    file: int = -1
    is_new: bool = False
    size: int = 0
    end: str = "\n"
    needs_header: bool = True
    rows: list[Row] = field(factory=list)

    def equal_rows(self, values: Mapping[str, Any]) -> list[Row]:
        """The rows with the same content that no row reverses, in their order."""
        return equals(self.ledger, standing(self.ledger, self.rows), values)

    def append(self, *rows: Mapping[str, Any]) -> None:
        """All rows in one write, flushed to disk; they are in the file that has the ledger's name afterwards."""
        for _ in range(ATTEMPTS):
            self._read_again()
            with _explained("append to", self.path, UNSURE):
                self._write([[row.get(name) for name in self.ledger.columns] for row in rows])
                if _is_still(self.file, self.path):
                    return
        raise TrackerError(f"Another program keeps replacing {self.path}. The row is not in it.")

    def _read_again(self) -> None:
        """Read what changed since: rows that a person appended, or a file that an editor put in its place."""
        with _explained("read", self.path):
            if not _is_still(self.file, self.path):
                self.close()
                self.open()
            elif os.fstat(self.file).st_size != self.size:
                _read(self)

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        header = [self.ledger.columns] if self.needs_header else []
        data = b"".join(csv_line(cells, self.end) for cells in (*header, *rows))
        _write_all(self.file, data)
        self.needs_header = False
        self.size += len(data)
        if self.session.journal.fsync:
            os.fsync(self.file)
            _sync_folder(self.path)

    def open(self) -> None:
        """Open and lock the file, make it if there is none, and read it."""
        refuse_special(self.path)
        with _explained("open", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file, self.is_new = _locked(self.path)
            _read(self)

    def close(self) -> None:
        """Give the lock back; a new file that nothing was written to is removed."""
        file, self.file = self.file, -1
        if file < 0:
            return
        with contextlib.suppress(OSError):
            if self.is_new and not os.fstat(file).st_size and _is_still(file, self.path):
                self.path.unlink()
        os.close(file)


@contextlib.contextmanager
def opened(session: Session, ledger: Ledger, path: Path | None = None) -> Iterator[OpenLedger]:
    """A ledger to append to. The caller holds the journal's lock, and takes no other lock inside.

    Several data directories may share a repository's ledgers, so each file is locked as well.
    """
    if path is None:
        refuse_outside(session, path_of(session, ledger), DIR)
    found = OpenLedger(session, ledger, path or path_of(session, ledger))
    try:
        found.open()
        yield found
    finally:
        found.close()


def _read(book: OpenLedger) -> None:
    data = read_at(book.file, os.fstat(book.file).st_size, 0)
    book.size = len(data)
    found = split(book.path, data)
    header = csv_line(book.ledger.columns).rstrip()
    if found and header != data and header.startswith(data):
        # a crash cut the very first write short
        _set_aside(book, found[0], data)
        return
    check_header(book.path, book.ledger, found)
    book.rows = found[1:]
    book.needs_header = not found
    book.end = line_end(data)
    if found:
        _mend_last(book, found, data)


def _mend_last(book: OpenLedger, found: list[Row], data: bytes) -> None:
    """End a last row that an editor left without a line end, and set aside one that a crash cut short.

    A crash leaves no more cells than a row has.
    """
    last = found[-1]
    if data.endswith(b"\n"):
        if not last.closed:
            raise _damaged(book, last)
    elif last.closed and (last is found[0] or len(last.cells) >= len(book.ledger.columns)):
        missing = book.end[1:] if data.endswith(b"\r") else book.end
        _write_all(book.file, missing.encode())
        book.size += len(missing)
    else:
        _set_aside(book, last, data[last.start :])


def _set_aside(book: OpenLedger, row: Row, torn: bytes) -> None:
    """A row that a crash cut short goes to a file beside the ledger, as the journal's torn lines do."""
    beginnings = torn.split(b"\n")[1:]
    if any(len(one.cells) == len(book.ledger.columns) for text in beginnings for one in split(book.path, text)):
        # whole rows follow: no crash does that
        raise _damaged(book, row)
    aside = book.path.with_name(book.path.name + ".torn")
    refuse_special(aside)
    with _explained("set aside the torn last row of", book.path):
        kept = os.open(aside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | OPEN, 0o666)
        try:
            _write_all(kept, torn + b"\n")
            os.fsync(kept)
            _sync_folder(aside)
        finally:
            os.close(kept)
        # the only truncation: of bytes that are on the disk elsewhere, in a file that nobody appended to meanwhile
        if os.fstat(book.file).st_size != row.start + len(torn):
            raise TrackerError(f"{book.path} grew while its torn last row was set aside. Try again.")
        os.ftruncate(book.file, row.start)
    book.size = row.start
    book.needs_header = row.start == 0
    book.session.warn(f"{book.path.name} ended in a torn row of {len(torn)} bytes, which was set aside in {aside.name}")


def _damaged(book: OpenLedger, row: Row) -> TrackerError:
    return TrackerError(
        f"{book.path}: the row in line {row.number} opens a quote that is never closed. Repair it by hand."
        " Nothing was written."
    )


def _write_all(file: int, data: bytes) -> None:
    """Write in one call, unless the system takes less."""
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(path: Path) -> None:
    """Flush the entry of a file, so that a new one outlives a power cut."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _explained(action: str, path: Path, after: str = "Nothing was stored") -> Iterator[None]:
    """Turn a system error into one that names the file and what became of the row."""
    try:
        yield
    except OSError as error:
        raise TrackerError(f"cannot {action} {path}: {error.strerror or error}. {after}.") from error


# --- the file's own lock


def _locked(path: Path) -> tuple[int, bool]:
    """A descriptor that holds the file's lock and is still the file of that name, and whether it is new."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        is_new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o666)
        if _try_lock(file) and _is_still(file, path):
            return file, is_new
        os.close(file)
        if time.monotonic() > deadline:
            raise Busy(f"Another process keeps {path} locked. Nothing was written. Try again.")
        time.sleep(RETRY_SECONDS)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # a file system without locks: the data directory's lock alone keeps writers apart
        return True
    return True


def _is_still(file: int, path: Path) -> bool:
    """Whether nobody has put another file in its place meanwhile, as editors do when they save."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
