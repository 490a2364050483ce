"""Samples: the meters of several providers, asked side by side, each added to the history as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from tracker.api import Source
from tracker.kernel import Session, TrackerError, iso
from tracker_capture import readings
from tracker_capture.origin_list import values
from tracker_capture.origins import NoAnswer, first, named, side_by_side
from tracker_capture.origins.answer import Answer, OriginError, not_ahead, parsing


def sources(session: Session, provider: str | None) -> list[Source]:
    """The named provider, or all that declare an origin."""
    if provider is not None:
        return [session.source(provider, kinds=["status"])]
    return [source for source in session.registry.sources.values() if source.kind == "status" and source.origins]


def take(session: Session, wanted: Sequence[Source], origin: str | None, timezone: str | None) -> None:
    """Ask every provider, store each answer as it comes, and say what it shows. It fails if no provider answers."""
    problems, new = list[NoAnswer](), list[readings.Sample]()
    for source, answer in look(session, wanted, origin, timezone):
        if isinstance(answer, NoAnswer):
            problems.append(answer)
        else:
            new += _take(session, source, answer)
    if len(wanted) == len(problems) == 1:
        raise TrackerError(f"{problems[0]} Nothing was stored.")
    for problem in problems:
        # a scheduled job would repeat it for ever
        if not (session.quiet and len(problems) < len(wanted) and problem.is_absent):
            session.warn(str(problem))
    if session.json or session.dry_run:
        # as they are declared, however fast each answered
        names = [source.name for source in wanted]
        new.sort(key=lambda sample: names.index(sample.provider))
        session.data([readings.record(sample, "sample") for sample in new])
    if wanted and len(problems) == len(wanted):
        raise TrackerError("No provider answered. Nothing was stored.")


def _take(session: Session, source: Source, answer: Answer) -> list[readings.Sample]:
    """Store an answer, and say what it shows."""
    old, new = _says_nothing(session, source, answer), store(session, source, answer)
    if not (session.json or session.dry_run):
        done = f"read {source.name}, stored nothing" if new is None else f"sampled {source.name}"
        about = f"{answer.origin}, {answer.age_in_words} old"
        session.say(f"{done} ({about}): {values(source, answer.reading, session.now)}")
        if old is not None:
            session.note(f"note: {old}; {source.name} has a new reading once it is used")
    return new or []


def _says_nothing(session: Session, source: Source, answer: Answer) -> str | None:
    """Why an answer is out of date: all its meters were reset since, or what is stored is as new."""
    if answer.last_reset is not None and answer.last_reset <= session.now:
        return f"this reading is from before the reset at {iso(answer.last_reset)}"
    known = readings.history(session, source.name, answer.as_of) if answer.age else []
    newest = max((run.until for run in known if run.until <= session.now), default=None)
    return f"this reading is not newer than the stored one of {iso(newest)}" if newest else None


def look(
    session: Session, wanted: Sequence[Source], origin: str | None = None, timezone: str | None = None
) -> Iterator[tuple[Source, Answer | NoAnswer]]:
    """Each provider's answer, or why there is none, as it comes."""
    jobs = [
        partial(first, session, one, named(one, origin), timezone, accept=partial(_fitting, session, one))
        for one in wanted
    ]
    for place, answer in side_by_side(jobs, NoAnswer):
        with parsing:
            yield wanted[place], answer


def _fitting(session: Session, source: Source, answer: Answer) -> Answer:
    """The answer, unless a clock is wrong: the machine's, or the vendor's."""
    reset = not_ahead(answer).last_reset
    if _sample(session, source, answer) is None and reset is not None and reset > answer.as_of:
        raise OriginError(f"its resets do not fit {answer.as_of:%Y-%m-%d %H:%M} UTC: check the clock of this machine")
    return answer


def _sample(session: Session, source: Source, answer: Answer) -> readings.Sample | None:
    behind, text = readings.lag(session), answer.text or ""
    return readings.sample_of(source, answer.reading, answer.taken, answer.origin, behind, text)


def store(
    session: Session, source: Source, answer: Answer, least: timedelta = timedelta(0)
) -> list[readings.Sample] | None:
    """Add an answer to the history; what was new of it, None if it is of no period."""
    sample = _sample(session, source, answer)
    return None if sample is None else readings.add(session, [sample], by="sample", least=least)
