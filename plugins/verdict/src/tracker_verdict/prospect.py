"""Whether a weekly meter lasts until its reset: how likely not, when it is full, and what goes unused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from tracker.api import Meter, MeterReading
from tracker.kernel import Clock, iso, number, plural
from tracker_verdict.current_meters import CurrentMeter, too_old
from tracker_verdict.weeks import FULL, HOUR, LATE, LITTLE, PRIOR, SAME, WEEK, Week, phase_of, usual_use, weeks_before

if TYPE_CHECKING:
    from tracker_verdict.regimes import Regime

# Weeks before which a probability overstates, see docs/explanation/statistics.md.
NEEDED = 3
# With fewer weeks it is a word: likely above this probability.
LIKELY = 0.5
# Above this probability `tracker gate` stops by default.
RISK = 0.2
LEAST = timedelta(hours=6)
# Older readings may miss what was used since.
YOUNG = timedelta(hours=2)


def per_cent(probability: float, rounded: Callable[[float], int] = math.floor) -> int:
    """Whole, but 0 only without any chance, and never 100: cut off so that none looks like a limit that it misses."""
    return 0 if probability <= 0 else min(max(rounded(round(100 * probability, 9)), 1), 99)


@frozen(kw_only=True)
class Prospect:
    """weeks: those before this one; cut: how many of them nobody read in their last day. probability: to be full before
    the reset. rest: the points that are still to come, low and high: their 80 % range. unused: those that stay free, on
    average. full_at: when the usual course is full; None if that is not before the reset. linear: the per cent at the
    reset, if it goes on as on average since the week began. why: what keeps it unknown. is_full: whether it is so
    already: then there is nothing to forecast. change: that of what a point buys, if some of the weeks were before it.
    """

    current: CurrentMeter
    weeks: int = 0
    cut: int = 0
    probability: float | None = None
    rest: float | None = None
    unused: float | None = None
    low: float | None = None
    high: float | None = None
    full_at: datetime | None = None
    linear: float | None = None
    why: str | None = None
    is_full: bool = False
    change: Regime | None = None

    @property
    def is_probable(self) -> bool:
        """Whether there are enough weeks for a probability."""
        return self.weeks >= NEEDED

    @property
    def is_risky(self) -> bool:
        """Whether `tracker gate` would stop."""
        return self.probability is not None and self.probability > (RISK if self.is_probable else LIKELY)

    @property
    def chance(self) -> int | None:
        """Per cent that it is full before the reset, rounded up, as a risk; None before there are enough weeks."""
        if self.probability is None or not self.is_probable:
            return None
        return per_cent(self.probability, math.ceil)

    @property
    def word(self) -> str:
        """The probability in a word, for a history that is too short for a number."""
        return "likely" if (self.probability or 0) > LIKELY else "unlikely"

    @property
    def expected(self) -> tuple[float, float] | None:
        """Per cent used at the reset, in four of five cases; None before there are enough weeks."""
        if self.low is None or self.high is None or not self.is_probable:
            return None
        return min(self.current.used + self.low, FULL), min(self.current.used + self.high, FULL)

    def shown(self) -> dict[str, Any]:
        """The figures for programs: before there are enough weeks the word and the linear pace alone."""
        word = None if self.probability is None or self.is_full else self.word
        if self.is_probable:
            return self.document() | {"word": word}
        hidden = dict.fromkeys(("probability_full", "full_at", "rest", "rest_80", "unused"))
        why = self.why or f"{plural(self.weeks, 'week')} of history; {NEEDED} are needed"
        return self.document() | hidden | {"word": word, "why_not": why}

    def document(self) -> dict[str, Any]:
        """The figures as they are stored, to be scored."""
        return {
            "weeks": self.weeks,
            "weeks_cut": self.cut,
            "weeks_needed": NEEDED,
            "probability_full": self.probability,
            "full_at": self.full_at and iso(self.full_at),
            "rest": self.rest,
            "rest_80": None if self.low is None else [self.low, self.high],
            "unused": self.unused,
            "linear_pace": self.linear,
            "why_not": self.why,
            **({"change": self.change.document()} if self.change else {}),
        }


def prospect(
    past: Sequence[MeterReading],
    current: CurrentMeter,
    meter: Meter,
    now: datetime,
    local: tzinfo,
    change: Regime | None = None,
) -> Prospect | None:
    """None for meters that are not weekly, unless they are full.

    past: the provider's readings, by time. change: that of what a point buys, if known.
    """
    known = Prospect(current=current)
    if current.used >= FULL and current.reset_at is not None and current.reset_at > now:
        until = current.reset_at.astimezone(local)
        return evolve(known, why=f"it is full until {until:%a %d %b %H:%M}", is_full=True)
    if meter.window != WEEK:
        return None
    if current.reset_at is None:
        return evolve(known, why="its reset is not known")
    if current.reset_at <= now:
        return evolve(known, why="its reset has passed")
    start = current.reset_at - WEEK
    gone = current.at - start
    if gone < LEAST:
        return evolve(known, why="the reading is from the first 6 hours of its week")
    known = evolve(known, linear=current.used / (gone / WEEK))
    if now - current.at > YOUNG:
        return evolve(known, why=f"the last reading is {too_old(now - current.at, YOUNG)}")
    own = [one for one in past if (one.meter, one.account) == (meter.key, current.account)]
    # also this week: its start is compared with the starts of others
    later = weeks_before(own, local, current.reset_at + WEEK)
    before = [one for one in later if one.reset_at <= start + SAME]
    if not before and max(current.used, usual_use(start, current.at, local)) < LITTLE:
        return evolve(known, why="it is too early in the week without past weeks to go by")
    so_far = [one for one in later if abs(one.reset_at - current.reset_at) < LATE][-1:]
    given = sum(one.given for one in so_far)
    known = evolve(known, linear=(current.used + given) / (gone / WEEK) - given)
    return _forecast(known, before, so_far, start, local, change)


def _forecast(
    known: Prospect,
    before: Sequence[Week],
    so_far: Sequence[Week],
    start: datetime,
    local: tzinfo,
    change: Regime | None,
) -> Prospect:
    """The forecast, with use before a change in today's points. so_far: this week, if it was read.

    Points that the vendor gave back count as used, and their room is free again.
    """
    from tracker_verdict.stats.forecast import course, left_over, runout

    current, more = known.current, sum(one.given for one in so_far)
    if change is not None and any(map(change.used_before, [*before, *so_far])):
        known = evolve(known, change=change)
        # a vendor may have given back more than what is left of it
        more = max(more + (change.ratio[0] - 1) * sum(map(change.used_before, so_far)), -current.used)
        before = [change.in_points_of_now(week) for week in before]
    rises, phases = [week.rises for week in before], [week.phase for week in before]
    hours, now = int((current.at - start) / HOUR), phase_of(start, local)
    room = FULL - current.used
    rest, spread, df, full, low, high = runout(rises, hours, current.used + more, PRIOR, phases, now, room=room)
    used = accumulate(course(rises, hours, rest, PRIOR, phases, now), initial=current.used)
    at = next((start + (hours + hour) * HOUR for hour, points in enumerate(used) if points >= FULL), None)
    at = min(max(at, current.at), start + WEEK) if at is not None and rest >= room else None
    cut = sum(week.is_cut for week in before)
    known = evolve(known, unused=left_over(rest, spread, df, room), low=low, high=high, full_at=at)
    return evolve(known, weeks=len(before), cut=cut, probability=full, rest=rest)


def local_time(at: datetime, now: datetime, local: tzinfo) -> str:
    """`14:06 CET`, with the day if that is another."""
    shown, letters = Clock(now, local).at(at), at.astimezone(local).tzname() or ""
    return shown if shown.endswith(f" {letters}") else f"{shown} {letters}"


def over(current: CurrentMeter, title: str, now: datetime, local: tzinfo) -> str | None:
    """Why a reading no longer holds, if its reset has passed; `title` is the provider's."""
    if current.reset_at is None or current.reset_at > now:
        return None
    reset = local_time(current.reset_at, now, local)
    if current.reset_at <= current.at:
        return f"the reading was old already, since its reset at {reset} had passed; send {title} a message first"
    return f"it was reset at {reset} and has not been read since"


def summary(known: Prospect, when: str = "", *, is_brief: bool = False) -> str:
    """How likely the meter is full before its reset: a number, or a word if the history is too short for one.

    is_brief: without the reason why it is a word.
    """
    assert known.probability is not None
    weeks = f"{plural(known.weeks, 'week')} of history"
    if known.cut:
        weeks += (
            ", not read in its last day" if known.weeks == 1 else f", {known.cut} of them not read in their last day"
        )
    if known.is_probable:
        return f"{known.chance}% likely to be full before the reset{when} ({weeks})"
    why = "" if is_brief else f" ({weeks}, {NEEDED} are needed for a probability)"
    return f"{known.word} to be full before the reset{when}{why}"


def lines(known: Prospect, local: tzinfo, *, is_brief: bool = False) -> Iterator[str]:
    if known.is_full:
        yield f"  {known.why}"
        return
    linear = "" if known.linear is None else f"linear pace: {number(known.linear, 0)}% at the reset"
    if known.probability is None or known.rest is None:
        yield f"  no forecast: {known.why}" + (f"; {linear}" if linear else "")
        return
    if not known.is_probable:
        is_odd = known.linear is not None and (known.linear > FULL) != (known.word == "likely")
        # early in a week the working hours, or those without work, may all lie behind
        alike = ", which treats all hours of the week alike" if is_odd else ""
        yield f"  {summary(known, is_brief=is_brief)}; {linear}{alike}"
        return
    when = f", around {known.full_at.astimezone(local):%a %H:%M}" if known.full_at else ""
    assert known.low is not None and known.high is not None and known.unused is not None  # noqa: PT018
    yield f"  {summary(known, when)}"
    band = f"{number(known.low, 0)} to {number(known.high, 0)}"
    left = f"on average {number(known.unused, 0)}% go unused"
    yield f"  {number(known.rest, 0)} points are still to come ({band}); {left}"
