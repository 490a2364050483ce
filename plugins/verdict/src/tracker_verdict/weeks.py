"""The weeks of a weekly meter, by the hours of the calendar week."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo

from attrs import frozen

from tracker.api import MeterReading
from tracker_verdict.accounts import alike

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
HOURS = 168
# Resets that are closer to each other are one: vendors compute them anew for each answer.
SAME = timedelta(hours=1)
RESET_TOLERANCE = timedelta(seconds=90)
# A history that begins within a week says little about its hours.
LATE, LITTLE = timedelta(days=1), 10.0
FULL = 100.0
# What people use before anything is known: the same in each hour from 8 to 24, and so much in a week.
PRIOR = tuple(float(8 <= hour % 24 < 24) for hour in range(HOURS))
USUAL_POINTS = 85.0


@frozen(kw_only=True)
class Week:
    """Points in each hour since the week's start, None if a full meter hid them; `phase` is its first hour.

    is_cut: whether nobody read its last day, in which it may have been used elsewhere. plans: those that its readings
    name, by their origins. given: points that the vendor gave back, which had been used all the same.
    """

    reset_at: datetime
    phase: int
    rises: Sequence[float | None]
    is_cut: bool = False
    plans: Collection[tuple[str, str]] = ()
    given: float = 0.0

    @property
    def start(self) -> datetime:
        return self.reset_at - WEEK


def phase_of(at: datetime, local: tzinfo) -> int:
    """The hour of the calendar week."""
    there = at.astimezone(local)
    return there.weekday() * 24 + there.hour


def usual_use(start: datetime, end: datetime, local: tzinfo) -> float:
    """What people use in some hours of a week, before anything is known about them."""
    first, hours = phase_of(start, local), int((end - start) / HOUR)
    return USUAL_POINTS * sum(PRIOR[(first + hour) % HOURS] for hour in range(hours)) / sum(PRIOR)


def is_reset(before: MeterReading, after: MeterReading, length: timedelta | None = None) -> bool:
    """Whether the meter was reset between two readings: also early, which shows as a fall or a period that began."""
    if before.reset_at is not None and before.reset_at <= after.at:
        return after.reset_at is None or after.reset_at - before.reset_at > RESET_TOLERANCE
    if before.reset_at is not None and after.reset_at is not None and before.used and after.used and length:
        is_another = after.reset_at - before.reset_at > SAME
        if is_another and after.reset_at - before.until > length >= after.reset_at - after.at:
            return True
    return after.used < before.used - 1


def between_resets(readings: Sequence[MeterReading], length: timedelta | None) -> Iterator[list[MeterReading]]:
    """The readings of each stretch without a reset. length: of the meter's periods."""
    found: list[MeterReading] = []
    for one in readings:
        if found and is_reset(found[-1], one, length):
            yield found
            found = []
        found.append(one)
    if found:
        yield found


def current(readings: Sequence[MeterReading], length: timedelta | None = None) -> list[MeterReading]:
    """The readings without older answers: those that show less than their period had before.

    A fall of over a point may be points given back; it is an older answer if the earlier value returns in one step.
    """
    found: list[MeterReading] = []
    for place, one in enumerate(readings):
        before = found[-1] if found else one
        has_ended = is_reset(before._replace(used=one.used), one, length) or not _is_same(one, before)
        if one.used < before.used and not has_ended:
            # no copy of what follows: there may be a fall in each tenth of many readings
            rest = (readings[at] for at in range(place + 1, len(readings)))
            later = (other for other in rest if other.used > one.used or not _is_same(other, one))
            after = next(later, None) if one.used < before.used - 1 else before
            if after is not None and _is_same(after, before) and abs(after.used - before.used) <= 1:
                continue
        found.append(one)
    return found


def _is_same(one: MeterReading, other: MeterReading) -> bool:
    """Whether two readings name the same reset."""
    if one.reset_at is None or other.reset_at is None:
        return one.reset_at is other.reset_at
    return abs(one.reset_at - other.reset_at) < SAME


def weeks(readings: Sequence[MeterReading], local: tzinfo) -> list[Week]:
    """Every week with readings that name its reset, the earliest first; a history's first one only if it is whole."""
    found = []
    periods = _periods(readings)
    for place, group in enumerate(map(steady, periods)):
        reset_at = group[-1].reset_at
        assert reset_at is not None
        first, end = group[0], periods[place + 1][0].at if place + 1 < len(periods) else None
        if place == 0 and first.at - (reset_at - WEEK) > LATE and first.used > LITTLE:
            continue
        # it only waited for its first use
        if end is not None and end < reset_at and not any(one.used for one in group):
            continue
        rises, given = _rises(group, reset_at - WEEK, end)
        is_cut = rises[-1] is not None and reset_at - max(one.until for one in group) > LATE
        phase, plans = phase_of(reset_at - WEEK, local), {(one.origin, one.plan) for one in group if one.plan}
        found.append(Week(reset_at=reset_at, phase=phase, rises=rises, is_cut=is_cut, plans=plans, given=given))
    return found


def _periods(readings: Sequence[MeterReading]) -> list[list[MeterReading]]:
    """The readings of each period, without those of one that ended before."""
    groups: list[list[MeterReading]] = []
    for one in sorted(readings, key=lambda one: one.at):
        last = groups[-1][-1].reset_at if groups else None
        if one.reset_at is None:
            continue
        if last is not None and _goes_on(groups[-1], one, one.reset_at - last):
            groups[-1].append(one)
        elif last is None or one.reset_at > last:
            groups.append([one])
    return groups


def _goes_on(group: Sequence[MeterReading], one: MeterReading, moved: timedelta) -> bool:
    """Whether a reading belongs to the period of a group, even if the vendor moved the reset by some hours."""
    before = group[-1]
    if abs(moved) < SAME or (abs(moved) < LATE and not is_reset(before, one, WEEK)):
        return True
    # an unused meter may begin its period anew at each reading
    is_before_the_end = before.reset_at is not None and one.at < before.reset_at
    return moved > timedelta(0) and is_before_the_end and not any(other.used for other in (*group, one))


def steady(readings: Sequence[MeterReading]) -> list[MeterReading]:
    """The readings of a period, without those that the origin's next one soon corrects by going on from before.

    A pane of another terminal is only older, and a vendor gives points back later than that.
    """
    found: list[MeterReading] = []
    for one, after in zip(readings, [*readings[1:], *readings[-1:]], strict=True):
        before = found[-1].used if found else 0.0
        is_next = after.origin == one.origin and after.at - one.until < SAME
        if not (is_next and before <= after.used < one.used - LITTLE):
            found.append(one)
    return found


def weeks_before(readings: Sequence[MeterReading], local: tzinfo, reset_at: datetime) -> list[Week]:
    """The weeks before the one that ends at `reset_at`, on today's plan: a per cent of another is of another quota."""
    now = {one.origin: one.plan for one in sorted(readings, key=lambda one: one.until) if one.plan}
    return [
        one
        for one in weeks(readings, local)
        if one.reset_at <= reset_at - WEEK + SAME
        if all(alike(now[origin], plan) for origin, plan in one.plans)
    ]


def _rises(readings: Sequence[MeterReading], start: datetime, end: datetime | None) -> tuple[list[float | None], float]:
    """A rise counts in the hour of the reading that showed it. After an early reset hours are not known.

    The second value is the points that the vendor gave back.
    """
    rises: list[float | None] = [0.0] * HOURS
    level, given, is_older = 0.0, 0.0, False
    for place, one in enumerate(readings):
        hour = min(max(int((one.at - start) / HOUR), 0), HOURS - 1)
        # it stays an older answer until the earlier value returns
        is_older = is_older and one.used < level - 1
        if one.used > level:
            rises[hour] = (rises[hour] or 0.0) + one.used - level
            level = one.used
        elif one.used < level - 1 and not is_older:
            is_older = not _is_given_back(level, readings, place)
            if not is_older:
                given += level - one.used
                level = one.used
    full_at = next((one.at for one in readings if one.used >= FULL), None)
    for hidden in (full_at, end):
        if hidden is not None:
            first = max(int((hidden - start) / HOUR) + 1, 0)
            rises[first:] = [None] * len(rises[first:])
    return rises, given


def _is_given_back(level: float, readings: Sequence[MeterReading], place: int) -> bool:
    """Whether the vendor gave points back; after an older answer, the earlier value returns in one step.

    `tracker usage` has the same rule.
    """
    lowest = last = readings[place].used
    for at in range(place + 1, len(readings)):
        if (used := readings[at].used) >= level - 1:
            return 2 * (level - last) <= level - lowest
        lowest, last = min(lowest, used), used
    return True
