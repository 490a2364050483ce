"""A snapshot without pasting: the first origin that answers, stored under the same rules as any capture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from shlex import quote

from attrs import evolve, frozen

from tracker.api import Origin, Reading, Source
from tracker.kernel import CaptureRequest, Session, TrackerError, Windows, iso, read_text, take_text
from tracker_capture.origins import NoAnswer, first, named
from tracker_capture.origins.answer import Answer, OriginError, not_ahead, seconds_in
from tracker_capture.readings import STALE
from tracker_capture.settings import CaptureSettings
from tracker_capture.wait import wait_until

STDIN = "stdin"
# How long to wait before an origin that was not ready is asked again, and how often.
RETRY, RETRY_SECONDS, RETRIES = "TRACKER_RETRY_SECONDS", 15.0, 40


@frozen(kw_only=True)
class Options:
    """What to capture.

    origin: the only one to ask; None asks all in the declared order. wait: until the buffer after a reset is over and
    an origin is ready. stale_ok: accept an old reading for an AFTER.
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
        return "after" in self.phases

    @property
    def may_be_late(self) -> bool:
        return self.force or "late-after" in (self.notes or "")


def phases_of(session: Session, source: Source, phase: str, window: str | None) -> tuple[str, ...]:
    """The phases to capture. `auto` is AFTER if the lane has the provider's window open, else BEFORE."""
    if phase == "cross":
        return ("after", "before")
    if phase != "auto":
        return (phase,)
    found = source.stream, session.lane, source.name
    if window is not None:
        is_open = bool(session.index.left_open(*found, [window]))
    else:
        newest = session.index.newest(*found)
        is_open = newest is not None and newest.phase == "before"
    return ("after",) if is_open else ("before",)


def capture(session: Session, options: Options) -> None:
    answer = _from_stdin(session, options) if options.origin == STDIN else _from_origins(session, options)
    Windows.store(
        session,
        CaptureRequest(
            source=options.source,
            phases=options.phases,
            reading=answer.reading,
            text=answer.text,
            captured_at=answer.taken,
            origin="automation",
            window=options.window,
            notes=options.notes,
            force=options.force,
            needs_before=True,
            details={"origin": answer.origin, "age_s": answer.age},
        ),
    )
    if options.origin != STDIN:
        session.note(f"note: read from {answer.origin}, {answer.age_in_words} old")


def _from_stdin(session: Session, options: Options) -> Answer:
    """The pane on standard input, which cannot be asked twice."""
    _wait_for_buffer(session, options, Reading())
    text, taken = take_text(), session.now
    reading = read_text(session, options.source, text, taken, options.timezone, origin=STDIN)
    answer = Answer(origin=STDIN, text=text, reading=reading, taken=taken)
    try:
        return _usable(session, options, answer) if answer.has_value else answer
    except OriginError as error:
        raise TrackerError(f"{options.source.name} {STDIN}: {error}. Nothing was stored.") from error


def _from_origins(session: Session, options: Options) -> Answer:
    """The first usable answer; with `wait` once the buffer is over and an origin is ready."""
    source, origins = options.source, _origins(session, options)
    usable = partial(_usable, session, options)
    for tries_left in reversed(range(RETRIES if options.wait else 1)):
        _wait_for_buffer(session, options, Reading())
        try:
            answer = first(session, source, origins, options.timezone, accept=usable, warn=session.warn)
        except NoAnswer as error:
            if error.is_lasting or not tries_left:
                raise TrackerError(
                    f"{error} Nothing was stored. Pipe a pane to {_by_hand(session, options)}."
                ) from error
            pause = seconds_in(RETRY, RETRY_SECONDS)
            session.warn(f"{error} Asking again every {pause:g} s.")
            time.sleep(pause)
            continue
        if not _wait_for_buffer(session, options, answer.reading):
            return answer
    raise TrackerError(f"{source.name} reports a new reset each time it is asked. Nothing was stored. Try again later.")


def _wait_for_buffer(session: Session, options: Options, reading: Reading) -> bool:
    """With `wait`, wait for the end of a buffer that the stored resets or the reading name; whether there was one."""
    if not (options.wait and options.has_after) or options.may_be_late:
        return False
    reset = Windows.reset_before(session, options.source, reading, session.now)
    if reset is None:
        return False
    why = f"a {options.source.name} meter was reset at {iso(reset)} and the vendor lags"
    wait_until(session, reset + timedelta(minutes=session.config.buffer_minutes), why)
    return True


def _origins(session: Session, options: Options) -> Sequence[Origin]:
    source = options.source
    if options.origin is None and not source.origins:
        raise TrackerError(f"{source.name} has no origin to read. Pipe its pane to {_by_hand(session, options)}.")
    return named(source, options.origin, STDIN)


def _by_hand(session: Session, options: Options) -> str:
    """The command that takes a pane for the same phase, window and lane."""
    phase = "cross" if len(options.phases) > 1 else options.phases[0]
    place = "" if options.window is None else f" --window {quote(options.window)}"
    lane = "" if session.agent is None else f" --agent {quote(session.agent)}"
    return f"`tracker capture {options.source.name} --phase {phase}{place} --from {STDIN}{lane}`"


def _usable(session: Session, options: Options, answer: Answer) -> Answer:
    """The answer if it fits the phase. An old one is an AFTER only with `stale_ok`, and is tagged."""
    limit, buffer = session.settings(CaptureSettings).stale_minutes, session.config.buffer_minutes
    # a BEFORE is what a window begins with, so that what was used up to a reset since is not in it
    instant = answer.taken if "before" in options.phases else answer.as_of
    over, name = answer.last_reset, options.source.name
    # the vendor may lag after a reset, but a reading from before it shows the time before
    lag = timedelta(minutes=buffer if over is not None and answer.as_of >= over else 0)
    is_judged = not options.force and options.origin != STDIN
    if is_judged and over is not None and over <= instant - lag:
        # an idle program shows them until it is used; a pane that was piped is refused with its own cure
        raise OriginError(f"its numbers are older than the reset at {iso(over)}; {name} has new ones once it is used")
    if not options.force:
        not_ahead(answer)
    is_stale = answer.age > limit * 60
    if not options.has_after:
        if is_stale:
            session.warn(f"the reading from {answer.origin} is {answer.age_in_words} old")
        return answer
    if answer.age and not options.may_be_late:
        reset = Windows.reset_before(session, options.source, answer.reading, answer.as_of)
        if reset is not None and not Windows.reset_before(session, options.source, answer.reading, answer.taken):
            raise OriginError(
                f"its numbers are from {iso(answer.as_of)}, within {buffer:g} min after the reset at {iso(reset)}"
            )
    if not is_stale:
        return answer
    if not options.stale_ok:
        raise OriginError(f"its reading is {answer.age_in_words} old, more than {limit:g} min (--stale-ok takes it)")
    errors = tuple(dict.fromkeys((*answer.reading.errors, STALE)))
    return evolve(answer, reading=evolve(answer.reading, errors=errors))
