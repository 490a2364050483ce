"""The newest reading in a folder's files: the last changed file first, each read from its end, line by line."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import translate
from itertools import islice
from pathlib import Path

from attrs import evolve

from tracker.api import FileOrigin
from tracker.kernel import line, plural, read_at
from tracker_capture.origins.answer import LIMIT, Answer, OriginError, Query, not_installed

# The instant of its last change, and its path.
File = tuple[float, str]
# Files in a row that gave no later reading than the best one, before the search ends.
PATIENCE = 16
# Bytes. The wanted line is mostly in the first chunk.
FIRST_CHUNK, LARGEST_CHUNK = 1 << 14, 1 << 22
# Bytes before a file's end in which its owner is looked for, and then at its beginning.
NEAR = 1 << 26
# A user's session files may be links; devices and pipes must not block.
OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def newest(query: Query) -> Answer:
    """The reading with the latest `as_of` that a right clock may have told."""
    origin = query.origin
    assert isinstance(origin, FileOrigin)
    files = sorted(listed(origin), reverse=True)
    best, is_proven = _search(query, files, None)
    if best is not None and not is_proven:
        best, _ = _search(query, sorted(files, key=lambda file: file[1], reverse=True), best)
    if best is None:
        rest = ", ".join(map(line, _folders(origin))) + ("" if query.remaining() else f" within {query.seconds:g} s")
        raise OriginError(f"no reading in {plural(len(files), 'file')} below {rest}")
    return best


def _search(query: Query, files: Sequence[File], best: Answer | None) -> tuple[Answer | None, bool]:
    """The latest reading of some files, and whether no file can hold a later one.

    A file holds nothing later than its last change. If all files were changed after the best reading was made, as in a
    copied tree, the search ends when enough of them were read in vain.
    """
    in_vain, latest = 0, _proven(best)
    for changed, path in files:
        if changed <= latest:
            continue
        if in_vain == PATIENCE or not query.remaining():
            return best, False
        found = _last(query, path, changed)
        if found is not None and (best is None or _rank(found) > _rank(best)):
            best, in_vain, latest = found, 0, _proven(found)
        elif found is not None:
            in_vain += 1
    return best, True


def _rank(answer: Answer) -> tuple[bool, datetime]:
    """A reading by a clock that is ahead counts only if there is no other."""
    return not answer.is_ahead, answer.as_of


def _proven(best: Answer | None) -> float:
    """Until when no file holds anything better."""
    return float("-inf") if best is None or best.is_ahead else best.as_of.timestamp()


def listed(origin: FileOrigin) -> list[File]:
    """The origin's files; an `OriginError` if there are none."""
    folders = _folders(origin)
    found = [one for folder in folders for one in _files(folder, origin.pattern)]
    if not found:
        raise not_installed(f"no file {line(origin.pattern)} in {', '.join(map(line, folders))}", origin)
    return found


def _folders(origin: FileOrigin) -> list[Path]:
    """Those that are there; the variable may name several with commas between them, as for the session logs."""
    named = os.environ.get(origin.variable, "") if origin.variable else ""
    texts = [one.strip() for one in named.split(",") if one.strip()] or [origin.folder]
    folders = [Path(text).expanduser() for text in texts]
    # no error in another user's home, as under `sudo -u`
    found = [folder for folder in folders if os.path.isdir(folder)]
    if not found:
        where = f" (${origin.variable})" if named else ""
        raise not_installed(f"no folder {', '.join(map(line, folders))}{where}", origin)
    return found


def _files(folder: Path, pattern: str) -> Iterator[File]:
    """Every file of the pattern with the instant of its last change; what cannot be read is passed over."""
    *folders, name = (re.compile(translate(part)) for part in pattern.split("/"))
    level = [os.fspath(folder)]
    for wanted in folders:
        level = [entry.path for path in level for entry in _entries(path) if wanted.match(entry.name)]
    for path in level:
        for entry in _entries(path):
            if name.match(entry.name):
                try:
                    found = entry.stat()
                except OSError:
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield found.st_mtime, entry.path


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []


def _last(query: Query, path: str, changed: float) -> Answer | None:
    """The reading of the last line that gives one; without a time of its own, it has that of the file's last change."""
    origin = query.origin
    assert isinstance(origin, FileOrigin)
    owner: str | None = None
    try:
        for found in islice(_lines_backwards(path, origin.marker.encode(), query), origin.lines):
            text = found.decode("utf-8", "replace")
            answer = query.parse(text)
            if answer.has_value and origin.owner:
                owner = _owner(path, origin.owner.encode(), query) if owner is None else owner
                answer = query.parse(f"{owner}\n{text}") if owner else answer
            if answer.has_value:
                as_of = answer.reading.as_of or datetime.fromtimestamp(changed, UTC)
                return evolve(answer, reading=evolve(answer.reading, as_of=as_of))
    except OSError:  # removed or made unreadable meanwhile
        pass
    return None


def _owner(path: str, marker: bytes, query: Query) -> str:
    """The first and the last line that hold the marker; in a large file those at its beginning and near its end."""
    size = os.stat(path).st_size
    ends = ((None, max(0, size - NEAR)), (min(LARGEST_CHUNK, size), 0))
    found = [line for end, stop in ends for line in _lines_backwards(path, marker, query, end, stop)]
    return b"\n".join(dict.fromkeys((*found[-1:], *found[:1]))).decode("utf-8", "replace")


def _lines_backwards(path: str, marker: bytes, query: Query, end: int | None = None, stop: int = 0) -> Iterator[bytes]:
    """The file's lines that hold the marker, the last first, while there is time; those over the limit are left out."""
    file = os.open(path, OPEN)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        end = os.lseek(file, 0, os.SEEK_END) if end is None else end
        size, rest = FIRST_CHUNK, b""
        while end > stop and query.remaining():
            start = max(0, end - size)
            block = read_at(file, end - start, start) + rest
            head, newline, whole = block.partition(b"\n") if start else (b"", b"\n", block)
            if not newline:
                head, whole = block, b""
            if marker in whole:
                yield from (one for one in reversed(whole.split(b"\n")) if marker in one and len(one) <= LIMIT)
            rest = head if len(head) <= LIMIT else head[:LIMIT] + b"..."
            end, size = start, min(2 * size, LARGEST_CHUNK)
    finally:
        os.close(file)
