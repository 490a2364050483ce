"""The lines of a stream as they arrive, from a file or a pipe that may stall or never end."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator

from attrs import define, frozen

from tracker_telemetry.stop import Stop, is_ready

CHUNK = 1 << 20
BATCH = 8 << 20  # bytes that are taken at once where more has arrived
LINE_LIMIT = 1 << 20  # bytes; a longer line is no event
KEPT = 64 << 10  # bytes of such a line that are kept
GATHER_SECONDS = 0.1  # how long what arrives is gathered before it is stored


@frozen
class TooLong:
    """A line over the limit: its beginning, its length in bytes and the SHA-256 of all of it."""

    head: bytes
    length: int
    sha256: str


Line = bytes | TooLong


@define
class Splitter:
    """Cuts chunks into lines without their ends (`\\n` or `\\r\\n`), in bounded memory."""

    _rest: bytes = b""
    _head: bytes = b""
    _length: int = 0
    _long: hashlib._Hash | None = None

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that this chunk completes."""
        *whole, rest = chunk.split(b"\n")
        lines: list[Line] = []
        if whole:
            self._add(whole[0])
            lines = [self._close()]
            if b"\r" in chunk or max(map(len, whole)) > LINE_LIMIT:
                lines += map(_line, whole[1:])
            else:
                lines += whole[1:]
        self._add(rest)
        return lines

    @property
    def pending(self) -> int:
        """The bytes of the line that has no end yet."""
        return self._length if self._long else len(self._rest)

    def end(self) -> list[Line]:
        """The line that has no end yet, if there is one."""
        return [self._close()] if self.pending else []

    def _close(self) -> Line:
        found: Line = TooLong(self._head, self._length, self._long.hexdigest()) if self._long else _line(self._rest)
        self._long, self._rest = None, b""
        return found

    def _add(self, data: bytes) -> None:
        if self._long is None:
            self._rest += data
            if len(self._rest) <= LINE_LIMIT + 1:
                return
            data, self._rest = self._rest, b""
            self._long, self._head, self._length = hashlib.sha256(), data[:KEPT], 0
        self._long.update(data)
        self._length += len(data)


def _line(data: bytes) -> Line:
    line = data.removesuffix(b"\r")
    return line if len(line) <= LINE_LIMIT else TooLong(data[:KEPT], len(data), hashlib.sha256(data).hexdigest())


def file_chunks(file: int, stop: Stop) -> Iterator[bytes]:
    """What a file holds from a place on; ends with it, or when a stop is asked for."""
    while not stop.is_asked and (chunk := os.read(file, BATCH)):
        yield chunk


def pipe_chunks(file: int, stop: Stop) -> Iterator[bytes]:
    """What a pipe gives, as much at a time as arrives in a moment; ends with its writer, however that ends.

    Where a stop is asked for, what has arrived until then is given, too.
    """
    has_ended = False
    while not has_ended:
        stop.wait(file)
        is_last = stop.is_asked  # a stop that is asked for from here on is granted in the next round
        parts: list[bytes] = []
        until = time.monotonic() + (0 if is_last else GATHER_SECONDS)
        while sum(map(len, parts)) < BATCH and is_ready(file, until - time.monotonic()):
            try:
                chunk = os.read(file, CHUNK)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""  # the writer broke it: what arrived counts
            has_ended = not chunk
            if has_ended:
                break
            parts.append(chunk)
        if parts:
            yield b"".join(parts)
        has_ended |= is_last
