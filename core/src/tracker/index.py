"""Where records stand in the journal: a derived index that may be deleted at any time and is rebuilt.

No answer depends on it: it remembers, per stream, how far it has read, in which file, and what the bytes around that
point were, and reads on from there; an index that does not fit its stream, or that SQLite cannot read, is made anew.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from attrs import frozen

from tracker import event_index, index_file
from tracker.journal import Journal
from tracker.noting import Notes, identity, lane_of, text
from tracker.plain import plain

__all__ = ["CaptureMark", "Entry", "Index", "identity", "lane_of", "natural"]

GAP = 64 << 10  # bytes of other windows that are read over rather than jumped
FEW = 1000  # tombstones that are remembered together; of more each is looked up
PARAMETERS = 500  # values of one query
MARK = "record_id, provider, window, phase, at, stream, position"
T = TypeVar("T")


@frozen
class Entry:
    """A record where it stands."""

    stream: str
    offset: int
    record_id: str
    record: dict[str, Any]


@frozen
class CaptureMark:
    """A capture as lanes need it, without its text."""

    record_id: str
    provider: str
    window: str
    phase: str
    at: float  # epoch seconds
    stream: str
    offset: int


def _stands(table: str) -> str:
    """The condition that a row's record was not taken back."""
    return f"NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.target = {table}.record_id AND t.stream = {table}.stream)"


class Index:
    """The journal's records by window, lane and reset, read on demand.

    may_create: whether a file may be made where there is none; otherwise the index lasts as long as this process.
    """

    def __init__(self, journal: Journal, *, may_create: bool = True) -> None:
        self.journal, self.may_create = journal, may_create
        self._database: sqlite3.Connection | None = None
        self._is_early = False  # asked before there is a directory

    # --- records

    def windows(self) -> list[str]:
        """Every window that any stream names, `W0-9` before `W0-10`."""

        def ask(database: sqlite3.Connection) -> list[str]:
            rows = database.execute("SELECT DISTINCT window FROM extent WHERE window != ''")
            return sorted((row[0] for row in rows), key=natural)

        return self._with(ask, self.journal.streams())

    def knows(self, window: str) -> bool:
        """Whether any stream names the window."""
        query = "SELECT 1 FROM extent WHERE window = ? AND window != '' LIMIT 1"
        named = _storable([window])
        return self._with(lambda db: any(db.execute(query, (one,)).fetchone() for one in named), self.journal.streams())

    def entries(self, stream: str, windows: Iterable[str] | None = None, *, removed: bool = False) -> Iterator[Entry]:
        """The standing records of a stream in some windows, oldest line first; with `removed` every record once."""
        was_removed = None if removed else self._removals(stream)
        seen: set[str] = set()
        for entry in self.lines(stream, windows):
            if entry.record_id in seen or (was_removed is not None and "tombstone" in entry.record):
                continue
            seen.add(entry.record_id)
            if was_removed is None or not was_removed(entry.record_id):
                yield entry

    def lines(self, stream: str, windows: Iterable[str] | None = None) -> Iterator[Entry]:
        """Every record of a stream in some windows as often as it stands there, those that were taken back, too."""
        names = None if windows is None else set(windows)
        for start, stop in [(0, None)] if names is None else self._spans(stream, names):
            for offset, line, record in self.journal.records(stream, start, stop):
                if names is None or text(record.get("window")) in names:
                    yield Entry(stream, offset, identity(stream, line, record), record)

    def tombstoned(self, stream: str) -> set[str]:
        """The ids of the stream's records that were taken back."""
        query = "SELECT target FROM tombstone WHERE stream = ?"
        return self._with(lambda db: {row[0] for row in db.execute(query, (stream,))}, [stream])

    def _removals(self, stream: str) -> Callable[[str], bool]:
        """Says of an id whether its record was taken back, in bounded memory."""
        query = "SELECT target FROM tombstone WHERE stream = ? LIMIT ?"
        few = self._with(lambda db: {row[0] for row in db.execute(query, (stream, FEW + 1))}, [stream])
        if len(few) <= FEW:
            return few.__contains__
        one = "SELECT 1 FROM tombstone WHERE target = ? AND stream = ?"
        return lambda found: self._with(lambda db: db.execute(one, (found, stream)).fetchone() is not None, ())

    def _spans(self, stream: str, windows: set[str]) -> list[tuple[int, int]]:
        """Where records of some windows stand; what lies close together is one span."""
        query = "SELECT start, stop FROM extent WHERE stream = ? AND window IN ({})"
        spans = self._with(lambda db: sorted(_in_parts(db, query, [stream], _storable(windows))), [stream])
        joined: list[tuple[int, int]] = []
        for start, stop in spans:
            if joined and start - joined[-1][1] <= GAP:
                joined[-1] = joined[-1][0], stop
            else:
                joined.append((start, stop))
        return joined

    # --- captures

    def newest(
        self, stream: str, agent: str | None, provider: str, phases: Sequence[str] = (), position: int = 1
    ) -> CaptureMark | None:
        """The newest standing capture of a provider in a lane, or the Nth newest; of some phases where given."""
        among = f"AND phase IN ({','.join('?' * len(phases))})" if phases else ""
        query = (
            f"SELECT {MARK} FROM capture c WHERE stream = ? AND provider = ? AND agent = ? {among} AND {_stands('c')}"
            " ORDER BY at DESC, position DESC LIMIT 1 OFFSET ?"
        )
        values = (stream, provider, agent or "", *phases, position - 1)
        row = self._with(lambda db: db.execute(query, values).fetchone(), [stream])
        return CaptureMark(*row) if row else None

    def lanes(self, stream: str) -> list[tuple[str | None, CaptureMark]]:
        """The newest standing capture of each provider in each lane, by the lane's name."""
        query = "SELECT DISTINCT agent, provider FROM capture WHERE stream = ? ORDER BY agent, provider"
        groups = self._with(lambda db: db.execute(query, (stream,)).fetchall(), [stream])
        found = ((agent or None, self.newest(stream, agent, provider)) for agent, provider in groups)
        return [(agent, mark) for agent, mark in found if mark is not None]

    def resets(self, stream: str, provider: str, after: float, until: float) -> list[float]:
        """Reset instants (epoch s) in (after, until] that standing captures of a provider name."""
        query = (
            f"SELECT at FROM reset r WHERE stream = ? AND provider = ? AND at > ? AND at <= ? AND {_stands('r')}"
            " ORDER BY at"
        )
        values = (stream, provider, after, until)
        return self._with(lambda db: [row[0] for row in db.execute(query, values)], [stream])

    def standing(self, streams: list[str], record_ids: Iterable[str], *, removed: bool = False) -> set[str]:
        """Which of these are captures that were not taken back (with `removed` those, too), or tombstones."""
        queries = (
            f"SELECT record_id FROM capture c WHERE record_id IN ({{}}) {'' if removed else 'AND ' + _stands('c')}",
            "SELECT record_id FROM tombstone WHERE record_id IN ({})",
        )
        ids = sorted(set(record_ids))
        return self._with(lambda db: {row[0] for one in queries for row in _in_parts(db, one, (), ids)}, streams)

    def table(self, name: str, streams: Iterable[str]) -> list[tuple[Any, ...]]:
        """A whole table, sorted: for `tracker doctor`, which compares it with that of a new index."""
        return self._with(lambda db: sorted(db.execute(f"SELECT * FROM {name}")), streams)

    # --- telemetry

    def whole_streams(self, stream: str, windows: Iterable[str]) -> Iterator[str]:
        """The texts of records of schema 1.0.0 that hold a whole telemetry stream."""
        names = set(windows)
        rows = self._with(
            lambda db: db.execute("SELECT window, position FROM whole WHERE stream = ?", (stream,)).fetchall(), [stream]
        )
        for window, offset in rows:
            if window in names:
                yield text(self.journal.record(stream, offset).get("raw_text"))

    def ask(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        """The answer of an index that has read all of these streams."""
        return self._with(ask, streams)

    @contextlib.contextmanager
    def writing(self, *streams: str) -> Iterator[sqlite3.Connection]:
        """A transaction of a writer that holds the journal's lock, on an index that has read all of these streams."""
        self._with(lambda database: None, streams)
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

    # --- keeping up

    def _with(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
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
        self._database = index_file.open_memory()
        return self._ask(ask, self.journal.streams())

    def _ask(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        database = self._open()
        for stream in streams:
            self._catch_up(database, stream)
        return ask(database)

    def _open(self) -> sqlite3.Connection:
        if self._is_early and self.journal.root.is_dir():  # the directory was made since
            self.close()
        if self._database is None:
            root = self.journal.root
            self._is_early = self.may_create and not root.is_dir()
            has_place = not self._is_early and (self.may_create or index_file.find(root) is not None)
            try:
                self._database = index_file.open_file(root) if has_place else index_file.open_memory()
            except OSError:  # a directory that may only be read
                self._database = index_file.open_memory()
        return self._database

    def use(self, database: sqlite3.Connection) -> None:
        """Keep the index in this database."""
        self._database = database

    def close(self) -> None:
        self._is_early = False
        if self._database is not None:
            self._database.close()
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
        if database.execute("DELETE FROM stream WHERE name = ?", (stream,)).rowcount:
            event_index.forget(database, stream)

    def _set_mark(self, database: sqlite3.Connection, stream: str, size: int) -> None:
        now = self.journal.glance(stream, size)
        values = (stream, size, now.inode, now.head, now.tail)
        database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?)", values)


def _storable(windows: Iterable[str]) -> list[str]:
    """The windows that a record can name: a text with half a character is none."""
    return sorted(window for window in windows if plain(window) == window)


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values, as many at a time as a query takes."""
    return (values[start : start + PARAMETERS] for start in range(0, len(values), PARAMETERS))


def _in_parts(
    database: sqlite3.Connection, query: str, first: Sequence[object], values: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query whose `{}` is a list of values of any length."""
    for part in _parts(values):
        yield from database.execute(query.format(",".join("?" * len(part))), (*first, *part))


def natural(window: str) -> list[tuple[int, str, str]]:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    parts = re.split(r"([0-9]+)", window)
    return [(len(part.lstrip("0")), part.lstrip("0"), part) if part.isdecimal() else (-1, part, "") for part in parts]
