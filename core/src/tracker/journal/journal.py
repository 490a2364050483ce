"""The streams: append, read, lock, set aside. Nothing else opens one.

A stream is one JSON object a line, in a file of its own, and only ever grows. A record is on disk before `append`
returns; readers take whole lines and need no lock; a torn last line, left by a crash, is set aside by the next command.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from tracker.errors import TrackerError
from tracker.journal.files import (
    LINE_LIMIT,
    OPEN,
    check_directory,
    failed,
    make_private,
    read_at,
    refuse_special,
    set_aside,
    special,
    sync_directory,
    whole_lines,
    whole_size,
    write_all,
)
from tracker.journal.lock import WAIT_SECONDS, Lock, Warn, command_line
from tracker.text.json_values import DEEPEST, is_too_deep, loads_leniently

__all__ = ["OPEN", "WAIT_SECONDS", "Journal", "Warn", "command_line", "decode", "failed", "read_at", "refuse_special"]

SUFFIX = ".jsonl"
SAMPLE = 4096  # bytes whose digest tells whether a stream is still the one that was read
STREAM = re.compile(r"[a-z][a-z0-9_]*(\.[a-z]+)?")  # other files of the folder are not ours


@frozen(kw_only=True)
class Glance:
    """A stream in this moment: the bytes of its whole lines, its file, and digests of it around an offset.

    A stream that was replaced, or that another journal's copy took the place of, gives other digests.
    """

    size: int = 0
    inode: int = 0
    head: bytes = b""
    tail: bytes = b""


class Journal:
    """The append-only streams of one data directory.

    fsync: flush every record to disk before `append` returns. mends: set torn last lines aside where they are met;
    otherwise they are only left out.
    """

    def __init__(self, root: Path, *, fsync: bool = True, mends: bool = True, warn: Warn = lambda text: None) -> None:
        self.root, self.fsync, self.mends, self.warn = root, fsync, mends, warn
        self._lock = Lock(root, warn)
        self._warned: set[str] = set()
        self.has_stored = False  # whether a line was appended

    def path(self, stream: str) -> Path:
        return self.root / f"{stream}{SUFFIX}"

    def streams(self) -> list[str]:
        """The names of the streams that exist."""
        if not check_directory(self.root):
            return []
        try:
            names = os.listdir(self.root)
        except OSError as error:
            raise failed("read", self.root, error, "nothing was read") from error
        found = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
        return sorted(name for name in found if STREAM.fullmatch(name))

    def prepare(self) -> None:
        """Make the directory, private to its owner; refuse what is none."""
        try:
            if not check_directory(self.root):
                make_private(self.root, fsync=self.fsync)
        except (OSError, ValueError) as error:
            raise failed("create the data directory", self.root, error) from error

    def lock(self, purpose: str) -> AbstractContextManager[None]:
        """Hold the directory's one lock; `purpose` is what others are told who wait for it."""
        self.prepare()
        return self._lock.hold(purpose)

    # --- writing

    def append(self, stream: str, records: Sequence[dict[str, Any]]) -> int:
        """Append whole records in one write and flush them to disk; the offset of the first.

        The caller holds the lock. On failure the stream is as it was before.
        """
        lines = bytearray()  # joined one by one: two panes of 8 MB are 100 MB otherwise
        for record in records:
            lines += orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        return self.append_lines(stream, lines)

    def append_lines(self, stream: str, lines: bytes | bytearray) -> int:
        """Append lines that are already encoded, each with its end."""
        assert self._lock.is_held, "append needs the lock"
        path = self.path(stream)
        file = self._open_to_append(path)
        try:
            start = self._mend_tail(path, file)
            try:
                write_all(file, lines)
                if self.fsync:
                    os.fsync(file)
            except BaseException as error:
                after = "nothing was stored"
                try:
                    os.ftruncate(file, start)
                except OSError:
                    after = "what was written of it is no record; the next command sets a torn line aside"
                if isinstance(error, OSError):
                    raise failed("append to", path, error, after) from error
                raise
        finally:
            os.close(file)
        self.has_stored = True
        return start

    def _open_to_append(self, path: Path) -> int:
        try:
            is_new = not path.exists()
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o600)
        except OSError as error:
            raise failed("open", path, error) from error
        try:
            mode = os.fstat(file).st_mode
            if not stat.S_ISREG(mode):
                raise special(path, mode)
            if is_new and self.fsync:
                sync_directory(self.root)
        except BaseException as error:
            os.close(file)
            if isinstance(error, OSError):
                raise failed("open", path, error) from error
            raise
        return file

    def _mend_tail(self, path: Path, file: int) -> int:
        """Set a torn last line aside; the size of what stands."""
        size = os.fstat(file).st_size
        whole = whole_size(file, size)
        if whole == size:
            return size
        try:
            if size - whole <= LINE_LIMIT and decode(read_at(file, size - whole, whole)) is not None:
                write_all(file, b"\n")  # only its end is missing, as after an edit by hand
                return size + 1
            aside = set_aside(path, file, whole)
            os.ftruncate(file, whole)
        except OSError as error:
            raise failed("set the torn last line aside of", path, error) from error
        self.warn(f"{path.name} ended in a torn line of {size - whole} bytes, which was set aside in {aside.name}")
        return whole

    def mend(self, stream: str) -> None:
        """Set a torn last line aside; the caller holds the lock."""
        file = self._open_to_append(self.path(stream))
        try:
            self._mend_tail(self.path(stream), file)
        finally:
            os.close(file)

    def _mend_when_idle(self, stream: str, whole: int) -> int:
        """Set a torn line aside while nobody writes: a line without its end may be a writer's in this moment."""
        path = self.path(stream)
        try:
            with self._lock.hold_if_free(command_line()) as is_held:
                if not is_held:
                    return whole
                file = self._open_to_append(path)
                try:
                    return self._mend_tail(path, file)
                finally:
                    os.close(file)
        except TrackerError as error:
            self._warn_once(stream, f"{path.name} ends in a torn line, which was left out ({error})")
            return whole

    # --- reading

    def size(self, stream: str) -> int:
        """The bytes of the whole lines of a stream; 0 where there is none."""
        return self.glance(stream, 0).size

    def glance(self, stream: str, mark: int) -> Glance:
        """How far a stream goes, and what stands around an offset of it."""
        with self._reading(stream) as file:
            if file is None:
                return Glance()
            found = os.fstat(file)
            whole = whole_size(file, found.st_size)
            start = max(mark - SAMPLE, 0)
            head, tail = read_at(file, min(mark, SAMPLE), 0), read_at(file, mark - start, start)
        if whole != found.st_size and self.mends and not self._lock.is_held:
            whole = self._mend_when_idle(stream, whole)
        return Glance(size=whole, inode=found.st_ino, head=_digest(head), tail=_digest(tail))

    def lines(self, stream: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes | None]]:
        """The whole lines between two offsets, each with its own offset and without its end; None is one too long."""
        with self._reading(stream) as file:
            if file is not None:
                yield from whole_lines(file, start, stop)

    def records(
        self, stream: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
        """The records between two offsets, each with its offset and line; a line that is none is left where it is."""
        for offset, line in self.lines(stream, start, stop):
            record = None if line is None else decode(line)
            if line is not None and record is not None:
                yield offset, line, record
            elif line is None or line.strip():
                self._warn_bad(stream)
            line = record = None  # a long one is let go before the next is read

    def record(self, stream: str, offset: int) -> dict[str, Any]:
        """The record at an offset; an empty one where none stands there any more."""
        return next((record for _, _, record in self.records(stream, offset)), {})

    @contextlib.contextmanager
    def _reading(self, stream: str) -> Iterator[int | None]:
        path = self.path(stream)
        check_directory(self.root)
        try:
            file = os.open(path, os.O_RDONLY | OPEN)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise failed("read", path, error, "nothing was read") from error
        try:
            mode = os.fstat(file).st_mode
            if not stat.S_ISREG(mode):
                raise special(path, mode)
            yield file
        finally:
            os.close(file)

    def _warn_bad(self, stream: str) -> None:
        text = f"{self.path(stream).name} holds lines that are no records: left out; `tracker doctor` shows them"
        self._warn_once(stream, text)

    def _warn_once(self, stream: str, text: str) -> None:
        if stream not in self._warned:
            self._warned.add(stream)
            self.warn(text)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None where it is none: no object, or nested deeper than one can be written."""
    try:
        record = orjson.loads(line)
    except (orjson.JSONDecodeError, RecursionError):
        record = loads_leniently(line)
    if not isinstance(record, dict):
        return None
    may_be_deep = line.count(b"[") + line.count(b"{") > DEEPEST
    return None if may_be_deep and is_too_deep(record) else record


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
