"""Whether a script may start work now: what a meter has left, and how likely it is full before its reset."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
from attrs import evolve, frozen

from tracker.api import Source, instant
from tracker.kernel import Session, captures, iso, number, span, zone

GO, STOP, UNKNOWN = "go", "stop", "unknown"
STATUS = {GO: 0, STOP: 3, UNKNOWN: 4}
READINGS = "readings"
# Bytes at the end of the stream of readings that hold the newest ones.
TAIL = 1 << 18
FULL, WEEK = 100.0, timedelta(days=7)
# Before so much of a week is over, its pace says nothing.
LEAST = timedelta(hours=6)
AWAKE = range(8, 24)


@frozen(kw_only=True)
class Answer:
    """go, stop or unknown, and why. risk: the probability that the meter is full before its reset, if known."""

    state: str
    why: str
    meter: str
    used: float | None = None
    taken_at: datetime | None = None
    reset_at: datetime | None = None
    risk: float | None = None

    def document(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "state": self.state,
            "why": self.why,
            "meter": self.meter,
            "used_pct": self.used,
            "taken_at": self.taken_at and iso(self.taken_at),
            "reset_at": self.reset_at and iso(self.reset_at),
            "risk": self.risk,
        }


@frozen(kw_only=True)
class Question:
    """What is asked for; `max_age` is how old a reading may be."""

    meter: str
    min_left: float
    max_risk: float
    max_age: timedelta


def answer(session: Session, source: Source, question: Question, now: datetime) -> Answer:
    """By the newest reading; never go without one that is young enough."""
    unknown = Answer(state=UNKNOWN, why="no reading", meter=question.meter)
    meter = source.meter(question.meter)
    if meter is not None and meter.unit != "pp":
        return evolve(unknown, why=f"{meter.unit} have no limit that the vendor tells")
    found = max(_readings(session, source, question.meter), key=lambda one: one[0], default=None)
    if found is None:
        return unknown
    at, used, reset_at = found
    known = evolve(unknown, used=used, taken_at=at, reset_at=reset_at)
    if reset_at is not None and reset_at <= now:
        return evolve(known, why=f"reset at {iso(reset_at)} and not read since")
    if now - at > question.max_age:
        return evolve(known, why=f"the newest reading is {span(now - at)} old")
    left = FULL - used
    if left < question.min_left:
        return evolve(known, state=STOP, why=f"{number(left)} % left, less than {number(question.min_left)} %")
    is_weekly = meter is not None and meter.window == WEEK and reset_at is not None
    known = evolve(known, risk=risk(session, used, at, reset_at) if is_weekly and reset_at else None)
    if known.risk is not None and known.risk > question.max_risk:
        return evolve(known, state=STOP, why=f"{number(left)} % left, likely used up before the reset")
    return evolve(known, state=GO, why=f"{number(left)} % left")


def risk(session: Session, used: float, at: datetime, reset_at: datetime) -> float | None:
    """The probability that a weekly meter is full before its reset, by hours; None early in the week."""
    from tracker_verdict.stats import runout

    start = reset_at - WEEK
    if not LEAST <= at - start < WEEK:
        return None
    local = start.astimezone(zone(session.config.timezone))
    prior = [float(hour % 24 in AWAKE) for hour in range(7 * 24)]
    hours = int((at - start) / timedelta(hours=1))
    return runout([], hours, used, prior, now=local.weekday() * 24 + local.hour)[3]


def _readings(session: Session, source: Source, meter: str) -> Iterator[tuple[datetime, float, datetime | None]]:
    """Time, value and reset of the captures, and of the newest readings that belong to no window."""
    for (_, name), group in captures(session.index, session.registry).items():
        for capture in group if name == source.name else ():
            gauge = capture.reading.gauge(meter)
            if gauge is not None and gauge.used is not None:
                yield capture.reading.as_of or capture.captured_at, gauge.used, gauge.reset_at
    for record in _newest(session):
        parsed = record.get("parsed")
        at = instant(record.get("until") or record.get("captured_at"))
        if record.get("provider") != source.name or not isinstance(parsed, dict) or at is None:
            continue
        used = parsed.get(f"{meter}_used")
        if isinstance(used, int | float) and not isinstance(used, bool):
            yield at, float(used), instant(parsed.get(f"{meter}_reset_at"))


def _newest(session: Session) -> Iterator[dict[str, Any]]:
    path = session.journal.path(READINGS)
    if not path.is_file():
        return
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL, 0))
        lines = file.read().splitlines()
    for line in lines:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            # the first line of the tail may be cut
            continue
        if isinstance(record, dict):
            yield record
