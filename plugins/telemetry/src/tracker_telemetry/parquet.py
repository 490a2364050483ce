"""Parquet: a table per stream, and telemetry partitioned by window and day (Hive layout, zstd)."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tracker.api import Source, instant
from tracker.kernel import WINDOW, Session, TrackerError, lane_of, replacing
from tracker_telemetry.flat import as_type, columns, rows
from tracker_telemetry.index import old_events

BATCH, TEXTS = 20_000, 4 << 20  # rows that are held in memory, and characters of their texts
TIMES = ("captured_at", "finalized_at")
KINDS = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
INSTANT = pa.timestamp("us", tz="UTC")
LONGEST = range(-(1 << 63), 1 << 63)
EVENT = pa.schema(
    [
        ("record_id", pa.string()),
        ("provider", pa.string()),
        ("agent_id", pa.string()),
        ("captured_at", INSTANT),
        ("ts", INSTANT),
        *((name, pa.string()) for name in ("rid", "lane", "model", "status", "reason")),
        *((f"{kind}_tokens", pa.int64()) for kind in ("input", "output", "cache_read", "cache_write")),
        ("latency_ms", pa.float64()),
        ("routed", pa.bool_()),
        ("ok", pa.bool_()),
        ("extra", pa.string()),  # the event's other fields, as JSON
        ("window", pa.string()),
        ("day", pa.string()),
    ]
)
PARTITIONS = ds.partitioning(pa.schema([EVENT.field("window"), EVENT.field("day")]), flavor="hive")


def write_table(session: Session, stream: str, path: Path) -> int:
    """One file with the standing records of a stream; how many there are."""
    stop = session.journal.size(stream)
    kinds = columns(rows(session, stream, stop))
    if not kinds:
        return 0
    names = {name: INSTANT if name in TIMES else KINDS[kind] for name, kind in kinds.items()}
    schema, count = pa.schema(list(names.items())), 0
    short = [name for name in names if name != "raw_text"]  # a text's dictionary and extremes are whole texts again
    options = {"compression": "zstd", "use_dictionary": short, "write_statistics": short}
    with _errors(path), _private(), replacing(path) as whole, pq.ParquetWriter(whole, schema, **options) as writer:
        for part in _batches(rows(session, stream, stop)):
            count += len(part)
            values = ({name: _value(name, one.get(name), kinds[name]) for name in names} for one in part)
            table = pa.Table.from_pylist(list(values), schema=schema)
            part.clear()
            writer.write_table(table)  # a row group, which `write_batch` would go on with in memory
            del table
            pa.default_memory_pool().release_unused()
    return count


def _value(name: str, value: Any, kind: type) -> Any:
    return instant(value) if name in TIMES else as_type(value, kind)


def write_events(session: Session, source: Source, folder: Path) -> int:
    """A dataset `window=W/day=2026-01-31/part-0.parquet` of a telemetry source's events; how many there are."""
    count = left_out = 0

    def every() -> Iterator[pa.RecordBatch]:
        nonlocal count, left_out
        for part in _batches(events(session, source)):
            named = [one for one in part if WINDOW.fullmatch(one.get("window") or "")]
            count, left_out = count + len(named), left_out + len(part) - len(named)
            yield pa.RecordBatch.from_pylist(named, schema=EVENT)

    with _errors(folder), _private():
        ds.write_dataset(
            every(),
            folder,
            schema=EVENT,
            format="parquet",
            file_options=ds.ParquetFileFormat().make_write_options(compression="zstd"),
            partitioning=PARTITIONS,
            basename_template="part-{i}.parquet",
            existing_data_behavior="delete_matching",
            max_partitions=1 << 20,
        )
    if left_out:
        session.warn(f"{left_out} events of {source.stream} name a window that is no id: they are left out")
    return count


def events(session: Session, source: Source) -> Iterator[dict[str, Any]]:
    """Every standing event as a row; a record of schema 1.0.0 that holds a whole stream gives its lines."""
    for entry in session.index.entries(source.stream):
        record, raw = entry.record, entry.record.get("raw_text")
        if isinstance(raw, str) and "routed" not in record:
            for number, event in enumerate(old_events(session, source, raw)):
                yield _event({**record, "raw_text": None, "parsed": None, **event}, f"{entry.record_id}-{number}")
        else:
            yield _event(record, entry.record_id)


def _event(record: Mapping[str, Any], record_id: str) -> dict[str, Any]:
    """The columns of an event; what does not fit its column stands in `extra`."""
    seconds, day = epoch(record.get("ts"))
    known = {
        "record_id": record_id,
        "agent_id": lane_of(dict(record)),
        "captured_at": instant(record.get("captured_at")),
        "ts": round(seconds * 1_000_000) if seconds == seconds and abs(seconds) < 1e11 else None,
        "day": day or None,
    }
    extra = {}
    for name, value in record.items():
        if name in known:
            if value is not None and known[name] is None:
                extra[name] = value
        elif name in EVENT.names and _fits(EVENT.field(name).type, value):
            known[name] = value
        elif name == "status" and isinstance(value, int | float):
            known[name] = str(value)
        elif value is not None:
            extra[name] = value
    return known | {"extra": orjson.dumps(extra).decode() if extra else None}


def _fits(kind: pa.DataType, value: object) -> bool:
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(kind))
    if isinstance(value, int):
        return value in LONGEST and (pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if isinstance(value, float):
        return bool(pa.types.is_floating(kind))
    return value is None or (isinstance(value, str) and pa.types.is_string(kind))


def _batches(found: Iterable[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """The rows, as many at a time as memory bears: their number, and the length of their texts."""
    part, size = list[Any](), 0
    for one in found:
        part.append(one)
        size += sum(len(value) for value in one.values() if isinstance(value, str))
        if len(part) >= BATCH or size >= TEXTS:
            yield part
            part, size, one = [], 0, {}
    if part:
        yield part


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """Make files that only their owner may read."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise TrackerError(f"cannot write {path}: {error}; the export is not complete") from error


EPOCH = datetime.fromtimestamp(0, UTC)


def epoch(ts: object) -> tuple[float, str]:
    """Epoch seconds and day (UTC) of an event's time; NaN and no day if it has none."""
    try:
        if isinstance(ts, str):
            found = datetime.fromisoformat(ts)
            seconds = ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH).total_seconds()
            return seconds, (EPOCH + timedelta(seconds=seconds)).date().isoformat()
        if isinstance(ts, int | float):
            return float(ts), (EPOCH + timedelta(seconds=ts)).date().isoformat()
    except (ValueError, OverflowError):
        pass
    return math.nan, ""
