"""Files as the system sees them: opened without following links, read to the last byte, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tracker.errors import TrackerError

CHUNK = 1 << 18
# bytes of a line; a character outside ASCII takes up to four of them
LINE_LIMIT = 16 << 20
# do not follow links, and do not wait for pipes
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
NOTHING = "Nothing was stored"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Content = bytes | Callable[[Path], object]
Skips = Callable[[bytes], bool] | None
Lines = Iterator[tuple[int, bytes | None]]
TEMPORARY = re.compile(r"\..+\.([0-9]+)-[0-9a-f]{8}\.part")


def system_error(action: str, path: Path, error: OSError | ValueError, after: str = NOTHING) -> TrackerError:
    """An error of the system as one line: what failed, where, why, and what that means for the data."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, OSError) and path.is_symlink():
        why = "it is a symbolic link, which tracker does not follow"
    return TrackerError(f"cannot {action} {path}: {why}. {after}.")


def check_place(path: Path, *, as_folder: bool = False) -> bool:
    """Whether a file stands at a path, or a directory; an error for anything else, such as a link to elsewhere."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise system_error("look at", path, error) from error
    if as_folder and stat.S_ISLNK(mode):
        raise TrackerError(f"{path} is a symbolic link, which tracker does not follow. Name the directory itself.")
    if as_folder and not stat.S_ISDIR(mode):
        raise TrackerError(f"{path} is not a directory. Name another.")
    if not as_folder and not stat.S_ISREG(mode):
        raise special_file(path, mode)
    return True


def special_file(path: Path, mode: int) -> TrackerError:
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "a directory" if stat.S_ISDIR(mode) else "not a regular file"
    return TrackerError(f"{path} is {kind}. Expected a regular file. Move it away.")


def private_folder(path: Path, *, fsync: bool = True) -> None:
    """Make a directory that only its owner may enter, and missing parents; one that exists stays as it is."""
    if check_place(path, as_folder=True):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    if fsync:
        sync_parents(path)


def flush(path: Path, flags: int = os.O_RDONLY) -> None:
    """Flush a directory, so that a file created in it outlives a power cut; with other flags a file."""
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_parents(path: Path) -> None:
    """Flush the entries of a path and of the directories above it: a killed command may have left any of them."""
    flush(path.parent)
    for folder in path.absolute().parent.parents:
        try:
            flush(folder)
        except OSError:
            # not ours, so not created by us
            return


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back signals that end the program, so that it knows what it stored; they take effect when the block ends.

    By handlers, because a blocked signal reaches another thread, which interrupts this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {one: signal.signal(one, lambda number, _frame: caught.append(number)) for one in ENDS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler or signal.SIG_DFL)
        for number in caught:
            signal.raise_signal(number)


# --- reading and writing


def read_at(file: int, length: int, offset: int) -> bytes:
    """Read a length at an offset; fewer bytes only if the file ends. A single read may return less, as on NFS."""
    parts = []
    while length > 0 and (part := os.pread(file, length, offset)):
        parts.append(part)
        length, offset = length - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_all(file: int, data: bytes | bytearray) -> None:
    """Write in one call, unless the system takes less."""
    view = memoryview(data)
    while view:
        written = os.write(file, view)
        if not written:
            raise OSError(f"the system took none of {len(view)} bytes")
        view = view[written:]


def take_back(file: int, start: int, lines: bytes | bytearray) -> bool:
    """Remove what was written of some lines, and nothing else; whether none of them is stored."""
    tail = b"\n"
    with contextlib.suppress(OSError):
        tail = read_at(file, os.fstat(file).st_size - start, start)
        if tail and lines.startswith(tail):
            os.ftruncate(file, start)
            return True
    # a line without its end is no record, and the next command sets it aside
    return b"\n" not in tail


def whole_size(file: int, size: int) -> int:
    """How many bytes of a file are whole lines."""
    if not size or read_at(file, 1, size - 1) == b"\n":
        return size
    end = size
    while end > 0:
        start = max(0, end - CHUNK)
        chunk = read_at(file, end - start, start)
        if len(chunk) < end - start:
            raise OSError("the file became shorter while it was read")
        found = chunk.rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def whole_lines(file: int, start: int, stop: int | None, skips: Skips = None) -> Lines:
    """The whole lines between two offsets, each with its offset and without its end; None is a line over the limit.

    Memory is bounded by the limit, whatever the file holds.
    """
    # of the line that has begun: its offset, its bytes so far, how many they are
    offset, parts, held = start, [], 0
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
        # a long line is not held any longer than its reader holds it
        whole = None
        offset += held + 1
        if skips and skips(rest[: (size := rest.rfind(b"\n") + 1)]):
            offset, rest = offset + size, rest[size:]
        *lines, tail = rest.split(b"\n")
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        parts, held = [tail], len(tail)


def set_aside(path: Path, file: int, start: int, stop: int) -> Path:
    """Copy the torn line between two offsets of an open file to `*.torn`, and onto the disk."""
    if start and read_at(file, 1, start - 1) != b"\n":
        raise OSError("the torn line has no beginning")
    aside = path.with_name(path.name + ".torn")
    check_place(aside)
    kept = os.open(aside, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o600)
    try:
        size = os.fstat(kept).st_size
        if size and read_at(kept, 1, size - 1) != b"\n":
            write_all(kept, b"\n")
        while start < stop:
            chunk = read_at(file, min(CHUNK, stop - start), start)
            if not chunk or b"\n" in chunk:
                raise OSError("the line changed while it was read")
            write_all(kept, chunk)
            start += len(chunk)
        write_all(kept, b"\n")
        os.fsync(kept)
    finally:
        os.close(kept)
    flush(path.parent)
    return aside


# --- replacing


def replace_file(
    path: Path, content: Content, *, was: bytes | None = None, fsync: bool = True, after: str = NOTHING
) -> None:
    """Replace a whole file: readers see the old one or the new one. `content` may write to the path that it is given.

    A new file or folder is as open to others as the folder around it; one that exists keeps its mode.
    was: what the file must still hold, b"" for no file. Compare, or a line that somebody appended meanwhile is lost.
    after: the end of an error's message.
    """
    check_place(path)
    part = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        for folder in reversed([one for one in path.parents if not one.exists()]):
            folder.mkdir(mode=0o755 & folder.parent.stat().st_mode, exist_ok=True)
        remove_temporary(path.parent)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN, 0o600))
        if isinstance(content, bytes):
            part.write_bytes(content)
        else:
            content(part)
        if fsync:
            flush(part, os.O_RDWR | OPEN)
        if was is not None and (path.read_bytes() if path.exists() else b"") != was:
            raise TrackerError(f"{path} changed while tracker was about to replace it. Run the command again.")
        os.chmod(part, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644 & path.parent.stat().st_mode)
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise system_error("write", path, error, after) from error
        raise
    try:
        if fsync:
            flush(path.parent)
    except OSError as error:
        raise TrackerError(f"{path} was written, but may not survive a power cut: {error.strerror}.") from error


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    for found in filter(None, map(TEMPORARY.fullmatch, os.listdir(folder))):
        # one of somebody else's that runs may not be asked
        with contextlib.suppress(OSError):
            try:
                os.kill(int(found[1]), 0)
            except (ProcessLookupError, OverflowError):
                os.unlink(folder / found[0])
