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
    _long: hashlib._Hash | None = None
    _head: bytes = b""
    _length: int = 0
    _last: bytes = b""  # the last byte of a long line: it is no part of it where it belongs to the end

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that this chunk completes."""
        *whole, rest = chunk.split(b"\n")
        lines: list[Line] = []
        if whole:
            lines = [self._close(whole[0])]
            if b"\r" in chunk or max(map(len, whole)) > LINE_LIMIT:
                lines += map(_checked, whole[1:])
            else:
                lines += whole[1:]
        self._open(rest)
        return lines

    @property
    def pending(self) -> int:
        """The bytes of the line that has no end yet."""
        return self._length + len(self._last) if self._long is not None else len(self._rest)

    def end(self) -> list[Line]:
        """The last line, where the stream ended without ending it."""
        return [self._close(b"")] if self._long is not None or self._rest else []

    def _open(self, rest: bytes) -> None:
        if self._long is None and len(self._rest) + len(rest) <= LINE_LIMIT + 1:
            self._rest += rest
            return
        if self._long is None:
            rest, self._rest = self._rest + rest, b""
            self._long, self._head, self._length, self._last = hashlib.sha256(), rest[:KEPT], 0, b""
        self._add(rest)

    def _add(self, rest: bytes) -> None:
        assert self._long is not None
        if rest:
            for part in (self._last, rest[:-1]):
                self._long.update(part)
                self._length += len(part)
            self._last = rest[-1:]

    def _close(self, rest: bytes) -> Line:
        if self._long is None:
            line, self._rest = self._rest + rest, b""
            return _checked(line)
        self._add(rest)
        if self._last != b"\r":
            self._long.update(self._last)
            self._length += len(self._last)
        found = TooLong(self._head, self._length, self._long.hexdigest())
        self._long = None
        return found


def _checked(line: bytes) -> Line:
    line = line.removesuffix(b"\r")
    if len(line) > LINE_LIMIT:
        return TooLong(line[:KEPT], len(line), hashlib.sha256(line).hexdigest())
    return line


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
