"""Captures without pasting: a provider's origins in their order, the first that answers, stored as any capture is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

import click
from attrs import evolve, frozen

from tracker.api import Origin, Reading, Source
from tracker.kernel import (
    LATE_AFTER,
    STDIN,
    Request,
    Session,
    Stored,
    TrackerError,
    iso,
    near,
    parse,
    reset_before,
    span,
    store,
    take_text,
)
from tracker.windows import lanes
from tracker_capture.answers import Answer, OriginError
from tracker_capture.asking import ask
from tracker_capture.settings import CaptureSettings
from tracker_capture.waiting import RETRIES, retry_seconds, wait_until

STALE = "stale-data"


@frozen(kw_only=True)
class Wish:
    """What the user wants captured.

    origin: the one to ask, None for the declared order. wait: until the buffer after a reset is over and an origin is
    ready. stale_ok: take an old reading for an AFTER, too.
    """

    source: Source
    phases: tuple[str, ...]
    window: str | None = None
    notes: str | None = None
    timezone: str | None = None
    origin: str | None = None
    wait: bool = False
    stale_ok: bool = False
    force: bool = False

    @property
    def has_after(self) -> bool:
        """Whether an AFTER is among them, whose rules hold for the reading."""
        return "after" in self.phases

    @property
    def may_be_late(self) -> bool:
        return self.force or LATE_AFTER in (self.notes or "")


class Unanswered(TrackerError):
    """No origin gave a reading that can be stored; `is_lasting` where asking again soon cannot help."""

    def __init__(self, message: str, *, is_lasting: bool) -> None:
        self.is_lasting = is_lasting
        super().__init__(message)


def phases_of(session: Session, source: Source, phase: str, window: str | None) -> tuple[str, ...]:
    """The phase to capture; `auto` is AFTER where the lane has the provider's window open, else BEFORE."""
    if phase == "cross":
        return ("after", "before")
    if phase != "auto":
        return (phase,)
    opened = lanes.open_window(session.index, source.stream, session.lane, source.name)
    return ("after",) if opened is not None and window in (None, opened) else ("before",)


def capture(session: Session, wish: Wish) -> Stored:
    """Ask, wait where that was asked for, and store."""
    answer = _from_stdin(session, wish) if wish.origin == STDIN else _patiently(session, wish)
    stored = store(
        session,
        Request(
            source=wish.source,
            phases=wish.phases,
            reading=answer.reading,
            text=answer.text,
            captured_at=answer.taken,
            origin="automation",
            window=wish.window,
            notes=wish.notes,
            force=wish.force,
            needs_before=True,
            details={"origin": answer.origin, "age_s": answer.age},
        ),
    )
    if wish.origin != STDIN:
        session.note(f"note: read from {answer.origin}, {span(timedelta(seconds=answer.age))} old")
    return stored


def _from_stdin(session: Session, wish: Wish) -> Answer:
    """The pane that is piped, which cannot be asked twice."""
    if wish.wait:
        _wait_for_buffer(session, wish, None)
    text, taken = take_text(True, None), session.now
    reading = parse(session, wish.source, text, taken, wish.timezone, origin=STDIN)
    answer = Answer(origin=STDIN, text=text, reading=reading, taken=taken)
    try:
        return _fit(session, wish, answer) if answer.has_value else answer
    except OriginError as error:
        raise TrackerError(f"{wish.source.name} {STDIN}: {error}; nothing was stored") from error


def _patiently(session: Session, wish: Wish) -> Answer:
    """The answer; with `wait` once the buffer is over and an origin is ready."""
    origins = _wanted(wish)
    if not wish.wait:
        return _first(session, wish, origins, set())
    pause = retry_seconds()
    said: set[str] = set()
    for tries_left in reversed(range(RETRIES)):
        _wait_for_buffer(session, wish, None)
        try:
            answer = _first(session, wish, origins, said)
        except Unanswered as error:
            if error.is_lasting or not tries_left:
                raise
            _once(session, said, f"{error}; asking again every {pause:g} s")
            time.sleep(pause)
            continue
        if not _wait_for_buffer(session, wish, answer):
            return answer
    raise TrackerError(f"{wish.source.name} says again and again that a meter was just reset; nothing was stored")


def _wait_for_buffer(session: Session, wish: Wish, answer: Answer | None) -> bool:
    """Whether there was a buffer to wait for, by what stands and by what was answered."""
    if not wish.has_after or wish.may_be_late:
        return False
    reading = answer.reading if answer else Reading()
    reset = reset_before(session, wish.source, reading, session.now)
    if reset is None:
        return False
    why = f"a {wish.source.name} meter was reset at {iso(reset)} and the vendor lags"
    wait_until(session, reset + timedelta(minutes=session.config.buffer_minutes), why)
    return True


def _wanted(wish: Wish) -> Sequence[Origin]:
    """The origins to ask, in order."""
    source = wish.source
    if wish.origin is None and not source.origins:
        raise TrackerError(
            f"{source.name} declares no origin to read; pipe its pane: tracker capture {source.name} --from {STDIN}"
        )
    found = [origin for origin in source.origins if wish.origin in (None, origin.name)]
    if not found:
        names = [*(origin.name for origin in source.origins), STDIN]
        raise click.UsageError(f"{source.name} has no origin {wish.origin!r}; {near(str(wish.origin), names)}")
    return found


def _first(session: Session, wish: Wish, origins: Sequence[Origin], said: set[str]) -> Answer:
    """The first answer that can be stored; each failure before it is one warning, the last one the error."""
    name = wish.source.name
    failed: list[OriginError] = []
    for place, origin in enumerate(origins, 1):
        try:
            return _fit(session, wish, ask(session, wish.source, origin, wish.timezone))
        except OriginError as error:
            failed.append(error)
            if place < len(origins):
                _once(session, said, f"{name} {origin.name}: {error}; trying {origins[place].name} next")
    others = f" after {', '.join(origin.name for origin in origins[:-1])}" if len(origins) > 1 else ""
    raise Unanswered(
        f"{name} {origins[-1].name}: {failed[-1]}; nothing is left to try{others} and nothing was stored"
        f" (tracker capture {name} --from {STDIN} takes a pane)",
        is_lasting=all(error.is_lasting for error in failed),
    )


def _once(session: Session, said: set[str], text: str) -> None:
    if text not in said:
        said.add(text)
        session.warn(text)


def _fit(session: Session, wish: Wish, answer: Answer) -> Answer:
    """The answer where it can be an AFTER, or is none; one that is old only where the user takes it, and tagged."""
    limit = session.settings(CaptureSettings).stale_minutes
    is_stale = answer.age > limit * 60
    if not wish.has_after:
        if is_stale:
            session.warn(f"the reading from {answer.origin} is {span(timedelta(seconds=answer.age))} old")
        return answer
    if answer.age and not wish.may_be_late:
        reset = reset_before(session, wish.source, answer.reading, answer.as_of)
        if reset is not None and not reset_before(session, wish.source, answer.reading, answer.taken):
            raise OriginError(
                f"its numbers are of {iso(answer.as_of)}, within {session.config.buffer_minutes:g} min"
                f" after the reset at {iso(reset)}"
            )
    if not is_stale:
        return answer
    if not wish.stale_ok:
        raise OriginError(
            f"its reading is {span(timedelta(seconds=answer.age))} old, over {limit:g} min (--stale-ok takes it)"
        )
    errors = tuple(dict.fromkeys((*answer.reading.errors, STALE)))
    return evolve(answer, reading=evolve(answer.reading, errors=errors))
