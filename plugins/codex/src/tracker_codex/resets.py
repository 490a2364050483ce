"""Reset words of the pane, `08:27` and `06:27 on 25 Nov`, and the instant that they mean."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# without white space, which a narrow pane may have anywhere
WHEN = re.compile(
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    rf"(?:on(?P<day>[0-9]{{1,2}})(?P<month>{'|'.join(MONTHS)})(?:,?(?P<year>[0-9]{{4}}))?)?"
)
LEAP_CYCLE = 8  # years, the longest time without a 29 February


def words(when: re.Match[str]) -> str:
    """A match of `WHEN` as a wide pane prints it."""
    clock = f"{when['hour']}:{when['minute']}"
    if when["day"] is None:
        return clock
    return " ".join(filter(None, (clock, "on", when["day"], when["month"], when["year"])))


def instant(when: re.Match[str], captured_at: datetime, timezone: tzinfo) -> datetime | None:
    """The instant in UTC; None if there is no such time or day.

    A time alone is one of the capture's own local date, even when it is past; a day without a year is the first such
    not before it.
    """
    try:
        today = captured_at.astimezone(timezone).date()
        day = today if when["day"] is None else _day(when, today)
        if day is None:
            return None
        clock = time(int(when["hour"]), int(when["minute"]))
        # of a time that comes twice when summer time ends, the first that is still ahead, else the first
        first, second = (datetime.combine(day, clock.replace(fold=fold), timezone).astimezone(UTC) for fold in (0, 1))
        return second if first < captured_at <= second else first
    except (ValueError, OverflowError):  # 25:61, or next to the years 1 and 9999
        return None


def _day(when: re.Match[str], today: date) -> date | None:
    month, day = MONTHS.index(when["month"]) + 1, int(when["day"])
    years = [int(when["year"])] if when["year"] else range(today.year, today.year + LEAP_CYCLE + 1)
    for year in years:
        try:
            found = date(year, month, day)
        except ValueError:  # 29 Feb
            continue
        if when["year"] or found >= today:
            return found
    return None
