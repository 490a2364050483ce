"""The streams: append, read, set aside. Nothing else opens one.

A stream is a file with one JSON object per line, and only ever grows. A record is on disk before `append` returns.
Readers take whole lines and need no lock; the next command sets a torn last line aside that a crash left.
"""

import contextlib
import fcntl
import os
import re
import stat
import time
import weakref
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tracker.errors import Busy, TrackerError
from tracker.journal import files, records
from tracker.journal.records import LINE_LIMIT, NOTHING, OPEN, SCHEMA, blake2b, check_place, decode, system_error

Warn = Callable[[str], None]
Record = dict[str, Any]
Records = Sequence[Mapping[str, Any]] | bytes  # or their lines, encoded, each with its end

SUFFIX = ".jsonl"
STREAM = re.compile(r"[a-z][a-z0-9_]*(\.[a-z]+)?\.jsonl")  # other files of the folder are not ours
LOCK = ".lock"  # holds what its holder says about itself
WAIT_SECONDS, NOTICE_SECONDS, POLL_SECONDS = 5.0, 1.0, 0.01  # a command holds the lock for a few milliseconds
HOLDER_LIMIT = 200
SAMPLE = 4096  # bytes whose digest tells whether a stream is still the one that was read
BLOCK = 1 << 20  # bytes that have a checksum of their own
ATTEMPTS = 3  # appends until an editor that replaces the file again and again wins
ELSEWHERE = "Copy the records to a folder that you can write to, and name it with --data-dir"
UNKNOWN = "It is unknown whether the records were stored; `tracker doctor` shows what the stream holds"


class Glance(NamedTuple):
    """A stream at this moment: the bytes of its whole lines, its file, and digests of it around an offset.

    A stream that was replaced, or a copy of another journal's, has other digests.
    """

    size: int = 0
    inode: int = 0
    head: bytes = b""
    tail: bytes = b""


class Journal:
    """The append-only streams of one data directory.

    warn: called with what is wrong but stops nothing, perhaps several times.
    fsync: flush every record to disk before `append` returns. mends: set torn last lines aside when they are found, and
    make an index if there is none; otherwise they are only left out. listeners: called with each stream that got
    something, and the records unless they came as lines, before the lock is released. stored: how many records of each
    stream this process appended and flushed. doubtful: the streams for which it does not know this.
    """

    schema_version = SCHEMA
    decode = staticmethod(decode)
    user = "tracker"  # who holds the lock, as others are told

    def __init__(self, root: Path, *, fsync: bool = True, mends: bool = True, warn: Warn = lambda text: None) -> None:
        self.root, self.fsync, self.mends, self.warn = root, fsync, mends, warn
        self.listeners: list[Callable[[str, Sequence[Mapping[str, Any]]], None]] = []
        self._untold: list[tuple[str, Sequence[Mapping[str, Any]]]] = []
        self.stored: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self._depth = self._lock = 0
        self._files: dict[tuple[str, bool, int, int], int] = {}  # by name, whether it may be written, device and inode
        self.close = weakref.finalize(self, _close, self._files)

    @property
    def outcome(self) -> str:
        """What this process has stored, as a sentence without its end."""
        if self.doubtful:
            return UNKNOWN
        counts = ", ".join(f"{stream}{SUFFIX} {count}" for stream, count in self.stored.items())
        return f"These records were stored: {counts}" if counts else NOTHING

    def path(self, stream: str) -> Path:
        return self.root / f"{stream}{SUFFIX}"

    def streams(self) -> list[str]:
        try:
            names = os.listdir(self.root) if check_place(self.root, as_folder=True) else []
        except OSError as error:
            raise system_error("read", self.root, error, "Nothing was read") from error
        return sorted(name.removesuffix(SUFFIX) for name in filter(STREAM.fullmatch, names))

    def prepare(self) -> None:
        """Make the directory, private to its owner; refuse a path that is not one."""
        try:
            files.private_folder(self.root, fsync=self.fsync)
        except (OSError, ValueError) as error:
            raise system_error("create the data directory", self.root, error) from error

    # --- the lock

    @contextlib.contextmanager
    def lock(self, purpose: str | None = None, *, wait: float | None = None) -> Iterator[None]:
        """Hold the directory's one lock, also if this process holds it already.

        Others who wait are told `purpose`, by default the journal's user. `flock` is the system's: it ends with the
        process, however that ends.
        """
        if not self._depth:
            if not check_place(self.root, as_folder=True):
                self.prepare()
            check_place(path := self.root / LOCK)
            try:
                with contextlib.ExitStack() as undo:
                    undo.callback(os.close, file := os.open(path, os.O_RDWR | os.O_CREAT | OPEN, 0o600))
                    try:
                        # the package filelock would cost a command a tenth of its start
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        self._wait(file, WAIT_SECONDS if wait is None else wait)
                    with contextlib.suppress(OSError):  # only a courtesy
                        os.ftruncate(file, 0)
                        os.write(file, f"process {os.getpid()}, {purpose or self.user}\n".encode("utf-8", "replace"))
                    undo.pop_all()
            except OSError as error:
                raise system_error("lock", path, error, f"{NOTHING}. {ELSEWHERE}") from error
            self._lock = file
        self._depth += 1
        try:
            yield
        finally:
            self._let_go()

    def _wait(self, lock: int, seconds: float) -> None:
        """Wait until nobody else holds the lock; say whose it is."""
        start, is_told = time.monotonic(), False
        while (waited := time.monotonic() - start) < seconds:
            if waited >= NOTICE_SECONDS and not is_told:
                is_told = True
                self.warn(f"waiting for the lock of {self.root}, held by {_holder(lock)}")
            time.sleep(POLL_SECONDS)
            with contextlib.suppress(BlockingIOError):
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raise Busy(f"The lock of {self.root} is busy (held by {_holder(lock)}). {NOTHING}. Try again.")

    def _let_go(self) -> None:
        """Tell the listeners what was appended since the lock was taken; who took it first releases it."""
        try:
            while self._untold and self._depth == 1:
                stream, records = self._untold.pop(0)
                for listener in self.listeners:
                    listener(stream, records)
        finally:
            self._depth -= 1
            if not self._depth:
                os.close(self._lock)

    # --- writing

    def append(self, stream: str, records: Records) -> None:
        self.append_all({stream: records})

    def append_all(self, new: Mapping[str, Records]) -> None:
        """Append to several streams, in this order, and flush each once: to all of them or to none.

        The caller holds the lock.
        """
        assert self._depth, "append needs the lock"
        encoded: dict[str, bytes | bytearray] = {}
        for stream, own in new.items():
            if not STREAM.fullmatch(f"{stream}{SUFFIX}"):  # a file that no reader finds, perhaps elsewhere
                raise ValueError(f"Invalid stream {stream!r}. Expected lower-case letters, digits and '_'.")
            lines = encoded[stream] = own if isinstance(own, bytes) else bytearray()
            for record in () if isinstance(own, bytes) else own:  # one by one: two panes of 8 MB take 100 MB otherwise
                lines += orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        begun: dict[str, tuple[int, int]] = {}  # where the lines of each stream begin, in which file
        with records.uninterrupted():
            try:
                for stream, lines in encoded.items():
                    self._write(stream, lines, begun)
            except BaseException as error:
                for written, (file, start) in begun.items():
                    if not records.take_back(file, start, encoded[written]):
                        self.doubtful.add(written)
                if isinstance(error, OSError):
                    raise system_error("append to", self.path(stream), error, self.outcome) from error
                if isinstance(error, TrackerError) and self.doubtful:
                    raise TrackerError(f"{error} {UNKNOWN}.") from error
                raise
            for stream, lines in encoded.items():
                self.stored[stream] += lines.count(b"\n")
        self._untold += [(stream, () if isinstance(own, bytes) else own) for stream, own in new.items()]

    def _write(self, stream: str, lines: bytes | bytearray, begun: dict[str, tuple[int, int]]) -> None:
        """Append to the file that still has the stream's name afterwards; note in `begun` where."""
        path = self.path(stream)
        for _ in range(ATTEMPTS):
            file = self._file(stream, may_write=True)
            if records.whole_size(file, start := os.fstat(file).st_size) != start:
                start = self.mend(stream)
            begun[stream] = (file, start)
            if not start and self.fsync:
                files.sync_parents(path)  # also if an earlier command was killed between creating the stream and this
            records.write_all(file, lines)
            if self.fsync:
                os.fsync(file)
            if self._file(stream, may_write=True) == file:
                return
        self.doubtful.add(stream)  # who replaces it may have copied the lines
        raise TrackerError(f"Another program keeps replacing {path}. Close the file there and try again.")

    def mend(self, stream: str) -> int:
        """Set a torn last line aside; the size of the whole lines. The caller holds the lock."""
        path = self.path(stream)
        try:
            file = self._file(stream, may_write=True)
            size = os.fstat(file).st_size
            if (whole := records.whole_size(file, size)) == size:
                return size
            if size - whole <= LINE_LIMIT and decode(records.read_at(file, size - whole, whole)) is not None:
                records.write_all(file, b"\n")  # only its end is missing, as after an edit by hand
                return size + 1
            aside = files.set_aside(path, file, whole, size)
            if os.fstat(file).st_size != size:
                raise OSError("another program writes to it")
            os.ftruncate(file, whole)
        except OSError as error:
            raise system_error("set the torn last line aside of", path, error) from error
        self.warn(f"{path.name} ended in a torn line of {size - whole} bytes, which was set aside in {aside.name}")
        return whole

    # --- reading

    def size(self, stream: str) -> int:
        """The bytes of the whole lines of a stream; 0 if there is none."""
        return self.glance(stream, 0).size

    def glance(self, stream: str, mark: int) -> Glance:
        """How far a stream goes, and what it holds around an offset."""
        with self._reading(stream) as file:
            if file is None:
                return Glance()
            found = os.fstat(file)
            whole = records.whole_size(file, found.st_size)
            start = max(mark - SAMPLE, 0)
            head = blake2b(records.read_at(file, min(mark, SAMPLE), 0), digest_size=16)
            tail = blake2b(records.read_at(file, mark - start, start), digest_size=16)
        if whole != found.st_size and self.mends and not self._depth:
            try:
                with self.lock(wait=0):
                    whole = self.mend(stream)
            except Busy:
                pass  # a line without its end may belong to a writer at this moment
            except TrackerError as error:
                self.warn(f"{stream}{SUFFIX} ends in a torn line, which was left out ({error})")
        return Glance(size=whole, inode=found.st_ino, head=head.digest(), tail=tail.digest())

    def lines(self, stream: str, start: int = 0, stop: int | None = None) -> records.Lines:
        """The whole lines between two offsets, each with its offset and without its end; None is a line too long."""
        with self._reading(stream) as file:
            yield from () if file is None else records.whole_lines(file, start, stop)

    def records(
        self, stream: str, start: int = 0, stop: int | None = None, skips: records.Skips = None
    ) -> Iterator[tuple[int, bytes, Record]]:
        """The records between two offsets, each with its offset and line; lines that are not records are skipped."""
        aside: dict[bytes, None] = {}
        with self._reading(stream) as file:
            for offset, line in () if file is None else records.whole_lines(file, start, stop, skips):
                record = None if line is None else decode(line)
                if line is not None and record is not None:
                    yield offset, line, record
                elif line is None or (line.strip() and line not in (aside := aside or self.aside(stream))):
                    self.warn(f"{stream}{SUFFIX} holds lines that are not records. `tracker doctor` shows them.")
                line = record = None  # a long line is let go before the next is read

    def aside(self, stream: str) -> dict[bytes, None]:
        """The lines in `*.torn`: torn ones, and copies of lines that are not records, of which no reader warns."""
        path = Path(f"{self.path(stream)}.torn")
        return dict.fromkeys(path.read_bytes().split(b"\n")) if path.is_file() and not path.is_symlink() else {}

    def record(self, stream: str, offset: int) -> Record:
        """The record at an offset; an empty one if there is none any more."""
        return next(self.records(stream, offset), (0, b"", {}))[2]

    def checksums(self, stream: str, start: int, stop: int, checksum: int = 0) -> Iterator[tuple[int, int]]:
        """The checksum of each megabyte between two offsets; that of the first goes on from `checksum`."""
        with self._reading(stream) as file:
            while file is not None and start < stop:
                end = min(stop, (start // BLOCK + 1) * BLOCK)
                yield start // BLOCK, zlib.crc32(records.read_at(file, end - start, start), checksum)
                start, checksum = end, 0

    @contextlib.contextmanager
    def _reading(self, stream: str) -> Iterator[int | None]:
        file = None
        try:
            with contextlib.suppress(FileNotFoundError):
                file = self._file(stream)
            yield file
        except OSError as error:
            raise system_error("read", self.path(stream), error, "Nothing was read") from error

    def _file(self, stream: str, *, may_write: bool = False) -> int:
        """The open file that has the stream's name now; a `FileNotFoundError` if there is none to read.

        It stays open until the journal is closed: a command opens each stream once to read and once to append, and a
        reader may go on after the stream was replaced.
        """
        path, flags = self.path(stream), os.O_RDWR | os.O_APPEND | os.O_CREAT if may_write else os.O_RDONLY
        check_place(self.root, as_folder=True)
        with contextlib.suppress(FileNotFoundError):
            named = os.lstat(path)
            if (known := self._files.get((stream, may_write, named.st_dev, named.st_ino))) is not None:
                return known
        file = os.open(path, flags | OPEN, 0o600)
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise records.special_file(path, found.st_mode)
        self._files[stream, may_write, found.st_dev, found.st_ino] = file
        return file


def _holder(lock: int) -> str:
    found = records.read_at(lock, HOLDER_LIMIT, 0)
    return found.partition(b"\n")[0].decode("utf-8", "replace").strip() or "another process"


def _close(opened: dict[Any, int]) -> None:
    while opened:
        os.close(opened.popitem()[1])
