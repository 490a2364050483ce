"""Which telemetry lines are stored, where, and how often: two tables of the derived index.

A line is known by a 64-bit hash of source, window and bytes, with which the ids of its records begin. (Two of ten
million lines share one with a probability of 3 in a million.) The lines of a large batch are one row of `recent`, in
their order: to look a batch up is to scan it at 25 ns a line, where a tree of random hashes takes 2 us to put a line in
and 2 us to find it. Beyond `SCANNED` lines of a window the oldest rows move into that tree, `line`, which also holds
whatever is not one event stored once.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from attrs import define, field

PARAMETERS = 900  # values of one query
BULK = 1000  # lines that are worth a row of `recent`
SCANNED = 1_000_000  # lines of a window in `recent`
FEW = 1000  # rows of `line` that are read as a whole rather than looked up
SCHEMA = """
CREATE TABLE line_stream (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE line (hash INTEGER PRIMARY KEY, stream INTEGER, position INTEGER, rows INTEGER, parts INTEGER,
  routed INTEGER);
CREATE TABLE recent (id INTEGER PRIMARY KEY, stream TEXT, window TEXT, hashes BLOB, codes BLOB, checksum INTEGER);
CREATE INDEX recent_window ON recent (window, stream, checksum);
"""
RECENT = "hashes, codes, checksum"


def checked(blobs: Sequence[bytes]) -> tuple[Any, ...]:
    """Blobs and their checksum: SQLite does not notice where their pages were spoilt."""
    return *blobs, _checksum(blobs)


def verified(row: Sequence[Any]) -> Sequence[bytes]:
    """The blobs that `checked` gave; a `DatabaseError` where they are others now."""
    *blobs, checksum = row
    if not all(isinstance(blob, bytes) for blob in blobs) or _checksum(blobs) != checksum:
        raise sqlite3.DatabaseError("the index is spoilt")
    return blobs


def _checksum(blobs: Sequence[bytes]) -> int:
    found = 0
    for blob in blobs:
        found = crc32(blob, found)
    return found


class Known(NamedTuple):
    """A stored line.

    position: where its first row stands in its stream. rows: how many it has. parts: how many of them make one copy,
    0 where it was rejected. routed: how many of these are routed.
    """

    position: int
    rows: int
    parts: int
    routed: int


def coded(position: int, routed: int) -> int:
    """The place of a line that is one event, stored once, and whether it is routed, as one number."""
    return position << 1 | routed


@define
class Stored:
    """What is stored of some lines: the codes of those that are one event stored once, and the others."""

    plain: dict[int, int] = field(factory=dict)
    others: dict[int, Known] = field(factory=dict)

    def get(self, key: int) -> Known | None:
        code = self.plain.get(key)
        return self.others.get(key) if code is None else Known(code >> 1, 1, 1, code & 1)

    def put(self, key: int, known: Known) -> None:
        self.plain.pop(key, None)
        self.others[key] = known

    def tell_apart(self, keys: Iterable[int]) -> None:
        """Count some of the plain ones among the others."""
        for key in keys:
            if (known := self.get(key)) is not None:
                self.put(key, known)


def digests(source: str, window: str) -> Callable[[Iterable[bytes]], list[bytes]]:
    """The BLAKE2b-128 of lines of this source in this window."""
    person = hashlib.blake2b(f"{source}\0{window}".encode(), digest_size=16).digest()
    copy = hashlib.blake2b(digest_size=16, person=person).copy  # a third faster than to make each anew

    def all_of(lines: Iterable[bytes]) -> list[bytes]:
        found = []
        for line in lines:
            state = copy()
            state.update(line)
            found.append(state.digest())
        return found

    return all_of


def keys(found: Sequence[bytes]) -> list[int]:
    """The hashes that lines are looked up by: the first halves of their digests, as SQLite's signed integers."""
    halves = array("q", b"".join(found))
    if sys.byteorder == "little":
        halves.byteswap()
    return halves[::2].tolist()


def key_of(record_id: str) -> int:
    """The same of an event's record id; a `ValueError` for what is none."""
    return int.from_bytes(bytes.fromhex(record_id[:16]).rjust(8, b"\0"), "big", signed=True)


def row_id(digest: bytes, nth: int, part: int, kind: bytes = b"") -> bytes:
    """The record id of a row: the line's digest, and for its nth copy, a further event or a rejection another half."""
    if not (nth or part or kind):
        return digest.hex().encode()
    rest = hashlib.blake2b(digest + nth.to_bytes(8, "big") + part.to_bytes(8, "big") + kind, digest_size=8)
    return (digest[:8] + rest.digest()).hex().encode()


# --- asking


@define
class Scanned:
    """What one stream has read of `recent`: the hashes by id and checksum, and the row that it met last."""

    hashes: dict[tuple[int, int], array[int]] = field(factory=dict)
    met: int = 0


def lookup(database: sqlite3.Connection, window: str, wanted: Iterable[int], scanned: Scanned | None = None) -> Stored:
    """What is stored of these lines of a window, and maybe of others; `scanned` makes the next time faster."""
    keys, found = set(wanted), Stored()
    missing, scanned = keys.copy(), scanned or Scanned()
    query = "SELECT id, checksum FROM recent WHERE window = ? ORDER BY id < ?, id"  # a replay goes on where it was
    rows = database.execute(query, (window, scanned.met)).fetchall()
    for gone in scanned.hashes.keys() - set(rows):
        del scanned.hashes[gone]
    for row in rows:
        if not missing:
            break
        if row not in scanned.hashes:
            scanned.hashes[row], _ = _row(database, row[0])
        before = len(missing)
        missing.difference_update(scanned.hashes[row])
        if len(missing) < before:
            found.plain.update(zip(*_row(database, row[0]), strict=True))
            scanned.met = row[0]
    for key, known in _in_tree(database, keys):
        found.put(key, known)
    return found


def held(database: sqlite3.Connection, window: str, wanted: Iterable[int]) -> set[int]:
    """Which of some lines are stored as events of a window: a few lines of a stream that is not that window's own."""
    keys = set(wanted)
    found = {key for key, known in _in_tree(database, keys) if known.parts}
    for (number,) in database.execute("SELECT id FROM recent WHERE window = ?", (window,)).fetchall():
        found |= keys.intersection(_row(database, number)[0])
    return found


def _row(database: sqlite3.Connection, number: int) -> tuple[array[int], array[int]]:
    """The hashes and the codes of a row of `recent`."""
    row = database.execute(f"SELECT {RECENT} FROM recent WHERE id = ?", (number,)).fetchone() or (None,) * 3
    hashes, codes = (array("q", blob) for blob in verified(row))
    return hashes, codes


def _in_tree(database: sqlite3.Connection, wanted: set[int]) -> Iterator[tuple[int, Known]]:
    few = {row[0] for row in database.execute("SELECT hash FROM line LIMIT ?", (FEW + 1,))}
    asked = sorted(wanted if len(few) > FEW else wanted & few)
    for start in range(0, len(asked), PARAMETERS):
        part = asked[start : start + PARAMETERS]
        marks = ",".join("?" * len(part))
        query = f"SELECT hash, position, rows, parts, routed FROM line WHERE hash IN ({marks})"
        for key, *known in database.execute(query, part):
            yield key, Known(*known)


# --- keeping


def keep(
    database: sqlite3.Connection,
    stream: str,
    window: str,
    plain: Mapping[int, int],
    others: Mapping[int, Known],
) -> None:
    """Note stored lines: hashes and codes of new ones that are one event each, and whatever changed of others."""
    if is_bulk := len(plain) >= BULK:
        blobs = [array("q", list(column)).tobytes() for column in (plain, plain.values())]
        database.execute("INSERT INTO recent VALUES (NULL, ?, ?, ?, ?, ?)", (stream, window, *checked(blobs)))
    else:
        _fill(database, stream, plain.items())
    number = _number(database, stream)
    rows = sorted((key, number, *known) for key, known in others.items())
    database.executemany("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?, ?)", rows)
    _settle(database, stream, window, SCANNED if is_bulk else 0)


def _settle(database: sqlite3.Connection, stream: str, window: str, most: int) -> None:
    """Move the oldest rows of a window's `recent` into the tree while they are too many; one, so that nobody waits."""
    query = "SELECT id, length(codes) / 8 FROM recent WHERE window = ? AND stream = ? ORDER BY id"
    rows = database.execute(query, (window, stream)).fetchall()
    total = sum(lines for _, lines in rows)
    if total > most:
        oldest, _ = rows[0]
        _fill(database, stream, zip(*_row(database, oldest), strict=True))
        database.execute("DELETE FROM recent WHERE id = ?", (oldest,))


def _fill(database: sqlite3.Connection, stream: str, plain: Iterable[tuple[int, int]]) -> None:
    """Put lines into the tree, unless it knows them: then it knows better."""
    number = _number(database, stream)
    rows = ((key, number, code >> 1, 1, 1, code & 1) for key, code in sorted(plain))
    database.executemany("INSERT OR IGNORE INTO line VALUES (?, ?, ?, ?, ?, ?)", rows)


def forget(database: sqlite3.Connection, stream: str) -> None:
    """Forget a stream's lines."""
    number = _number(database, stream)
    database.execute("DELETE FROM line WHERE stream = ?", (number,))
    database.execute("DELETE FROM recent WHERE stream = ?", (stream,))


def _number(database: sqlite3.Connection, stream: str) -> int:
    """A stream's number: a name in each of ten million rows would double the table."""
    query = "SELECT id FROM line_stream WHERE name = ?"
    if database.execute(query, (stream,)).fetchone() is None:
        database.execute("INSERT INTO line_stream (name) VALUES (?)", (stream,))
    return int(database.execute(query, (stream,)).fetchone()[0])
