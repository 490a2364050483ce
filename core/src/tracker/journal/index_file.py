"""The file of the derived index and its rows: a SQLite database under `.index/`.

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracker.contract.readings import instant
from tracker.journal.journal import WAIT_SECONDS, Journal
from tracker.journal.records import COUNT, PHASES, lane_of, record_id, text

VERSION = 10
FOLDER = ".index"
NAME = re.compile(r"journal-[0-9a-f]{16}\.sqlite3")
# pages of 4 kB: an index of so many is checked whenever it is opened, in a millisecond; others by `tracker doctor`
SMALL = 64
TABLES, BLOCKS = ("extent", "capture", "reset", "tombstone"), "block"
# a tombstone that was taken back itself removes nothing
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, size INTEGER, inode INTEGER, head BLOB, tail BLOB,
  total INTEGER);
CREATE TABLE IF NOT EXISTS block (stream TEXT, number INTEGER, checksum INTEGER, PRIMARY KEY (stream, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS extent (stream TEXT, window TEXT, start INTEGER, stop INTEGER, at REAL);
CREATE INDEX IF NOT EXISTS extent_window ON extent (window, stream, start);
CREATE INDEX IF NOT EXISTS extent_stop ON extent (stream, stop);
CREATE INDEX IF NOT EXISTS extent_at ON extent (at, window);
CREATE TABLE IF NOT EXISTS capture (stream TEXT, position INTEGER, record_id TEXT, provider TEXT, agent TEXT,
  window TEXT, phase TEXT, at REAL);
CREATE INDEX IF NOT EXISTS capture_lane ON capture (stream, provider, agent, at, position);
CREATE UNIQUE INDEX IF NOT EXISTS capture_id ON capture (record_id, stream);
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
# errors that say that the file is spoilt; others (busy, full, not writable) are no reason to throw it away
SPOILT = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}


def find(root: Path) -> Path | None:
    """The index of a data directory, if there is one: a regular file with no other name, as we make them.

    SQLite must not write through links, nor to files beside it that are links.
    """
    folder = root / FOLDER
    with contextlib.suppress(OSError):
        for path in [] if folder.is_symlink() else sorted(folder.iterdir()):
            found = path.lstat()
            is_ours = NAME.fullmatch(path.name) and stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            if is_ours and not any(map(os.path.islink, (f"{path}-wal", f"{path}-shm", f"{path}-journal"))):
                return path
    return None


def make(root: Path) -> Path | None:
    """The data directory's index, made if there is none; an `OSError` if it cannot be made."""
    folder = root / FOLDER
    if (found := find(root)) is None and not folder.is_symlink():
        folder.mkdir(mode=0o700, exist_ok=True)
        new = folder / f"journal-{os.urandom(8).hex()}.sqlite3"
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        # of two that were made at once, all processes take the first
        found = find(root)
    return found


def connect(path: Path | None = None, *, is_thorough: bool = False) -> sqlite3.Connection:
    """The database with our tables; without a path, one that lasts as long as the connection.

    A `sqlite3.DatabaseError` if its rows were changed: that of a small file, or of any if the check is thorough.
    """
    # pyarrow reads on in a thread of its own while this one waits for it
    database = sqlite3.connect(path or "", timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # after a power cut it is older, never inconsistent
        database.execute("PRAGMA synchronous = NORMAL")
        [(version,)] = database.execute("PRAGMA user_version")
        if version == 0:
            database.executescript(SCHEMA)
        elif version != VERSION:
            raise sqlite3.DatabaseError("another version of tracker made it")
        [(pages,)] = database.execute("PRAGMA page_count")
        if path and (is_thorough or pages <= SMALL):
            _check(database)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    """Refuse a file that is damaged, and rows that do not add up."""
    [(found,)] = database.execute("PRAGMA integrity_check(1)")
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    totals = Counter[str]()
    for stream, total in database.execute("SELECT name, total FROM stream"):
        totals[stream] -= total
    for table in TABLES:
        for row in database.execute(f"SELECT * FROM {table}"):
            totals[row[0]] += row_sum(row)
    for stream, total in totals.items():
        if total:
            raise sqlite3.DatabaseError(f"rows of {stream} were changed")


def row_sum(row: tuple[object, ...]) -> int:
    """The checksum of a row; those of a stream add up to its `total`, so that a changed or lost row is noticed."""
    return zlib.crc32(repr(row).encode("utf-8", "surrogatepass"))


def discard(root: Path) -> None:
    """Delete the index; processes that work on it go on undisturbed."""
    while (found := find(root)) is not None:
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{found}{suffix}").unlink()


def is_spoilt(error: sqlite3.DatabaseError) -> bool:
    """Whether the error is about the file's content."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in SPOILT


# --- rows


def rows_of(
    journal: Journal, stream: str, start: int, stop: int, last: tuple[str, int, object] | None
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What the index holds of the records between two offsets: each row with its table.

    Consecutive records of one window are one extent, `last` the one before them; a line that is not a record belongs to
    the extent around it.
    """
    window, begun, at = last or (None, start, None)
    for offset, line, record in journal.records(stream, start, stop):
        named = text(record.get("window"))
        if named != window:
            if window is not None:
                yield "extent", (stream, window, begun, offset, _epoch(at))
            window, begun = named, offset
        # a number is no time of a record's; here it would pass for the epoch of the extent before
        at = text(record.get("captured_at"))
        phase, parsed = record.get("phase"), record.get("parsed")
        if "tombstone" in record:
            yield "tombstone", (stream, text(record["tombstone"]), record_id(stream, line, record), named)
        # values that belong to no window, of which a year has half a million, are no captures
        elif phase in PHASES or (phase is None and named and isinstance(parsed, dict)):
            own_id, provider = record_id(stream, line, record), text(record.get("provider"))
            lane = lane_of(record) or ""
            yield "capture", (stream, offset, own_id, provider, lane, named, phase or COUNT, _epoch(at))
            for key, value in parsed.items() if isinstance(parsed, dict) else ():
                if key.endswith("_reset_at") and instant(value):
                    yield "reset", (stream, provider, _epoch(value), own_id)
        line, record = b"", {}
    if window is not None and begun < stop:
        yield "extent", (stream, window, begun, stop, _epoch(at))


def _epoch(value: object) -> float:
    """An instant in epoch seconds, 0 if there is none."""
    if isinstance(value, float):
        return value
    found = instant(value)
    return found.timestamp() if found else 0.0
