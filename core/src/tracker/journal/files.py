"""Our own files as the system sees them: opened without following a link, written whole, read in whole lines."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from tracker.errors import TrackerError

CHUNK = 1 << 20
LINE_LIMIT = 16 << 20  # bytes of a line; one character beyond ASCII makes four of each as text
# follow no link, wait for no pipe, translate no line end: each where the platform knows it
OPEN = sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


def failed(action: str, path: Path, error: OSError | ValueError, after: str = "nothing was stored") -> TrackerError:
    """An error of the system as one line: what, where, why."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, OSError) and path.is_symlink():
        why = "it is a symbolic link, which is not followed"
    return TrackerError(f"cannot {action} {path}: {why}; {after}")


def refuse_special(path: Path) -> None:
    """Refuse a link, pipe or directory where a file of ours belongs."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise failed("look at", path, error) from error
    if not stat.S_ISREG(mode):
        raise special(path, mode)


def special(path: Path, mode: int) -> TrackerError:
    """What stands in the place of one of our files."""
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "a directory" if stat.S_ISDIR(mode) else "no regular file"
    return TrackerError(f"{path} is {kind}; move it away")


def check_directory(path: Path) -> bool:
    """Whether the directory is there; refused where it is something else, such as a link to elsewhere."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise failed("look at", path, error) from error
    if stat.S_ISLNK(mode):
        raise TrackerError(f"{path} is a symbolic link, which is not followed; name the directory that it points to")
    if not stat.S_ISDIR(mode):
        raise TrackerError(f"{path} is not a directory; name another")
    return True


def make_private(path: Path, *, fsync: bool = True) -> None:
    """Make a directory that only its owner may enter, with the folders above it where they lack."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    for folder in missing if fsync else ():
        sync_directory(folder.parent)


def write_all(file: int, data: bytes | bytearray) -> None:
    """Write in one call, unless the system takes less."""
    view = memoryview(data)
    while view:
        written = os.write(file, view)
        if not written:
            raise OSError(f"the system took none of {len(view)} bytes")
        view = view[written:]


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name beside a file's own, under which it is written: it takes its place when it is whole, else it vanishes."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_at(file: int, length: int, offset: int) -> bytes:
    """`os.pread`, which Windows lacks, on a descriptor that nobody shares."""
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, length)


def whole_size(file: int, size: int) -> int:
    """How many bytes of a file are whole lines."""
    if not size or read_at(file, 1, size - 1) == b"\n":
        return size
    end = size
    while end > 0:
        start = max(0, end - CHUNK)
        found = read_at(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def whole_lines(file: int, start: int, stop: int | None) -> Iterator[tuple[int, bytes | None]]:
    """The whole lines between two offsets, each with its own and without its end; None is one over the limit.

    Memory is bounded by the limit, whatever the file holds.
    """
    offset, parts, held = start, [], 0  # of the line that has begun: its offset, its bytes so far, how many
    while stop is None or offset + held < stop:
        position = offset + held
        chunk = read_at(file, CHUNK if stop is None else min(CHUNK, stop - position), position)
        if not chunk:
            return
        head, end, rest = chunk.partition(b"\n")
        held += len(head)
        if held <= LINE_LIMIT:
            parts.append(head)
        else:
            parts.clear()
        if not end:
            continue
        whole = b"".join(parts) if held <= LINE_LIMIT else None
        parts.clear()
        yield offset, whole
        whole = None  # not held any longer than the reader does
        offset += held + 1
        *lines, tail = rest.split(b"\n")
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        parts, held = [tail], len(tail)


def sync_directory(path: Path) -> None:
    """Flush a directory, so that a file made in it outlives a power cut."""
    if os.name != "posix":
        return  # Windows flushes the entry with the file
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def set_aside(path: Path, file: int, start: int) -> Path:
    """Copy what stands in an open file behind an offset to a file beside it, and onto the disk."""
    aside = path.with_name(path.name + ".torn")
    kept = os.open(aside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | OPEN, 0o600)
    try:
        while chunk := read_at(file, CHUNK, start):
            write_all(kept, chunk)
            start += len(chunk)
        write_all(kept, b"\n")
        os.fsync(kept)
    finally:
        os.close(kept)
    sync_directory(path.parent)
    return aside


def replace_file(path: Path, content: bytes) -> None:
    """Write the whole file beside its place and move it there: readers see the old one or the new one."""
    refuse_special(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else None
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN, 0o666)
            with os.fdopen(file, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(file)
            if mode is not None:
                os.chmod(beside, mode)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        raise failed("write", path, error) from error
