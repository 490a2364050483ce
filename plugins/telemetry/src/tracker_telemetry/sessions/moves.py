"""What the meters moved in the periods of a report, from the meter history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from attrs import frozen

from tracker.api import MeterReading
from tracker.kernel import Session

# vendors compute a reset anew for every answer, and panes show it to the minute, or some by the hour
TOLERANCE, COARSE = timedelta(seconds=90), timedelta(hours=1)
ROUNDING = 1.0  # a pane rounds what a log has exactly
EXACT = timedelta(days=31)  # so far back each reading counts; of older ones the highest of each hour, which are few


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
    """The moves of each account; of several origins the one with the most readings tells them.

    A rise between two readings belongs to the period of the later one; behind a reset it is all that the meter shows.
    """
    source = session.registry.providers.get(provider)
    meter = source.capacity_meter if source is not None else None
    if meter is None:
        return []
    length = meter.window if isinstance(meter.window, timedelta) else None
    series: dict[str | None, dict[str, list[MeterReading]]] = defaultdict(lambda: defaultdict(list))
    for reading in _readings(session, provider):
        if reading.meter == meter.key:
            series[reading.account][reading.origin].append(reading)
    found = []
    for account, origins in sorted(series.items(), key=lambda one: one[0] or ""):
        most = max(origins, key=lambda name: len(origins[name]))
        periods: dict[str, float] = defaultdict(float)
        for before, after in pairwise(sorted(origins[most], key=lambda one: one.at)):
            period = period_of(after.at)
            if period is not None:
                periods[period] += after.used - (0 if _is_reset(before, after, length) else before.used)
        if periods:
            moved = dict(sorted(periods.items()))
            found.append(Moves(provider=provider, account=account, meter=meter.key, unit=meter.unit, periods=moved))
    return found


def _readings(session: Session, provider: str) -> list[MeterReading]:
    first, recent = session.registry.first, session.now - EXACT
    older = first("meter_readings", session=session, provider=provider, since=None, hourly=True) or ()
    newer = first("meter_readings", session=session, provider=provider, since=recent, hourly=False) or ()
    return [*(one for one in older if one.until < recent), *newer]


def _is_reset(before: MeterReading, after: MeterReading, length: timedelta | None) -> bool:
    """Whether the meter was reset between two readings, by the rule of `tracker meters`.

    The earlier reset is over and the later reading shows another one, or none. Vendors reset early, too: then the meter
    fell, and shows another reset or, if one of the readings shows none, fell by more than a rounding; or the later
    period, of such a length, began behind the earlier reading, if both show use: an unused meter begins with its use.
    """
    one, other, fall = before.reset_at, after.reset_at, before.used - after.used
    if one is None or other is None:
        return fall > ROUNDING or (one is not None and one <= after.at)
    if abs(one - other) > TOLERANCE and (fall > 0 or (one <= after.at and other > one)):
        return True
    is_later = length is not None and other - one > COARSE and before.until < other - length <= after.at
    return is_later and before.used > 0 and after.used > 0
