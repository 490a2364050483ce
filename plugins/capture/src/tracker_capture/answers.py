"""What an origin is asked with, and what it answers.

Every origin has a deadline and a size limit. What fails is an `OriginError`, whose message is the reason alone: who
asks knows which origin it was.
"""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from tracker.api import Origin, Reading, Source, redact
from tracker.kernel import PluginError, TrackerError, line, parse

if TYPE_CHECKING:
    from tracker.kernel import Session

SECONDS = "TRACKER_ORIGIN_SECONDS"  # how long every origin may take, in place of what is declared
LIMIT = 1 << 20  # bytes of an answer
QUOTED = 160  # characters of what a program said that are shown


class OriginError(TrackerError):
    """An origin gave no reading; `is_lasting` where trying again soon cannot help."""

    def __init__(self, why: str, *, is_lasting: bool = False) -> None:
        self.is_lasting = is_lasting
        super().__init__(why)


@frozen(kw_only=True)
class Answer:
    """What an origin gave: the text (None where only the reading is kept), what it says, and when it was taken."""

    origin: str
    text: str | None
    reading: Reading
    taken: datetime

    @property
    def as_of(self) -> datetime:
        """The instant that the numbers are from."""
        return self.reading.as_of or self.taken

    @property
    def age(self) -> int:
        """Whole seconds since then; 0 where a clock is ahead."""
        return max(0, round((self.taken - self.as_of).total_seconds()))

    @property
    def has_value(self) -> bool:
        return any(gauge.used is not None for gauge in self.reading.gauges)


@frozen(kw_only=True)
class Asking:
    """Everything that an origin is asked with; `deadline` is monotonic, `limit` in bytes."""

    session: Session
    source: Source
    origin: Origin
    timezone: str | None
    seconds: float
    deadline: float
    limit: int = LIMIT

    def remaining(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def parse(self, text: str) -> Answer:
        """What the plugin makes of a text, taken now; a plugin that breaks is the origin's failure."""
        taken = self.session.now
        try:
            reading = parse(self.session, self.source, text, taken, self.timezone, origin=self.origin.name)
        except PluginError as error:
            raise OriginError(str(error)) from error
        return Answer(origin=self.origin.name, text=text, reading=reading, taken=taken)


def begin(session: Session, source: Source, origin: Origin, timezone: str | None = None, limit: int = LIMIT) -> Asking:
    """An origin whose time runs from now."""
    given = os.environ.get(SECONDS)
    try:
        seconds = float(given) if given else origin.seconds
    except ValueError:
        raise TrackerError(f"{SECONDS}={line(given)} is no number of seconds") from None
    return Asking(
        session=session,
        source=source,
        origin=origin,
        timezone=timezone,
        seconds=seconds,
        deadline=time.monotonic() + seconds,
        limit=limit,
    )


def quoted(text: str, *, first: bool = False) -> str:
    """The first or the last line that says something, as it may be shown."""
    lines = [one.strip() for one in text.splitlines() if one.strip()]
    if not lines:
        return ""
    shown = line(redact(lines[0 if first else -1]))
    return f"'{shown[:QUOTED]}{'...' if len(shown) > QUOTED else ''}'"


def missing(why: str, origin: Origin) -> OriginError:
    """The failure of an origin that is not here at all, with its cure."""
    return OriginError(f"{why}; {origin.cure}" if origin.cure else why, is_lasting=True)
