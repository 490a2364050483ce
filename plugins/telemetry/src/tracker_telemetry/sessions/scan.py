"""Read session files: the lines that can matter are found by a search for bytes, and a plugin reads those."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tracker.api import Rejected
from tracker_telemetry.sessions.files import PACKED, end_of

Ingest = Callable[[bytes, dict[str, Any]], Sequence[Any]]
TOKENS = (
    *("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("output_tokens", "reasoning_tokens"),
)
LABELS = ("session", "project", "branch", "model", "account", "client", "plan", "speed")
NEEDS, TOTAL = "if-session:", "session-total"  # tags that say when an event counts
UNPACKER = "zstandard"  # reads compressed files; an extra


class Job(NamedTuple):
    """A file to read: from where on, and in which state the plugin was left there."""

    source: str
    path: str
    words: tuple[bytes, ...]
    offset: int
    state: str


class Read(NamedTuple):
    """What a file gave: rows for the store; lines that could not be read; where to go on."""

    job: Job
    rows: list[tuple[Any, ...]]
    bad: int
    offset: int
    end: str
    state: str
    error: str | None = None


ingests: dict[str, Ingest] = {}  # by source; set before worker processes are forked


def read(job: Job) -> Read:
    """Read what a file got since the last time."""
    try:
        if job.path.endswith(PACKED):
            data: Any = _unpacked(job.path)
            return _read(job, data, len(data), is_packed=True)
        size = os.path.getsize(job.path)
        if size <= job.offset:
            return _read(job, b"", size)
        with open(job.path, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            return _read(job, data, size)
    except ImportError:
        return Read(job, [], 0, job.offset, "", job.state, UNPACKER)
    except (OSError, ValueError) as error:
        return Read(job, [], 0, job.offset, "", job.state, str(error))


def _read(job: Job, data: Any, size: int, *, is_packed: bool = False) -> Read:
    ingest, state = ingests[job.source], json.loads(job.state)
    start = 0 if is_packed else job.offset
    stop = data.rfind(b"\n", start, size) + 1 or start if size > start else start
    rows: list[tuple[Any, ...]] = []
    bad = 0
    for line in _lines(data, job.words, start, stop):
        try:
            rows += map(row, ingest(line, state))
        except Rejected:
            bad += 1
        except Exception:  # noqa: BLE001  a plugin's fault costs a line, not the file
            bad += 1
    kept = json.dumps(state)
    if stop < size and _is_whole(data[stop:size]):  # its end may still come: read again the next time
        try:
            rows += map(row, ingest(data[stop:size], json.loads(kept)))
        except Exception:  # noqa: BLE001  as above; the line may be torn
            bad += 0
    largest: dict[str, tuple[Any, ...]] = {}
    for one in rows:  # a message stands in a row per block
        known = largest.get(one[0])
        if known is None or one[-2] > known[-2]:
            largest[one[0]] = one
    return Read(job, list(largest.values()), bad, stop, "" if is_packed else end_of(job.path, stop), kept)


def _lines(data: Any, words: Sequence[bytes], start: int, stop: int) -> Iterator[bytes]:
    """The lines that hold one of the words, in their order."""
    if not words:
        yield from data[start:stop].split(b"\n")
        return
    spans: dict[int, int] = {}
    for word in words:
        at = data.find(word, start, stop)
        while at >= 0:
            end = data.find(b"\n", at, stop)
            spans[data.rfind(b"\n", start, at) + 1 or start] = end
            at = data.find(word, end, stop)
    for begin in sorted(spans):
        yield data[begin : spans[begin]]


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _unpacked(path: str) -> bytes:
    import zstandard

    with open(path, "rb") as file:
        data: bytes = zstandard.ZstdDecompressor().stream_reader(file).read()
        return data


def row(event: Any) -> tuple[Any, ...]:
    """An event as a row of the store."""
    tags = event.get("tags") or ()
    key = str(event.get("key"))
    needs = next((tag[len(NEEDS) :] for tag in tags if tag.startswith(NEEDS)), None)
    tokens = [event.get(name) or 0 for name in TOKENS]
    tokens[2] += event.get("cache_write_tokens") or 0
    base, slash, request = key.rpartition("/")
    return (
        key,
        base if slash else key,
        int(bool(slash) and not request),
        int(TOTAL in tags),
        needs,
        event.get("rid"),
        event.get("ts"),
        *(event.get(name) for name in LABELS),
        *tokens,
        sum(tokens[:5]),
        event.get("cost_usd"),
    )
