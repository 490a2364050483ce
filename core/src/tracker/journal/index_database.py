"""The file of the derived index: a SQLite database under `.index/`, which may be deleted at any moment.

Its name is random: a process that still works on a deleted one can never meet the journal (`-wal`) of its successor.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

VERSION = 6
FOLDER = ".index"
WAIT_SECONDS = 30
SCHEMA = """
CREATE TABLE stream (name TEXT PRIMARY KEY, size INTEGER, inode INTEGER, head BLOB, tail BLOB);
CREATE TABLE extent (stream TEXT, window TEXT, start INTEGER, stop INTEGER);
CREATE INDEX extent_window ON extent (window, stream, start);
CREATE INDEX extent_stop ON extent (stream, stop);
CREATE TABLE capture (stream TEXT, position INTEGER, record_id TEXT, provider TEXT, agent TEXT, window TEXT, phase TEXT,
  at REAL);
CREATE INDEX capture_lane ON capture (stream, provider, agent, at, position);
CREATE UNIQUE INDEX capture_id ON capture (record_id, stream);
CREATE TABLE reset (stream TEXT, provider TEXT, at REAL, record_id TEXT);
CREATE INDEX reset_at ON reset (stream, provider, at);
CREATE TABLE tombstone (stream TEXT, target TEXT, record_id TEXT);
CREATE INDEX tombstone_target ON tombstone (target, stream);
CREATE INDEX tombstone_id ON tombstone (record_id);
"""
TABLES = ("extent", "capture", "reset", "tombstone")
# what says that the file is spoilt; anything else (busy, full, not writable) is no reason to throw it away
SPOILT = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}


def find(root: Path) -> Path | None:
    """The index of a data directory, where there is one."""
    return min((root / FOLDER).glob("journal-*.sqlite3"), default=None)


def open_file(root: Path) -> sqlite3.Connection:
    """The data directory's index, made where there is none; an `OSError` where it cannot be."""
    folder = root / FOLDER
    if folder.is_symlink():
        raise OSError(f"{folder} is a symbolic link")
    folder.mkdir(mode=0o700, exist_ok=True)
    if find(root) is None:
        new = folder / f"journal-{secrets.token_hex(8)}.sqlite3"
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    found = find(root)  # of two that were made at once all take the first
    if found is None:
        raise OSError(f"{folder} was deleted in this moment")
    return connect(str(found))


def open_memory() -> sqlite3.Connection:
    """An index that lasts as long as this process: for a directory that may only be read."""
    return connect(":memory:")


def connect(path: str) -> sqlite3.Connection:
    """The database with our tables; those of another version are dropped."""
    # pyarrow reads on in a thread of its own while this one waits for it
    database = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # after a power cut it is older, never inconsistent
        if not _is_current(database):
            with writing(database):
                if not _is_current(database):  # another process may have been faster
                    _make(database)
    except BaseException:
        database.close()
        raise
    return database


def _is_current(database: sqlite3.Connection) -> bool:
    return bool(database.execute("PRAGMA user_version").fetchone()[0] == VERSION)


def _make(database: sqlite3.Connection) -> None:
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        database.execute(f'DROP TABLE "{table}"')
    for statement in SCHEMA.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def discard(root: Path) -> None:
    """Delete the index; whoever works on it goes on undisturbed."""
    while (found := find(root)) is not None:
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{found}{suffix}").unlink()


def is_spoilt(error: sqlite3.DatabaseError) -> bool:
    """Whether the error speaks of the file's content."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in SPOILT


@contextlib.contextmanager
def writing(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # some errors have rolled back already
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
