"""Follow a file as it grows, by polling, which works on every file system: through truncation and rotation.

A place in a file is known by the file's number and by a checksum of the bytes before it, so that another file of that
number is noticed. A renamed file is read until it has no more and its successor has something, and whole lines that are
added later are also read: a writer keeps it open until it is told of the rotation. What was written to it while nobody
followed, or what a rotation copied before truncating the file, is found in files beside it with names like its own.

A mark records how far a followed file was read. It lies beside the derived index: if both are deleted, all that is
needed is a replay. It is valid for one journal, whose length and last bytes it holds.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, define, field, frozen

from tracker.kernel import TrackerError, read_at, replace_file
from tracker_telemetry import FOLDER, blake2b
from tracker_telemetry.lines import BATCH, PACKED, Stop
from tracker_telemetry.reader import Reader
from tracker_telemetry.stored_rows import SIZE, ids_of

POLL_SECONDS = 0.25
TAIL = 256  # bytes before a place by which it is known
NUMBERS = re.compile(r"[0-9]+")


@frozen
class Place:
    """How far a stream was taken in, and in which file."""

    device: int = 0
    inode: int = 0
    position: int = 0
    size: int = 0  # bytes before the place that the checksum covers
    checksum: str = ""
    is_within_line: bool = False

    def is_of(self, file: int) -> bool:
        """Whether an open file has the number."""
        return (os.fstat(file).st_dev, os.fstat(file).st_ino) == (self.device, self.inode)

    def fits(self, file: int) -> bool:
        """Whether an open file is the one, or a copy of it, as far as it was read."""
        if not self.size:
            return self.is_of(file)
        return blake2b(read_at(file, self.size, self.position - self.size), digest_size=16).hexdigest() == self.checksum

    def is_in(self, file: int) -> bool:
        """Whether an open file is the very file: another may begin alike, or may have been given its number."""
        return self.size > 0 and self.is_of(file) and self.fits(file)

    def behind(self, chunk: bytes) -> Place:
        """The place at the end of what was read from here on."""
        checksum = blake2b(tail := chunk[-TAIL:], digest_size=16).hexdigest()
        return Place(self.device, self.inode, self.position + len(chunk), len(tail), checksum, not tail.endswith(b"\n"))


@define
class Follower:
    """The chunks of a file that grows; `place` is where the last one ended, `left` the same of the file before."""

    path: Path
    place: Place = field(factory=Place)
    left: Place = field(factory=Place)
    _file: int | None = None
    _former: int | None = None
    _ended: set[tuple[int, int]] = field(factory=set)  # files that were read to their end
    _is_leaving: bool = False

    def chunks(self, stop: Stop) -> Iterator[bytes]:
        """What the file gives until a stop is asked for; an empty chunk marks each moment in which there is no more.

        If a file ends for good within a line, the missing line end is also given.
        """
        try:
            if (former := self._found(self.left.is_in)) is not None:
                self._former, self._ended = former, {(self.left.device, self.left.inode)}
            while not stop.is_asked:
                if self._file is None or not self.place.fits(self._file):
                    self._turn_to(self._find())
                if chunk := _lines(self._file, self.place):
                    self._is_leaving = False
                    self.place = self.place.behind(chunk)
                    yield chunk
                elif not self.place.is_within_line and (chunk := _lines(self._former, self.left)):
                    self.left = self.left.behind(chunk)
                    yield chunk
                elif self._is_leaving and self._file is not None and (file := self._successor()) is not None:
                    if rest := read_at(self._file, BATCH, self.place.position):
                        self.place = self.place.behind(rest)
                        yield rest + b"\n"
                    self._turn_to(file)
                else:
                    self._is_leaving = self._file is not None and self._name_of(self._file) != self.path
                    yield b""
                    stop.wait(seconds=POLL_SECONDS)
        finally:
            _close(self._file, self._former)
            self._file = self._former = None

    def last(self, size: int) -> bytes | None:
        """The bytes before the place, up to a size, from the beginning of a line on.

        None if the file of the place is gone: it was compressed or deleted while nobody followed.
        """
        self._file = self._find()
        if self._file is None:
            return b""
        if self.place.inode and not self.place.fits(self._file):
            return None
        start = max(self.place.position - size, 0)
        found = read_at(self._file, self.place.position - start, start)
        return found.partition(b"\n")[2] if start else found

    # --- which file

    def _turn_to(self, file: int | None) -> None:
        """Go on in an open file: at the place where it fits, else at the beginning."""
        if file is not None and not self.place.fits(file):
            if self._is_leaving:
                self.left, self._former, self._file = self.place, self._file, self._former
            found = os.fstat(file)
            self.place = Place(found.st_dev, found.st_ino)
        _close(self._file)
        self._file, self._is_leaving = file, False

    def _find(self) -> int | None:
        """The file of the place, a copy of it, or the one that has the name now."""
        found = self._found(self.place.is_in, self.place.fits)
        return _opened(self.path) if found is None else found

    def _found(self, *tests: Callable[[int], bool]) -> int | None:
        """The first file that fits by the first test that one passes, of the followed one and those beside it."""
        for fits, (path, _) in product(tests, self._named()):
            if (file := _opened(path)) is not None:
                if fits(file):
                    return file
                os.close(file)
        return None

    def _successor(self) -> int | None:
        """The file that was begun after the open one: the current one, or one that was rotated away since.

        Rotations count up or down, so the time of the last writing decides among files not read before. None as long as
        it is empty: its writer is still in the old one.
        """
        assert self._file is not None
        name, left, named = self._name_of(self._file), os.fstat(self._file), dict(self._named())
        self._ended.add((left.st_dev, left.st_ino))
        newer = [
            (found.st_mtime_ns, path)
            for path, found in named.items()
            if name is not None
            and path != self.path
            # the same rotation made it
            and NUMBERS.sub("#", path.name) == NUMBERS.sub("#", name.name)
            and (found.st_dev, found.st_ino) not in self._ended
            and found.st_mtime_ns >= left.st_mtime_ns
            and found.st_size
        ]
        path = min(newer)[1] if newer else self.path
        return _opened(path) if path in named and named[path].st_size else None

    def _name_of(self, file: int) -> Path | None:
        return next((path for path, found in self._named() if os.path.samestat(found, os.fstat(file))), None)

    def _named(self) -> Iterator[tuple[Path, os.stat_result]]:
        """The followed file, and those beside it that a rotation may have made of it."""
        names: list[str] = []
        with suppress(OSError):
            names = sorted(os.listdir(self.path.parent))
        fitting = [name for name in names if name.startswith(self.path.stem) and not name.endswith(tuple(PACKED))]
        for path in (self.path, *(self.path.parent / name for name in fitting if name != self.path.name)):
            with suppress(OSError):
                # an unreadable file is somebody else's
                if stat.S_ISREG((found := path.stat()).st_mode) and os.access(path, os.R_OK):
                    yield path, found


def _lines(file: int | None, place: Place) -> bytes:
    """Whole lines from a place on; of a line that is longer than what is read at once, its parts."""
    found = b"" if file is None or not place.fits(file) else read_at(file, BATCH, place.position)
    return found[: found.rfind(b"\n") + 1] or (found if len(found) == BATCH else b"")


def _close(*files: int | None) -> None:
    for file in files:
        if file is not None:
            os.close(file)


def _opened(path: Path) -> int | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise TrackerError(f"Cannot follow {path}: not a regular file. Pipe it to --stdin.")


@define
class Mark:
    """The place of one followed file in one window of a source, and what the file has shown until there."""

    reader: Reader
    path: Path
    shown: int = 0

    @classmethod
    def of(cls, reader: Reader, file: Path) -> Mark:
        name = f"{reader.source.name}\0{reader.window}\0{file.resolve()}".encode("utf-8", "surrogateescape")
        folder = reader.session.root / FOLDER
        return cls(reader, folder / f"followed-{blake2b(name, digest_size=8).hexdigest()}.json")

    def recall(self) -> tuple[Place, Place] | None:
        """The places that were noted last; the reader goes on as it was then."""
        try:
            found = orjson.loads(self.path.read_bytes() if self.path.is_file() else b"")
            with self.path.with_suffix(".ids").open("rb") as file:
                ids = file.read(found["shown"] * SIZE)
            if found["streams"] != self._streams(found["streams"]) or len(ids) != found["shown"] * SIZE:
                return None
            place, left = Place(**found["place"]), Place(**found["left"])
            number = int(found["lines"])
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None
        for keys in ids_of(ids):
            self.reader.stored.count(keys)
        self.shown, self.reader.number = found["shown"], number
        return place, left

    def note(self, place: Place, left: Place, shown: Sequence[bytes]) -> None:
        """Note the places in the current file and in the one before, and the lines that were shown since."""
        places = {"place": asdict(place), "left": asdict(left)}
        with suppress(OSError, TrackerError):
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self.path.with_suffix(".ids"), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with os.fdopen(file, "wb") as ids:
                ids.truncate(self.shown * SIZE)
                ids.seek(self.shown * SIZE)
                ids.write(b"".join(shown))
            self.shown += len(shown)
            found = {**places, "lines": self.reader.number, "shown": self.shown, "streams": self._streams({})}
            self.path.touch(0o600)
            replace_file(self.path, orjson.dumps(found), fsync=False)

    def _streams(self, known: dict[str, Any]) -> dict[str, Any]:
        """How long the streams are, or were, and what stands at their beginnings and before those ends."""
        found = {}
        for stream in self.reader.streams:
            size = known[stream][0] if known else self.reader.session.journal.size(stream)
            glance = self.reader.session.journal.glance(stream, size)
            found[stream] = [size, glance.head.hex(), glance.tail.hex()]
        return found
