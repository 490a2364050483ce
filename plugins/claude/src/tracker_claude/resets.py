"""Reset words, such as `Nov 25, 5:43pm (Asia/Irkutsk)`, and the instant that they mean."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

MONTHS = {"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6}
MONTHS |= {"Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12}
# Any white space may be a line break of a narrow pane. Not so between two digits, which the caller joined where a
# break parted them. A parenthesis that is not closed was cut, and without its zone the time means nothing.
DAY = r"(?P<month>[A-Z]\s*[a-z]\s*[a-z])\s*(?P<day>[0-9]{1,2})(?:\s*,\s*(?P<year>[0-9]{4}))?(?![0-9])"
CLOCK = r"(?P<hour>[0-9]{1,2})(?:\s*:\s*(?P<minute>[0-9]{2}))?\s*(?P<half>[aApP]\s*[mM])(?!\w)"
ZONE = r"(?:\s*\((?P<zone>[^()]{1,60})\)|(?!\s*\())"
WHEN = rf"(?P<words>(?:{DAY}(?:\s*,\s*|\s*a\s*t\s*))?{CLOCK}{ZONE})"
DATE = rf"(?P<words>{DAY}{ZONE})"
GAPS = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=at)|(?<=,)|(?=\()")  # where such words have spaces


class When(NamedTuple):
    """What reset words say, not yet held against a clock: a time of day, perhaps with a date, a year and a zone."""

    words: str
    clock: time | None = None
    month: int | None = None
    day: int = 0
    year: int | None = None
    zone: str | None = None


def read(found: re.Match[str]) -> When:
    """What a match of `WHEN` says; only its words if they name no possible time."""
    part = {name: "".join((text or "").split()) for name, text in found.groupdict().items()}
    hour, minute = int(part["hour"]), int(part["minute"] or 0)
    if not (1 <= hour <= 12 and minute < 60 and (not part["month"] or part["month"] in MONTHS)):
        return When(words=words(found))
    return When(
        words=words(found),
        clock=time(hour % 12 + (12 if part["half"].lower() == "pm" else 0), minute),
        month=MONTHS.get(part["month"]),
        day=int(part["day"] or 0),
        year=int(part["year"]) if part["year"] else None,
        zone=part["zone"] or None,
    )


def words(found: re.Match[str]) -> str:
    """The words of a match of `WHEN` or `DATE` as printed; those that were wrapped, in one line again."""
    text = found["words"]
    return GAPS.sub(" ", "".join(text.split())) if "\n" in text else " ".join(text.split())


def instant(when: When, captured_at: datetime, timezone: tzinfo, window: timedelta) -> datetime | None:
    """The instant in UTC; None if the words name none, or an unknown zone.

    A time without a date is the next such time, counted from the minute of the capture, since panes drop the seconds.
    One that lies beyond the window cannot be its next reset: the window has expired, and the instant is the last such
    time before the capture. A date without a year is the one nearest to the capture, before or after it: the
    vendor prints the year unless it is the current one. A time of day that a change to winter time repeats is the
    first of both that is still to come; one that summer time skips is not an instant.
    """
    zone = _zone(when.zone) if when.zone else timezone
    if zone is None or when.clock is None:
        return None
    minute = captured_at.replace(second=0, microsecond=0)
    try:
        today = captured_at.astimezone(zone).date()
        moments = [moment for day in _days(when, today) for moment in _moments(day, when.clock, zone)]
    except (OverflowError, ValueError):  # next to the years 1 and 9999
        return None
    coming = [moment for moment in moments if moment >= minute]
    if coming and (when.month or coming[0] <= captured_at + window):
        return coming[0]
    return max((moment for moment in moments if moment < minute), default=None)


def _days(when: When, today: date) -> list[date]:
    """The days that can be meant, in order."""
    if when.month is None:
        return [today + timedelta(days=days) for days in (-1, 0, 1)]
    years = [when.year] if when.year else range(today.year - 1, today.year + 2)
    days = [date(year, when.month, when.day) for year in years if when.day <= monthrange(year, when.month)[1]]
    return sorted(days, key=lambda day: abs(day - today))[:1]


def _moments(day: date, clock: time, zone: tzinfo) -> Iterator[datetime]:
    """When clocks in the zone show that time: once, twice if they are set back, never if they skip it."""
    found = {datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1)}
    yield from (moment for moment in sorted(found) if moment.astimezone(zone).time() == clock)


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown; not a name at all; a folder of the zone database
        return None
