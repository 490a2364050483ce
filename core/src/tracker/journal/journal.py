"""The streams: append, read, set aside. Nothing else opens one.

A stream is a file with one JSON object per line, and only ever grows. A record is on disk before `append` returns.
Readers take whole lines and need no lock; the next command sets a torn last line aside that a crash left.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
from attrs import evolve, field, frozen

from tracker.errors import TrackerError
from tracker.journal.files import (
    LINE_LIMIT,
    NOTHING,
    OPEN,
    check_directory,
    private_folder,
    read_at,
    refuse_special,
    set_aside,
    sync_parents,
    system_error,
    uninterrupted,
    whole_lines,
    whole_size,
    write_all,
)
from tracker.journal.lock import WAIT_SECONDS, Lock, Warn, command_line
from tracker.journal.open_files import OpenFiles
from tracker.journal.records import SCHEMA, decode, identify, record_id

__all__ = ["OPEN", "WAIT_SECONDS", "Journal", "Warn", "command_line", "decode", "read_at", "refuse_special"]

SUFFIX = ".jsonl"
# bytes whose digest tells whether a stream is still the one that was read
SAMPLE = 4096
# bytes that have a checksum of their own
BLOCK = 1 << 20
# other files of the folder are not ours
STREAM = re.compile(r"[a-z][a-z0-9_]*(\.[a-z]+)?")
# appends until an editor that replaces the file again and again wins
ATTEMPTS = 3
UNKNOWN = "It is unknown whether the records were stored; `tracker doctor` shows what the stream holds"


@frozen(kw_only=True)
class Glance:
    """A stream at this moment: the bytes of its whole lines, its file, and digests of it around an offset.

    A stream that was replaced, or a copy of another journal's, has other digests.
    """

    size: int = 0
    inode: int = 0
    head: bytes = b""
    tail: bytes = b""


@frozen(kw_only=True)
class Appended:
    """Records that were just appended, so that nobody needs to read them again: where, the bytes, and each record.

    Several records of one window may be given as their last one alone, if all have neither phase nor tombstone.
    """

    stream: str
    start: int
    lines: bytes | bytearray = field(repr=False)
    records: Sequence[tuple[int, dict[str, Any]]] = ()


class Journal:
    """The append-only streams of one data directory.

    fsync: flush every record to disk before `append` returns. mends: set torn last lines aside when they are found;
    otherwise they are only left out. listeners: called with what was appended, under the lock.
    stored: how many records of each stream this process appended and flushed. doubtful: the streams of which it does
    not know.
    """

    schema_version = SCHEMA
    decode, identify = staticmethod(decode), staticmethod(identify)

    def __init__(self, root: Path, *, fsync: bool = True, mends: bool = True, warn: Warn = lambda text: None) -> None:
        self.root, self.fsync, self.mends, self.warn = root, fsync, mends, warn
        self.listeners: list[Callable[[Appended], None]] = []
        self.stored: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self._lock = Lock(root, warn)
        self._warned: set[str] = set()
        self._files = OpenFiles(root)

    @property
    def outcome(self) -> str:
        """What this process has stored, as a sentence without its end."""
        if self.doubtful:
            return UNKNOWN
        if not self.stored:
            return NOTHING
        counts = ", ".join(f"{stream}.jsonl {count}" for stream, count in self.stored.items())
        return f"These records were stored: {counts}"

    def path(self, stream: str) -> Path:
        return self.root / f"{stream}{SUFFIX}"

    def streams(self) -> list[str]:
        """The streams that there are, sorted."""
        if not check_directory(self.root):
            return []
        try:
            names = os.listdir(self.root)
        except OSError as error:
            raise system_error("read", self.root, error, "Nothing was read") from error
        found = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return sorted(name for name in found if STREAM.fullmatch(name))

    def prepare(self) -> None:
        """Make the directory, private to its owner; refuse a path that is not one."""
        try:
            private_folder(self.root, fsync=self.fsync)
        except (OSError, ValueError) as error:
            raise system_error("create the data directory", self.root, error) from error

    @contextlib.contextmanager
    def lock(self, purpose: str | None = None) -> Iterator[None]:
        """Hold the directory's one lock; others who wait are told `purpose`, the command by default.

        Meanwhile each stream is opened once.
        """
        self.prepare()
        with self._lock.hold(purpose or command_line()), self.open_streams():
            yield

    # --- writing

    def append(self, stream: str, records: Sequence[dict[str, Any]]) -> int:
        """Append whole records in one write and flush them to disk; the offset of the first."""
        return self.append_all({stream: records})[stream]

    def append_all(self, records: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, int]:
        """Append to several streams, in this order, with one write and one flush each: to all of them or to none.

        The caller holds the lock. Answers with the offset of each stream's first record.
        """
        new = []
        for stream, own in records.items():
            lines, places = bytearray(), []
            # joined one by one: two panes of 8 MB take 100 MB otherwise
            for record in own:
                places.append((len(lines), record))
                lines += orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
            new.append(Appended(stream=stream, start=0, lines=lines, records=places))
        return self._append(new)

    def append_lines(self, stream: str, lines: bytes | bytearray, last: dict[str, Any] | None = None) -> int:
        """Append encoded lines, each with its end. `last`: the last record, if all are of one window and are events."""
        new = Appended(stream=stream, start=0, lines=lines, records=() if last is None else [(0, last)])
        return self._append([new])[stream]

    def _append(self, new: Sequence[Appended]) -> dict[str, int]:
        assert self._lock.is_held, "append needs the lock"
        starts: dict[str, int] = {}
        with uninterrupted():
            for one in new:
                try:
                    self._write(one, starts)
                except BaseException as error:
                    is_known = not [other for other in new if not self._take_back(other, starts)]
                    after = self.outcome if is_known else UNKNOWN
                    if isinstance(error, OSError):
                        raise system_error("append to", self.path(one.stream), error, after) from error
                    if isinstance(error, TrackerError) and not is_known:
                        raise TrackerError(f"{error} {after}.") from error
                    raise
            for one in new:
                self.stored[one.stream] += one.lines.count(b"\n")
        for one in new:
            for listener in self.listeners:
                listener(evolve(one, start=starts[one.stream]))
        return starts

    def _write(self, new: Appended, starts: dict[str, int]) -> None:
        """Append to the file that still has the stream's name afterwards; note in `starts` where the lines begin."""
        path = self.path(new.stream)
        for _ in range(ATTEMPTS):
            file = self._files.open(path)
            start = starts[new.stream] = self._mend_tail(path, file)
            if not start and self.fsync:
                # also if an earlier command was killed between creating the stream and this
                sync_parents(path)
            write_all(file, new.lines)
            if self.fsync:
                os.fsync(file)
            if _is_at(path, file):
                return
            self._files.close(path)
        del starts[new.stream]
        raise TrackerError(f"Another program keeps replacing {path}. Close the file there and try again. {NOTHING}.")

    def _take_back(self, new: Appended, starts: Mapping[str, int]) -> bool:
        """Remove what was written of some lines, and nothing else; whether none of them is stored."""
        start, file = starts.get(new.stream), self._files.find(self.path(new.stream))
        if start is None or file is None:
            return True
        tail = b"\n"
        try:
            tail = read_at(file, max(os.fstat(file).st_size - start, 0), start)
            if tail and new.lines.startswith(tail):
                os.ftruncate(file, start)
                tail = b""
        except OSError:
            pass
        if b"\n" in tail:
            self.doubtful.add(new.stream)
        # a line without its end is no record, and the next command sets it aside
        return b"\n" not in tail

    # --- torn lines

    def _mend_tail(self, path: Path, file: int) -> int:
        """Set a torn last line aside; the size of the whole lines."""
        try:
            size = os.fstat(file).st_size
            whole = whole_size(file, size)
            if whole == size:
                return size
            if size - whole <= LINE_LIMIT and decode(read_at(file, size - whole, whole)) is not None:
                # only its end is missing, as after an edit by hand
                write_all(file, b"\n")
                return size + 1
            aside = set_aside(path, file, whole, size)
            if os.fstat(file).st_size != size:
                raise OSError("another program writes to it")
            os.ftruncate(file, whole)
        except OSError as error:
            raise system_error("set the torn last line aside of", path, error) from error
        self.warn(f"{path.name} ended in a torn line of {size - whole} bytes, which was set aside in {aside.name}")
        return whole

    def mend(self, stream: str) -> None:
        """Set a torn last line aside; the caller holds the lock."""
        with self.open_streams():
            self._mend_tail(self.path(stream), self._files.open(self.path(stream)))

    def _mend_when_idle(self, stream: str, whole: int) -> int:
        """Set a torn line aside while nobody writes: a line without its end may belong to a writer at this moment."""
        path = self.path(stream)
        try:
            with self._lock.hold_if_free(command_line()) as is_held, self.open_streams():
                return self._mend_tail(path, self._files.open(self.path(stream))) if is_held else whole
        except TrackerError as error:
            self._warn_once(stream, f"{path.name} ends in a torn line, which was left out ({error})")
            return whole

    def restore_torn(self, stream: str) -> int:
        """Append the whole records of `*.torn` that the stream lacks; how many. The caller holds the lock.

        The file stays as it is: restoring again adds nothing.
        """
        path = self.path(stream)
        aside = path.with_name(f"{path.name}.torn")
        refuse_special(aside)
        lacking: dict[str, bytes] = {}
        try:
            with contextlib.suppress(FileNotFoundError), aside.open("rb") as torn:
                for _, line in whole_lines(torn.fileno(), 0, None):
                    record = None if line is None else decode(line)
                    if line is not None and record is not None:
                        lacking.setdefault(record_id(stream, line, record), line)
        except OSError as error:
            raise system_error("read", aside, error) from error
        for _, line, record in self.records(stream) if lacking else ():
            lacking.pop(record_id(stream, line, record), None)
        if lacking:
            self.append_lines(stream, b"".join(line + b"\n" for line in lacking.values()))
        return len(lacking)

    # --- reading

    def size(self, stream: str) -> int:
        """The bytes of the whole lines of a stream; 0 if there is none."""
        return self.glance(stream, 0).size

    def glance(self, stream: str, mark: int) -> Glance:
        """How far a stream goes, and what it holds around an offset."""
        with self._files.reading(self.path(stream)) as file:
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
        """The whole lines between two offsets, each with its offset and without its end; None is a line too long."""
        with self._files.reading(self.path(stream)) as file:
            if file is not None:
                yield from whole_lines(file, start, stop)

    def records(
        self, stream: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
        """The records between two offsets, each with its offset and line; lines that are not records are skipped."""
        for offset, line in self.lines(stream, start, stop):
            record = None if line is None else decode(line)
            if line is not None and record is not None:
                yield offset, line, record
            elif line is None or line.strip():
                self._warn_bad(stream)
            # a long line is let go before the next is read
            line = record = None

    def record(self, stream: str, offset: int) -> dict[str, Any]:
        """The record at an offset; an empty one if there is none any more."""
        return next((record for _, _, record in self.records(stream, offset)), {})

    def checksums(self, stream: str, start: int, stop: int, checksum: int = 0) -> Iterator[tuple[int, int]]:
        """The checksum of each block between two offsets; that of the first goes on from `checksum`."""
        with self._files.reading(self.path(stream)) as file:
            if file is not None:
                yield from checksums(lambda length, offset: read_at(file, length, offset), start, stop, checksum)

    # --- files

    def open_streams(self) -> AbstractContextManager[None]:
        """Keep every stream open that is read or written in the block, so that it is opened once."""
        return self._files.kept()

    def _warn_bad(self, stream: str) -> None:
        text = f"{self.path(stream).name} holds lines that are not records: left out; `tracker doctor` shows them"
        self._warn_once(stream, text)

    def _warn_once(self, stream: str, text: str) -> None:
        if stream not in self._warned:
            self._warned.add(stream)
            self.warn(text)


def checksums(
    read: Callable[[int, int], bytes | bytearray], start: int, stop: int, checksum: int = 0
) -> Iterator[tuple[int, int]]:
    """The number and checksum of each block between two offsets, as `read(length, offset)` gives its bytes."""
    while start < stop:
        end = min(stop, (start // BLOCK + 1) * BLOCK)
        yield start // BLOCK, zlib.crc32(read(end - start, start), checksum)
        start, checksum = end, 0


def _is_at(path: Path, file: int) -> bool:
    """Whether the path still leads to an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
