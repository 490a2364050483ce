"""What programs print or answer: started without a shell, and ended with all that they started.

Threads move the bytes, so that whoever waits for an answer is waiting for nothing else.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Any

import orjson

from tracker.api import CommandOrigin, ExchangeOrigin, Origin
from tracker.kernel import Journal, line
from tracker_capture.origins.answer import Answer, OriginError, Query, not_installed, quoted
from tracker_capture.origins.process_tree import ProcessTree

# How long the output of a program's children is waited for after its end.
POLL_SECONDS = 0.2
# How long a program that closed its output may take to end.
END_SECONDS = 2.0
# Bytes of its error output that are kept.
COMPLAINT = 4096


def answer(query: Query) -> Answer:
    """The reading of what a program prints, or answers."""
    origin = query.origin
    if isinstance(origin, ExchangeOrigin):
        return query.parse(_exchange(origin, query))
    assert isinstance(origin, CommandOrigin)
    return query.parse(printed(origin, origin.argv, query))


def printed(origin: CommandOrigin, argv: Sequence[str], query: Query) -> str:
    """What a program prints; none of it counts if it fails."""
    with _Program(origin, argv, query) as program:
        program.send(origin.stdin.encode(), is_last=True)
        output = b"".join(program.output()).decode("utf-8-sig", "replace")
        if program.status():
            raise OriginError(f"{program.end()}{program.complaint(output)}")
    return output


def _exchange(origin: ExchangeOrigin, query: Query) -> str:
    """The answers to an exchange's messages, a line each."""
    kept = []
    with _Program(origin, origin.argv, query) as program:
        for message in origin.messages:
            try:
                text = orjson.dumps(message)
            except TypeError as error:
                raise OriginError(
                    f"its plugin declares a message that cannot be written as JSON: {error}", is_lasting=True
                ) from error
            program.send(text + b"\n")
            if "id" not in message:
                continue
            raw, answer = program.answer(message)
            is_error = "error" in answer
            if is_error or not origin.keep or answer["id"] in origin.keep:
                kept.append(raw.decode("utf-8", "replace"))
            if is_error:
                break
    return "\n".join(kept)


class _Program:
    """A running program, with a deadline for all that it says and a limit of its size."""

    def __init__(self, origin: Origin, argv: Sequence[str], query: Query) -> None:
        self.name, self.query = argv[0], query
        path = shutil.which(argv[0])
        if path is None:
            raise not_installed(f"{line(argv[0])} is not on the PATH", origin)
        try:
            self.tree = ProcessTree([path, *argv[1:]], query.environment())
        except OSError as error:
            raise OriginError(f"{line(path)} cannot be started: {error.strerror}", is_lasting=True) from error
        self.process = self.tree.process
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._said, self._size = b"", 0
        self._waiting_for = "finish printing"
        self._lines = self._whole_lines()
        self._errors = threading.Thread(target=self._pump_errors, daemon=True)
        threading.Thread(target=self._pump_output, daemon=True).start()
        self._errors.start()

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.tree.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def _pump_output(self) -> None:
        for chunk in _chunks(self.process.stdout):
            self._chunks.put(chunk)
        self._chunks.put(b"")

    def _pump_errors(self) -> None:
        for chunk in _chunks(self.process.stderr):
            self._said = (self._said + chunk)[-COMPLAINT:]

    def send(self, data: bytes, *, is_last: bool = False) -> None:
        """Write to its input; if it has ended, its output shows that."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(data)
            self.process.stdin.flush()
            if is_last:
                self.process.stdin.close()

    def output(self) -> Iterator[bytes]:
        """What it prints until it ends, within the deadline and the limit."""
        has_ended = False
        while True:
            try:
                chunk = self._chunks.get(timeout=min(POLL_SECONDS, self.query.remaining()) or 1e-3)
            except queue.Empty:
                if has_ended:
                    return  # a child of it holds the pipe
                has_ended = self.process.poll() is not None
                if not self.query.remaining():
                    late = f"{self.name} did not {self._waiting_for} within {self.query.seconds:g} s"
                    raise OriginError(late + self.complaint("")) from None
                continue
            if not chunk:
                return
            self._size += len(chunk)
            if self._size > self.query.limit:
                raise OriginError(f"{self.name} printed over {self.query.limit >> 20} MB, too much for a reading")
            yield chunk

    def _whole_lines(self) -> Iterator[bytes]:
        rest: list[bytes] = []
        for chunk in self.output():
            first, *more = chunk.split(b"\n")
            rest.append(first)
            for one in more:
                yield b"".join(rest)
                rest = [one]
        yield b"".join(rest)

    def answer(self, message: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
        """The answer to a message; notifications, requests and lines that are not JSON are passed over."""
        asked = line(message.get("method", message["id"]))
        self._waiting_for = f"answer {asked}"
        other = b""
        for raw in self._lines:
            found = Journal.decode(raw)
            if found is None:
                other = other or raw.strip()
            elif found.get("id") == message["id"] and "method" not in found:
                return raw, found
        ended = self.end()  # all of its error output is only waited for once it has ended
        raise OriginError(f"{ended} before it answered {asked}{self.complaint(other.decode('utf-8', 'replace'))}")

    def status(self) -> int | None:
        """The exit status; None if it closed its output but goes on."""
        try:
            return self.process.wait(min(END_SECONDS, self.query.remaining()))
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> str:
        """How it ended, in words."""
        status = self.status()
        if status is None:
            return f"{self.name} closed its output"
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"{self.name} was ended by {signal.Signals(-status).name}"
        return f"{self.name} ended with status {status}"

    def complaint(self, output: str) -> str:
        """What it said last on its error output, else first on its output."""
        if self.process.poll() is not None:
            self._errors.join(END_SECONDS)  # it has ended: the rest of its output is on its way
        said = quoted(self._said.decode("utf-8", "replace")) or quoted(output, first=True)
        return f": {said}" if said else ""


def _chunks(pipe: IO[bytes] | None) -> Iterator[bytes]:
    """What comes through a pipe, as soon as it comes."""
    assert pipe is not None
    with contextlib.suppress(OSError, ValueError):  # closed meanwhile
        while chunk := os.read(pipe.fileno(), 1 << 16):
            yield chunk
