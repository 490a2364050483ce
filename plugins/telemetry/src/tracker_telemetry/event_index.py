"""What telemetry adds up to, per window: tables of the derived index.

`total` holds sums and latency buckets per lane, model, day and side; `chunk` the events of one run by column, for exact
percentiles, time spans and costs per request; `whole` knows the rows of schema 1.0.0, which hold a stream each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from attrs import define, field

from tracker_telemetry import line_index, seen
from tracker_telemetry.event_columns import Columns, Group, Row, Sums, Tally, row_of, tally
from tracker_telemetry.line_index import Known, checked, coded, key_of, verified
from tracker_telemetry.percentiles import Buckets

JOINED = 4096  # events from which on a chunk is not joined to the one before it
TOTAL = "lane, model, day, routed, events, errors, input, output, cache_read, cache_write, buckets"
PACKED = "groups, places, input, output, cache_read, cache_write, latencies, moments, rids, checksum"
SCHEMA = (
    """
CREATE TABLE total (stream TEXT, window TEXT, lane TEXT, model TEXT, day TEXT, routed INTEGER, events INTEGER,
  errors INTEGER, input INTEGER, output INTEGER, cache_read INTEGER, cache_write INTEGER, buckets BLOB,
  PRIMARY KEY (window, stream, lane, model, day, routed)) WITHOUT ROWID;
CREATE TABLE chunk (id INTEGER PRIMARY KEY, stream TEXT, window TEXT, events INTEGER, first REAL, last REAL,
  groups BLOB, places BLOB, input BLOB, output BLOB, cache_read BLOB, cache_write BLOB, latencies BLOB, moments BLOB,
  rids BLOB, checksum INTEGER);
CREATE INDEX chunk_window ON chunk (window, stream);
CREATE TABLE whole (stream TEXT, window TEXT, position INTEGER);
"""
    + line_index.SCHEMA
    + seen.SCHEMA
)
TABLES = ("total", "chunk", "whole")


def forget(database: sqlite3.Connection, stream: str) -> None:
    """Forget a stream's lines, and the places of followed files, which another journal took in."""
    for table in seen.TABLES:
        database.execute(f"DELETE FROM {table}")
    line_index.forget(database, stream)


# --- writing


def store(database: sqlite3.Connection, stream: str, window: str, tally: Tally) -> None:
    """Add events of a window."""
    for group, sums in zip(tally.columns.groups, tally.sums(), strict=True):
        _add(database, stream, window, group, sums)
    if len(tally.columns):
        _append(database, stream, window, tally.columns)


def _add(database: sqlite3.Connection, stream: str, window: str, group: Group, sums: Sums) -> None:
    key = (stream, window, *group)
    where = "stream = ? AND window = ? AND lane = ? AND model = ? AND day = ? AND routed = ?"
    row = database.execute(f"SELECT {TOTAL} FROM total WHERE {where}", key).fetchone()
    if row is not None:
        sums.add(_total(row)[1])
    marks = ",".join("?" * 13)
    values = (*key, sums.events, sums.errors, *sums.tokens, orjson.dumps(sums.buckets.to_json()))
    database.execute(f"INSERT OR REPLACE INTO total (stream, window, {TOTAL}) VALUES ({marks})", values)


def _append(database: sqlite3.Connection, stream: str, window: str, found: Columns) -> None:
    """Add a chunk; small ones are joined with small ones before them, so that a slow stream does not make millions."""
    query = f"SELECT id, {PACKED} FROM chunk WHERE window = ? AND stream = ? AND events < ? ORDER BY id DESC LIMIT 1"
    while len(found) < JOINED:
        row = database.execute(query, (window, stream, min(2 * len(found), JOINED))).fetchone()
        if row is None:
            break
        database.execute("DELETE FROM chunk WHERE id = ?", (row[0],))
        before = Columns.unpack(verified(row[1:]))
        before.extend(found)
        found = before
    times = [moment for moment in found.moments if moment == moment]
    span = (min(times, default=None), max(times, default=None))
    values = (stream, window, len(found), *span, *checked(found.pack()))
    database.execute(f"INSERT INTO chunk VALUES (NULL, {','.join('?' * len(values))})", values)


@define
class Collector:
    """Records that are read back from a stream; `flush` notes them."""

    stream: str
    _pending: dict[str, list[tuple[int, Mapping[str, Any], Row | None]]] = field(factory=dict)
    _wholes: list[tuple[str, str, int]] = field(factory=list)

    def record(self, offset: int, record: Mapping[str, Any]) -> None:
        """Add the record that stands at an offset, whatever it is."""
        window = str(record.get("window") or "")
        if "rejected" in record or "routed" in record:
            kept = {name: record.get(name) for name in KEPT}
            row = None if "rejected" in record else row_of(record)
            self._pending.setdefault(window, []).append((offset, kept, row))
        elif isinstance(record.get("raw_text"), str):  # schema 1.0.0: a whole stream in one row
            self._wholes.append((self.stream, window, offset))

    def flush(self, database: sqlite3.Connection) -> None:
        """Write what was collected and begin anew."""
        database.executemany("INSERT INTO whole VALUES (?, ?, ?)", self._wholes)
        for window, pending in self._pending.items():
            store(database, self.stream, window, tally(_note_lines(database, self.stream, window, pending)))
        self._pending, self._wholes = {}, []


KEPT = ("record_id", "nth", "part", "parts", "routed")


def _note_lines(
    database: sqlite3.Connection,
    stream: str,
    window: str,
    pending: Iterable[tuple[int, Mapping[str, Any], Row | None]],
) -> list[Row]:
    """Note which lines the records are of; the events among them, without records that stand there twice."""
    by_key = [(_key(record), offset, record, row) for offset, record, row in pending]
    known = line_index.lookup(database, window, (key for key, *_ in by_key if key is not None))
    plain: dict[int, int] = {}
    others: dict[int, Known] = {}
    rows: list[Row] = []
    for key, offset, record, row in by_key:
        if key is None:
            rows += [row] if row is not None else []
            continue
        old = known.get(key)
        new = _counted(old, offset, record, is_event=row is not None)
        if new is None:
            continue
        if row is not None:
            rows.append(row)
        if old is None and new.parts == 1:
            plain[key] = coded(offset, new.routed)
        else:
            others[key] = new
        known.put(key, new)
    line_index.keep(database, stream, window, plain, others)
    return rows


def _key(record: Mapping[str, Any]) -> int | None:
    """The key of a record's line; None where somebody else wrote the record."""
    record_id = record["record_id"]
    try:
        return key_of(record_id) if isinstance(record_id, str) else None
    except ValueError:
        return None


def _counted(old: Known | None, offset: int, record: Mapping[str, Any], *, is_event: bool) -> Known | None:
    """What is known of a line with one more of its rows; None where the row changes nothing."""
    routed = int(record["routed"] is True)
    parts = _count(record["parts"]) or 1 if is_event else 0
    if old is None or (is_event and not old.parts):  # new, or rejected by an older release that could not read it
        return Known(offset, 1, parts, routed)
    nth = _count(record["nth"])
    if old.parts and not is_event:
        return None
    if nth * (old.parts or 1) + _count(record["part"]) < old.rows:
        return None
    return old._replace(rows=old.rows + 1, routed=old.routed + (0 if nth else routed))


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


# --- asking

TotalRow = tuple[Group, Sums]


def totals(database: sqlite3.Connection, stream: str, windows: Sequence[str]) -> list[TotalRow]:
    """What the events of some windows add up to, per lane, model, day and side."""
    return [_total(row) for row in _select(database, TOTAL, "total", stream, windows)]


def _total(row: Sequence[Any]) -> TotalRow:
    lane, model, day, routed, events, errors, *tokens, buckets = row
    sums = Sums(events, errors, tokens, Buckets.from_json(orjson.loads(buckets)))
    return Group(lane, model, day, bool(routed)), sums


def chunks(database: sqlite3.Connection, stream: str, windows: Sequence[str]) -> Iterator[Columns]:
    """The events of some windows by column."""
    for row in _select(database, PACKED, "chunk", stream, windows):
        yield Columns.unpack(verified(row))


def outside(database: sqlite3.Connection, stream: str, window: str, start: float, end: float) -> int:
    """How many of a window's events have a time before its start or after its end (epoch s)."""
    query = f"SELECT {PACKED} FROM chunk WHERE window = ? AND stream = ? AND (first < ? OR last > ?)"
    found = (Columns.unpack(verified(row)) for row in database.execute(query, (window, stream, start, end)))
    return sum(moment < start or moment > end for chunk in found for moment in chunk.moments)


def same_time(database: sqlite3.Connection, stream: str, window: str, most: int) -> list[str]:
    """Other windows with events from the span of this one's, the last written ones first."""
    query = "SELECT min(first), max(last) FROM chunk WHERE window = ? AND stream = ?"
    first, last = database.execute(query, (window, stream)).fetchone()
    query = (
        "SELECT window FROM chunk WHERE stream = ? AND window != ? AND window != ''"
        " AND (first IS NULL OR first <= ? AND last >= ?) GROUP BY window ORDER BY max(id) DESC LIMIT ?"
    )
    return [name for (name,) in database.execute(query, (stream, window, last, first, most))]


def whole(database: sqlite3.Connection, stream: str, windows: Sequence[str]) -> list[int]:
    """Where rows of schema 1.0.0 stand, which hold a whole stream each."""
    return [position for (position,) in _select(database, "position", "whole", stream, windows)]


def _select(
    database: sqlite3.Connection, what: str, table: str, stream: str, windows: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    for window in windows:
        yield from database.execute(f"SELECT {what} FROM {table} WHERE window = ? AND stream = ?", (window, stream))
