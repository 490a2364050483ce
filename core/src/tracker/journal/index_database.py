"""The file of the derived index: a SQLite database under `.index/`, which may be deleted at any moment.

Its name is random: a process that still works on a deleted one never meets the write-ahead log of its successor.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sqlite3
import stat
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tracker.journal.lock import NOTICE_SECONDS, WAIT_SECONDS

VERSION = 7
FOLDER = ".index"
NAME = re.compile(r"journal-[0-9a-f]{16}\.sqlite3")
# bytes of an index that is checked whenever it is opened, which takes a millisecond; larger ones by `tracker doctor`
SMALL = 256 << 10
SCHEMA = """
CREATE TABLE stream (name TEXT PRIMARY KEY, size INTEGER, inode INTEGER, head BLOB, tail BLOB, total INTEGER);
CREATE TABLE block (stream TEXT, number INTEGER, checksum INTEGER, PRIMARY KEY (stream, number)) WITHOUT ROWID;
CREATE TABLE extent (stream TEXT, window TEXT, start INTEGER, stop INTEGER, at REAL);
CREATE INDEX extent_window ON extent (window, stream, start);
CREATE INDEX extent_stop ON extent (stream, stop);
CREATE INDEX extent_at ON extent (at, window);
CREATE TABLE capture (stream TEXT, position INTEGER, record_id TEXT, provider TEXT, agent TEXT, window TEXT, phase TEXT,
  at REAL);
CREATE INDEX capture_lane ON capture (stream, provider, agent, at, position);
CREATE UNIQUE INDEX capture_id ON capture (record_id, stream);
CREATE TABLE reset (stream TEXT, provider TEXT, at REAL, record_id TEXT);
CREATE INDEX reset_at ON reset (stream, provider, at);
CREATE TABLE tombstone (stream TEXT, target TEXT, record_id TEXT);
CREATE INDEX tombstone_target ON tombstone (target, stream);
"""
TABLES = ("extent", "capture", "reset", "tombstone")
# errors that say that the file is spoilt; others (busy, full, not writable) are no reason to throw it away
SPOILT = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}


def find(root: Path) -> Path | None:
    """The index of a data directory, if there is one: a regular file with no other name, as we make them."""
    folder = root / FOLDER
    with contextlib.suppress(OSError):
        if not folder.is_symlink():
            return min((path for path in folder.iterdir() if _is_ours(path)), default=None)
    return None


def _is_ours(path: Path) -> bool:
    """Whether we made the file and SQLite may write to it: not through links, nor to files beside it that are links."""
    if not NAME.fullmatch(path.name):
        return False
    found = path.lstat()
    beside = (path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-journal"))
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and not any(map(Path.is_symlink, beside))


def open_file(root: Path) -> sqlite3.Connection:
    """The data directory's index, made if there is none; an `OSError` if it cannot be made."""
    folder = root / FOLDER
    if folder.is_symlink():
        raise OSError(f"{folder} is a symbolic link")
    folder.mkdir(mode=0o700, exist_ok=True)
    if find(root) is None:
        new = folder / f"journal-{secrets.token_hex(8)}.sqlite3"
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # of two that were made at once, all processes take the first
    found = find(root)
    if found is None:
        raise OSError(f"{folder} was deleted at this moment")
    database = connect(str(found))
    try:
        if found.stat().st_size <= SMALL and (wrong := faults(database)):
            raise sqlite3.DatabaseError(wrong[0])
    except BaseException:
        database.close()
        raise
    return database


def connect(path: str = "") -> sqlite3.Connection:
    """The database with our tables; without a path, one that lasts as long as the connection."""
    # pyarrow reads on in a thread of its own while this one waits for it
    database = sqlite3.connect(path, timeout=NOTICE_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # after a power cut it is older, never inconsistent
        database.execute("PRAGMA synchronous = NORMAL")
        if not _is_current(database):
            with writing(database):
                # another process may have been faster
                if not _is_current(database):
                    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                        database.execute(f'DROP TABLE "{table}"')
                    for statement in SCHEMA.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        database.close()
        raise
    return database


def _is_current(database: sqlite3.Connection) -> bool:
    return bool(database.execute("PRAGMA user_version").fetchone()[0] == VERSION)


def copy(database: sqlite3.Connection) -> sqlite3.Connection:
    """A temporary copy of what is committed; an empty one if that cannot be read."""
    new = connect()
    try:
        database.backup(new)
    except sqlite3.Error:
        new.close()
        new = connect()
    return new


def discard(root: Path) -> None:
    """Delete the index; processes that work on it go on undisturbed."""
    while (found := find(root)) is not None:
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{found}{suffix}").unlink()


def is_spoilt(error: sqlite3.DatabaseError) -> bool:
    """Whether the error is about the file's content."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in SPOILT


def is_busy(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def row_sum(row: tuple[object, ...]) -> int:
    """The checksum of a row; those of a stream add up to its `total`, so that a changed or lost row is noticed."""
    return zlib.crc32(repr(row).encode("utf-8", "surrogatepass"))


def faults(database: sqlite3.Connection) -> list[str]:
    """What is wrong with the file, or with rows in it."""
    found = [row[0] for row in database.execute("PRAGMA integrity_check(1)") if row[0] != "ok"]
    totals: Counter[str] = Counter()
    for table in () if found else TABLES:
        for row in database.execute(f"SELECT * FROM {table}"):
            totals[row[0]] += row_sum(row)
    known = dict(database.execute("SELECT name, total FROM stream")) if not found else totals
    return found or [f"rows of {name} were changed" for name in {*known, *totals} if known.get(name, 0) != totals[name]]


@contextlib.contextmanager
def writing(database: sqlite3.Connection, warn: Callable[[str], None] | None = None) -> Iterator[None]:
    """One transaction. It waits 5 s for another process and tells `warn` after one; without `warn` it waits one."""
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if warn is None or not is_busy(error):
            raise
        warn("waiting for the index, which another process is changing")
        database.execute(f"PRAGMA busy_timeout = {1000 * (WAIT_SECONDS - NOTICE_SECONDS):.0f}")
        database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        # some errors have rolled back already
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
