"""Where a stream comes from, and how its intake ends: by itself, by Ctrl-C or SIGTERM, always with the summary."""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import click
from attrs import define

from tracker.errors import TrackerError
from tracker.lanes import check_window
from tracker.models import Source
from tracker.session import Session
from tracker.streaming import Stream
from tracker.tail import Follower, Line, Splitter, stream_chunks


class Stopped(Exception):
    """The user, or the system, asked for the end."""


@define
class Gate:
    """Lets a signal interrupt the waiting, but never the storing."""

    is_storing: bool = False
    is_stopped: bool = False

    def signal(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stopped = True
        if not self.is_storing:
            raise Stopped

    def __enter__(self) -> None:
        self.is_storing = True

    def __exit__(self, *_error: object) -> None:
        self.is_storing = False
        if self.is_stopped:
            raise Stopped


def ingest_stream(
    session: Session,
    source: Source,
    window: str,
    *,
    use_stdin: bool,
    path: Path | None,
    notes: str | None,
    follow: bool,
    strict: bool,
) -> None:
    """Take a whole stream in and say what it held."""
    if use_stdin and path is not None:
        raise click.UsageError("give --stdin or --file, not both")
    if follow and path is None:
        raise click.UsageError("--follow needs --file PATH; a pipe is followed anyway")
    if path is None and not use_stdin and sys.stdin.isatty():
        raise click.UsageError("give the stream with --stdin or --file PATH")
    stream = Stream(session, source, check_window(window), notes)
    gate = Gate()
    previous = {number: signal.signal(number, gate.signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if follow:
            assert path is not None
            _follow(stream, path, gate)
        else:
            _read(stream, path, gate)
    except Stopped:
        pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    _report(session, source, stream, strict=strict)


def _read(stream: Stream, path: Path | None, gate: Gate) -> None:
    splitter = Splitter()
    for chunk in _chunks(path):
        lines = splitter.feed(chunk)
        with gate:
            _take(stream, lines)
    with gate:
        _take(stream, splitter.end())


def _chunks(path: Path | None) -> Iterator[bytes]:
    if path is None:
        yield from stream_chunks(sys.stdin.fileno())
        return
    try:
        with path.open("rb", buffering=0) as file:
            yield from stream_chunks(file.fileno())
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error


def _follow(stream: Stream, path: Path, gate: Gate) -> None:
    """Go on where the last run of this source, window and file stopped."""
    name = f"{stream.source.name}\0{stream.window}\0{path.resolve()}"
    place = stream.session.index.followed(name)
    follower = Follower(path)
    if place is not None:
        follower.position, follower.identity = place.position, (place.device, place.inode)
        stream.run, stream.line_number = place.run, place.lines
    splitter = Splitter()
    for chunk in follower.chunks():
        if not chunk:
            continue
        lines = splitter.feed(chunk)
        whole = follower.position - splitter.pending
        with gate:
            _take(stream, lines, partial(_mark, stream=stream, follower=follower, name=name, position=whole))


def _mark(database: sqlite3.Connection, *, stream: Stream, follower: Follower, name: str, position: int) -> None:
    device, inode = follower.identity or (0, 0)
    values = (name, device, inode, position, stream.run, stream.line_number)
    database.execute("INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?, ?, ?)", values)


def _take(stream: Stream, lines: list[Line], mark: Callable[[sqlite3.Connection], None] | None = None) -> None:
    if lines:
        stream.take(lines, mark)


def _report(session: Session, source: Source, stream: Stream, *, strict: bool) -> None:
    summary = stream.summary
    if session.json:
        session.data(
            {
                "source": source.name,
                "window": stream.window,
                "events": summary.events,
                "new": summary.new,
                "duplicates": summary.events - summary.new,
                "rejected": summary.rejected,
                "routed": summary.routed,
            }
        )
    else:
        verb = "would store" if session.dry_run else "stored"
        session.say(f"{verb} {source.name.replace('-', ' ')} for {stream.window} ({summary})")
    if summary.rejected:
        where = session.journal.path(stream.streams[1])
        session.note(f"note: {summary.rejected} lines could not be read; they are kept, with reasons, in {where}")
        if strict:
            raise TrackerError(f"{summary.rejected} lines were rejected, and --strict was given; the others are stored")
