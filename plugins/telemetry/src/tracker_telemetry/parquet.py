"""Parquet by DuckDB: a table per stream; a telemetry stream is partitioned by window and day (Hive layout, zstd)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tracker.api import Source
from tracker.kernel import Session, TrackerError, plural, replace_file
from tracker_telemetry import fleet
from tracker_telemetry.index import SECONDS, SETTINGS, events_of, private, quoted, rows_of
from tracker_telemetry.stored import split

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KINDS = {int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN", str: "VARCHAR"}
TIMES = ("captured_at", "finalized_at")
LONGEST = range(-(1 << 63), 1 << 63)
WINDOW = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FIRST = (
    *("record_id", "window", "provider", "phase", "captured_at", "source", "agent_id", "notes", "schema_version"),
    *("tool_version", "nonce"),
)
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
AT = f"coalesce(TRY_CAST(ts AS TIMESTAMPTZ), CASE WHEN {SECONDS} THEN to_timestamp(TRY_CAST(ts AS DOUBLE)) END)"


def write(session: Session, stream: str, folder: Path) -> int:
    """Write the standing records of a stream below a folder; how many there are."""
    import duckdb

    source = next((one for one in session.registry.sources.values() if one.stream == stream), None)
    try:
        with private(), tempfile.TemporaryDirectory() as place, duckdb.connect(f"{place}/export") as database:
            # one thread, whose buffers hold panes
            for name, value in {**SETTINGS, "threads": 1}.items():
                database.execute(f"SET {name} = '{value}'")
            rows = Path(place) / "rows.jsonl"
            if stream == session.journal.streams()[0]:  # once per export
                for name, table in fleet.tables(session):
                    _put(rows, table)
                    (folder / name).mkdir(mode=0o700, exist_ok=True)
                    query = f"SELECT * FROM {rows_of(rows, fleet.TABLES[name])}"
                    _copy(database, query, folder / name / "part-0.parquet")
            if source is not None and source.kind == "telemetry":
                return _write_events(session, source, database, rows, folder / stream)
            return _write_table(session, stream, database, rows, folder / f"{stream}.parquet")
    except (OSError, duckdb.Error) as error:
        raise TrackerError(f"cannot write {folder / stream}: {error}; the export is not complete") from error


def _write_table(session: Session, stream: str, database: DuckDBPyConnection, rows: Path, path: Path) -> int:
    """One file: nested objects are columns with dotted names, lists are JSON."""
    kinds = dict[str, type]()

    def flat() -> Iterator[dict[str, Any]]:
        for entry in session.index.entries(stream):
            found = dict(_flat(entry.record)) | {"record_id": entry.record_id}
            for name, value in found.items():
                kinds[name] = _common(kinds.get(name, type(None)), value)
            yield found

    count = _put(rows, flat())
    if not count:
        return 0
    names = [*(name for name in FIRST if name in kinds), *sorted(kinds.keys() - set(FIRST))]
    columns = {name: "TIMESTAMPTZ" if name in TIMES else KINDS.get(kinds[name], "VARCHAR") for name in names}
    query = f"SELECT {', '.join(map(quoted, names))} FROM {rows_of(rows, columns)}"
    replace_file(path, lambda whole: _copy(database, query, whole), after="The export is not complete")
    return count


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
        names = ", ".join(f"{AT} AS ts" if name == "ts" else quoted(name) for name in EVENT)
        query = f"SELECT {names}, strftime({AT} AT TIME ZONE 'UTC', '%Y-%m-%d') AS day FROM {rows_of(rows, EVENT)}"
        layout = "PARTITION_BY (\"window\", day), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE"
        _copy(database, query, folder, f", {layout}")
    if left_out:
        events = plural(left_out, "event")
        session.warn(f"{events} of {source.stream} are left out, because their window is not a valid id")
    return count


def _events(session: Session, source: Source) -> Iterator[dict[str, Any]]:
    """Every standing event; a record of schema 1.0.0 that holds a whole stream gives its lines."""
    for entry in session.index.entries(source.stream):
        record, raw = entry.record, entry.record.get("raw_text")
        own = {**record, "record_id": entry.record_id, "agent_id": entry.lane}
        if isinstance(raw, str) and "routed" not in record:
            for at, event in enumerate(events_of(session, source, split(raw))):
                yield {**own, "raw_text": None, "parsed": None, **event, "record_id": f"{entry.record_id}-{at}"}
        elif "routed" in record:
            yield own


def _put(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as lines of JSON; how many there are."""
    with path.open("wb") as file:
        return sum(file.write(orjson.dumps(row) + b"\n") > 0 for row in rows)


def _copy(database: DuckDBPyConnection, query: str, target: Path, layout: str = "") -> None:
    # the rows of a group are held, and a pane takes kilobytes
    form = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES '16MB'"
    database.execute(f"COPY ({query}) TO {quoted(target, chr(39))} ({form}{layout})")


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping | list):
            yield prefix + key, orjson.dumps(value).decode()
        else:
            yield prefix + key, value


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
