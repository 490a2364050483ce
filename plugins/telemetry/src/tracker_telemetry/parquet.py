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
from tracker_telemetry.index import SECONDS, SETTINGS, old_events, private

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OPTIONS = "FORMAT parquet, COMPRESSION zstd"
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
            for name, value in SETTINGS.items():
                database.execute(f"SET {name} = '{value}'")
            rows = Path(place) / "rows.jsonl"
            if stream == session.journal.streams()[0]:  # once per export
                fleet.write(session, database, Path(place), folder)
            if source is not None and source.kind == "telemetry":
                return _write_events(session, source, database, rows, folder / stream)
            return _write_table(session, stream, database, rows, folder / f"{stream}.parquet")
    except (OSError, duckdb.Error) as error:
        raise TrackerError(f"cannot write {folder / stream}: {error}; the export is not complete") from error


def _write_table(session: Session, stream: str, database: DuckDBPyConnection, rows: Path, path: Path) -> int:
    """One file: nested objects are columns with dotted names, lists are JSON."""
    count, kinds = 0, dict[str, type]()
    with rows.open("wb") as file:
        for entry in session.index.entries(stream):
            found = dict(_flat(entry.record)) | {"record_id": entry.record_id}
            for name, value in found.items():
                kinds[name] = _common(kinds.get(name, type(None)), value)
            file.write(orjson.dumps(found) + b"\n")
            count += 1
    if not count:
        return 0
    names = [*(name for name in FIRST if name in kinds), *sorted(kinds.keys() - set(FIRST))]
    columns = {name: "TIMESTAMPTZ" if name in TIMES else KINDS.get(kinds[name], "VARCHAR") for name in names}
    chosen = ", ".join(_quoted(name) for name in names)

    def write(whole: Path) -> None:
        database.execute(f"COPY (SELECT {chosen} FROM {_read(rows, columns)}) TO '{_escaped(whole)}' ({OPTIONS})")

    replace_file(path, write, after="The export is not complete")
    return count


def _write_events(session: Session, source: Source, database: DuckDBPyConnection, rows: Path, folder: Path) -> int:
    """A dataset `window=W/day=2026-01-31/part-0.parquet`."""
    count = left_out = 0
    with rows.open("wb") as file:
        for event in _events(session, source):
            window = event.get("window")
            if isinstance(window, str) and WINDOW.fullmatch(window):
                file.write(orjson.dumps(event) + b"\n")
                count += 1
            else:
                left_out += 1
    if count:
        names = ", ".join(f"{AT} AS ts" if name == "ts" else _quoted(name) for name in EVENT)
        query = f"SELECT {names}, strftime({AT} AT TIME ZONE 'UTC', '%Y-%m-%d') AS day FROM {_read(rows, EVENT)}"
        layout = "PARTITION_BY (\"window\", day), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE"
        database.execute(f"COPY ({query}) TO '{_escaped(folder)}' ({OPTIONS}, {layout})")
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
            for at, event in enumerate(old_events(session, source, raw)):
                yield {**own, "raw_text": None, "parsed": None, **event, "record_id": f"{entry.record_id}-{at}"}
        elif "routed" in record:
            yield own


def _read(path: Path, columns: Mapping[str, str]) -> str:
    spec = ", ".join(f"{_quoted(name)}: '{kind}'" for name, kind in columns.items())
    options = "format = 'newline_delimited', ignore_errors = true, maximum_object_size = 67108864"
    return f"read_json('{_escaped(path)}', columns = {{{spec}}}, {options})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


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
