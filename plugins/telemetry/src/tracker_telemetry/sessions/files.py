"""The files of a source's session logs, and how a change of one is noticed."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple, TypeAlias

from tracker.api import LogOrigin, Source
from tracker_telemetry import blake2b

STORE = "sessions.sqlite3"  # what all files held
INODE = (1 << 63) - 1  # some file systems number their files higher than SQLite counts
BESIDE = "-wal", "-shm", "-journal", ".wal"  # what databases write beside their file
END = 512  # bytes at the end of what was read, by which a file is recognized
PACKED = ".zst"
PACKED_BLOCK = 1 << 15  # bytes of a compressed file that are read at once

State: TypeAlias = tuple[tuple[int, int] | None, ...]


class Print(NamedTuple):
    """A file in this moment: its size, the time of its last writing, and its number."""

    size: int
    mtime: int
    inode: int


class LogFile(NamedTuple):
    """A file of a source's logs."""

    path: str
    words: tuple[bytes, ...]
    now: Print


class PackedFile:
    """A compressed file of one or more frames, to be read like another; one that is cut off is an error."""

    def __init__(self, file: io.FileIO) -> None:
        import zstandard

        self.file, self.new = file, zstandard.ZstdDecompressor().decompressobj
        self.frame: Any = None
        self.packed = b""
        self.found = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        """Fill the beginning of a buffer; 0 at the end."""
        while not self.found and (packed := self.packed or self.file.read(PACKED_BLOCK)):
            self.frame = self.frame or self.new()
            self.found = memoryview(self.frame.decompress(packed))
            self.packed = self.frame.unused_data if self.frame.eof else b""
            if self.frame.eof:
                self.frame = None
        if not self.found and self.frame is not None:
            raise ValueError("the compressed file is cut off")
        size = min(len(self.found), len(buffer))
        buffer[:size], self.found = self.found[:size], self.found[size:]
        return size


def files(source: Source) -> list[LogFile]:
    """The files of all origins, each once, the oldest first."""
    found: dict[tuple[int, int], LogFile] = {}
    for origin in _wanted(source):
        words = tuple(word.encode() for word in origin.words)
        for folder in _folders(origin):
            for path in _below(folder, origin.pattern):
                try:
                    stat = os.stat(path)
                except OSError:
                    continue
                if not S_ISREG(stat.st_mode):  # a pipe would be waited for
                    continue
                now = Print(stat.st_size, stat.st_mtime_ns, stat.st_ino & INODE)
                found.setdefault((stat.st_dev, stat.st_ino), LogFile(path, words, now))
    return sorted(found.values(), key=lambda one: (one.now.mtime, one.path))


def unlisted(source: Source) -> list[str]:
    """Why folders that may hold files cannot be listed; a missing folder counts only if a variable names it."""
    errors: list[OSError] = []
    lacking: dict[str, None] = {}
    for origin in (wanted := _wanted(source)):
        for folder in _folders(origin):
            # other programs' variables, such as the second origin's, may name folders that nobody made
            if origin.variable == wanted[0].variable and os.environ.get(origin.variable or "") and not folder.exists():
                lacking[f"{folder}, set in {origin.variable}, does not exist"] = None
            for _ in _below(folder, origin.pattern, errors.append):
                pass
    gone = FileNotFoundError, NotADirectoryError
    return [*lacking, *(f"[Errno {one.errno}] {one.strerror}" for one in errors if not isinstance(one, gone))]


def places(source: Source) -> list[str]:
    """Where the files of a source are looked for."""
    return [str(folder / origin.pattern) for origin in _wanted(source) for folder in _folders(origin)]


def state_of(paths: Iterable[Path]) -> State:
    """A state that is equal as long as some files are unchanged."""
    found: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            now = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((now.st_size, now.st_mtime_ns))
    return tuple(found)


def end_of(path: str, stop: int) -> str:
    """A checksum of the bytes before an offset of a file."""
    with open(path, "rb") as file:
        file.seek(max(stop - END, 0))
        return blake2b(file.read(min(stop, END)), digest_size=8).hexdigest()


def _wanted(source: Source) -> list[LogOrigin]:
    """All origins; if the variable of the first one is set, only those that it names."""
    logs = [origin for origin in source.origins if isinstance(origin, LogOrigin)]
    if logs and logs[0].variable and os.environ.get(logs[0].variable):
        return [origin for origin in logs if origin.variable == logs[0].variable]
    return logs


def _folders(origin: LogOrigin) -> list[Path]:
    named = os.environ.get(origin.variable, "") if origin.variable else ""
    texts = [one.strip() for one in named.split(",") if one.strip()] or [origin.folder]
    return [Path(text).expanduser() for text in texts]


def _below(folder: Path, pattern: str, failed: Callable[[OSError], None] | None = None) -> Iterator[str]:
    """The files below a folder that fit the pattern, also compressed; a linked folder is followed once."""
    *folders, last = pattern.split("/")
    fixed = [*takewhile(lambda part: not any(map(part.__contains__, "*?[")), folders)]
    top, wanted = folder.joinpath(*fixed), folders[len(fixed) :]
    seen: set[tuple[int, int]] = set()
    for place, inner, names in os.walk(top, onerror=failed, followlinks=True):
        try:
            stat = os.stat(place)
        except OSError:
            continue
        if (stat.st_dev, stat.st_ino) in seen:
            inner.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        parts = Path(place).relative_to(top).parts
        if _fits(parts, wanted):
            for name in sorted(names):
                if fnmatchcase(name.removesuffix(PACKED), last):
                    yield os.path.join(place, name)
        if "**" in wanted or len(parts) < len(wanted):
            inner.sort()
        else:
            inner.clear()


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether folders are those of a pattern, in which ** stands for any number of them, also none."""
    if not wanted or not parts:
        return not parts and {*wanted} <= {"**"}
    if wanted[0] == "**":
        return _fits(parts, wanted[1:]) or _fits(parts[1:], wanted)
    return fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def is_linked(path: Path) -> bool:
    """Whether a database would write elsewhere: through a link, also beside it, to a file of two names, or a pipe."""
    beside = (Path(f"{path}{end}") for end in ("", *BESIDE))
    if any(one.is_symlink() for one in (path.parent, *beside)):
        return True
    with suppress(OSError):
        found = path.stat()
        return found.st_nlink > 1 or not S_ISREG(found.st_mode)
    return False


def make_own(path: Path) -> None:
    """Make the file of a database that has none; an `OSError` if it would write elsewhere."""
    if is_linked(path):
        raise OSError(f"{path.name} leads elsewhere")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
