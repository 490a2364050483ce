"""What an origin is asked with, and what it answers.

An origin that fails raises an `OriginError`. Its message is the reason alone: the caller adds the origin's name.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, TypeVar

from attrs import define, field, frozen

from tracker.api import HttpOrigin, Origin, Reading, Source, redact
from tracker.kernel import PluginError, TrackerError, iso, line, read_text, span
from tracker_capture.readings import FUTURE
from tracker_capture.settings import CaptureSettings

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tracker.kernel import Session

T = TypeVar("T")

# The seconds that every origin may take, instead of what its plugin declares.
SECONDS = "TRACKER_ORIGIN_SECONDS"
# Seconds that one provider may take, however many of its programs hang.
MOST_SECONDS = 30.0
# Bytes of an answer.
LIMIT = 1 << 20
# Characters that are quoted of what a program said.
QUOTED = 160
NOTICE_SECONDS = 5.0

# The guard around plugins redirects stdout for the whole process: one thread parses at a time, none while it is used.
parsing = threading.Lock()


class OriginError(TrackerError):
    """An origin gave no reading. `is_lasting` if asking again soon cannot help, `is_absent` if not set up here."""

    def __init__(self, why: str, *, is_lasting: bool = False, is_absent: bool = False) -> None:
        self.is_lasting, self.is_absent = is_lasting or is_absent, is_absent
        super().__init__(why)


@frozen(kw_only=True)
class Answer:
    """What an origin gave: the text (None if only the reading was kept), its reading, and when it was taken."""

    origin: str
    text: str | None
    reading: Reading
    taken: datetime

    @property
    def as_of(self) -> datetime:
        """The instant of the numbers."""
        return self.reading.as_of or self.taken

    @property
    def age(self) -> int:
        """Whole seconds since then; 0 if a clock is ahead."""
        return max(0, round((self.taken - self.as_of).total_seconds()))

    @property
    def age_in_words(self) -> str:
        return span(timedelta(seconds=self.age))

    @property
    def is_ahead(self) -> bool:
        """Whether the clock that told its time is wrong."""
        return self.as_of > self.taken + FUTURE

    @property
    def resets(self) -> list[datetime]:
        return [gauge.reset_at for gauge in self.reading.gauges if gauge.reset_at is not None]

    @property
    def last_reset(self) -> datetime | None:
        """The end of the last of its periods: from then on it says nothing of now."""
        return max(self.resets, default=None)

    @property
    def has_value(self) -> bool:
        return any(gauge.used is not None for gauge in self.reading.gauges)


def not_ahead(answer: Answer) -> Answer:
    """The answer, unless its clock is ahead: as one of now it would look fresh, whenever it was made."""
    if answer.is_ahead:
        ahead = span(answer.as_of - answer.taken)
        raise OriginError(
            f"its reading is {ahead} in the future ({iso(answer.as_of)}): check the clock of the machine that wrote it"
        )
    return answer


@define(kw_only=True)
class Query:
    """One question to one origin, whose time runs from now, and ends at `until` (monotonic) at the latest.

    limit: bytes of the answer.
    """

    session: Session
    source: Source
    origin: Origin
    timezone: str | None = None
    until: float = inf
    limit: int = LIMIT
    seconds: float = field(init=False)
    _deadline: float = field(init=False)
    _next_notice: float = field(init=False, factory=lambda: NOTICE_SECONDS)

    def __attrs_post_init__(self) -> None:
        now = time.monotonic()
        seconds = max(0.0, min(seconds_in(SECONDS, self.origin.seconds), self.until - now))
        self.seconds, self._deadline = round(seconds, 1), now + seconds

    def remaining(self) -> float:
        """Seconds until the deadline. Says on stderr from time to time that the origin is still waited for."""
        left = self._deadline - time.monotonic()
        waited = self.seconds - left
        if waited >= self._next_notice:
            self._next_notice = waited + NOTICE_SECONDS
            self.session.note(f"waiting for {self.source.name} {self.origin.name}: {waited:.0f} of {self.seconds:g} s")
        return max(0.0, left)

    def parse(self, text: str) -> Answer:
        """The plugin's reading of a text that was taken now. A plugin that breaks is the origin's failure."""
        taken = self.session.now
        try:
            with parsing:
                reading = read_text(self.session, self.source, text, taken, self.timezone, origin=self.origin.name)
        except PluginError as error:
            raise OriginError(str(error)) from error
        return Answer(origin=self.origin.name, text=text, reading=reading, taken=taken)

    def environment(self) -> dict[str, str]:
        """What a program gets: the environment without tracker's settings and without every variable of a key."""
        keys = {entry.partition("=")[2].strip() for entry in self.session.settings(CaptureSettings).key_variables}
        for source in self.session.registry.sources.values():
            keys |= {origin.key for origin in source.origins if isinstance(origin, HttpOrigin)}
        return {
            name: value for name, value in os.environ.items() if name not in keys and not name.startswith("TRACKER_")
        }


def in_thread(job: Callable[[], T]) -> Future[T]:
    """The result of a job to come. Its thread is a daemon, and whoever waits for it stays interruptible."""
    from concurrent.futures import Future

    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(job())
        except BaseException as error:  # noqa: BLE001  raised again where the result is asked for
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result


def seconds_in(variable: str, usual: float) -> float:
    """What an environment variable says, if it is set."""
    given = os.environ.get(variable)
    try:
        return float(given) if given else usual
    except ValueError:
        raise TrackerError(f"Invalid {variable}={line(given)}. Expected a number of seconds.") from None


def quoted(text: str, *, first: bool = False) -> str:
    """The first line with any text, or all if they are short, else the last; safe to show."""
    lines = [one.strip() for one in text.splitlines() if one.strip()]
    if not lines:
        return ""
    # the reason may be above the last line, which may only name a help page
    whole = " ".join(lines)
    shown = line(redact(lines[0] if first else whole if len(whole) <= QUOTED else lines[-1]))
    return f"'{shown[:QUOTED]}{'...' if len(shown) > QUOTED else ''}'"


def not_installed(why: str, origin: Origin) -> OriginError:
    """The failure of an origin that does not exist on this machine, with its cure."""
    return OriginError(f"{why}; {origin.cure}" if origin.cure else why, is_absent=True)
