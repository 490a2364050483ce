"""The file of the derived index: a SQLite database under `.index/`, which may be deleted at any time and is rebuilt.

No answer depends on it. Before it answers, it reads what its streams got since the last time; it remembers how far that
was, in which file, what the bytes around that point were and a checksum of each megabyte. An index that does not fit
its stream, or is spoilt, is rebuilt; one that cannot be written is left alone, and a copy in memory answers.
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
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from tracker.contract.readings import instant
from tracker.journal.journal import WAIT_SECONDS, Journal
from tracker.journal.records import COUNT, PHASES, lane_of, record_id, text

VERSION = 18
FOLDER = ".index"
NAME = re.compile(r"journal-[0-9a-f]{16}\.sqlite3")
SMALL = 64  # pages of 4 kB: an index of so many is checked whenever it is opened, in a millisecond; others on request
TABLES = ("extent", "capture", "lane", "reset", "tombstone")
SPOILT = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}
EVENT = re.compile(
    rb'\{"record_id":"[0-9a-f]{32}(","window":"[^"\\]*","provider":"[^"\\]*","captured_at":"[^"\\]*","source":"ingest",'
    rb'"notes":[^{}\[\]]*"tool_version":"[^"\\]*","ts":)'
)
Row = tuple[Any, ...]


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
    return find(root)  # of two that were made at once, all processes take the first


def connect(path: Path | None = None, *, is_thorough: bool = False) -> sqlite3.Connection:
    """The database with our tables; without a path, one that lasts as long as the connection.

    A `sqlite3.DatabaseError` if its rows were changed: that of a small file, or of any if the check is thorough.
    """
    # pyarrow reads on in a thread of its own while this one waits for it
    database = sqlite3.connect(path or ":memory:", timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.create_function("place", 1, place, deterministic=True)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # after a power cut it is older, never inconsistent
        [(version,)] = database.execute("PRAGMA user_version")
        if version == 0:
            schema = Path(__file__).with_name("index.sql").read_text(encoding="utf-8")
            database.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {VERSION}; COMMIT")
        elif version != VERSION:
            raise sqlite3.DatabaseError("it was made by another version of tracker")
        [(pages,)] = database.execute("PRAGMA page_count")
        if not path or (pages > SMALL and not is_thorough):
            return database
        [(found,)] = database.execute("PRAGMA integrity_check(1)")
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        totals = Counter(dict(database.execute("SELECT name, -total FROM stream")))
        for row in chain.from_iterable(database.execute(f"SELECT * FROM {table}") for table in TABLES):
            totals[row[0]] += row_sum(row)
        wrong = [name for name, total in totals.items() if total]
        listed, derived = (database.execute(f"SELECT * FROM {name} ORDER BY name") for name in ("window", "named"))
        if wrong or any(one != other for one, other in zip_longest(listed, derived)):
            raise sqlite3.DatabaseError(f"rows of {(wrong or ['windows'])[0]} were changed")
    except BaseException:
        database.close()
        raise
    return database


def is_spoilt(error: sqlite3.DatabaseError) -> bool:
    """Whether an error means that the file is damaged. One that is busy or cannot be written is kept."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in SPOILT


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
        # values without a window, half a million a year, are not captures
        elif phase in PHASES or (phase is None and named and isinstance(parsed, dict)):
            own_id, provider = record_id(stream, line, record), text(record.get("provider"))
            lane = lane_of(record) or ""
            yield "capture", (stream, offset, own_id, provider, lane, named, phase or COUNT, at)
            yield "lane", (stream, lane, provider)
            for key, value in parsed.items() if isinstance(parsed, dict) else ():
                if key.endswith("_reset_at") and (reset := epoch(value)):
                    yield "reset", (stream, provider, reset, own_id)
        line, record = b"", {}
    if window:
        yield "extent", (stream, window, begun, stop, newest)
