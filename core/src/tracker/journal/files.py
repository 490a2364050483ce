"""Folders of the user's alone, and whole files, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from tracker.errors import TrackerError
from tracker.journal.records import CHUNK, NOTHING, OPEN, check_place, read_at, system_error, write_all

Content = bytes | Callable[[Path], object]


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
    with contextlib.suppress(OSError):  # of one that is not ours, so not created by us
        for folder in path.absolute().parent.parents:
            flush(folder)


def set_aside(path: Path, file: int, start: int, stop: int) -> Path:
    """Copy the torn line between two offsets of an open file to `*.torn`, and onto the disk."""
    if start and read_at(file, 1, start - 1) != b"\n":
        raise OSError("the torn line has no beginning")
    aside = path.with_name(path.name + ".torn")
    check_place(aside)
    kept = os.open(aside, os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN, 0o600)
    try:
        if (size := os.fstat(kept).st_size) and read_at(kept, 1, size - 1) != b"\n":
            write_all(kept, b"\n")
        while start < stop:
            if not (chunk := read_at(file, min(CHUNK, stop - start), start)) or b"\n" in chunk:
                raise OSError("the line changed while it was read")
            write_all(kept, chunk)
            start += len(chunk)
        write_all(kept, b"\n")
        os.fsync(kept)
    finally:
        os.close(kept)
    flush(path.parent)
    return aside


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
    temporary = re.compile(r"\..+\.([0-9]+)-[0-9a-f]{8}\.part")
    for found in filter(None, map(temporary.fullmatch, os.listdir(folder))):
        with contextlib.suppress(OSError):  # one of somebody else's that runs may not be asked
            try:
                os.kill(int(found[1]), 0)
            except (ProcessLookupError, OverflowError):
                os.unlink(folder / found[0])
