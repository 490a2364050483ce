"""Samples: the meters of several providers, asked side by side and added to the history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import click

from tracker.api import Source
from tracker.kernel import Session, TrackerError, near, span
from tracker_capture import readings
from tracker_capture.listing import values
from tracker_capture.origins import Unanswered, first, side_by_side
from tracker_capture.origins.answer import Answer


def sources(session: Session, provider: str | None) -> list[Source]:
    """The named provider, or all that declare an origin."""
    if provider is not None:
        return [session.source(provider, kinds=["status"])]
    return [source for source in session.registry.sources.values() if source.kind == "status" and source.origins]


def take(session: Session, wanted: Sequence[Source], origin: str | None, timezone: str | None) -> None:
    """Ask every provider, store the answers, and say what each meter shows. It fails if no provider answers."""
    answers, problems = look(session, wanted, origin, timezone)
    if len(wanted) == len(problems) == 1:
        pane = f"`tracker capture {wanted[0].name} --from stdin` takes a pane."
        raise TrackerError(f"{problems[0]} Nothing was stored. {pane}")
    for problem in problems:
        # a scheduled job would tell it for ever
        if not (session.quiet and answers and problem.is_absent):
            session.warn(str(problem))
    new = store(session, answers)
    if session.json or session.dry_run:
        session.data([readings.record(sample, "sample") for sample in new])
    else:
        for source, answer in answers:
            session.say(f"sampled {sentence(source, answer)}")
    if wanted and not answers:
        raise TrackerError("No provider answered. Nothing was stored.")


def look(
    session: Session, wanted: Sequence[Source], origin: str | None = None, timezone: str | None = None
) -> tuple[list[tuple[Source, Answer]], list[Unanswered]]:
    """The answers, and why there are no others."""
    found = side_by_side([partial(_one, session, source, origin, timezone) for source in wanted])
    answers = [(source, one) for source, one in zip(wanted, found, strict=True) if isinstance(one, Answer)]
    return answers, [one for one in found if isinstance(one, Unanswered)]


def store(
    session: Session, answers: Sequence[tuple[Source, Answer]], least: timedelta = timedelta(0)
) -> list[readings.Sample]:
    behind = readings.lag(session)
    samples = [
        readings.sample_of(source, one.reading, one.taken, one.origin, behind, one.text or "")
        for source, one in answers
    ]
    return readings.add(session, [sample for sample in samples if sample is not None], by="sample", least=least)


def sentence(source: Source, answer: Answer) -> str:
    """`codex (rollout, 2 min old): fiveh=11% weekly=64%`"""
    age = span(timedelta(seconds=answer.age))
    return f"{source.name} ({answer.origin}, {age} old): {values(source, answer.reading)}"


def _one(session: Session, source: Source, origin: str | None, timezone: str | None) -> Answer | Unanswered:
    origins = [one for one in source.origins if origin in (None, one.name)]
    if not origins:
        names = [one.name for one in source.origins]
        raise click.UsageError(f"{source.name} has no origin {origin!r}. {near(str(origin), names)}")
    try:
        return first(session, source, origins, timezone)
    except Unanswered as error:
        return error
