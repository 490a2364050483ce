"""`tracker watch`: samples in the foreground, at a pace that follows resets and errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from shutil import get_terminal_size

from attrs import define

from tracker.api import Source
from tracker.kernel import Session, TrackerError, line, span
from tracker_capture import samples
from tracker_capture.origin_list import values
from tracker_capture.origins.answer import Answer

# Near a reset the last reading before it and the first one after it matter.
NEAR_RESET, NEAR_PACE = timedelta(minutes=5), timedelta(minutes=1)
LONGEST_PACE = timedelta(hours=1)
STEP_SECONDS = 0.5
# An unchanged reading extends its run this rarely.
LEAST = timedelta(minutes=5)


@define(kw_only=True)
class Pace:
    """When one provider is asked next, its newest values in words, and why there are no newer ones."""

    source: Source
    usual: timedelta
    due: datetime
    failures: int = 0
    shown: str = ""
    problem: str = ""

    def succeeded(self, now: datetime, resets: Sequence[datetime]) -> None:
        self.failures = 0
        pace = self.usual
        if any(abs(reset - now) <= NEAR_RESET for reset in resets):
            pace = min(pace, NEAR_PACE)
        coming = [reset - NEAR_RESET for reset in resets if reset - NEAR_RESET > now]
        self.due = min([now + pace, *coming])

    def failed(self, now: datetime) -> None:
        """Wait twice as long after each failure, such as a server that answers 429."""
        self.failures += 1
        self.due = now + min(self.usual * 2**self.failures, max(LONGEST_PACE, self.usual))


class Watch:
    """The providers that are watched."""

    def __init__(self, wanted: Sequence[Source], every: timedelta, now: datetime) -> None:
        self.paces = [Pace(source=source, usual=every, due=now) for source in wanted]

    def turn(self, session: Session) -> list[str]:
        """Ask the providers that are due and store their answers; why others have none and when they are asked next."""
        now = session.now
        due = [pace for pace in self.paces if pace.due <= now]
        found = samples.look(session, [pace.source for pace in due])
        failure = None
        try:
            samples.store(session, found, LEAST)
        except TrackerError as error:
            # another command has the lock, or the disk is full: the night goes on
            failure = error
        for pace, (source, answer) in zip(due, found, strict=True):
            if isinstance(answer, Answer) and not failure:
                pace.succeeded(session.now, [gauge.reset_at for gauge in answer.reading.gauges if gauge.reset_at])
                pace.shown, pace.problem = f"{source.name} {values(source, answer.reading)}", ""
            else:
                pace.failed(session.now)
                pace.shown = pace.shown or f"{source.name} n/a"
                pace.problem = f"{str(failure or answer).rstrip('.')}; asking again in {span(pace.due - session.now)}"
        return [pace.problem for pace in self.paces if pace.problem]

    @property
    def text(self) -> str:
        return " | ".join(pace.shown for pace in self.paces if pace.shown)


class Line:
    """The line as it stands: drawn anew on a terminal, elsewhere a new one for each change."""

    def __init__(self, session: Session) -> None:
        self.session, self.text = session, ""

    def show(self, text: str) -> None:
        """Show as much of a text as the terminal has room for: a line that is wrapped cannot be drawn anew."""
        if sys.stdout.isatty():
            text = line(text)
            if len(text) > _room():
                text = f"{text[: max(_room() - 3, 0)]}..."
        if text == self.text:
            return
        if sys.stdout.isatty() and not self.session.quiet:
            sys.stdout.write(f"\r{text.ljust(min(len(self.text), _room()))}")
            sys.stdout.flush()
        else:
            self.session.say(text)
        self.text = text

    def erase(self) -> None:
        """Take the line off the terminal, to print something else."""
        if sys.stdout.isatty():
            sys.stdout.write(f"\r{' ' * min(len(self.text), _room())}\r")
            sys.stdout.flush()
            self.text = ""


def _room() -> int:
    return get_terminal_size().columns - 1


def watch(session: Session, wanted: Sequence[Source], every: timedelta) -> None:
    """Sample until a signal, or until the terminal is gone.

    On a terminal one line is drawn anew, elsewhere each change is a line.
    """
    watched, shown = Watch(wanted, every, session.now), Line(session)
    told: list[str] = []
    on_terminal = sys.stdout.isatty()
    try:
        # a terminal may vanish without a signal
        while sys.stdout.isatty() or not on_terminal:
            failures = watched.turn(session)
            for failure in failures:
                if failure not in told:
                    shown.erase()
                    session.note(f"note: {failure}")
            told = failures
            shown.show(watched.text)
            time.sleep(STEP_SECONDS)
    except (KeyboardInterrupt, SystemExit):
        if shown.text and sys.stdout.isatty():
            session.say("")
