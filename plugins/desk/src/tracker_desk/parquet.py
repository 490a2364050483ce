"""Parquet by DuckDB: a table per stream. Telemetry streams are partitioned by window and day (Hive layout, zstd)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tracker.api import Rejected, Source
from tracker.kernel import Session, TrackerError, plural, replace_file
from tracker_desk import fleet
from tracker_desk.tables import FIRST, by_path, columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# one thread, whose buffers hold panes
SETTINGS = {"preserve_insertion_order": "false", "TimeZone": "UTC", "threads": 1}
LARGEST = 64 << 20  # bytes of a row
SLICE = 500  # lines per time limit of a plugin
KINDS = {int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN", str: "VARCHAR"}
TIMES = ("captured_at", "finalized_at")
LONGEST = range(-(1 << 63), 1 << 63)
WINDOW = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
EVENT = {
    **dict.fromkeys(("record_id", "provider", "agent_id"), "VARCHAR"),
    "captured_at": "TIMESTAMPTZ",
    **dict.fromkeys(("ts", "rid", "lane", "model", "status", "reason"), "VARCHAR"),
    **dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"), "BIGINT"),
    **dict.fromkeys(("cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens"), "BIGINT"),
    **dict.fromkeys(("latency_ms", "cost_usd"), "DOUBLE"),
    **dict.fromkeys(("routed", "ok"), "BOOLEAN"),
    **dict.fromkeys(("key", "session", "project", "branch", "account", "client", "plan", "speed", "window"), "VARCHAR"),
}
# `20260110` is a day, not a count of seconds
SECONDS = "CASE WHEN TRY_CAST(ts AS DOUBLE) BETWEEN 1e8 AND 1e12 THEN to_timestamp(TRY_CAST(ts AS DOUBLE)) END"
AT = f"coalesce(TRY_CAST(ts AS TIMESTAMPTZ), {SECONDS})"


def write(session: Session, stream: str, folder: Path) -> int:
    """Write the standing records of a stream below a folder; how many there are."""
    source = next((one for one in session.registry.sources.values() if one.stream == stream), None)
    with _opened(folder / stream) as (database, rows):
        if source is not None and source.kind == "telemetry":
            return _write_events(session, source, database, rows, folder / stream)
        return _write_table(session, stream, database, rows, folder / f"{stream}.parquet")


def write_fleet(session: Session, folder: Path) -> dict[str, int]:
    """Write the tables for a fleet of machines, each into a folder of its own; how many rows each has."""
    counts = {}
    for name, table in fleet.tables(session):
        with _opened(folder / name) as (database, rows):
            counts[name] = _put(rows, table)
            (folder / name).mkdir(mode=0o700, exist_ok=True)
            query = f"SELECT * FROM {_rows_of(rows, fleet.TABLES[name])}"
            _copy(database, query, folder / name / "part-0.parquet")
    return counts


@contextmanager
def _opened(target: Path) -> Iterator[tuple[DuckDBPyConnection, Path]]:
    """A database and a place for rows, while files are made that only their owner may read."""
    import duckdb

    before = os.umask(0o077)
    try:
        # beside the target: a killed export leaves nothing elsewhere
        where = tempfile.TemporaryDirectory(prefix=".tracker-", dir=target.parent)
        with where as place, duckdb.connect(f"{place}/export") as database:
            for name, value in SETTINGS.items():
                database.execute(f"SET {name} = '{value}'")
            yield database, Path(place) / "rows.jsonl"
    except (OSError, duckdb.Error) as error:
        raise TrackerError(f"cannot write {target}: {error}; the export is not complete") from error
    finally:
        os.umask(before)


def _write_table(session: Session, stream: str, database: DuckDBPyConnection, rows: Path, path: Path) -> int:
    """One file: nested objects are columns with dotted names, lists are JSON."""
    kinds, spelled = dict[str, type](), {name: name for name in FIRST}

    def flat() -> Iterator[dict[str, Any]]:
        for entry in session.index.entries(stream):
            named = dict(by_path(entry.record)) | {"record_id": entry.record_id}
            found = {spelled.get(name) or _column(name, spelled): value for name, value in named.items()}
            for name, value in found.items():
                kinds[name] = _common(kinds.get(name, type(None)), value)
            yield found

    count = _put(rows, flat())
    if not count:
        return 0
    names = columns([kinds])
    types = {name: "TIMESTAMPTZ" if name in TIMES else KINDS.get(kinds[name], "VARCHAR") for name in names}
    query = f"SELECT {', '.join(map(_quoted, names))} FROM {_rows_of(rows, types)}"
    replace_file(path, lambda whole: _copy(database, query, whole), after="The export is not complete")
    return count


def _column(name: str, spelled: dict[str, str]) -> str:
    """The name of a new column: DuckDB refuses an empty one, and one that differs from another only in case."""
    own, taken = name or "_", {one.lower() for one in spelled.values()}
    while own.lower() in taken:
        own += "_"
    spelled[name] = own
    return own


def _write_events(session: Session, source: Source, database: DuckDBPyConnection, rows: Path, folder: Path) -> int:
    """A dataset `window=W/day=2026-01-31/part-0.parquet`."""
    left_out = 0

    def valid() -> Iterator[dict[str, Any]]:
        nonlocal left_out
        for event in _events(session, source):
            if isinstance(window := event.get("window"), str) and WINDOW.fullmatch(window):
                yield event
            else:
                left_out += 1

    if count := _put(rows, valid()):
        names = ", ".join(f"{AT} AS ts" if name == "ts" else _quoted(name) for name in EVENT)
        query = f"SELECT {names}, strftime({AT} AT TIME ZONE 'UTC', '%Y-%m-%d') AS day FROM {_rows_of(rows, EVENT)}"
        layout = "PARTITION_BY (\"window\", day), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE"
        _copy(database, query, folder, f", {layout}")
    if left_out:
        events = plural(left_out, "event")
        session.warn(f"left out {events} of {source.stream}, whose window is not a valid id")
    return count


def _events(session: Session, source: Source) -> Iterator[dict[str, Any]]:
    """Every standing event; a record of schema 1.0.0 that holds a whole stream gives its lines."""
    for entry in session.index.entries(source.stream):
        record, raw = entry.record, entry.record.get("raw_text")
        own = {**record, "record_id": entry.record_id, "agent_id": entry.lane}
        if isinstance(raw, str) and "routed" not in record:
            for at, event in enumerate(_lines_of(session, source, raw)):
                yield {**own, "raw_text": None, "parsed": None, **event, "record_id": f"{entry.record_id}-{at}"}
        elif "routed" in record:
            yield own


def _lines_of(session: Session, source: Source, text: str) -> Iterator[dict[str, Any]]:
    """The events of a stream that schema 1.0.0 kept as one text."""
    ingest_line, scratch = session.registry.bind(source.name, "ingest_line"), dict[str, Any]()
    lines = text.encode("utf-8", "surrogatepass").split(b"\n")
    for at in range(0, len(lines), SLICE):
        found: list[dict[str, Any]] = []
        with session.registry.guarded(source.name, "ingest_line"):
            for line in lines[at : at + SLICE]:
                with suppress(Rejected):
                    found += ingest_line(line.removesuffix(b"\r"), scratch)
        yield from found


def _put(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as lines of JSON; how many there are."""
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(row) + b"\n")
            count += 1
    return count


def _copy(database: DuckDBPyConnection, query: str, target: Path, layout: str = "") -> None:
    # the rows of a group are held, and a pane takes kilobytes
    form = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES '16MB'"
    database.execute(f"COPY ({query}) TO {_quoted(target, chr(39))} ({form}{layout})")


def _rows_of(path: Path, kinds: Mapping[str, str]) -> str:
    """The rows of a file, with columns of these kinds, as a query asks for them."""
    columns = ", ".join(f"{_quoted(name)}: '{kind}'" for name, kind in kinds.items())
    # DuckDB reads twice of this at once
    size = min(path.stat().st_size + 1, LARGEST)
    options = f"format = 'newline_delimited', ignore_errors = true, maximum_object_size = {size}"
    return f"read_json({_quoted(path.absolute(), chr(39))}, columns = {{{columns}}}, {options})"


def _quoted(name: object, quote: str = '"') -> str:
    """A name in SQL, or a text."""
    return quote + str(name).replace(quote, quote * 2) + quote


def _common(known: type, value: object) -> type:
    """The type that a column has with one more value: text if they differ."""
    kind = type(value)
    if kind is int and value not in LONGEST:
        kind = float
    if value is None or kind is known:
        return known
    if known is type(None):
        return kind
    return float if {known, kind} == {int, float} else str
