"""The file of the derived index: a SQLite database under `.index/`, which may be deleted at any time and is rebuilt.

No answer depends on it. Before it answers, it reads what its streams got since the last time; it remembers how far that
was, in which file, what the bytes around that point were and a checksum of each megabyte. An index that does not fit
its stream, or is spoilt, is made anew; one that cannot be written is left alone, and a copy in memory answers.
Its name is random: a process that still works on a deleted one never meets the write-ahead log of its successor.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

from tracker.contract.readings import instant
from tracker.journal.journal import BLOCK, LOCK, WAIT_SECONDS, Journal
from tracker.journal.records import COUNT, PHASES, WINDOWS, lane_of, record_id, text

VERSION = 14
FOLDER = ".index"
NAME = re.compile(r"journal-[0-9a-f]{16}\.sqlite3")
# pages of 4 kB: an index of so many is checked whenever it is opened, in a millisecond; others by `tracker doctor`
SMALL = 64
# bytes of a stream that take seconds to read
LARGE = 256 << 20
TABLES = ("extent", "capture", "lane", "reset", "tombstone")
# what `window` holds, as it follows from the extents
WINDOW = f"""SELECT window, place(window), max(at), max(stream = '{WINDOWS}') FROM extent WHERE window != ''"""
# a tombstone that was taken back itself removes nothing
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, size INTEGER, total INTEGER, inode INTEGER, head BLOB,
  tail BLOB);
CREATE TABLE IF NOT EXISTS block (stream TEXT, number INTEGER, checksum INTEGER, PRIMARY KEY (stream, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS extent (stream TEXT, window TEXT, start INTEGER, stop INTEGER, at REAL);
CREATE INDEX IF NOT EXISTS extent_window ON extent (window, stream, start);
CREATE TABLE IF NOT EXISTS window (name TEXT PRIMARY KEY, place BLOB, at REAL, is_done INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS window_place ON window (place);
CREATE INDEX IF NOT EXISTS window_at ON window (at);
CREATE INDEX IF NOT EXISTS window_open ON window (at) WHERE NOT is_done;
CREATE TABLE IF NOT EXISTS capture (stream TEXT, position INTEGER, record_id TEXT, provider TEXT, agent TEXT,
  window TEXT, phase TEXT, at REAL);
CREATE INDEX IF NOT EXISTS capture_lane ON capture (stream, provider, agent, at, position);
CREATE INDEX IF NOT EXISTS capture_window ON capture (window);
CREATE UNIQUE INDEX IF NOT EXISTS capture_id ON capture (record_id, stream);
CREATE TABLE IF NOT EXISTS lane (stream TEXT, agent TEXT, provider TEXT, PRIMARY KEY (stream, agent, provider))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reset (stream TEXT, provider TEXT, at REAL, record_id TEXT);
CREATE INDEX IF NOT EXISTS reset_at ON reset (stream, provider, at);
CREATE TABLE IF NOT EXISTS tombstone (stream TEXT, target TEXT, record_id TEXT, window TEXT);
CREATE INDEX IF NOT EXISTS tombstone_target ON tombstone (target, stream);
CREATE VIEW IF NOT EXISTS removal AS SELECT * FROM tombstone t WHERE NOT EXISTS
  (SELECT 1 FROM tombstone u WHERE u.target = t.record_id AND u.stream = t.stream);
CREATE VIEW IF NOT EXISTS standing AS SELECT * FROM capture c WHERE NOT EXISTS
  (SELECT 1 FROM removal r WHERE r.target = c.record_id AND r.stream = c.stream);
PRAGMA user_version = {VERSION};
COMMIT;
"""
SEEN = (
    "INSERT INTO window VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET at = max(at, excluded.at), is_done = max(is_done, excluded.is_done)"
)
# errors that say that the file is spoilt; others (busy, full, not writable) are no reason to throw it away
SPOILT = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}
EVENT = re.compile(
    rb'\{"record_id":"[0-9a-f]{32}(","window":"[^"\\]*","provider":"[^"\\]*","captured_at":"[^"\\]*","source":"ingest",'
    rb'"notes":[^{}\[\]]*"tool_version":"[^"\\]*","ts":)'
)
Row = tuple[Any, ...]


class IndexFile:
    """A database that has read all of the streams that a question is about; in memory without a file."""

    def __init__(self, journal: Journal, database: sqlite3.Connection | None = None) -> None:
        self.journal, self._database = journal, database

    def fresh(self) -> Self:
        """An index made from the journal in memory, whatever the stored one says."""
        return type(self)(self.journal, connect())

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    __del__ = close

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""
        return find(self.journal.root)

    def discard(self) -> None:
        """Delete the file, which is made anew when it is needed; processes that work on it go on undisturbed."""
        self.close()
        with contextlib.suppress(OSError):
            while (found := self.path) is not None:
                for suffix in ("-wal", "-shm", ""):
                    with contextlib.suppress(FileNotFoundError):
                        Path(f"{found}{suffix}").unlink()

    def _rows(self, query: str, values: Sequence[object] = (), streams: Iterable[str] = ()) -> list[Row]:
        """Ask an index that has read all of these streams.

        One that is spoilt is made anew. If that does not help, the disk is full, or another process keeps the file
        busy, one in memory answers.
        """
        for attempt in range(3):
            try:
                database = self._database = self._database or self._open()
                for stream in streams:
                    self._catch_up(database, stream)
                return database.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                if attempt == 2:
                    raise
                self._renew(error, in_memory=attempt == 1)
        return []

    def catch_up(self, streams: Iterable[str]) -> None:
        """Read what these streams got: before a command takes the lock, so that it reads the last lines alone then."""
        # without any, a new directory would be answered for in memory
        if known := set(streams).intersection(self.journal.streams()):
            self._rows("SELECT 1", streams=known)

    def _open(self) -> sqlite3.Connection:
        root, path = self.journal.root, None
        # tracker leaves nothing in folders that hold no records
        if (root / LOCK).exists() or self.journal.streams():
            # a directory that may only be read has none
            with contextlib.suppress(OSError):
                path = find(root, may_create=self.journal.mends)
        return connect(path)

    def _renew(self, error: sqlite3.DatabaseError, *, in_memory: bool) -> None:
        """Go on with a new file if this one is spoilt; with a copy in memory if it cannot be written now."""
        if not in_memory and getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in SPOILT:
            self.journal.warn(f"the index is made anew: {error}")
            self.discard()
            return
        memory = connect()
        if not in_memory and self._database is not None:
            self.journal.warn(f"the index cannot be written now ({error}); a copy in memory answers")
            with contextlib.suppress(sqlite3.Error):
                self._database.backup(memory)
        self.close()
        self._database = memory

    # --- the streams

    def _catch_up(self, database: sqlite3.Connection, stream: str) -> None:
        """Read what the stream got since the last time; all of it if it is not the stream that was read."""
        if self._unread(database, stream) is None:
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            # another process may have been faster
            if (unread := self._unread(database, stream)) is None:
                return
            start, stop, total, inode = unread
            deleted = 0
            for table in (*TABLES, "block") if start == 0 else ():
                deleted += database.execute(f"DELETE FROM {table} WHERE stream = ?", [stream]).rowcount
            if stop - start > LARGE:
                self.journal.warn(f"reading {(stop - start) >> 20} MB of {stream}.jsonl into the index")
            for table, row in rows_of(self.journal, stream, start, stop):
                places = ",".join("?" * len(row))
                # of two captures with one id, as after a merge, the first counts
                if database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row).rowcount:
                    total += row_sum(row)
                if table == "extent" and row[1]:
                    database.execute(SEEN, (row[1], place(row[1]), row[4], stream == WINDOWS))
            if deleted:
                database.execute("DELETE FROM window")
                database.execute(f"INSERT INTO window {WINDOW} GROUP BY window")
            query = "SELECT checksum FROM block WHERE stream = ? AND number = ?"
            begun = database.execute(query, [stream, start // BLOCK]).fetchone() if start % BLOCK else None
            for number, checksum in self.journal.checksums(stream, start, stop, begun[0] if begun else 0):
                database.execute("INSERT OR REPLACE INTO block VALUES (?, ?, ?)", [stream, number, checksum])
            now = self.journal.glance(stream, stop)
            if now.inode != inode:
                raise sqlite3.DatabaseError(f"{stream}.jsonl was replaced while it was read")
            mark = (stream, stop, total, now.inode, now.head, now.tail)
            database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?)", mark)

    def _unread(self, database: sqlite3.Connection, stream: str) -> tuple[int, int, int, int] | None:
        """What of a stream the index has not read, the total of its rows, the stream's file; None for nothing."""
        query = "SELECT size, total, inode, head, tail FROM stream WHERE name = ?"
        size, total, *known = database.execute(query, [stream]).fetchone() or (0, 0, None)
        now = self.journal.glance(stream, size)
        fits = known == [now.inode, now.head, now.tail] and now.size >= size
        if (fits or not now.size) and now.size == size:
            return None
        return (size, now.size, total, now.inode) if fits else (0, now.size, 0, now.inode)

    # --- checking

    def edited(self, stream: str) -> list[int]:
        """Where the stream was edited since it was read: the offsets of the megabytes that have another checksum."""
        known: dict[int, int] = dict(
            self._rows("SELECT number, checksum FROM block WHERE stream = ?", [stream], [stream])
        )
        size = next((size for (size,) in self._rows("SELECT size FROM stream WHERE name = ?", [stream])), 0)
        found = self.journal.checksums(stream, 0, size)
        return [number * BLOCK for number, checksum in found if known.get(number) != checksum]

    def renew_edited(self, stream: str) -> None:
        """Read a stream again that was edited since it was read; costs reading it."""
        if self.edited(stream):
            self.journal.warn(f"{stream}.jsonl was edited: it is read again")
            self._rows("DELETE FROM stream WHERE name = ?", [stream])

    def faults(self) -> list[str]:
        """What is wrong with the file as it lies there, and where streams were edited: for `tracker doctor`."""
        try:
            if self.path:
                connect(self.path, is_thorough=True).close()
        except (sqlite3.DatabaseError, OSError) as error:
            return [str(error)]
        places = ((stream, offset) for stream in self.journal.streams() for offset in self.edited(stream))
        return [f"{stream}.jsonl was edited near byte {offset}" for stream, offset in places]


def find(root: Path, *, may_create: bool = False) -> Path | None:
    """The index of a data directory, if there is one or may be: a regular file with no other name, as we make them.

    SQLite must not write through links, nor to files beside it that are links. An `OSError` if none can be made.
    """
    folder = root / FOLDER
    if folder.is_symlink():
        return None
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            found = path.lstat()
            is_ours = NAME.fullmatch(path.name) and stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            if is_ours and not any(map(os.path.islink, (f"{path}-wal", f"{path}-shm", f"{path}-journal"))):
                return path
    if not may_create:
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    new = folder / f"journal-{os.urandom(8).hex()}.sqlite3"
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # of two that were made at once, all processes take the first
    return find(root)


def connect(path: Path | None = None, *, is_thorough: bool = False) -> sqlite3.Connection:
    """The database with our tables; without a path, one that lasts as long as the connection.

    A `sqlite3.DatabaseError` if its rows were changed: that of a small file, or of any if the check is thorough.
    """
    # pyarrow reads on in a thread of its own while this one waits for it
    database = sqlite3.connect(path or "", timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.create_function("place", 1, place, deterministic=True)
        database.execute("PRAGMA journal_mode = WAL")
        # after a power cut it is older, never inconsistent
        database.execute("PRAGMA synchronous = NORMAL")
        [(version,)] = database.execute("PRAGMA user_version")
        if version == 0:
            database.executescript(SCHEMA)
        elif version != VERSION:
            raise sqlite3.DatabaseError("another version of tracker made it")
        [(pages,)] = database.execute("PRAGMA page_count")
        if not path or (pages > SMALL and not is_thorough):
            return database
        [(found,)] = database.execute("PRAGMA integrity_check(1)")
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        totals = Counter(dict(database.execute("SELECT name, -total FROM stream")))
        for row in chain.from_iterable(database.execute(f"SELECT * FROM {table}") for table in TABLES):
            totals[row[0]] += row_sum(row)
        wrong = [f"rows of {name} were" for name, total in totals.items() if total]
        derived = f"{WINDOW} GROUP BY window EXCEPT SELECT * FROM window LIMIT 1"
        wrong += [f"the row of {name} was" for name, *_ in database.execute(derived)]
        # if all that follow from the extents are there, others are too many
        [(many,)] = database.execute(
            "SELECT (SELECT count(*) FROM window) > (SELECT count(DISTINCT window) FROM extent WHERE window != '')"
        )
        if wrong or many:
            raise sqlite3.DatabaseError(f"{(wrong or ['rows of windows were'])[0]} changed")
    except BaseException:
        database.close()
        raise
    return database


def place(window: str) -> bytes:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    found = ""
    for at, part in enumerate(re.split(r"([0-9]+)", window)):
        digits = part.lstrip("0")
        found += f"{chr(len(digits))}{digits}{part}" if at % 2 else f"{part}\0"
    return found.encode("utf-8", "surrogatepass")


def row_sum(row: Row) -> int:
    """The checksum of a row; those of a stream add up to its `total`, so that a changed or lost row is noticed."""
    return zlib.crc32(repr(row).encode("utf-8", "surrogatepass"))


def rows_of(journal: Journal, stream: str, start: int, stop: int) -> Iterator[tuple[str, Row]]:
    """What the index holds of the records between two offsets: each row with its table.

    Consecutive records of one window are one extent; a line that is not a record belongs to the extent around it.
    """
    window, begun, newest, shared = "", start, 0.0, b"\0"
    lanes = set[tuple[str, str]]()

    def epoch(value: object) -> float:
        return found.timestamp() if (found := instant(value)) else 0.0

    def is_known(lines: bytes) -> bool:
        # events that share all but their ids and their own fields with the last one need no decoding
        return lines.count(shared) == lines.count(b"\n")

    for offset, line, record in journal.records(stream, start, stop, is_known):
        shared = found[1] if (found := EVENT.match(line)) else b"\0"
        named, at = text(record.get("window")), epoch(record.get("captured_at"))
        if named != window:
            if window:
                yield "extent", (stream, window, begun, offset, newest)
            window, begun, newest = named, offset, at
        newest = max(newest, at)
        phase, parsed = record.get("phase"), record.get("parsed")
        if "tombstone" in record:
            yield "tombstone", (stream, text(record["tombstone"]), record_id(stream, line, record), named)
        # values that belong to no window, of which a year has half a million, are no captures
        elif phase in PHASES or (phase is None and named and isinstance(parsed, dict)):
            own_id, provider = record_id(stream, line, record), text(record.get("provider"))
            lane = lane_of(record) or ""
            yield "capture", (stream, offset, own_id, provider, lane, named, phase or COUNT, at)
            if (lane, provider) not in lanes:
                lanes.add((lane, provider))
                yield "lane", (stream, lane, provider)
            for key, value in parsed.items() if isinstance(parsed, dict) else ():
                if key.endswith("_reset_at") and (reset := epoch(value)):
                    yield "reset", (stream, provider, reset, own_id)
        line, record = b"", {}
    if window:
        yield "extent", (stream, window, begun, stop, newest)
