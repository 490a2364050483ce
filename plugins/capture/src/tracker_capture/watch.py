"""`tracker watch`: samples in the foreground, at a pace that follows resets and errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from shutil import get_terminal_size

from attrs import define

from tracker.api import Source
from tracker.kernel import Clock, Session, TrackerError, line, span
from tracker_capture import samples
from tracker_capture.origin_list import values
from tracker_capture.origins import NoAnswer
from tracker_capture.origins.answer import Answer
from tracker_capture.settings import CaptureSettings

# Near a reset the last reading before it and the first one after it matter.
NEAR_RESET, NEAR_PACE = timedelta(minutes=5), timedelta(minutes=1)
LONGEST_PACE = timedelta(hours=1)
STEP_SECONDS = 0.5
# An unchanged reading extends its run only this often.
LEAST = timedelta(minutes=5)


@define(kw_only=True)
class Pace:
    """When one provider is asked next, its newest answer, and why there is no newer one."""

    source: Source
    usual: timedelta
    due: datetime
    failures: int = 0
    answer: Answer | None = None
    problem: str = ""

    def succeeded(self, now: datetime, answer: Answer) -> None:
        self.answer, self.problem, self.failures = answer, "", 0
        pace = self.usual
        if any(abs(reset - now) <= NEAR_RESET for reset in answer.resets):
            pace = min(pace, NEAR_PACE)
        coming = [reset - NEAR_RESET for reset in answer.resets if reset - NEAR_RESET > now]
        self.due = min([now + pace, *coming])

    def failed(self, now: datetime, why: TrackerError) -> None:
        """Wait twice as long after each failure, such as a server that answers 429."""
        self.failures += 1
        wait = min(self.usual * 2**self.failures, max(LONGEST_PACE, self.usual))
        self.due, self.problem = now + wait, f"{str(why).rstrip('.')}; asking again in {span(wait)}"

    def text(self, session: Session) -> str:
        """Its newest values as they are known now: with their time, once that is longer ago than it should be."""
        if self.answer is None:
            return f"{self.source.name} n/a" if self.failures else ""
        shown = f"{self.source.name} {values(self.source, self.answer.reading, session.now)}"
        limit = timedelta(minutes=session.settings(CaptureSettings).stale_minutes) + self.usual
        is_old = session.now - self.answer.as_of > limit
        return f"{shown}, read {Clock(session.now, session.zone).at(self.answer.as_of)}" if is_old else shown


class Watch:
    """The providers that are watched."""

    def __init__(self, wanted: Sequence[Source], every: timedelta, now: datetime) -> None:
        self.paces = [Pace(source=source, usual=every, due=now) for source in wanted]

    def turn(self, session: Session, arrived: Callable[[], None] = lambda: None) -> list[str]:
        """Ask the providers that are due and store each answer as it comes; why others have none, and until when.

        arrived: called after each answer.
        """
        due = {pace.source.name: pace for pace in self.paces if pace.due <= session.now}
        for source, answer in samples.look(session, [pace.source for pace in due.values()]):
            pace = due[source.name]
            try:
                if isinstance(answer, NoAnswer):
                    raise answer
                samples.store(session, source, answer, LEAST)
                pace.succeeded(session.now, answer)
            except TrackerError as error:
                # another command may have the lock, or the disk may be full: the night goes on
                pace.failed(session.now, error)
            arrived()
        return [pace.problem for pace in self.paces if pace.problem]

    def text(self, session: Session) -> str:
        return " | ".join(text for pace in self.paces if (text := pace.text(session)))


class Line:
    """The current line: redrawn on a terminal, elsewhere a new line for each change."""

    def __init__(self, session: Session) -> None:
        self.session, self.text, self.is_quiet = session, "", session.quiet

    def show(self, text: str) -> None:
        """Show as much of a text as the terminal has room for: a wrapped line cannot be redrawn."""
        if sys.stdout.isatty():
            text = line(text)
            if len(text) > _room():
                text = f"{text[: max(_room() - 3, 0)]}..."
        if text == self.text or self.is_quiet:
            return
        if sys.stdout.isatty():
            sys.stdout.write(f"\r{text.ljust(min(len(self.text), _room()))}")
            sys.stdout.flush()
        else:
            self.session.show(text)
        self.text = text

    def erase(self) -> None:
        """Take the line off the terminal, to print something else."""
        if sys.stdout.isatty():
            sys.stdout.write(f"\r{' ' * min(len(self.text), _room())}\r")
            sys.stdout.flush()
            self.text = ""


def _room() -> int:
    return get_terminal_size().columns - 1


@contextmanager
def _silent(session: Session) -> Iterator[None]:
    """A note on what is waited for would be printed after the line."""
    before, session.quiet = session.quiet, True
    try:
        yield
    finally:
        session.quiet = before


def watch(session: Session, wanted: Sequence[Source], every: timedelta) -> None:
    """Sample until a signal, or until the terminal is gone.

    On a terminal one line is redrawn, elsewhere each change is a line.
    """
    watched, shown = Watch(wanted, every, session.now), Line(session)
    told: list[str] = []
    on_terminal = sys.stdout.isatty()
    try:
        # a terminal may vanish without a signal
        while sys.stdout.isatty() or not on_terminal:
            with _silent(session):
                failures = watched.turn(session, lambda: shown.show(watched.text(session)))
            for failure in failures:
                if failure not in told:
                    shown.erase()
                    session.note(f"note: {failure}")
            told = failures
            shown.show(watched.text(session))
            time.sleep(STEP_SECONDS)
    except (KeyboardInterrupt, SystemExit):
        if shown.text and sys.stdout.isatty():
            session.say("")
