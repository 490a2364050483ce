"""Where a stream comes from, and how its intake ends: by itself, by Ctrl-C or SIGTERM, always with the summary."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from attrs import define

from tracker.api import Source, StreamInput
from tracker.kernel import Busy, Interruption, Session, TrackerError, Windows, line, plural
from tracker_telemetry.follower import Follower, Mark
from tracker_telemetry.lines import BATCH, Line, Splitter, Stop, file_chunks, opened, pipe_chunks, refuse_packed
from tracker_telemetry.progress import Progress
from tracker_telemetry.reader import Batch, Reader, Summary
from tracker_telemetry.totals import elsewhere_notes, facts

TAGS = 10  # kinds of tags that people are told of
RETRY_SECONDS = 0.5  # between two tries for a busy lock, of which each waits itself


def ingest_stream(session: Session, source: Source, window: str, given: StreamInput) -> None:
    """Take a whole stream in and say what it held."""
    path = _path(given)
    intake = Intake(session, Reader(session, source, window, given.notes), Stop())
    try:
        if given.follow and path is not None:
            with intake.stop:
                intake.follow(Follower(path))
        else:
            with opened(path) as file, intake.stop:
                intake.read(file.fileno())
    except BaseException:
        if intake.reader.summary != Summary():
            intake.report()  # what was stored until then
        raise
    intake.report()
    if intake.read_until is not None:
        what = f"{int(100 * intake.read_until)}% of {path or 'the file'} was read"
        cure = "Run the command again for the rest. It stores each line once."
        raise Interruption(f"interrupted: {what}. {cure}", intake.stop.number)
    if not (session.dry_run or session.quiet):
        for note in _notes(intake):
            session.note(note)
    rejected, reason = intake.reader.summary.rejected, intake.reader.summary.first_reason
    if rejected and not intake.reader.summary.events:  # the wrong file, most likely
        first = f" (for example: {line(reason)})" if reason else ""
        what = f"The stream holds no events of {source.name}, which reads logs with one event per line{first}."
        session.warn(f"{what} Check the file and the source.")
    if given.strict and rejected:
        verb = "line was" if rejected == 1 else "lines were"
        raise TrackerError(f"{rejected} {verb} rejected with --strict. The others are stored.")


def _path(given: StreamInput) -> Path | None:
    """The file that is named; None for standard input."""
    path = None if given.path is None else Path(given.path)
    if given.use_stdin and path is not None:
        raise click.UsageError("--stdin and --file exclude each other. Give one of them.")
    if given.follow and path is None:
        raise click.UsageError("--follow expects --file PATH. A pipe is followed without it.")
    if path is None and sys.stdin.isatty() and not given.use_stdin:
        raise click.UsageError("No stream was given. Expected --stdin or --file PATH.")
    refuse_packed(given.path or "")
    return path


def _notes(intake: Intake) -> Iterator[str]:
    """What the operator should know now, while a wrong window can still be noticed: what is stored stays in it."""
    session, source, window = intake.session, intake.reader.source, intake.reader.window
    if measured := Windows(session).spans([window]):
        yield from facts(session, source, [window], measured).notes
    if intake.reader.summary.new:
        yield from elsewhere_notes(session, source, window)


@define
class Intake:
    """A stream on its way in.

    read_until: the share of a file that was read when a signal came; None for a pipe, which a signal may end.
    """

    session: Session
    reader: Reader
    stop: Stop
    read_until: float | None = None
    _has_warned: bool = False

    def read(self, file: int) -> None:
        """Take in what a descriptor gives, to its end."""
        found = os.fstat(file)
        is_file = stat.S_ISREG(found.st_mode)
        progress, splitter = Progress.of(self.session, found.st_size if is_file else 0), Splitter()
        try:
            for chunk in (file_chunks if is_file else pipe_chunks)(file, self.stop):
                self._take(splitter.feed(chunk))
                progress.advance(len(chunk), self.reader.summary.events)
        finally:
            progress.end()
        if is_file and self.stop.is_asked and (position := os.lseek(file, 0, os.SEEK_CUR)) < found.st_size:
            self.read_until = position / found.st_size
        elif is_file or not (self.stop.is_asked and splitter.pending):
            self._take(splitter.end())
            self._store(self.reader.finish(), "event")
        else:
            self.session.note(f"note: left out the incomplete last line ({plural(splitter.pending, 'byte')})")

    def follow(self, follower: Follower) -> None:
        """Take in a file as it grows, from where the last run of this source, window and file stopped."""
        reader = self.reader
        mark = Mark.of(reader, follower.path)
        if (places := mark.recall()) is not None:
            follower.place, follower.left = places
            if (before := follower.last(BATCH)) is not None:
                reader.recall(before)
            else:
                self.session.warn(
                    f"The file last read as {follower.path} is no longer at that path or beside it, so what it gained"
                    " after the last run is missing. Pipe a copy of it to --stdin. Each line is stored once."
                )
        elif not follower.path.exists():
            self.session.note(f"note: waiting for {follower.path}, which does not exist yet")
        progress, splitter = Progress.of(self.session, 0), Splitter()
        try:
            for chunk in follower.chunks(self.stop):
                shown = self._take(splitter.feed(chunk))
                if shown and not self.session.dry_run:
                    mark.note(follower.place, follower.left, shown)
                progress.advance(len(chunk), reader.summary.events)
        finally:
            progress.end()

    def _take(self, lines: list[Line]) -> list[bytes]:
        """Store lines, waiting for a busy lock until a stop is asked for: a pipe gives nothing twice."""
        if not lines:
            return []
        batch = self.reader.read(lines)
        self._store(batch, "line")
        return batch.shown

    def _store(self, batch: Batch, noun: str) -> None:
        left = plural(len(batch.shown), noun)
        while True:
            try:
                return self.reader.store(batch)
            except Busy as error:
                busy = str(error).removesuffix(" Nothing was stored. Try again.")
                if self.stop.is_asked:
                    cure = "Replay the stream. Each line is stored once."
                    raise Busy(f"{busy} Not stored: the last {left}. {cure}") from error
                if not self._has_warned:
                    self._has_warned = True
                    self.session.warn(f"{busy} The stream waits with {left} to store.")
                self.stop.wait(seconds=RETRY_SECONDS)

    def report(self) -> None:
        """Say what the stream held, as far as it was stored."""
        session, reader, summary = self.session, self.reader, self.reader.summary
        if session.json:
            found = {
                "source": reader.source.name,
                "window": reader.window,
                "events": summary.events,
                "new": summary.new,
                "duplicates": summary.events - summary.new,
                "rejected": summary.rejected,
                "routed": summary.routed,
                "tags": dict(summary.tags.most_common()),
                "interrupted": self.read_until is not None,
            }
            session.data(found)
        else:
            verb = "would store" if session.dry_run else "stored"
            session.say(f"{verb} {reader.source.name.replace('-', ' ')} for {reader.window} ({summary})")
        for tag, count in summary.tags.most_common(TAGS):
            verb = "event is" if count == 1 else "events are"
            meaning = reader.source.tags.get(tag)
            session.note(f"note: {count} new {verb} tagged {line(tag)}{f' ({meaning})' if meaning else ''}")
        if summary.rejected and not session.dry_run:
            where = session.journal.path(reader.streams[1])
            lines = plural(summary.rejected, "line")
            session.note(f"note: {lines} could not be read; kept with line numbers and reasons in {where}")
