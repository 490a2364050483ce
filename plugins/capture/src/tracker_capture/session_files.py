"""Readings from the session files that the vendors' programs write, for `tracker sync`.

A file is read from where the last run left it. The marks are in `.index/`, which may be deleted, because storing a
reading again adds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from tracker.api import FileOrigin, Reading, Source
from tracker.kernel import PluginError, Session, read_text, replace_file, zone
from tracker_capture import readings
from tracker_capture.origins.answer import LIMIT, OriginError
from tracker_capture.origins.files import OPEN, listed

CHUNK = 1 << 22
# A program that resumes a session writes its old readings again, within moments.
BURST = timedelta(seconds=1)
MARKS = "readings.json"


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
    marks = _load(path)
    files = [
        (source, origin, file)
        for source in wanted
        for origin in source.origins
        if isinstance(origin, FileOrigin)
        for file in _files(session, source, origin)
    ]
    grown = 0
    found: list[readings.Sample] = []
    size = sum(_size(file) - _known(marks, file) for *_, file in files)
    shown = session.registry.first("show_progress", session=session, size=size, noun="readings")
    for source, origin, file in files:
        known = _known(marks, file)
        samples = _gained(session, source, origin, file, marks)
        grown += samples is not None
        found += _without_bursts(samples or [])
        if shown is not None:
            shown.advance(max(_size(file) - known, 0), len(found))
    if shown is not None:
        shown.end()
    new = readings.add(session, found, by="sync")
    if grown and not session.dry_run and session.root.is_dir():
        replace_file(path, orjson.dumps(marks))
    return Counts(files=len(files), read=grown, readings=len(found), new=len(new))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _known(marks: dict[str, Any], path: str) -> int:
    """Bytes that were read before, as far as that is known without opening the file."""
    mark = marks.get(path)
    return mark[0] if isinstance(mark, list) and mark and isinstance(mark[0], int) else 0


def _files(session: Session, source: Source, origin: FileOrigin) -> list[str]:
    try:
        return [path for _, path in sorted(listed(origin))]
    except OriginError as error:
        session.note(f"note: {source.name} {origin.name}: {error}")
        return []


def _load(path: Path) -> dict[str, Any]:
    """The size and the inode of each file that was read, by its path."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _gained(
    session: Session, source: Source, origin: FileOrigin, path: str, marks: dict[str, Any]
) -> list[readings.Sample] | None:
    """The readings that a file gained; None if it did not grow."""
    try:
        file = os.open(path, OPEN)
    except OSError:
        return None
    try:
        about = os.fstat(file)
        mark = marks.get(path)
        known = mark[0] if isinstance(mark, list) and len(mark) == 2 and mark[1] == about.st_ino else 0
        if known == about.st_size:
            return None
        start = known if isinstance(known, int) and known < about.st_size else 0
        changed = datetime.fromtimestamp(about.st_mtime, UTC)
        found: list[readings.Sample] = []
        end = start
        for stop, lines in _batches(file, start, origin.marker.encode()):
            found += _samples(session, source, origin, lines, changed)
            end = stop
        marks[path] = [end, about.st_ino]
        return found
    finally:
        os.close(file)


def _batches(file: int, start: int, marker: bytes) -> Iterator[tuple[int, list[str]]]:
    """Of each chunk the end of its whole lines, and those that contain the marker."""
    os.lseek(file, start, os.SEEK_SET)
    rest, end = b"", start
    while chunk := os.read(file, CHUNK):
        block = rest + chunk
        stop = block.rfind(b"\n") + 1
        yield end + stop, [line.decode("utf-8", "replace") for line in _marked(block, stop, marker)]
        end, rest = end + stop, block[stop:]


def _marked(block: bytes, stop: int, marker: bytes) -> Iterator[bytes]:
    """The lines that contain the marker, found without a split of what lies between them."""
    at = block.find(marker, 0, stop)
    while at >= 0:
        line = block[block.rfind(b"\n", 0, at) + 1 : (end := block.find(b"\n", at))]
        if len(line) <= LIMIT:
            yield line
        at = block.find(marker, end, stop)


def _samples(
    session: Session, source: Source, origin: FileOrigin, lines: Sequence[str], changed: datetime
) -> Iterator[readings.Sample]:
    """The readings of some lines. One without a time cannot be placed in the history."""
    for reading in _readings(session, source, origin, lines, changed):
        if isinstance(reading, Reading) and reading.as_of is not None:
            sample = readings.sample_of(source, reading, session.now, origin.name)
            if sample is not None:
                yield sample


def _readings(
    session: Session, source: Source, origin: FileOrigin, lines: Sequence[str], changed: datetime
) -> Iterator[Reading | None]:
    """What the plugin makes of each line: of all under one guard, because that costs as much as a line."""
    local = zone(session.config.timezone)
    try:
        with session.registry.guarded(source.name, "parse_status"):
            parse = session.registry.bind(source.name, "parse_status")
            found = [parse(text, changed, local, None, origin.name) for text in lines]
    except PluginError:
        # one line is at fault
        for text in lines:
            try:
                yield read_text(session, source, text, changed, None, origin=origin.name)
            except PluginError as error:
                session.warn(str(error))
        return
    yield from found


def _without_bursts(samples: Sequence[readings.Sample]) -> list[readings.Sample]:
    """Of readings within a second of each other only the last."""
    kept: list[readings.Sample] = []
    begun = None
    for sample in samples:
        if begun is not None and abs(sample.at - begun) <= BURST:
            kept[-1] = sample
        else:
            kept.append(sample)
            begun = sample.at
    return kept
