"""Read session files: the lines that can matter are found by a search for bytes, and a plugin reads those."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, BinaryIO, NamedTuple

import orjson

from tracker.api import Rejected
from tracker_telemetry.sessions.files import PACKED, Print, end_of

Ingest = Callable[[bytes, dict[str, Any]], Sequence[Any]]
Cost = Callable[[str | None, float | None, str | None, tuple[int, int, int, int, int]], float | None]
TOKENS = (
    *("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("output_tokens", "reasoning_tokens"),
)
LABELS = ("session", "project", "branch", "account", "client", "plan")
# what many requests of a file share; `whole` is no request but a client's own total, of a `lineage`
SHARED = (*LABELS, "whole", "needs", "lineage")
NEEDS, TOTAL = "if-session:", "session-total"  # tags that say when an event counts
UNPACKER = "zstandard"  # reads compressed files; an extra
BLOCK = 1 << 19  # bytes that are read at once: files reach gigabytes
LARGEST, LATEST = 10**12, 1e11  # no request has more tokens, none is of a later second
STORED = "\0"  # begins a project that is shortened or hashed already
ALONE = "."  # the second half of a key that has none


class Job(NamedTuple):
    """A file to read: from where on, and in which state the plugin was left there."""

    source: str
    path: str
    words: tuple[bytes, ...]
    offset: int
    state: str
    now: Print


class Read(NamedTuple):
    """What a file gave: rows for the store, each ends with the place of its labels; bad lines; where to go on."""

    job: Job
    rows: list[tuple[Any, ...]]
    labels: list[tuple[Any, ...]]
    bad: int
    offset: int
    end: str
    state: str
    error: str | None = None


class Rules(NamedTuple):
    """How lines become rows: the hook of each source, prices, and whether projects are hashed."""

    ingests: Mapping[str, Ingest]
    cost: Cost
    is_hashed: bool


rules: list[Rules] = []  # one; set before worker processes are forked


def read(job: Job) -> Read:
    """Read what a file got since the last time."""
    rows = Rows(rules[-1], job)
    stop, error = job.offset, None
    try:
        with open(job.path, "rb") as file:
            is_packed = job.path.endswith(PACKED)
            stop = rows.read(_Unpacked(file) if is_packed else file)
            end = "" if is_packed else end_of(job.path, stop)
    except ImportError:
        return Read(job, [], [], 0, job.offset, "", job.state, UNPACKER)
    except Exception as found:  # noqa: BLE001  also what zstandard raises for a damaged file
        end, error = "", str(found) or type(found).__name__
    return Read(job, [*rows.found.values()], [*rows.labels], rows.bad, stop, end, rows.kept, error)


class Rows:
    """The rows of one file: of one key the one with the largest total."""

    def __init__(self, given: Rules, job: Job) -> None:
        self.rules, self.job, self.ingest = given, job, given.ingests[job.source]
        self.state: dict[str, Any] = json.loads(job.state)
        self.kept = job.state
        self.bad = 0
        self.found: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.labels: dict[tuple[Any, ...], int] = {}

    def read(self, file: BinaryIO | _Unpacked) -> int:
        """Take the lines from the job's offset on; returned is where the last whole one ends."""
        offset = 0
        if not isinstance(file, _Unpacked):
            offset = file.seek(self.job.offset)
        pattern = re.compile(b"|".join(map(re.escape, self.job.words))) if self.job.words else None
        rest: list[bytes] = []
        while block := file.read(BLOCK):
            head = block.find(b"\n") + 1
            rest.append(block[: head or None])
            if not head:
                continue
            stop = block.rfind(b"\n") + 1
            for line in _lines(b"".join(rest), pattern):
                self.take(line)
            offset += sum(map(len, rest)) + stop - head
            for line in _lines(block, pattern, head, stop):
                self.take(line)
            rest = [block[stop:]]
        self.kept = json.dumps(self._hidden(self.state))
        tail = b"".join(rest)
        if tail and _is_whole(tail):  # its end may still come: read again the next time
            bad = self.bad
            self.take(tail)
            self.bad = bad
        return offset

    def take(self, line: bytes) -> None:
        """Keep the rows of a line; a line that the plugin cannot read is tried again with its faults mended."""
        try:
            try:
                events = self.ingest(line, self.state)
            except Rejected:
                mended = _mended(line)
                if mended is None:
                    raise
                events = self.ingest(mended, self.state)
            rows = [self._row(event) for event in events]
        except Exception:  # noqa: BLE001  a plugin's fault costs a line, not the file
            self.bad += 1
            return
        for row in rows:
            key = row[0], row[1]
            known = self.found.get(key)
            if known is None or row[-2] > known[-2]:
                self.found[key] = row

    def _row(self, event: Mapping[str, Any]) -> tuple[Any, ...]:
        get = event.get
        plain, read, long = get("input_tokens") or 0, get("cache_read_tokens") or 0, get("cache_write_1h_tokens") or 0
        short = (get("cache_write_5m_tokens") or 0) + (get("cache_write_tokens") or 0)
        output, reasoning = get("output_tokens") or 0, get("reasoning_tokens") or 0
        tokens = plain, read, short, long, output
        total = plain + read + short + long + output
        if type(total + reasoning) is not int or total > LARGEST or min(*tokens, reasoning) < 0:
            raise TypeError(f"{tokens} tokens")
        at, model, speed, key = get("ts"), get("model"), get("speed"), event["key"]
        if at is not None and not 0 <= at < LATEST:
            raise TypeError(f"the time {at!r}")
        "".join((key, model or "", speed or "")).encode()  # what is not text raises, and half a surrogate
        base, slash, half = key.rpartition("/")
        if not slash:
            base, half = half, ALONE
        is_total, needs = False, None
        for tag in get("tags") or ():
            is_total = is_total or tag == TOTAL
            needs = needs or (tag[len(NEEDS) :] if tag.startswith(NEEDS) else None)
        shared = (
            *(get("session"), get("project"), get("branch"), get("account"), get("client"), get("plan")),
            *(is_total, needs, get("rid")),
        )
        number = self.labels.get(shared)
        if number is None:
            "".join(one or "" for one in (*shared[:6], shared[-1])).encode()
            number = self.labels[shared] = len(self.labels)
        cost = None if is_total else self.rules.cost(model, at, speed, tokens)
        return base, half, at, model, speed, *tokens, reasoning, cost, total, number

    def _hidden(self, value: Any) -> Any:
        """The state as it is stored: a working directory, under the name `project`, as reports show it."""
        if isinstance(value, dict):
            return {
                name: STORED + (project(one, is_hashed=self.rules.is_hashed) or "")
                if name == "project" and isinstance(one, str)
                else self._hidden(one)
                for name, one in value.items()
            }
        return value


def _lines(data: bytes, pattern: re.Pattern[bytes] | None, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The lines that hold one of the words, in their order; the last one ends at `stop`."""
    stop = len(data) if stop is None else stop
    if pattern is None:
        yield from filter(bytes.strip, data[start:stop].split(b"\n"))
        return
    search, find, rfind = pattern.search, data.find, data.rfind
    while match := search(data, start, stop):
        at = match.start()
        begin = rfind(b"\n", start, at) + 1 or start
        start = find(b"\n", at, stop) + 1 or stop
        yield data[begin:start]


def _mended(line: bytes) -> bytes | None:
    """A line with zeros of a crash, invalid UTF-8, halves of surrogates or NaN in it; None if none helps."""
    with suppress(orjson.JSONDecodeError):
        orjson.loads(line)
        return None  # there is nothing to mend
    try:
        found = json.loads(line.strip(b"\0 \t\r\n").decode("utf-8-sig", "replace"), parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(_mended(line) or line), dict)
    except orjson.JSONDecodeError:
        return False


class _Unpacked:
    """A compressed file of one or more frames, to be read like another; one that is cut off is an error."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard

        self.file, self.new = file, zstandard.ZstdDecompressor().decompressobj
        self.frame: Any = None
        self.rest = b""

    def read(self, size: int) -> bytes:
        """Some bytes, more or less than asked for; none at the end."""
        while packed := self.rest or self.file.read(size >> 3):
            self.frame = self.frame or self.new()
            found: bytes = self.frame.decompress(packed)
            self.rest = self.frame.unused_data if self.frame.eof else b""
            if self.frame.eof:
                self.frame = None
            if found:
                return found
        if self.frame is not None:
            raise ValueError("the compressed file is cut off")
        return b""


@cache
def project(folder: str | None, *, is_hashed: bool) -> str | None:
    """The last part of the working directory, or its hash."""
    if folder is None or folder.startswith(STORED):
        return folder and folder[len(STORED) :]
    name = folder.replace("\\", "/").rstrip("/").rpartition("/")[2] or folder
    return hashlib.blake2b(folder.encode("utf-8", "replace"), digest_size=6).hexdigest() if is_hashed else name


def size_of(job: Job) -> int:
    """Bytes that are still to be read of a file."""
    return max(job.now.size - job.offset, 0)


def workers() -> int:
    """Processes that read side by side."""
    return min(os.cpu_count() or 1, 4)
