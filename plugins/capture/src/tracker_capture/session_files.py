"""Readings from the session files that the vendors' programs write, for `tracker sync`.

A file is read from where the last run left it. The marks are in `.index/`, which may be deleted, because storing a
reading again adds nothing.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
from attrs import frozen

from tracker.api import FileOrigin, LogOrigin, Reading, Source
from tracker.kernel import Journal, PluginError, Registry, Session, iso, plural, read_text, replace_file, span
from tracker_capture import readings
from tracker_capture.origins.answer import LIMIT, OriginError
from tracker_capture.origins.files import OPEN, listed

CHUNK = 1 << 22
# A program that resumes a session writes its old readings again, within moments.
BURST = timedelta(seconds=1)
MARKS = "readings.json"
PACKED = ".zst"
# A clock that was never set shows a time before any of these programs existed.
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
# Bytes from which several processes read.
PARALLEL = 1 << 25
Reader = Callable[[int], bytes]
Times = list[datetime]


class Unreadable(Exception):
    """A compressed file is damaged."""


class Job(NamedTuple):
    """A file to read: what it is known by, the bytes that it gained, and the mark of the last run."""

    session: Session
    source: Source
    origin: FileOrigin
    path: str
    name: str
    size: int
    mark: Any


class FileReadings(NamedTuple):
    """What a file gave: a mark for the next run if it was read, how many readings, and those to store.

    wrong: the times of readings by a wrong clock. over: how many show only what was used before a reset.
    """

    mark: list[Any] | None = None
    number: int = 0
    samples: Sequence[readings.Sample] = ()
    wrong: Sequence[datetime] = ()
    over: int = 0
    problem: str | None = None


# What worker processes inherit.
forked: list[Job] = []


@frozen(kw_only=True)
class Counts:
    """What a run found: files, how many of them had grown, the readings in them, the rows that were new."""

    files: int
    read: int
    readings: int
    new: int


def sync(session: Session, wanted: Sequence[Source]) -> Counts:
    """Read what the session files gained, and add it to the history."""
    path = session.root / ".index" / MARKS
    kept = _load(path)
    marks = {name: mark for name, mark in kept.items() if "/" not in name}  # older versions kept paths
    jobs = list(_jobs(session, wanted, marks))
    todo = [job for job in jobs if job.size]
    grown = count = over = 0
    found: list[readings.Sample] = []
    size = sum(job.size for job in todo)
    shown = session.registry.first("show_progress", session=session, size=size, noun="readings") if todo else None
    problems, wrong = [], list[tuple[str, datetime]]()
    for job, gained in zip(todo, _read(todo, size), strict=True):
        if gained.mark is not None:
            marks[job.name] = gained.mark
            grown += 1
        if gained.problem:
            problems.append(gained.problem)
        wrong += [(job.path, at) for at in gained.wrong]
        count += gained.number
        over += gained.over
        found += gained.samples
        if shown is not None:
            shown.advance(job.size, count)
    if shown is not None:
        shown.end()
    if wrong:
        problems.append(_left_out(session, wrong))
    for problem in problems:
        session.warn(problem)
    if over and not count:
        session.note(f"note: left out {plural(over, 'reading')} showing only what was used before a reset")
    new = readings.add(session, found, by="sync")
    if marks != kept and not session.dry_run and session.root.is_dir():
        replace_file(path, orjson.dumps(marks))
    return Counts(files=len(jobs), read=grown, readings=count, new=len(new))


def _left_out(session: Session, wrong: Sequence[tuple[str, datetime]]) -> str:
    """A warning of readings with a wrong time: at the time of the run they would look new, at their own never over."""
    path, at = wrong[-1]
    of = f", {span(at - session.now)} in the future" if at > session.now else ""
    files = len({path for path, _ in wrong})
    is_one = len(wrong) == 1
    about = path if files == 1 else f"{plural(files, 'file')}, such as {path},"
    return (
        f"{plural(len(wrong), 'reading')} in {about} {'is left out: it' if is_one else 'are left out: the last'}"
        f" is dated {iso(at)}{of}. Check the clock of the machine that wrote it."
    )


def forget(session: Session) -> None:
    """Let the next run read every file from its start."""
    (session.root / ".index" / MARKS).unlink(missing_ok=True)


def is_behind(session: Session) -> bool:
    """Whether session files were written to since the last run."""
    marks = _load(session.root / ".index" / MARKS)
    origins = [one for source in session.registry.sources.values() for one in source.origins]
    logs = (logs for one in origins if isinstance(one, FileOrigin) for logs in _logs(session, one))
    paths = (path for one in logs for path in session.registry.first("session_files", source=one) or ())
    return any(_gain(path, marks.get(_name(path))) for path in paths)


def _jobs(session: Session, wanted: Sequence[Source], marks: Mapping[str, Any]) -> Iterator[Job]:
    """Every session file of some sources."""
    origins = [(source, one) for source in wanted for one in source.origins if isinstance(one, FileOrigin)]
    for source, origin in origins:
        for path in _files(session, source, origin):
            name = _name(path)
            mark = marks.get(name)
            yield Job(session, source, origin, path, name, _gain(path, mark), mark)


def _read(jobs: Sequence[Job], size: int) -> Iterator[FileReadings]:
    """What each file gained, read by several processes if that is much."""
    workers = min(os.cpu_count() or 1, 4)
    if size < PARALLEL or workers < 2:
        yield from map(_gained, jobs)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    forked[:] = jobs
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(workers, get_context("fork"), initializer=signal.signal, initargs=ignore) as pool:
        yield from pool.map(_forked, range(len(jobs)), chunksize=max(1, min(8, len(jobs) // (4 * workers))))


def _forked(place: int) -> FileReadings:
    return _gained(forked[place])


def _gain(path: str, mark: Any) -> int:
    """Bytes of a file that were not read yet, without opening it."""
    try:
        about = os.stat(path)
    except OSError:
        return 0
    if not stat.S_ISREG(about.st_mode):
        return 0
    known, _ = _known(mark, about)
    return about.st_size - known if known <= about.st_size else about.st_size


def _known(mark: Any, about: os.stat_result) -> tuple[int, bool]:
    """How far a file was read, and whether a line before may name the owner of what follows."""
    match mark:
        # older versions had numbers here, and took what a fork copied for its own
        case [int(known), inode, bool(is_owned)] if inode == about.st_ino:
            return known, is_owned
    return 0, False


def _files(session: Session, source: Source, origin: FileOrigin) -> list[str]:
    """The files that `tracker usage` reads; without that feature those of the origin."""
    for logs in _logs(session, origin):
        if found := session.registry.first("session_files", source=logs):
            return list(found)
    try:
        return [path for _, path in sorted(listed(origin))]
    except OriginError as error:
        session.note(f"note: {source.name} {origin.name}: {error}")
        return []


def _logs(session: Session, origin: FileOrigin) -> Iterator[Source]:
    """The sources of the same program's logs: the same variable names its folder."""
    for source in session.registry.sources.values():
        if any(isinstance(one, LogOrigin) and one.variable == origin.variable is not None for one in source.origins):
            yield source


def _name(path: str) -> str:
    """What a file is known by: a client writes the working directory into the names of its folders."""
    from hashlib import blake2b

    return blake2b(os.fsencode(path), digest_size=16).hexdigest()


def _load(path: Path) -> dict[str, Any]:
    """The size and the inode of each file that was read, by its name here."""
    try:
        return Journal.decode(path.read_bytes() if path.is_file() else b"") or {}
    except OSError:
        return {}


def _gained(job: Job) -> FileReadings:
    try:
        file = os.open(job.path, OPEN)
    except OSError:
        return FileReadings()
    try:
        about = os.fstat(file)
        known, is_owned = _known(job.mark, about)
        if known == about.st_size:
            return FileReadings()
        is_packed = job.path.endswith(PACKED)
        start = known if known < about.st_size and not is_packed else 0
        changed = datetime.fromtimestamp(about.st_mtime, UTC)
        found: list[readings.Sample] = []
        wrong, over, copied = Times(), Times(), Times()
        end, is_owned, last = start, is_owned and start > 0, ""
        for stop, lines, has_owner in _texts(file, start, job.origin, is_packed=is_packed, is_owned=is_owned):
            found += _samples(job, lines, changed, wrong, over, copied)
            end, is_owned, last = stop, has_owner, lines[-1] if lines else last
        found = _without_bursts(found)
        if is_owned and last:
            # the next run reads from the start only if it matters whose the readings are
            one, other = _readings(job, [last, last[last.rfind("\n") + 1 :]], changed)
            is_owned = one != other or (other is not None and other.as_of in copied[-1:])
        # for a compressed file its own size: its lines are always read from the first one on
        mark = [about.st_size if is_packed else end, about.st_ino, is_owned]
        return FileReadings(mark, len(found), _ends_of_runs(found), wrong, len(over))
    except ImportError:
        needed = Registry.installation("zstandard")
        return FileReadings(problem=f"Compressed session files were not read. They need {needed}.")
    except Unreadable as error:
        return FileReadings(problem=f"{job.path} was not read: {error}")
    finally:
        os.close(file)


def _texts(
    file: int, start: int, origin: FileOrigin, *, is_packed: bool, is_owned: bool
) -> Iterator[tuple[int, list[str], bool]]:
    """For each chunk, the end of its whole lines, and those with the marker, each after its owner's lines.

    is_owned: whether there may be an owner's line before the start. The last value is whether there was one.
    """
    if is_owned:
        gained = list(_batches(file, start, [origin.marker], is_packed=is_packed))
        if not any(lines for _, lines in gained):
            yield from ((stop, lines, True) for stop, lines in gained[-1:])
            return
        # the owner's line may come before what the file gained
        start = 0
    owners: list[str] = []  # the first one and the last
    markers = [origin.marker, origin.owner] if origin.owner else [origin.marker]
    for stop, lines in _batches(file, start, markers, is_packed=is_packed):
        texts = []
        for line in lines:
            if origin.marker in line:
                texts.append("\n".join((*owners, line)))
            else:
                owners = [*owners[:1], line]
        yield stop, texts, bool(owners)


def _unpacked(file: BinaryIO) -> Reader:
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)

    def read(size: int) -> bytes:
        try:
            return bytes(reader.read(size))
        except zstandard.ZstdError as error:
            raise Unreadable(str(error)) from error

    return read


def _batches(file: int, start: int, markers: Sequence[str], *, is_packed: bool) -> Iterator[tuple[int, list[str]]]:
    """For each chunk, the end of its whole lines, and those that contain a marker."""
    os.lseek(file, start, os.SEEK_SET)
    wanted = [marker.encode() for marker in markers]
    with os.fdopen(file, "rb", closefd=False) as packed:
        read = _unpacked(packed) if is_packed else partial(os.read, file)
        rest, end = b"", start
        while chunk := read(CHUNK):
            block = rest + chunk
            stop = block.rfind(b"\n") + 1
            yield end + stop, [line.decode("utf-8", "replace") for line in _marked(block, stop, wanted)]
            end, rest = end + stop, block[stop:]


def _marked(block: bytes, stop: int, markers: Sequence[bytes]) -> list[bytes]:
    """The lines that contain a marker, found without splitting the lines in between."""
    found = {}
    for marker in markers:
        at = block.find(marker, 0, stop)
        while at >= 0:
            begin, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
            if end - begin <= LIMIT:
                found[begin] = block[begin:end]
            at = block.find(marker, end, stop)
    return [found[begin] for begin in sorted(found)]


def _samples(
    job: Job, lines: Sequence[str], changed: datetime, wrong: Times, over: Times, copied: Times
) -> Iterator[readings.Sample]:
    """The readings of some lines, except those without a time, or with a wrong one."""
    session, behind = job.session, readings.lag(job.session)
    for reading in _readings(job, lines, changed):
        if isinstance(reading, Reading) and (at := reading.as_of) is not None:
            # what is written at once with a copy is one, too
            if not reading.gauges or (copied and abs(at - copied[-1]) <= BURST):
                copied.append(at)
            elif not FIRST <= at <= session.now + readings.FUTURE:
                wrong.append(at)
            elif sample := readings.sample_of(job.source, reading, session.now, job.origin.name, behind):
                yield sample
            elif resets := [one.reset_at for one in reading.gauges if one.used and one.reset_at]:
                # else they are too far ahead
                (over if max(resets) <= at else wrong).append(at)


def _readings(job: Job, lines: Sequence[str], changed: datetime) -> list[Reading | None]:
    """The plugin's reading of each line, all under one guard, because a guard costs as much as a line."""
    registry, name, local = job.session.registry, job.source.name, job.session.zone
    try:
        with registry.guarded(name, "parse_status"):
            parse = registry.bind(name, "parse_status")
            return [parse(text, changed, local, None, job.origin.name) for text in lines]
    except PluginError:
        # one line is at fault
        found: list[Reading | None] = []
        for text in lines:
            try:
                found.append(read_text(job.session, job.source, text, changed, None, origin=job.origin.name))
            except PluginError as error:
                job.session.warn(str(error))
        return found


def _without_bursts(samples: Sequence[readings.Sample]) -> list[readings.Sample]:
    """Only the last of readings within a second of each other."""
    kept: list[readings.Sample] = []
    begun = None
    for sample in samples:
        if begun is not None and abs(sample.at - begun) <= BURST:
            kept[-1] = sample
        else:
            kept.append(sample)
            begun = sample.at
    return kept


def _ends_of_runs(samples: Sequence[readings.Sample]) -> list[readings.Sample]:
    """The first and the last of a file's consecutive equal readings."""
    kept: list[readings.Sample] = []
    for sample in samples:
        if len(kept) > 1 and all(_is_same(one, sample) for one in kept[-2:]):
            kept[-1] = sample
        else:
            kept.append(sample)
    return kept


def _is_same(one: readings.Sample, other: readings.Sample) -> bool:
    """Whether both have the same gauge objects, which a plugin makes once for equal texts."""
    return one.series == other.series and [*one.gauges.values()] == [*other.gauges.values()]
