"""How the index keeps up with the journal.

It remembers, per stream, how far it has read, in which file, what the bytes around that point were and a checksum of
each megabyte, and reads on from there; an index that does not fit its stream, or is spoilt, is made anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self, TypeVar

from tracker.journal import index_database as index_file
from tracker.journal import lock as locking
from tracker.journal.index_rows import Rows
from tracker.journal.journal import BLOCK, Appended, Journal, checksums

T = TypeVar("T")

# bytes of a stream that take seconds to read
LARGE = 256 << 20


class SyncedDatabase:
    """A database that has read the streams before it is asked.

    may_create: whether a file may be made if there is none; otherwise the index lasts as long as this process.
    """

    def __init__(self, journal: Journal, *, may_create: bool = True) -> None:
        self.journal, self.may_create = journal, may_create
        self._database: sqlite3.Connection | None = None
        # opened before there are records
        self._is_early = False
        own = weakref.ref(self)
        journal.listeners.append(lambda new: index._note(new) if (index := own()) else None)

    def ask(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        """Ask an index that has read all of these streams.

        A file that is spoilt is made anew. If that does not help, the disk is full, or another process keeps the file
        busy, a temporary index answers.
        """
        names = list(streams)
        try:
            return self._ask(ask, names)
        except sqlite3.DatabaseError as error:
            new = None
            if index_file.is_spoilt(error):
                self.close()
                self.journal.warn(f"the index is damaged ({error}): it is made anew")
                with contextlib.suppress(OSError):
                    index_file.discard(self.journal.root)
                with contextlib.suppress(sqlite3.DatabaseError):
                    return self._ask(ask, names)
            elif index_file.is_busy(error) and self._database is not None:
                new = index_file.copy(self._database)
        self.close()
        self.use(new or index_file.connect())
        return self._ask(ask, names)

    def _ask(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        database = self._open()
        for stream in streams:
            with self.journal.open_streams():
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
                return self.use(index_file.open_file(root) if has_place else index_file.connect())
            except OSError:
                # a directory that may only be read
                return self.use(index_file.connect())
        return self._database

    def _is_ours(self) -> bool:
        """Whether something is stored here, or is about to be: tracker leaves nothing in other folders."""
        return (self.journal.root / locking.FILE).exists() or bool(self.journal.streams())

    def use(self, database: sqlite3.Connection) -> sqlite3.Connection:
        """Keep the index in this database, which is closed with this object at the latest."""
        self._database = database
        self._closing = weakref.finalize(self, database.close)
        # a forked process closes nothing of its parent's
        self._closing.atexit = False
        return database

    def close(self) -> None:
        self._is_early = False
        if self._database is not None:
            self._closing()
            self._database = None

    # --- reading on

    def _catch_up(self, database: sqlite3.Connection, stream: str) -> None:
        if self._unread(database, stream) is None:
            return
        with index_file.writing(database, self.journal.warn):
            # another process may have been faster
            unread = self._unread(database, stream)
            if unread is None:
                return
            start, stop, total = unread
            if start == 0:
                self._forget(database, stream)
            if stop - start > LARGE:
                self.journal.warn(f"reading {(stop - start) >> 20} MB of {stream}.jsonl into the index")
            rows = Rows(database, stream, start, total)
            for offset, line, record in self.journal.records(stream, start, stop):
                rows.add(offset, line, record)
            rows.end(stop)
            blocks = self.journal.checksums(stream, start, stop, _last_block(database, stream, start))
            self._set_mark(database, stream, stop, rows.total, blocks)

    def _unread(self, database: sqlite3.Connection, stream: str) -> tuple[int, int, int] | None:
        """What of a stream the index has not read, and the total of its rows; None for nothing.

        That is all of it if the index is of another file.
        """
        query = "SELECT size, total, inode, head, tail FROM stream WHERE name = ?"
        size, total, *known = database.execute(query, (stream,)).fetchone() or (0, 0, None)
        now = self.journal.glance(stream, size)
        fits = known == [now.inode, now.head, now.tail] and now.size >= size
        if (fits or not now.size) and now.size == size:
            return None
        return (size, now.size, total) if fits else (0, now.size, 0)

    def _forget(self, database: sqlite3.Connection, stream: str) -> None:
        for table in (*index_file.TABLES, "block"):
            database.execute(f"DELETE FROM {table} WHERE stream = ?", (stream,))
        database.execute("DELETE FROM stream WHERE name = ?", (stream,))

    def _set_mark(
        self, database: sqlite3.Connection, stream: str, size: int, total: int, blocks: Iterable[tuple[int, int]]
    ) -> None:
        rows = [(stream, number, checksum) for number, checksum in blocks]
        database.executemany("INSERT OR REPLACE INTO block VALUES (?, ?, ?)", rows)
        now = self.journal.glance(stream, size)
        values = (stream, size, now.inode, now.head, now.tail, total)
        database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?)", values)

    def _note(self, new: Appended) -> None:
        """Add what this process has just appended, without reading it again; what cannot be added is read later."""
        database, stream, start = self._database, new.stream, new.start
        if database is None or not new.records:
            return
        try:
            with index_file.writing(database):
                query = "SELECT size, total FROM stream WHERE name = ?"
                size, total = database.execute(query, (stream,)).fetchone() or (0, 0)
                if size != start:
                    return
                rows = Rows(database, stream, start, total)
                for place, record in new.records:
                    rows.add(start + place, b"", record)
                stop = start + len(new.lines)
                rows.end(stop)
                blocks = checksums(
                    lambda length, offset: new.lines[offset - start : offset - start + length],
                    start,
                    stop,
                    _last_block(database, stream, start),
                )
                self._set_mark(database, stream, stop, rows.total, blocks)
        except sqlite3.Error:
            pass

    # --- checking

    def edited(self, stream: str) -> list[int]:
        """Where the stream was edited since it was read: the offsets of the megabytes that have another checksum."""

        def ask(database: sqlite3.Connection) -> list[int]:
            row = database.execute("SELECT size FROM stream WHERE name = ?", (stream,)).fetchone()
            known = dict(database.execute("SELECT number, checksum FROM block WHERE stream = ?", (stream,)))
            found = self.journal.checksums(stream, 0, row[0]) if row else ()
            return [number * BLOCK for number, checksum in found if known.get(number) != checksum]

        return self.ask(ask, [stream])

    def reread(self, stream: str) -> None:
        """Forget what the index knows of a stream, because it was edited; it is read again when it is asked for."""

        def forget(database: sqlite3.Connection) -> None:
            with index_file.writing(database, self.journal.warn):
                self._forget(database, stream)

        self.ask(forget, ())

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""
        return index_file.find(self.journal.root)

    def fresh(self) -> Self:
        """An index made from the journal in a temporary file, whatever the stored one says."""
        fresh = type(self)(self.journal, may_create=False)
        fresh.use(index_file.connect())
        return fresh

    def discard(self) -> None:
        """Delete the file: it is made anew when it is needed."""
        self.close()
        index_file.discard(self.journal.root)

    def faults(self) -> list[str]:
        """What is wrong with the file as it lies there, and where streams were edited: for `tracker doctor`."""
        found: list[str] = []
        path = index_file.find(self.journal.root)
        if path is not None:
            try:
                with contextlib.closing(index_file.connect(str(path))) as database:
                    found = index_file.faults(database)
            except (sqlite3.DatabaseError, OSError) as error:
                found = [str(error)]
        if found:
            return found
        places = ((stream, offset) for stream in self.journal.streams() for offset in self.edited(stream))
        return [f"{stream}.jsonl was edited near byte {offset}" for stream, offset in places]


def _last_block(database: sqlite3.Connection, stream: str, start: int) -> int:
    """The checksum of a block that has begun before an offset."""
    query = "SELECT checksum FROM block WHERE stream = ? AND number = ?"
    row = database.execute(query, (stream, start // BLOCK)).fetchone() if start % BLOCK else None
    return int(row[0]) if row else 0
