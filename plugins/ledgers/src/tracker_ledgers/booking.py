"""Append to ledgers: locked, checked, one write per row, and taken back where the rest of a command fails."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from tracker.kernel import (
    OPEN,
    WAIT_SECONDS,
    Busy,
    Session,
    TrackerError,
    cell,
    csv_line,
    read_at,
    refuse_special,
    system_error,
    write_all,
)
from tracker_ledgers.ledgers import Ledger, Row, check_header, path_of, split

try:
    import fcntl
except ImportError:  # Windows: the data directory's lock alone keeps writers apart
    fcntl = None  # type: ignore[assignment]

RETRY_SECONDS = 0.02
WHEN_AND_WHY = {"date", "notes"}  # the columns in which two rows about one thing may differ


@define
class Book:
    """An open ledger. `size` is what stood in it, `rows` as rows; `end` is its line end."""

    ledger: Ledger
    path: Path
    file: int
    is_new: bool
    size: int
    end: str = "\n"
    needs_header: bool = True
    fsync: bool = True
    rows: list[Row] = field(factory=list)

    def standing(self, values: Mapping[str, Any]) -> str | None:
        """Where the newest row stands that says the same, whenever it was written: its date and line."""
        compared = [at for at, name in enumerate(self.ledger.columns) if name not in WHEN_AND_WHY]
        cells = [cell(values.get(name)) for name in self.ledger.columns]
        for row in reversed(self.rows):
            if len(row.cells) == len(cells) and all(row.cells[at] == cells[at] for at in compared):
                date = dict(zip(self.ledger.columns, row.cells, strict=True)).get("date", "")
                return f"{date}, line {row.number} of {self.path.name}"
        return None

    def append(self, values: Mapping[str, Any]) -> None:
        """One row, in one write, flushed to disk."""
        unknown = set(values) - set(self.ledger.columns)
        assert not unknown, unknown
        row = csv_line([values.get(name) for name in self.ledger.columns], self.end)
        if self.needs_header:
            row = csv_line(self.ledger.columns, self.end) + row
        try:
            write_all(self.file, row)
            if self.fsync:
                os.fsync(self.file)
        except OSError as error:
            self.take_back()
            raise system_error("append to", self.path, error) from error
        self.needs_header = False

    def take_back(self) -> None:
        """Undo what was appended since the ledger was opened."""
        with contextlib.suppress(OSError):
            os.ftruncate(self.file, self.size)

    def close(self) -> None:
        """Give the lock back; a new file that nothing was written to goes again."""
        with contextlib.suppress(OSError):
            if self.is_new and os.fstat(self.file).st_size == 0:
                self.path.unlink()
        os.close(self.file)


@contextlib.contextmanager
def opened(session: Session, ledger: Ledger, path: Path | None = None) -> Iterator[Book]:
    """A ledger to append to; the caller holds the journal's lock, and takes no other lock inside.

    Ledgers belong to the repository, which several data directories may share: therefore each file is locked, too.
    """
    path = path or path_of(session, ledger)
    refuse_special(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file, is_new = _locked(path)
    except OSError as error:
        raise system_error("open", path, error) from error
    book = Book(ledger, path, file, is_new, 0, fsync=session.journal.fsync)
    try:
        _prepare(session, book)
        yield book
    except BaseException:
        book.take_back()
        raise
    finally:
        book.close()


def _prepare(session: Session, book: Book) -> None:
    data = _contents(book.file)
    book.size = len(data)
    found = split(book.path, data)
    header = csv_line(book.ledger.columns).rstrip()
    if found and header != data and header.startswith(data):  # a crash cut the very first write short
        _set_aside(session, book, found[0], data)
        return
    check_header(book.path, book.ledger, found)
    book.rows = found[1:]
    book.needs_header = not found
    book.end = "\r\n" if data.partition(b"\n")[0].endswith(b"\r") else "\n"
    if found:
        _mend_last(session, book, found, data)


def _mend_last(session: Session, book: Book, found: list[Row], data: bytes) -> None:
    """Give a last row its end, where an editor left it without one; one that a crash cut short goes aside."""
    last = found[-1]
    if data.endswith(b"\n"):
        if not last.closed:
            raise _damaged(book, last)
    elif last.closed and (last is found[0] or len(last.cells) == len(book.ledger.columns)):
        missing = book.end[1:] if data.endswith(b"\r") else book.end
        write_all(book.file, missing.encode())
        book.size += len(missing)
    else:
        _set_aside(session, book, last, data[last.start :])


def _set_aside(session: Session, book: Book, row: Row, torn: bytes) -> None:
    """A row that a crash cut short goes to a file beside the ledger, as the journal's torn lines do."""
    beginnings = torn.split(b"\n")[1:]
    if any(len(one.cells) == len(book.ledger.columns) for text in beginnings for one in split(book.path, text)):
        raise _damaged(book, row)  # whole rows follow: no crash does that
    aside = book.path.with_name(book.path.name + ".torn")
    refuse_special(aside)
    try:
        kept = os.open(aside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | OPEN, 0o666)
        try:
            write_all(kept, torn + b"\n")
            os.fsync(kept)
        finally:
            os.close(kept)
        os.ftruncate(book.file, row.start)
    except OSError as error:
        raise system_error("set the torn last row aside of", book.path, error) from error
    book.size = row.start
    book.needs_header = row.start == 0
    session.warn(f"{book.path.name} ended in a torn row of {len(torn)} bytes, which was set aside in {aside.name}")


def _damaged(book: Book, row: Row) -> TrackerError:
    return TrackerError(
        f"{book.path}: the row in line {row.number} opens a quote that never closes; mend it by hand;"
        " nothing was written"
    )


def _contents(file: int) -> bytes:
    chunks, offset = [], 0
    while chunk := read_at(file, 1 << 20, offset):
        chunks.append(chunk)
        offset += len(chunk)
    return b"".join(chunks)


# --- the file's own lock


def _locked(path: Path) -> tuple[int, bool]:
    """A descriptor that holds the file's lock and is still the file of that name, and whether the file is new."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        is_new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise TrackerError(f"{path} is no regular file; move it away")
            if _try_lock(file) and _is_still(file, path):
                return file, is_new
            if time.monotonic() > deadline:
                raise Busy(f"another process keeps {path} locked; nothing was written, try again")
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        time.sleep(RETRY_SECONDS)


def _try_lock(file: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: the data directory's lock alone keeps writers apart
    return True


def _is_still(file: int, path: Path) -> bool:
    """Whether nobody has put another file in its place meanwhile, as editors do when they save."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
