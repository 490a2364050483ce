"""Where records stand in the journal: a derived SQLite file that may be deleted at any time and is rebuilt.

No answer depends on it: it remembers, per stream, how far it has read and what the bytes around that point were, and
reads on from there; a file that does not fit its stream, or that SQLite cannot read, is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from attrs import frozen

from tracker import event_index
from tracker.journal import Journal, decode
from tracker.parsed import instant

VERSION = 1
SAMPLE = 4096  # bytes at the head and before the mark that tell whether a stream is still the one that was indexed
WAIT_SECONDS = 30
SCHEMA = (
    """
CREATE TABLE stream (name TEXT PRIMARY KEY, size INTEGER, head BLOB, tail BLOB);
CREATE TABLE extent (stream TEXT, window TEXT, start INTEGER, stop INTEGER);
CREATE INDEX extent_window ON extent (stream, window, start);
CREATE INDEX extent_stop ON extent (stream, stop);
CREATE TABLE capture (stream TEXT, position INTEGER, record_id TEXT, provider TEXT, agent TEXT, window TEXT, phase TEXT,
  at REAL);
CREATE INDEX capture_lane ON capture (agent, provider, at);
CREATE INDEX capture_id ON capture (record_id);
CREATE TABLE reset (stream TEXT, provider TEXT, at REAL, record_id TEXT);
CREATE INDEX reset_at ON reset (provider, at);
CREATE TABLE tombstone (stream TEXT, target TEXT);
CREATE INDEX tombstone_target ON tombstone (target);
"""
    + event_index.SCHEMA
)
TABLES = ("extent", "capture", "reset", "tombstone", *event_index.TABLES)
FLUSH_LINES = 50_000
STAMP = re.compile(r"\bAGENT_ID=([\w.-]+)")
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


def identity(stream: str, line: bytes, record: dict[str, Any]) -> str:
    """The record's id; one derived from its line where it is older than ids (schema 1.0.0)."""
    found = record.get("record_id")
    if isinstance(found, str) and found:
        return found
    return hashlib.blake2b(line, digest_size=16, person=stream.encode()[:16]).hexdigest()


def lane_of(record: dict[str, Any]) -> str | None:
    """The lane of a record; schema 1.0.0 has it in the notes alone."""
    found = record.get("agent_id")
    if found is None and "agent_id" not in record:
        stamp = STAMP.search(_text(record.get("notes")))
        return stamp[1] if stamp else None
    return found if isinstance(found, str) else None


class Index:
    """The journal's records by window, lane and reset, read on demand."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._database: sqlite3.Connection | None = None
        self._is_early = False

    # --- what callers ask

    def windows(self) -> list[str]:
        """Every window that any stream names, `W0-9` before `W0-10`."""

        def ask(database: sqlite3.Connection) -> list[str]:
            rows = database.execute("SELECT DISTINCT window FROM extent WHERE window != ''")
            return sorted((row[0] for row in rows), key=natural)

        return self._with(ask, self.journal.streams())

    def entries(self, stream: str, windows: Iterable[str] | None = None, *, removed: bool = False) -> Iterator[Entry]:
        """The standing records of a stream in some windows, oldest line first; with `removed` every record once."""
        spans = [(0, None)] if windows is None else self._spans(stream, list(windows))
        targets = set() if removed else self.tombstoned(stream)
        seen: set[str] = set()
        for start, stop in spans:
            for offset, line in self.journal.lines(stream, start, stop):
                record = decode(line)
                if record is None or (not removed and "tombstone" in record):
                    continue
                record_id = identity(stream, line, record)
                if record_id not in seen and record_id not in targets:
                    seen.add(record_id)
                    yield Entry(stream, offset, record_id, record)

    def tombstoned(self, stream: str) -> set[str]:
        """The ids of the stream's records that were taken back."""

        def ask(database: sqlite3.Connection) -> set[str]:
            return {row[0] for row in database.execute("SELECT target FROM tombstone WHERE stream = ?", (stream,))}

        return self._with(ask, [stream])

    def captures(self, stream: str, agent: str | None, provider: str | None = None) -> Iterator[CaptureMark]:
        """The standing captures of a lane, newest first (of one provider where given)."""
        query = (
            "SELECT record_id, provider, window, phase, at, stream, position FROM capture "
            "WHERE agent = ? AND stream = ? AND (? IS NULL OR provider = ?) "
            "AND record_id NOT IN (SELECT target FROM tombstone) ORDER BY at DESC, position DESC"
        )
        values = (agent or "", stream, provider, provider)
        yield from self._with(lambda db: [CaptureMark(*row) for row in db.execute(query, values)], [stream])

    def lanes(self, stream: str) -> list[tuple[str | None, CaptureMark]]:
        """The newest standing capture of each provider in each lane, by the lane's name."""
        query = (
            "SELECT agent, record_id, provider, window, phase, at, stream, position FROM (SELECT *, ROW_NUMBER() OVER "
            "(PARTITION BY agent, provider ORDER BY at DESC, position DESC) AS age FROM capture WHERE stream = ? "
            "AND record_id NOT IN (SELECT target FROM tombstone)) WHERE age = 1 ORDER BY agent, provider"
        )
        rows = self._with(lambda db: db.execute(query, (stream,)).fetchall(), [stream])
        return [(agent or None, CaptureMark(*mark)) for agent, *mark in rows]

    def resets(self, stream: str, provider: str, after: float, until: float) -> list[float]:
        """Reset instants (epoch s) in (after, until] that standing captures of a provider name."""
        query = (
            "SELECT at FROM reset WHERE provider = ? AND at > ? AND at <= ? "
            "AND record_id NOT IN (SELECT target FROM tombstone) ORDER BY at"
        )
        return self._with(lambda db: [row[0] for row in db.execute(query, (provider, after, until))], [stream])

    def standing(self, streams: list[str], record_ids: Iterable[str]) -> set[str]:
        """Which of these captures are there and were not taken back."""
        query = "SELECT 1 FROM capture WHERE record_id = ? AND record_id NOT IN (SELECT target FROM tombstone)"

        def ask(database: sqlite3.Connection) -> set[str]:
            return {one for one in set(record_ids) if database.execute(query, (one,)).fetchone()}

        return self._with(ask, streams)

    def whole_streams(self, stream: str, windows: Iterable[str]) -> Iterator[str]:
        """The texts of records of schema 1.0.0 that hold a whole telemetry stream."""
        names = set(windows)
        rows = self._with(
            lambda db: db.execute("SELECT window, position FROM whole WHERE stream = ?", (stream,)).fetchall(), [stream]
        )
        for window, offset in rows:
            if window in names:
                _, record = next(self.journal.read(stream, offset))
                yield str(record["raw_text"])

    def followed(self, name: str) -> event_index.Place | None:
        """How far a followed file was taken in."""
        query = "SELECT device, inode, position, run, lines FROM followed WHERE name = ?"
        row = self._with(lambda db: db.execute(query, (name,)).fetchone(), [])
        return event_index.Place(*row) if row else None

    def event_totals(self, stream: str, windows: Sequence[str]) -> list[event_index.TotalRow]:
        """What telemetry adds up to, per lane, model, day and side."""
        return self._with(lambda db: event_index.totals(db, stream, windows), [stream])

    def event_chunks(self, stream: str, windows: Sequence[str]) -> tuple[array[float], array[float]]:
        """The times (epoch s) and the latencies (ms) of all events of some windows."""
        return self._with(lambda db: event_index.chunks(db, stream, windows), [stream])

    def line_count(self, stream: str, windows: Sequence[str]) -> int:
        """How many records stand in a stream's lines of some windows, repeated ones counted each time."""
        spans = self._spans(stream, list(windows))
        return sum(decode(line) is not None for span in spans for _, line in self.journal.lines(stream, *span))

    def _spans(self, stream: str, windows: list[str]) -> list[tuple[int, int | None]]:
        query = f"SELECT start, stop FROM extent WHERE stream = ? AND window IN ({','.join('?' * len(windows))})"
        return self._with(lambda db: sorted(db.execute(query, (stream, *windows))), [stream])

    # --- keeping up

    def _with(self, ask: Callable[[sqlite3.Connection], T], streams: Iterable[str]) -> T:
        """Ask an index that has read all of these streams; one that cannot be read is made anew, once."""
        try:
            database = self._open()
            for stream in streams:
                self._catch_up(database, stream)
            return ask(database)
        except sqlite3.DatabaseError:
            self._discard()
            database = self._open()
            for stream in streams:
                self._catch_up(database, stream)
            return ask(database)

    def _open(self) -> sqlite3.Connection:
        if self._is_early and self.journal.root.is_dir():  # what was asked before the directory was made
            self._database, self._is_early = None, False
        if self._database is None:
            self._is_early = not self.journal.root.is_dir()
            try:
                self._database = self._memory() if self._is_early else self._connect(self._file())
            except (OSError, sqlite3.OperationalError):  # a directory that may only be read, or a busy index
                self._database = self._memory()
        return self._database

    def _file(self) -> str:
        folder = self.journal.root / ".index"
        folder.mkdir(mode=0o700, exist_ok=True)
        return str(folder / "journal.sqlite3")

    def _memory(self) -> sqlite3.Connection:
        return self._connect(":memory:")

    def _connect(self, path: str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")  # what a power cut spoils is rebuilt
        [version] = database.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            with _writing(database):
                [version] = database.execute("PRAGMA user_version").fetchone()
                if version != VERSION:
                    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                        database.execute(f'DROP TABLE "{table}"')
                    for statement in SCHEMA.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {VERSION}")
        return database

    def _discard(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                (self.journal.root / ".index" / f"journal.sqlite3{suffix}").unlink()

    def _catch_up(self, database: sqlite3.Connection, stream: str) -> None:
        size = self.journal.size(stream)
        if self._mark(database, stream, size) == size:
            return
        with _writing(database):
            start = self._mark(database, stream, size)  # another process may have been faster
            if start is None:
                for table in TABLES:
                    database.execute(f"DELETE FROM {table} WHERE stream = ?", (stream,))
                start = 0
            self._take(database, stream, start, size)
            self._set_mark(database, stream, size)

    def _set_mark(self, database: sqlite3.Connection, stream: str, size: int) -> None:
        head, tail = self._digest(stream, 0, min(size, SAMPLE)), self._digest(stream, size - SAMPLE, SAMPLE)
        database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?)", (stream, size, head, tail))

    @contextlib.contextmanager
    def writing(self, *streams: str) -> Iterator[sqlite3.Connection]:
        """A transaction of a writer that holds the journal's lock, on an index that has read all of these streams."""
        self._with(lambda database: None, streams)
        database = self._open()
        with _writing(database):
            yield database

    def advance(self, database: sqlite3.Connection, stream: str, window: str, start: int) -> None:
        """Note, in such a transaction, that records of one window were appended from an offset on."""
        size = self.journal.size(stream)
        last, begin = _last_extent(database, stream, start)
        if last != window:
            _extend(database, stream, last, begin, start)
            begin = start
        _extend(database, stream, window, begin, size)
        self._set_mark(database, stream, size)

    def _mark(self, database: sqlite3.Connection, stream: str, size: int) -> int | None:
        """How far the stream was read; None where the index is of another file."""
        row = database.execute("SELECT size, head, tail FROM stream WHERE name = ?", (stream,)).fetchone()
        if row is None:
            return 0 if size == 0 else None
        mark, head, tail = row
        fits = (
            mark <= size
            and head == self._digest(stream, 0, min(mark, SAMPLE))
            and tail == self._digest(stream, mark - SAMPLE, SAMPLE)
        )
        return mark if fits else None

    def _digest(self, stream: str, start: int, length: int) -> bytes:
        begin = max(start, 0)
        return hashlib.blake2b(self.journal.peek(stream, begin, start + length - begin), digest_size=16).digest()

    def _take(self, database: sqlite3.Connection, stream: str, start: int, size: int) -> None:
        window, begin = _last_extent(database, stream, start)
        collector = event_index.Collector(stream)
        for number, (offset, line) in enumerate(self.journal.lines(stream, start, size), 1):
            record = decode(line)
            if number % FLUSH_LINES == 0:
                collector.flush(database)
            if record is None:
                continue
            here = _text(record.get("window"))
            if here != window:
                _extend(database, stream, window, begin, offset)
                window, begin = here, offset
            _note(database, stream, offset, line, record)
            if "phase" not in record and "tombstone" not in record:
                collector.record(offset, record)
        collector.flush(database)
        _extend(database, stream, window, begin, size)


def _note(database: sqlite3.Connection, stream: str, offset: int, line: bytes, record: dict[str, Any]) -> None:
    if "tombstone" in record:
        database.execute("INSERT INTO tombstone VALUES (?, ?)", (stream, _text(record["tombstone"])))
        return
    phase = record.get("phase")
    if phase not in ("before", "after"):
        return
    taken = instant(record.get("captured_at"))
    provider, record_id = _text(record.get("provider")), identity(stream, line, record)
    agent, window = lane_of(record) or "", _text(record.get("window"))
    values = (stream, offset, record_id, provider, agent, window, phase, taken.timestamp() if taken else 0.0)
    database.execute("INSERT INTO capture VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    parsed = record.get("parsed")
    for key, value in parsed.items() if isinstance(parsed, dict) else ():
        if key.endswith("_reset_at") and (at := instant(value)):
            database.execute("INSERT INTO reset VALUES (?, ?, ?, ?)", (stream, provider, at.timestamp(), record_id))


def _last_extent(database: sqlite3.Connection, stream: str, stop: int) -> tuple[str | None, int]:
    """The window that the stream was in when it was last read, so that one run stays one extent."""
    row = database.execute("SELECT window, start FROM extent WHERE stream = ? AND stop = ?", (stream, stop)).fetchone()
    if row is None:
        return None, stop
    database.execute("DELETE FROM extent WHERE stream = ? AND stop = ?", (stream, stop))
    return row[0], row[1]


def _extend(database: sqlite3.Connection, stream: str, window: str | None, start: int, stop: int) -> None:
    if window is not None and start < stop:
        database.execute("INSERT INTO extent VALUES (?, ?, ?, ?)", (stream, window, start, stop))


def natural(window: str) -> list[tuple[int, str]]:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", window)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@contextlib.contextmanager
def _writing(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
