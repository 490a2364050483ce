"""What telemetry adds up to, per stored line and per window: tables of the derived index.

A line is known by a 64-bit hash of source, window and bytes, with which the ids of its records begin. The table `line`
says how often it is stored and how often it stood in the stream that is being read, so that a replay adds nothing.
(Two of ten million lines share a hash with a probability of 3 in a million.) `total` holds sums and latency buckets per
lane, model and day; `chunk` the latencies and times of each run of events, for exact percentiles and for time spans.
"""

from __future__ import annotations

import hashlib
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, TypeAlias

import orjson
from attrs import define, field, frozen

from tracker.stats.percentiles import Buckets

PARAMETERS = 500  # values of one query
MISSING = float("nan")
SCHEMA = """
CREATE TABLE line (stream TEXT, hash INTEGER PRIMARY KEY, stored INTEGER, events INTEGER, routed INTEGER, run INTEGER,
  seen INTEGER);
CREATE TABLE total (stream TEXT, window TEXT, lane TEXT, model TEXT, day TEXT, routed INTEGER, events INTEGER,
  errors INTEGER, input INTEGER, output INTEGER, cache_read INTEGER, cache_write INTEGER, buckets TEXT,
  PRIMARY KEY (stream, window, lane, model, day, routed));
CREATE TABLE chunk (stream TEXT, window TEXT, times BLOB, latencies BLOB);
CREATE INDEX chunk_window ON chunk (stream, window);
CREATE TABLE whole (stream TEXT, window TEXT, position INTEGER);
CREATE TABLE followed (name TEXT PRIMARY KEY, device INTEGER, inode INTEGER, position INTEGER, run INTEGER,
  lines INTEGER);
"""
TABLES = ("line", "total", "chunk", "whole")


def line_digest(source: str, window: str) -> Callable[[bytes], bytes]:
    """The BLAKE2b-128 of a line of this source in this window."""
    key = hashlib.blake2b(f"{source}\0{window}".encode(), digest_size=16).digest()
    blake2b = hashlib.blake2b
    return lambda line: blake2b(line, digest_size=16, key=key).digest()


def as_key(digest: bytes) -> int:
    """The line's key: the first half of its digest, as SQLite's signed integer."""
    return int.from_bytes(digest[:8], "big", signed=True)


def event_id(digest: bytes, nth: int, part: int) -> bytes:
    """The record id of an event: the line's digest; for its nth copy and its further events another second half."""
    if not nth and not part:
        return digest.hex().encode()
    rest = hashlib.blake2b(digest + nth.to_bytes(8, "big") + part.to_bytes(8, "big"), digest_size=8)
    return (digest[:8] + rest.digest()).hex().encode()


@define(slots=True)
class Known:
    """A line: how often it is stored, what one copy holds, how often this run has seen it."""

    stored: int = 0
    events: int = 0
    routed: int = 0
    seen: int = 0


def lookup(database: sqlite3.Connection, hashes: Iterable[int], run: int) -> dict[int, Known]:
    """What is known of these lines; `seen` counts this run alone."""
    wanted = list(dict.fromkeys(hashes))
    found = {key: Known() for key in wanted}
    for start in range(0, len(wanted), PARAMETERS):
        part = wanted[start : start + PARAMETERS]
        marks = ",".join("?" * len(part))
        query = f"SELECT hash, stored, events, routed, run, seen FROM line WHERE hash IN ({marks})"
        for key, stored, events, routed, last_run, seen in database.execute(query, part):
            found[key] = Known(stored, events, routed, seen if last_run == run else 0)
    return found


def remember(database: sqlite3.Connection, stream: str, known: Mapping[int, Known], run: int) -> None:
    """Write back what `lookup` gave and the caller counted on; a line that gave nothing is not kept."""
    rows = [
        (stream if one.events else f"{stream}.rejected", key, one.stored, one.events, one.routed, run, one.seen)
        for key, one in sorted(known.items(), key=itemgetter(0))
        if one.stored
    ]
    database.executemany("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


@frozen
class Place:
    """How far a followed file was taken in, and the run that its lines are counted in."""

    device: int
    inode: int
    position: int
    run: int
    lines: int


@define
class Sums:
    """Events of one lane, model, day and side."""

    events: int = 0
    errors: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    latencies: list[float] = field(factory=list)


@define
class Collector:
    """Events on their way into the index; `flush` writes them."""

    stream: str
    sums: dict[tuple[Any, ...], Sums] = field(factory=dict)
    chunks: dict[str, tuple[array[float], array[float]]] = field(factory=dict)
    lines: dict[int, Known] = field(factory=dict)
    wholes: list[tuple[str, int]] = field(factory=list)

    def event(self, window: str, event: Mapping[str, Any]) -> None:
        """Add one event."""
        get = event.get
        moment, day = epoch(get("ts"))
        key = (window, get("lane"), get("model"), day, get("routed") is True)
        try:
            sums = self.sums[key]
        except KeyError:
            sums = self.sums[key] = Sums()
        except TypeError:  # a list where a name belongs, as in a file that was edited
            sums = self.sums.setdefault((window, str(key[1]), str(key[2]), *key[3:]), Sums())
        sums.events += 1
        if get("ok") is not True:
            sums.errors += 1
        sums.input += count(get("input_tokens"))
        sums.output += count(get("output_tokens"))
        if (cached := get("cache_read_tokens")) is not None:
            sums.cache_read += count(cached)
        if (cached := get("cache_write_tokens")) is not None:
            sums.cache_write += count(cached)
        latency = get("latency_ms")
        try:
            times, latencies = self.chunks[window]
        except KeyError:
            times, latencies = self.chunks[window] = array("d"), array("d")
        times.append(moment)
        if latency is not None and is_latency(latency):
            sums.latencies.append(latency)
            latencies.append(latency)

    def record(self, offset: int, record: Mapping[str, Any]) -> None:
        """Add a stored record, as it is read back."""
        window, is_event = str(record.get("window") or ""), "rejected" not in record
        if is_event and "routed" not in record:
            if isinstance(record.get("raw_text"), str):  # schema 1.0.0: a whole stream in one row
                self.wholes.append((window, offset))
            return
        try:
            key = as_key(bytes.fromhex(record["record_id"]))
        except (KeyError, TypeError, ValueError):
            return
        known, is_routed = self.lines.setdefault(key, Known()), record.get("routed") is True
        if not record.get("part"):
            known.stored += 1
        if not record.get("nth"):
            known.events += is_event
            known.routed += is_routed
        if is_event:
            self.event(window, record)

    def flush(self, database: sqlite3.Connection) -> None:
        """Write what was collected and begin anew."""
        database.executemany(  # a stored line is of the stream that its record stands in
            "INSERT INTO line VALUES (?, ?, ?, ?, ?, 0, 0) ON CONFLICT (hash) DO UPDATE SET"
            " stored = stored + excluded.stored, events = max(events, excluded.events),"
            " routed = max(routed, excluded.routed)",
            ((self.stream, key, one.stored, one.events, one.routed) for key, one in sorted(self.lines.items())),
        )
        database.executemany(
            "INSERT INTO chunk VALUES (?, ?, ?, ?)",
            ((self.stream, window, times.tobytes(), found.tobytes()) for window, (times, found) in self.chunks.items()),
        )
        database.executemany("INSERT INTO whole VALUES (?, ?, ?)", ((self.stream, *one) for one in self.wholes))
        for (window, lane, model, day, routed), sums in self.sums.items():
            _add(database, (self.stream, window, _key(lane), _key(model), day, int(routed)), sums)
        self.sums, self.chunks, self.lines, self.wholes = {}, {}, {}, []


def _add(database: sqlite3.Connection, key: tuple[Any, ...], sums: Sums) -> None:
    buckets = Buckets()
    where = "stream = ? AND window = ? AND lane = ? AND model = ? AND day = ? AND routed = ?"
    row = database.execute(f"SELECT * FROM total WHERE {where}", key).fetchone()
    old = row[6:12] if row else (0,) * 6
    if row:
        buckets = Buckets.from_json(orjson.loads(row[12]))
    for latency in sums.latencies:
        buckets.add(latency)
    new = (sums.events, sums.errors, sums.input, sums.output, sums.cache_read, sums.cache_write)
    database.execute(
        "INSERT OR REPLACE INTO total VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, *(a + b for a, b in zip(old, new, strict=True)), orjson.dumps(buckets.to_json()).decode()),
    )


def _key(value: object) -> str:
    return "" if value is None else str(value)


def count(value: object) -> int:
    """A count of tokens; nothing for anything else."""
    return value if type(value) is int and 0 < value < 1 << 53 else 0


def is_latency(value: object) -> bool:
    """Whether it is a duration that can be counted."""
    return type(value) in (int, float) and 0 <= value < 1e300  # type: ignore[operator]


def epoch(ts: object) -> tuple[float, str]:
    """Epoch seconds and day (UTC) of an event's time; not a number and no day where it has none."""
    try:
        if isinstance(ts, str):
            found = datetime.fromisoformat(ts)
            if found.tzinfo is None:
                found = found.replace(tzinfo=UTC)
            seconds = found.timestamp()
            return seconds, ts[:10] if ts.endswith("Z") else found.astimezone(UTC).date().isoformat()
        if isinstance(ts, int | float):
            return float(ts), datetime.fromtimestamp(ts, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        pass
    return MISSING, ""


def chunks(database: sqlite3.Connection, stream: str, windows: Sequence[str]) -> tuple[array[float], array[float]]:
    """The times and the latencies of all events of some windows."""
    times, latencies = array("d"), array("d")
    marks = ",".join("?" * len(windows))
    query = f"SELECT times, latencies FROM chunk WHERE stream = ? AND window IN ({marks})"
    for first, second in database.execute(query, (stream, *windows)):
        times.frombytes(first)
        latencies.frombytes(second)
    return times, latencies


TotalRow: TypeAlias = tuple[str, str, bool, Sequence[int], Buckets]  # lane, model, routed, sums, latencies


def totals(database: sqlite3.Connection, stream: str, windows: Sequence[str]) -> list[TotalRow]:
    """The sums of some windows: events, errors, input, output, cache read and cache write tokens."""
    marks = ",".join("?" * len(windows))
    query = (
        "SELECT lane, model, routed, events, errors, input, output, cache_read, cache_write, buckets"
        f" FROM total WHERE stream = ? AND window IN ({marks})"
    )
    return [
        (lane, model, bool(routed), sums, Buckets.from_json(orjson.loads(buckets)))
        for lane, model, routed, *sums, buckets in database.execute(query, (stream, *windows))
    ]
