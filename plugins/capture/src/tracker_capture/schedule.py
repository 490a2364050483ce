"""What makes cron, systemd or launchd capture at the right moments; printed, and installed by nobody but the user.

Captures wait for the buffer after a reset themselves (`--wait`); those at resets begin when it is over.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import click
from attrs import frozen

from tracker.api import FileOrigin, HttpOrigin, Source
from tracker.kernel import CONTROL, Entry, Session, TrackerError, capture_of, local_zone

DURATION = re.compile(r"([1-9]\d{0,3})(m|h|d)")
MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
WEEK = timedelta(days=7)


@frozen(kw_only=True)
class Moment:
    """When to capture: a minute in UTC, and whether it comes again every week."""

    at: datetime
    is_weekly: bool


@frozen(kw_only=True)
class Plan:
    """One job: what it runs, where, with which environment, and when; `every` is in minutes."""

    name: str
    argv: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    zone: tzinfo
    every: int | None = None
    moments: tuple[Moment, ...] = ()
    comments: tuple[str, ...] = ()


def minutes(text: str) -> int:
    """The minutes of `15m`, `2h` or `1d`."""
    found = DURATION.fullmatch(text.strip().lower())
    if found is None or not 1 <= int(found[1]) * MINUTES[found[2]] <= 7 * 24 * 60:
        raise click.BadParameter(f"{text!r} is no interval such as 15m, 2h or 1d", param_hint="--every")
    return int(found[1]) * MINUTES[found[2]]


def plans(session: Session, sources: Sequence[Source], every: int | None, phase: str) -> list[Plan]:
    """A job for each provider: at an interval, or after the resets that are known."""
    made = []
    for source in sources:
        moments = () if every else tuple(_moments(session, source))
        made.append(
            Plan(
                name=f"tracker-{source.name}",
                argv=_command(session, source, phase),
                folder=str(Path.cwd()),
                environment=_environment(source),
                zone=local_zone(),  # of cron and launchd, whatever tracker.toml says
                every=every,
                moments=moments,
                comments=tuple(_comments(source, is_once=any(not moment.is_weekly for moment in moments))),
            )
        )
    for plan in made:
        for text in (*plan.argv, plan.folder, *plan.environment.values()):
            if CONTROL.search(text) or "\n" in text:
                raise TrackerError(f"{text[:80]!r} holds control characters, which no schedule can")
    return made


def _command(session: Session, source: Source, phase: str) -> tuple[str, ...]:
    lane = ("--agent", session.lane) if session.lane else ()
    root = str(session.root.absolute())
    python = (sys.executable, "-m", "tracker.cli")
    return (*python, "--data-dir", root, *lane, "--quiet", "capture", source.name, "--phase", phase, "--wait")


def _environment(source: Source) -> dict[str, str]:
    """What a schedule's bare environment lacks: the PATH, and the folders that the origins are found by; no key."""
    names = ["PATH", *(one.variable for one in source.origins if isinstance(one, FileOrigin) and one.variable)]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _comments(source: Source, *, is_once: bool) -> Iterator[str]:
    yield f"{source.title}: captures its meters; printed by `tracker schedule print`, which installs nothing"
    for origin in source.origins:
        if isinstance(origin, HttpOrigin):
            yield f"its origin {origin.name} needs the key in the job's environment (see docs/capturing.md)"
    if is_once:
        yield "a line with a date runs once; print the schedule again after it"


def _moments(session: Session, source: Source) -> Iterator[Moment]:
    """When the buffers after the coming resets are over, by the newest snapshots of the lanes."""
    resets: dict[str, datetime] = {}
    marks = [mark for _, mark in session.index.lanes(source.stream) if mark.provider == source.name]
    for mark in sorted(marks, key=lambda mark: mark.at):
        record = session.journal.record(mark.stream, mark.offset)
        reading = capture_of(Entry(mark.stream, mark.offset, mark.record_id, record), source).reading
        resets |= {gauge.meter: gauge.reset_at for gauge in reading.gauges if gauge.reset_at is not None}
    coming = {key: reset for key, reset in resets.items() if reset > session.now}
    if not coming:
        raise TrackerError(
            f"no coming reset of {source.name} is known; capture it first: tracker capture {source.name}"
        )
    weekly = {meter.key for meter in source.meters if meter.window == WEEK}
    for moment in sorted({_whole_minute(reset + _buffer(session)) for reset in coming.values()}):
        keys = {key for key, reset in coming.items() if _whole_minute(reset + _buffer(session)) == moment}
        yield Moment(at=moment, is_weekly=bool(keys & weekly))


def _buffer(session: Session) -> timedelta:
    return timedelta(minutes=session.config.buffer_minutes)


def _whole_minute(instant: datetime) -> datetime:
    """The first whole minute that is not earlier."""
    begun = instant.replace(second=0, microsecond=0)
    return begun if begun == instant else begun + timedelta(minutes=1)
