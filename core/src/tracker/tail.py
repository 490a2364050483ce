"""The lines of a stream as they arrive: a pipe that may stall or never end, or a file that grows and is rotated."""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field, frozen

CHUNK = 1 << 20
BATCH = 8 << 20  # bytes that are taken at once where more has arrived
LINE_LIMIT = 1 << 20  # bytes; a longer line is no event
KEPT = 64 << 10  # bytes of such a line that are kept
POLL_SECONDS = 0.25


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
    _long: hashlib._Hash | None = field(default=None)
    _head: bytes = b""
    _length: int = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that this chunk completes."""
        *whole, rest = chunk.split(b"\n")
        lines: list[Line] = []
        if whole:
            first = self._close(whole[0])
            lines = [first, *whole[1:]] if first is not None else [*whole[1:]]
            if b"\r" in chunk or any(len(line) > LINE_LIMIT for line in whole[1:]):
                lines = [_checked(line) if isinstance(line, bytes) else line for line in lines]
        self._open(rest)
        return lines

    @property
    def pending(self) -> int:
        """The bytes of the line that has no end yet."""
        return self._length if self._long is not None else len(self._rest)

    def end(self) -> list[Line]:
        """The last line, where the stream ended without ending it."""
        if self._long is None and not self._rest:
            return []
        last = self._close(b"")
        return [] if last is None else [_checked(last) if isinstance(last, bytes) else last]

    def _open(self, rest: bytes) -> None:
        if self._long is not None:
            self._long.update(rest)
            self._length += len(rest)
        elif len(self._rest) + len(rest) > LINE_LIMIT + 1:
            begun = self._rest + rest
            self._long, self._head, self._length = hashlib.sha256(begun), begun[:KEPT], len(begun)
            self._rest = b""
        else:
            self._rest += rest

    def _close(self, rest: bytes) -> Line | None:
        if self._long is None:
            line, self._rest = self._rest + rest, b""
            return line
        self._long.update(rest)
        found = TooLong(self._head, self._length + len(rest), self._long.hexdigest())
        self._long = None
        return found


def _checked(line: bytes) -> Line:
    line = line.removesuffix(b"\r")
    if len(line) > LINE_LIMIT:
        return TooLong(line[:KEPT], len(line), hashlib.sha256(line).hexdigest())
    return line


def stream_chunks(file: int) -> Iterator[bytes]:
    """What a descriptor gives, as much at a time as has arrived; ends with the writer.

    A pipe is read in a thread of its own, so that a signal finds the main thread at rest between two batches.
    """
    if stat.S_ISREG(os.fstat(file).st_mode):
        while chunk := os.read(file, BATCH):
            yield chunk
        return
    arrived: queue.Queue[bytes] = queue.Queue(maxsize=BATCH // CHUNK)
    threading.Thread(target=_pump, args=(file, arrived), daemon=True).start()
    while True:
        chunk = arrived.get()
        if not chunk:
            return
        parts, ended = [chunk], False
        while sum(map(len, parts)) < BATCH:
            try:
                more = arrived.get_nowait()
            except queue.Empty:
                break
            if not more:
                ended = True
                break
            parts.append(more)
        yield b"".join(parts)
        if ended:
            return


def _pump(file: int, arrived: queue.Queue[bytes]) -> None:
    try:
        while chunk := os.read(file, CHUNK):
            arrived.put(chunk)
    except OSError:
        pass  # the writer broke the pipe: what arrived counts
    finally:
        arrived.put(b"")


@define
class Follower:
    """Follows a file through growth, truncation and rotation, by polling, which works on every file system.

    A file that was replaced is read to its end first; `position` and `identity` say where reading would go on.
    """

    path: Path
    position: int = 0
    identity: tuple[int, int] | None = None

    def chunks(self) -> Iterator[bytes]:
        """What the file gives, for ever; an empty chunk marks each moment in which there is no more."""
        file: int | None = None
        try:
            while True:
                if file is None:
                    file = self._open()
                chunk = os.read(file, BATCH) if file is not None else b""
                if chunk:
                    self.position += len(chunk)
                    yield chunk
                elif file is not None and self._was_replaced(file):
                    os.close(file)
                    file = None
                else:
                    yield b""
                    time.sleep(POLL_SECONDS)
        finally:
            if file is not None:
                os.close(file)

    def _open(self) -> int | None:
        try:
            file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        found = os.fstat(file)
        if self.identity != (found.st_dev, found.st_ino) or found.st_size < self.position:
            self.identity, self.position = (found.st_dev, found.st_ino), 0
        os.lseek(file, self.position, os.SEEK_SET)
        return file

    def _was_replaced(self, file: int) -> bool:
        """Whether the path now names another file, or this one was cut short."""
        if os.fstat(file).st_size < self.position:
            return True
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False  # between the two steps of a rotation
        return (now.st_dev, now.st_ino) != self.identity
