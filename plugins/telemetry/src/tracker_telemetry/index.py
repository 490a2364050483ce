"""The derived index of events: one DuckDB file under `.index/`, deleted at any time and rebuilt from the JSON lines.

It remembers how far it has read each stream, and what stood there, and reads on from there. Whatever is wrong with the
file costs only the time to rebuild it; if another process holds it, this one makes an index in memory.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import orjson

from tracker.api import Rejected, Source
from tracker.kernel import Journal, Session, TrackerError
from tracker_telemetry import FOLDER
from tracker_telemetry.sessions.files import is_linked
from tracker_telemetry.stored_rows import digest_of, parts, row_id, split

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
LineEvents: TypeAlias = "tuple[bytes, Sequence[dict[str, Any]] | None]"  # a line, and its events

FILE = "telemetry.duckdb"
VERSION = 8
PART = 8 << 20  # bytes of a stream that are inserted at once
RAW = b'"raw_text"'  # of a whole stream in one row, as schema 1.0.0 has it
LARGEST = 64 << 20  # bytes of a line
WAIT_SECONDS = 5.0  # how long another process may hold the file
SETTINGS = "SET preserve_insertion_order = false; SET TimeZone = 'UTC'"
MEMORY = "200MB"  # of the file; what does not fit is beside it
MORE_MEMORY = "1GB"  # without a file; ten million latencies, in all, by lane and by model, hold 500 MB
# as the journal has them; a value that does not fit its column is null
COLUMNS = ", ".join(
    [f"'{name}': 'VARCHAR'" for name in ("record_id", "window", "key", "ts", "rid", "lane", "model")]
    + [f"'{name}_tokens': 'DOUBLE'" for name in ("input", "output", "cache_read", "cache_write")]
    + ["'cache_write_5m_tokens': 'DOUBLE', 'cache_write_1h_tokens': 'DOUBLE', 'latency_ms': 'DOUBLE'"]
    + ["'routed': 'BOOLEAN', 'ok': 'BOOLEAN'"]
)
SCHEMA = f"""
CREATE OR REPLACE TABLE stream (name VARCHAR, size BIGINT, origin VARCHAR, head BLOB, tail BLOB);
CREATE OR REPLACE TABLE event (stream VARCHAR, id UBIGINT, win VARCHAR, key VARCHAR, ts DOUBLE, rid VARCHAR,
  lane VARCHAR, model VARCHAR, routed BOOLEAN, ok BOOLEAN, input BIGINT, output BIGINT, cache_read BIGINT,
  cache_write BIGINT, cache_write_1h BIGINT, latency DOUBLE, is_uncounted BOOLEAN);
COMMENT ON TABLE event IS '{VERSION}';
"""
COUNT = "CASE WHEN {0} > 0 AND {0} < 9007199254740992 AND {0} = floor({0}) THEN {0}::BIGINT ELSE 0 END"
SECONDS = "TRY_CAST(ts AS DOUBLE) BETWEEN 1e8 AND 1e12"  # `20260110` is a day
INSERT = f"""
INSERT INTO event SELECT $stream, hash(coalesce(record_id, uuid()::VARCHAR)), coalesce("window", ''), key,
  coalesce(epoch(TRY_CAST(replace(ts, ',', '.') AS TIMESTAMPTZ)), CASE WHEN {SECONDS} THEN TRY_CAST(ts AS DOUBLE) END),
  coalesce(rid, ''), coalesce(lane, ''), coalesce(model, ''), routed, coalesce(ok, false),
  {COUNT.format("input_tokens")}, {COUNT.format("output_tokens")}, {COUNT.format("cache_read_tokens")},
  {COUNT.format("cache_write_tokens")} + {COUNT.format("cache_write_5m_tokens")},
  {COUNT.format("cache_write_1h_tokens")}, CASE WHEN latency_ms >= 0 AND latency_ms < 1e300 THEN latency_ms END,
  coalesce(ok, false) AND coalesce(input_tokens, output_tokens) IS NULL
FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
  columns = {{{COLUMNS}}})
"""
# a record that is in the stream twice, as after a merge, counts once: of the new rows those are left out
ONCE = """
DELETE FROM event WHERE stream = $1 AND rowid >= $2 AND (
  id IN (SELECT id FROM event WHERE stream = $1 AND rowid < $2)
  OR rowid NOT IN (SELECT min(rowid) FROM event WHERE stream = $1 AND rowid >= $2 GROUP BY id))
"""


def ask(session: Session, source: Source, windows: Sequence[str] | None, take: Callable[[DuckDBPyConnection], T]) -> T:
    """What `take` makes of `standing`, a view of the events of some windows; called again if the file is spoilt."""
    import duckdb

    path = session.root / FOLDER / FILE
    removed = session.index.tombstoned(source.stream)
    may_write = not session.dry_run and session.root.is_dir() and not path.parent.is_symlink()
    if may_write and is_linked(path):
        _discard(path)
    for place in (path, path, None) if may_write and not is_linked(path) else (None,):
        try:
            with _opened(place) as database:
                _catch_up(session, source, database)
                _define(database, source.stream, windows, removed)
                return take(database)
        except duckdb.OutOfMemoryException as error:
            raise TrackerError(f"DuckDB has too little memory for {source.stream}: {error}") from error
        except duckdb.Error:
            if place is None:
                raise
            _discard(place)
    raise AssertionError  # the last place is memory, which gives an answer or raises


def ask_log(events: Iterator[dict[str, Any]], take: Callable[[DuckDBPyConnection], T]) -> T:
    """What `take` makes of events that are not stored."""
    with _opened(None) as database, tempfile.TemporaryDirectory() as folder:
        _load_events(database, "log", events, Path(folder) / "events.jsonl")
        _define(database, "log", None, ())
        return take(database)


def _define(database: DuckDBPyConnection, stream: str, windows: Sequence[str] | None, removed: Iterable[str]) -> None:
    """Define `standing`: without what was taken back; of a key the largest total, of equal ones that with a latency."""
    where = "stream = getvariable('stream')"
    if windows is not None:
        where += " AND list_contains(getvariable('windows'), win)"
    if removed:
        where += " AND id NOT IN (SELECT hash(unnest(getvariable('removed'))))"
    if database.execute("SELECT 1 FROM event WHERE key IS NOT NULL LIMIT 1").fetchone():
        order = "input + output + cache_read + cache_write + cache_write_1h DESC, latency IS NULL, NOT ok, id"
        where += f" QUALIFY key IS NULL OR row_number() OVER (PARTITION BY win, key ORDER BY {order}) = 1"
    for name, value in (("windows", windows or ()), ("removed", removed)):
        database.execute(f"SET VARIABLE {name} = $1::VARCHAR[]", [list(value)])
    database.execute("SET VARIABLE stream = $1", [stream])
    database.execute(f"CREATE OR REPLACE TEMP VIEW standing AS SELECT *, rowid AS place FROM event WHERE {where}")


# --- the file


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[DuckDBPyConnection]:
    with contextlib.closing(_connect(path)) as database:
        database.execute(SETTINGS)
        known = database.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'event'").fetchone()
        if known != (str(VERSION),):
            database.execute(SCHEMA)
        yield database


def _connect(path: Path | None) -> DuckDBPyConnection:
    """The file, if there may be one and nobody else holds it; else memory, as for a name that is not UTF-8."""
    import duckdb

    until = time.monotonic() + WAIT_SECONDS
    while path is not None:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            database = duckdb.connect(str(path), config={"memory_limit": MEMORY})
            path.chmod(0o600)
            return database
        except (duckdb.IOException, OSError, UnicodeError, RuntimeError) as error:
            is_locked = "lock" in str(error)
            if not is_locked and isinstance(error, duckdb.Error) and path.exists():
                raise  # the file is spoilt
            if not is_locked or time.monotonic() > until:
                break
            time.sleep(0.05)
    return duckdb.connect(config={"memory_limit": MORE_MEMORY})


def _discard(path: Path) -> None:
    """Delete the file, which is rebuilt when it is asked next; if it is a link, the link."""
    for name in (path, path.with_name(f"{path.name}.wal")):
        with contextlib.suppress(OSError):
            name.unlink()


# --- reading the streams


def _catch_up(session: Session, source: Source, database: DuckDBPyConnection) -> None:
    """Read what the stream got since the last time; all of it if it is not the stream that was read."""
    stream, journal = source.stream, session.journal
    row = database.execute("SELECT size, origin, head, tail FROM stream WHERE name = ?", [stream]).fetchone()
    size, *known = row or (0, None, None, None)
    now = journal.glance(stream, size)
    # the journal's index is made anew, under another name, where `tracker doctor` finds an edit
    origin = f"{now.inode} {session.index.path and session.index.path.name}"
    is_same = known == [origin, now.head, now.tail]
    if size == now.size and (is_same or not size):
        return
    database.execute("BEGIN")
    [(first,)] = database.execute("SELECT coalesce(max(rowid), -1) + 1 FROM event").fetchall()
    if not is_same or size > now.size:
        size = 0
        database.execute("DELETE FROM event WHERE stream = ?", [stream])
    with tempfile.TemporaryDirectory() as folder:
        for part in parts(session, stream, size, now.size, PART):
            path = Path(folder) / "events.jsonl"
            path.write_bytes(part)
            database.execute(INSERT, {"stream": stream, **_file(path)})
            database.execute("DELETE FROM event WHERE routed IS NULL")
            for record in map(Journal.decode, part.split(b"\n") if RAW in part else ()):
                if record and isinstance(raw := record.get("raw_text"), str) and "routed" not in record:
                    _load_events(database, stream, _of_row(session, source, str(record.get("window") or ""), raw), path)
    database.execute(ONCE, [stream, first])
    mark = journal.glance(stream, now.size)
    database.execute("DELETE FROM stream WHERE name = ?", [stream])
    database.execute("INSERT INTO stream VALUES (?, ?, ?, ?, ?)", [stream, now.size, origin, mark.head, mark.tail])
    database.execute("COMMIT")


def _of_row(session: Session, source: Source, window: str, text: str) -> Iterator[dict[str, Any]]:
    """The events of a whole stream that schema 1.0.0 kept in one row, with the ids that `ingest` gives them now."""
    digest, shown = digest_of(source.name, window), Counter[bytes]()
    for line, events in events_of(session, source, split(text)):
        key = digest(line)
        for part, event in enumerate(events or ()):
            yield {**event, "window": window, "record_id": row_id(key, shown[key], part).hex()}
        shown[key] += 1


def _load_events(database: DuckDBPyConnection, stream: str, events: Iterator[dict[str, Any]], path: Path) -> None:
    """Insert events that are not rows of the journal."""
    with path.open("wb") as file:
        for event in events:
            file.write(orjson.dumps({"routed": False, "ok": True, **event}) + b"\n")
    database.execute(INSERT, {"stream": stream, **_file(path)})


def _file(path: Path) -> dict[str, Any]:
    """What `INSERT` asks for. DuckDB reads twice of the size at once."""
    return {"path": str(path), "size": min(path.stat().st_size + 1, LARGEST)}


def events_of(session: Session, source: Source, lines: Iterator[bytes]) -> Iterator[LineEvents]:
    """Lines with the events that a plugin makes of them; None if it cannot read the line."""
    ingest_line = session.registry.bind(source.name, "ingest_line")
    scratch: dict[str, Any] = {}
    while part := list(islice(lines, 500)):  # read outside of the guard, which takes standard input away
        found: list[LineEvents] = []
        with session.registry.guarded(source.name, "ingest_line"):
            for line in part:
                try:
                    found.append((line, ingest_line(line, scratch)))
                except Rejected:
                    found.append((line, None))
        yield from found
