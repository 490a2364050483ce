"""The files: append, read, lock, set aside. Nothing else opens a stream.

A stream is one JSON object a line, in a file of its own, and only ever grows. A record is on disk before `append`
returns; readers take whole lines and need no lock; a torn last line, left by a crash, is set aside by the next writer.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from tracker.errors import Busy, TrackerError

SUFFIX = ".jsonl"
WAIT_SECONDS, NOTICE_SECONDS = 5.0, 1.0
CHUNK = 1 << 20
# follow no link, wait for no pipe, translate no line end: each where the platform knows it
OPEN = sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))

Warn = Callable[[str], None]


class Journal:
    """The append-only streams of one data directory."""

    def __init__(self, root: Path, *, fsync: bool = True, warn: Warn = lambda text: None) -> None:
        self.root, self.fsync, self.warn = root, fsync, warn
        self._held = 0

    def path(self, stream: str) -> Path:
        return self.root / f"{stream}{SUFFIX}"

    def streams(self) -> list[str]:
        """The names of the streams that exist."""
        return sorted(path.name[: -len(SUFFIX)] for path in self.root.glob(f"*{SUFFIX}"))

    # --- the directory and its lock

    def prepare(self) -> None:
        """Make the directory, private to its owner; refuse what is none."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            raise TrackerError(f"{self.root} is not a directory; name another with --data-dir") from None
        except OSError as error:
            raise failed("create the data directory", self.root, error) from error

    @contextlib.contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Hold the directory's one lock; `purpose` is what others are told who wait for it."""
        if self._held:
            yield
            return
        from filelock import FileLock, Timeout

        self.prepare()
        path, owner = self.root / ".lock", self.root / ".lock-owner"
        for special in (path, owner):
            refuse_special(special)
        lock = FileLock(path, mode=0o600)
        try:
            try:
                lock.acquire(timeout=NOTICE_SECONDS)
            except Timeout:
                self.warn(f"waiting for the lock of {self.root}, held by {_owner(owner)}")
                lock.acquire(timeout=WAIT_SECONDS - NOTICE_SECONDS)
        except Timeout:
            held = f"the lock of {self.root} is busy (held by {_owner(owner)})"
            raise Busy(f"{held}; nothing was written, try again") from None
        except OSError as error:
            raise failed("lock", path, error) from error
        self._held += 1
        try:
            with contextlib.suppress(OSError):  # only a courtesy to whoever waits
                owner.write_text(f"process {os.getpid()}, {purpose}\n")
            yield
        finally:
            self._held -= 1
            lock.release()

    # --- writing

    def append(self, stream: str, records: Sequence[dict[str, Any]]) -> int:
        """Append whole records in one write and flush them to disk; the offset of the first.

        The caller holds the lock. On failure the stream is as it was before.
        """
        return self.append_lines(stream, b"".join(orjson.dumps(record) + b"\n" for record in records))

    def append_lines(self, stream: str, lines: bytes) -> int:
        """Append lines that are already encoded, each with its end."""
        assert self._held, "append needs the lock"
        path = self.path(stream)
        try:
            file, is_new = self._open_to_append(path)
        except OSError as error:
            raise failed("open", path, error) from error
        try:
            start = self._mend_tail(path, file)
            try:
                _write_all(file, lines)
                if self.fsync:
                    os.fsync(file)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(file, start)
                raise failed("append to", path, error) from error
            if is_new and self.fsync:
                _sync_directory(self.root)
        finally:
            os.close(file)
        return start

    def _open_to_append(self, path: Path) -> tuple[int, bool]:
        is_new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o600)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise TrackerError(f"{path} is no regular file; move it away")
        return file, is_new

    def _mend_tail(self, path: Path, file: int) -> int:
        """Set a torn last line aside; the size of what stands."""
        size = os.fstat(file).st_size
        whole = _whole_size(file, size)
        if whole == size:
            return size
        torn = read_at(file, size - whole, whole)
        try:
            with contextlib.suppress(orjson.JSONDecodeError):
                if isinstance(orjson.loads(torn), dict):  # only its end is missing, as after an edit by hand
                    os.write(file, b"\n")
                    return size + 1
            aside = path.with_name(path.name + ".torn")
            kept = os.open(aside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | OPEN, 0o600)
            try:
                _write_all(kept, torn + b"\n")
                os.fsync(kept)
            finally:
                os.close(kept)
            os.ftruncate(file, whole)
        except OSError as error:
            raise failed("set the torn last line aside of", path, error) from error
        self.warn(f"{path.name} ended in a torn line of {len(torn)} bytes, which was set aside in {aside.name}")
        return whole

    # --- reading

    def size(self, stream: str) -> int:
        """The bytes of the whole lines of a stream; 0 where there is none."""
        with self._reading(stream) as file:
            return 0 if file is None else _whole_size(file, os.fstat(file).st_size)

    def lines(self, stream: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The whole lines between two offsets, each with its own offset and without its end."""
        with self._reading(stream) as file:
            if file is None:
                return
            offset, rest = start, b""
            while stop is None or offset + len(rest) < stop:
                wanted = CHUNK if stop is None else min(CHUNK, stop - offset - len(rest))
                chunk = read_at(file, wanted, offset + len(rest))
                if not chunk:
                    return
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield offset, line
                    offset += len(line) + 1

    def read(self, stream: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
        """The records between two offsets; a line that is none is left where it is, and said."""
        bad = 0
        for offset, line in self.lines(stream, start, stop):
            record = decode(line)
            if record is not None:
                yield offset, record
            elif line.strip():
                bad += 1
        if bad:
            self.warn(f"{self.path(stream).name} has {bad} lines that are no records: ignored; see `tracker doctor`")

    def peek(self, stream: str, start: int, length: int) -> bytes:
        """Some bytes of a stream, as they are."""
        with self._reading(stream) as file:
            return b"" if file is None else read_at(file, length, start)

    @contextlib.contextmanager
    def _reading(self, stream: str) -> Iterator[int | None]:
        path = self.path(stream)
        try:
            file = os.open(path, os.O_RDONLY | OPEN)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise failed("read", path, error) from error
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise TrackerError(f"{path} is no regular file; move it away")
            yield file
        finally:
            os.close(file)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None where it is none."""
    try:
        record = orjson.loads(line)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def failed(action: str, path: Path, error: OSError) -> TrackerError:
    """An error of the system as one line: what, where, why."""
    why = error.strerror or str(error)
    if path.is_symlink():
        why = "it is a symbolic link, which is not followed"
    return TrackerError(f"cannot {action} {path}: {why}; nothing was stored")


def refuse_special(path: Path) -> None:
    """Refuse a link, pipe or directory where a file of ours belongs."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise failed("look at", path, error) from error
    if not stat.S_ISREG(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
        raise TrackerError(f"{path} is {kind}; move it away")


def read_at(file: int, length: int, offset: int) -> bytes:
    """`os.pread`, which Windows lacks, on a descriptor that nobody shares."""
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, length)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:  # one write, unless the system takes less
        view = view[os.write(file, view) :]


def _whole_size(file: int, size: int) -> int:
    """How many bytes of a file are whole lines."""
    end = size
    while end > 0:
        start = max(0, end - CHUNK)
        found = read_at(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _sync_directory(path: Path) -> None:
    if os.name != "posix":
        return  # Windows flushes the entry with the file
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _owner(path: Path) -> str:
    try:
        return path.read_text().strip() or "another process"
    except OSError:
        return "another process"


def command_line() -> str:
    """The words of this command without their values, as others are told who holds the lock."""
    return "tracker " + " ".join(word for word in sys.argv[1:4] if word.isalpha())
