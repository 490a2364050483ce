"""How the index keeps up with the journal.

It remembers, per stream, how far it has read, in which file, and what the bytes around that point were, and reads on
from there; an index that does not fit its stream, or that SQLite cannot read, is made anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tracker.errors import Busy
from tracker.journal import index_database as index_file
from tracker.journal import lock as locking
from tracker.journal.index_rows import Notes
from tracker.journal.journal import Journal

T = TypeVar("T")


class Upkeep:
    """A database that has read the streams before it is asked.

    may_create: whether a file may be made where there is none; otherwise the index lasts as long as this process.
    """

    def __init__(self, journal: Journal, *, may_create: bool = True) -> None:
        self.journal, self.may_create = journal, may_create
        self._database: sqlite3.Connection | None = None
        self._is_early = False  # asked before there are records

    def ask(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        """Ask an index that has read all of these streams.

        A file that is spoilt is made anew; where that does not help, or the file is busy, or the disk is full, an
        index in memory answers.
        """
        try:
            return self._ask(ask, streams)
        except sqlite3.DatabaseError as error:
            self.close()
            if index_file.is_spoilt(error):
                with contextlib.suppress(OSError):
                    index_file.discard(self.journal.root)
                with contextlib.suppress(sqlite3.DatabaseError):
                    return self._ask(ask, self.journal.streams())
                self.close()
        self.use(index_file.open_memory())
        return self._ask(ask, self.journal.streams())

    def _ask(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        database = self._open()
        for stream in streams:
            self._catch_up(database, stream)
        return ask(database)

    def _open(self) -> sqlite3.Connection:
        if self._is_early and self._is_ours():
            self.close()
        if self._database is None:
            root = self.journal.root
            self._is_early = self.may_create and not self._is_ours()
            has_place = not self._is_early and (self.may_create or index_file.find(root) is not None)
            try:
                return self.use(index_file.open_file(root) if has_place else index_file.open_memory())
            except OSError:  # a directory that may only be read
                return self.use(index_file.open_memory())
        return self._database

    def _is_ours(self) -> bool:
        """Whether something is stored here, or is about to be: elsewhere we leave nothing behind."""
        return (self.journal.root / locking.FILE).exists() or bool(self.journal.streams())

    def use(self, database: sqlite3.Connection) -> sqlite3.Connection:
        """Keep the index in this database, which is closed with this object at the latest."""
        self._database = database
        self._closing = weakref.finalize(self, database.close)
        self._closing.atexit = False  # a forked process closes nothing of its parent's
        return database

    def close(self) -> None:
        self._is_early = False
        if self._database is not None:
            self._closing()
            self._database = None

    def _catch_up(self, database: sqlite3.Connection, stream: str) -> None:
        if self._unread(database, stream) is None:
            return
        with index_file.writing(database):
            unread = self._unread(database, stream)  # another process may have been faster
            if unread is None:
                return
            start, stop = unread
            if start == 0:
                self._forget(database, stream)
            notes = Notes(database, stream, start)
            for offset, line, record in self.journal.records(stream, start, stop):
                notes.take(offset, line, record)
            notes.end(stop)
            self._set_mark(database, stream, stop)

    def _unread(self, database: sqlite3.Connection, stream: str) -> tuple[int, int] | None:
        """What of a stream the index has not read: all of it where it is of another file; None for nothing."""
        query = "SELECT size, inode, head, tail FROM stream WHERE name = ?"
        size, *known = database.execute(query, (stream,)).fetchone() or (0, None)
        now = self.journal.glance(stream, size)
        fits = known == [now.inode, now.head, now.tail]
        return None if (fits or not now.size) and now.size == size else (size if fits else 0, now.size)

    def _forget(self, database: sqlite3.Connection, stream: str) -> None:
        for table in index_file.TABLES:
            database.execute(f"DELETE FROM {table} WHERE stream = ?", (stream,))
        database.execute("DELETE FROM stream WHERE name = ?", (stream,))

    def _set_mark(self, database: sqlite3.Connection, stream: str, size: int) -> None:
        now = self.journal.glance(stream, size)
        values = (stream, size, now.inode, now.head, now.tail)
        database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?)", values)

    @contextlib.contextmanager
    def writing(self, *streams: str) -> Iterator[sqlite3.Connection]:
        """A transaction of a writer that holds the journal's lock, on an index that has read all of these streams."""
        self.ask(lambda database: None, streams)
        database = self._open()
        with index_file.writing(database):
            yield database

    def advance(self, database: sqlite3.Connection, stream: str, window: str, start: int) -> None:
        """Note, in such a transaction, that records of one window were appended from an offset on."""
        size = self.journal.size(stream)
        notes = Notes(database, stream, start)
        notes.enter(start, window)
        notes.end(size)
        self._set_mark(database, stream, size)

    def append_lines(self, stream: str, window: str, lines: bytes) -> None:
        """Append encoded records of one window, and note where they stand without reading them again.

        The caller holds the lock.
        """
        has_stored = False
        try:
            with self.writing(stream) as database:
                start = self.journal.append_lines(stream, lines)
                has_stored = True
                self.advance(database, stream, window, start)
        except sqlite3.Error as error:  # what was appended is read back when the index is asked next
            self.close()
            if not has_stored:
                raise Busy(f"the index is busy ({error}); nothing was written, try again") from error

    def table(self, name: str, streams: Iterable[str]) -> list[tuple[Any, ...]]:
        """A whole table, sorted: for `tracker doctor`, which compares it with that of a new index."""
        return self.ask(lambda db: sorted(db.execute(f"SELECT * FROM {name}")), streams)
