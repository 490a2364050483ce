"""What the meters moved in the periods of a report, from the meter history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from attrs import define, frozen

from tracker.api import MeterReading
from tracker.kernel import Session

# vendors compute a reset again for every answer, and panes show it to the minute, or some to the hour
TOLERANCE, COARSE = timedelta(seconds=90), timedelta(hours=1)
FUTURE = timedelta(minutes=2)  # clocks of machines differ by this much
ROUNDING = 1.0  # a pane rounds what a log has exactly
NEAR = 8  # periods that readings may still belong to: those of a few accounts, and what an origin still shows
LITTLE = 10.0  # points that one step may plausibly have
EXACT = timedelta(days=31)  # how far back each reading counts; of older ones, the highest of each hour, which are few


@frozen(kw_only=True)
class Moves:
    """How far a provider's capacity meter moved in each period, of one account; None if no reading names it."""

    provider: str
    account: str | None
    meter: str
    unit: str
    periods: Mapping[str, float]

    def documents(self) -> list[dict[str, Any]]:
        about = {"provider": self.provider, "account": self.account, "meter": self.meter}
        return [
            {**about, "period": period, "moved": round(moved, 6), "unit": self.unit}
            for period, moved in self.periods.items()
        ]


def moves(session: Session, provider: str, period_of: Callable[[datetime], str | None]) -> list[Moves]:
    """The moves of each account, from the readings of all origins together, as `tracker meters` lists them.

    A rise between two readings belongs to the period of the later one; after a reset it is all that the meter shows.
    """
    source = session.registry.providers.get(provider)
    meter = source.capacity_meter if source is not None else None
    if meter is None:
        return []
    length = meter.window if isinstance(meter.window, timedelta) else None
    series: dict[str | None, list[MeterReading]] = defaultdict(list)
    for reading in _readings(session, provider):
        if reading.meter == meter.key and reading.until <= session.now + FUTURE:
            series[reading.account].append(reading)
    found = []
    for account, readings in sorted(series.items(), key=lambda one: one[0] or ""):
        periods: dict[str, float] = defaultdict(float)
        for at, rise in _rises(_with_resets(sorted(readings, key=lambda one: one.at)), length):
            period = period_of(at)
            if period is not None:
                periods[period] += rise
        if periods:
            moved = dict(sorted(periods.items()))
            found.append(Moves(provider=provider, account=account, meter=meter.key, unit=meter.unit, periods=moved))
    return found


@define(eq=False)
class _Stretch:
    """The readings of one period. level: what it showed before them, as far as that is known."""

    level: float
    readings: list[MeterReading]

    @property
    def last(self) -> MeterReading:
        return self.readings[-1]


def _rises(readings: Sequence[MeterReading], length: timedelta | None) -> Iterator[tuple[datetime, float]]:
    """How far each reading is above those before it in its own period. Points that the vendor gave back were used."""
    for number, stretch in enumerate(_stretches(readings, length)):
        period, level, is_older = stretch.readings, stretch.level, False
        for place, one in enumerate(period):
            rise = 0.0
            # an older answer stays one until what was there before follows
            is_older = is_older and one.used < level - ROUNDING
            if one.used > level and not _is_corrected(period, place, level):
                rise, level = one.used - level, one.used
            elif one.used < level - ROUNDING and not is_older:
                is_older = not _is_given_back(level, period, place)
                if not is_older:
                    level = one.used
            # the history's first reading alone shows no move
            if number or place:
                yield one.at, rise


def _stretches(readings: Sequence[MeterReading], length: timedelta | None) -> list[_Stretch]:
    """The readings by period: an origin may still show the last one, and two accounts without names run two at once.

    What an account had used before it was first read is not known.
    """
    every = [_Stretch(readings[0].used, [readings[0]])]
    # the newest of each account
    current = every[:]
    for place, one in enumerate(readings[1:], 1):
        near = islice(reversed(every), NEAR)
        own = next((stretch for stretch in near if _has_reset_of(stretch.last, one)), None)
        before = own or next((stretch for stretch in current if _is_over(stretch.last, one)), current[-1])
        if own is None and _goes_on(before.last, readings, place):
            new = _Stretch(one.used, [one])
        elif own is None and _is_reset(before.last, one, length):
            current.remove(before)
            new = _Stretch(0.0, [one])
        else:
            before.readings.append(one)
            continue
        every.append(new)
        current.append(new)
    return every


def _is_over(one: MeterReading, later: MeterReading) -> bool:
    return one.reset_at is not None and one.reset_at <= later.at


def _goes_on(before: MeterReading, readings: Sequence[MeterReading], place: int) -> bool:
    """Whether a meter rises while a reading shows another one: the two belong to two accounts."""
    if before.reset_at is None or readings[place].reset_at is None:
        return False
    for at in range(place, len(readings)):
        if _is_over(before, readings[at]):
            return False
        if readings[at].used >= before.used + ROUNDING and _has_reset_of(before, readings[at]):
            return True
    return False


def _is_corrected(period: Sequence[MeterReading], place: int, level: float) -> bool:
    """Whether the next reading of the origin goes on from before, soon: no vendor gives back so fast."""
    one, after = period[place], period[min(place + 1, len(period) - 1)]
    is_next = after.origin == one.origin and after.at - one.until < COARSE
    return is_next and level <= after.used < one.used - LITTLE


def _is_given_back(level: float, period: Sequence[MeterReading], place: int) -> bool:
    """Whether the vendor gave points back. Else what was there before follows in one step."""
    lowest = last = period[place].used
    for at in range(place + 1, len(period)):
        if (used := period[at].used) >= level - ROUNDING:
            return 2 * (level - last) <= level - lowest
        lowest, last = min(lowest, used), used
    return True


def _has_reset_of(one: MeterReading, other: MeterReading) -> bool:
    """Whether both name the same reset."""
    return one.reset_at is not None and other.reset_at is not None and abs(one.reset_at - other.reset_at) <= COARSE


def _with_resets(readings: Sequence[MeterReading]) -> list[MeterReading]:
    """The readings; those that name no reset have that of their neighbours, if these name the same one."""
    found, before = [], readings[0]
    named = [one for one in reversed(readings) if one.reset_at is not None]
    for one in readings:
        if one.reset_at is not None:
            before = named.pop()
        elif named and _has_reset_of(before, named[-1]):
            one = one._replace(reset_at=before.reset_at)
        found.append(one)
    return found


def _readings(session: Session, provider: str) -> list[MeterReading]:
    first, recent = session.registry.first, session.now - EXACT
    older = first("meter_readings", session=session, provider=provider, since=None, hourly=True) or ()
    newer = first("meter_readings", session=session, provider=provider, since=recent, hourly=False) or ()
    return [*(one for one in older if one.until < recent), *newer]


def _is_reset(before: MeterReading, after: MeterReading, length: timedelta | None) -> bool:
    """Whether the meter was reset between two readings, by the rule of `tracker meters`.

    The earlier reset is over and the later reading shows another one, or none. Vendors also reset early: then the meter
    fell, and shows another reset or, if one of the readings shows none, fell by more than a rounding; or the later
    period, of such a length, began after the earlier reading, if both show use: an unused meter begins with its use.
    Of two origins, one may name a reset only by the hour.
    """
    one, other, fall = before.reset_at, after.reset_at, before.used - after.used
    if one is None or other is None:
        return fall > ROUNDING or (one is not None and one <= after.at)
    if abs(one - other) > (TOLERANCE if before.origin == after.origin else COARSE) and (
        fall > 0 or (one <= after.at and other > one)
    ):
        return True
    is_later = length is not None and other - one > COARSE and before.until < other - length <= after.at
    return is_later and before.used > 0 and after.used > 0
