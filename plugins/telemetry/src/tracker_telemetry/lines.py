"""The lines of a stream as they arrive, from a file or a pipe that may stall, or never end but by a signal."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from attrs import define, field, frozen

from tracker.kernel import TrackerError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PACKED = {".gz": "zcat", ".bz2": "bzcat", ".xz": "xzcat", ".zst": "zstdcat", ".zip": "unzip -p"}
SECONDS = 0.1  # between two looks whether a wait should end


@define
class Stop:
    """Whether the end was asked for, and by which signal; while it is entered, signals do nothing else."""

    is_asked: bool = False
    number: int = signal.SIGINT
    _before: dict[int, Any] = field(factory=dict)

    def __enter__(self) -> Stop:
        for number in ENDING:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_error: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.is_asked, self.number = True, number

    def wait(self, file: int | None = None, seconds: float = math.inf) -> None:
        """Wait until a descriptor can be read, a stop is asked for, or the time is over."""
        until = time.monotonic() + seconds
        while not self.is_asked and (left := min(SECONDS, until - time.monotonic())) > 0:
            if _is_ready(file, left):
                break


def _is_ready(file: int | None, seconds: float) -> bool:
    """Whether a descriptor can be read within some time; without one, wait for that time."""
    return bool(select.select([] if file is None else [file], [], [], max(seconds, 0))[0])


CHUNK = 1 << 20
BATCH = 8 << 20  # bytes that are taken at once if more has arrived
LINE_LIMIT = 16 << 20  # bytes; a longer line is not an event. A line may quote a prompt, even twice
EVENT_LIMIT = 1 << 20  # bytes
MOST_HANGS = 3  # lines in a process on which a plugin hangs: each costs seconds
KEPT = 64 << 10  # bytes that are kept of a line that is not an event
GATHER_SECONDS = 0.1  # how long what arrives is gathered before it is stored


@frozen
class TooLong:
    """What is kept of a line over the limit: its beginning, its length in bytes and the SHA-256 of all of it."""

    head: bytes
    length: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> TooLong:
        return cls(data[:KEPT], len(data), hashlib.sha256(data).hexdigest())


Line = bytes | TooLong


@define
class Splitter:
    """Cuts chunks into lines without their ends (`\\n` or `\\r\\n`), in bounded memory.

    pending: the bytes of the line that has no end yet; of one that is too long only the beginning is held.
    """

    pending: int = 0
    _held: bytes = b""
    _long: hashlib._Hash | None = None

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that this chunk completes."""
        *whole, rest = chunk.split(b"\n")
        lines: list[Line] = []
        if whole:
            self._add(whole[0])
            is_plain = b"\r" not in chunk and len(chunk) <= LINE_LIMIT
            lines = [self._close(), *(whole[1:] if is_plain else map(_line, whole[1:]))]
        self._add(rest)
        return lines

    def end(self) -> list[Line]:
        """The line that has no end yet, if there is one."""
        return [self._close()] if self.pending else []

    def _close(self) -> Line:
        found = TooLong(self._held, self.pending, self._long.hexdigest()) if self._long else _line(self._held)
        self.pending, self._held, self._long = 0, b"", None
        return found

    def _add(self, data: bytes) -> None:
        self.pending += len(data)
        if self._long is not None:
            self._long.update(data)
            return
        self._held += data
        if self.pending > LINE_LIMIT + 1:
            self._long, self._held = hashlib.sha256(self._held), self._held[:KEPT]


def _line(data: bytes) -> Line:
    line = data.removesuffix(b"\r")
    return line if len(line) <= LINE_LIMIT else TooLong.of(data)


@contextlib.contextmanager
def opened(path: str | Path | None) -> Iterator[BinaryIO]:
    """A log; None is standard input, for which a terminal gets a prompt."""
    if path is None and sys.stdin.isatty():
        print("paste the text, then press Ctrl-D:", file=sys.stderr)
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if path is None else open(path, "rb") as file:
            yield file
    except OSError as error:
        raise TrackerError(f"cannot read {path or 'standard input'}: {error.strerror}") from error


def refuse_packed(path: str) -> None:
    """Refuse a file with the name of a compressed one: all of it would be one unreadable line."""
    for tool in (tool for ending, tool in PACKED.items() if path.endswith(ending)):
        raise TrackerError(f"{path} is compressed. Expected a log as text. Unpack or pipe it: `{tool} {path!r} | ...`.")


def file_chunks(file: int, stop: Stop) -> Iterator[bytes]:
    """What a file holds from a place on; ends with it, or when a stop is asked for."""
    while not stop.is_asked and (chunk := os.read(file, BATCH)):
        yield chunk


def pipe_chunks(file: int, stop: Stop) -> Iterator[bytes]:
    """What a pipe gives, as much at a time as arrives in a moment; ends with its writer, however that ends.

    If a stop is asked for, it also gives what has arrived until then.
    """
    has_ended = False
    while not has_ended:
        stop.wait(file)
        is_last = stop.is_asked  # a stop requested from here on takes effect in the next round
        parts: list[bytes] = []
        until = time.monotonic() + (0 if is_last else GATHER_SECONDS)
        while sum(map(len, parts)) < BATCH and _is_ready(file, until - time.monotonic()):
            try:
                chunk = os.read(file, CHUNK)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""  # the writer broke it: what arrived counts
            if has_ended := not chunk:
                break
            parts.append(chunk)
        if parts:
            yield b"".join(parts)
        has_ended |= is_last
