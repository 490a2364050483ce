"""Checked values of what a vendor's program wrote as JSON: a value of another type is not converted."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tracker.contract import readings
from tracker.contract.readings import amount as amount

MILLISECONDS = 10**11  # a number of seconds from here on would be after the year 5000
PERCENT_LIMIT = 1000  # bars show 110 % at times; a number far above 100 is no percentage
# datetime.fromisoformat alone takes any character between day and time; not compiled here, which every start would pay
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"


def count(value: object) -> int | None:
    """A whole number from 0 up; 12.0 is one."""
    whole = amount(value)
    return whole if isinstance(whole, int) else None


def percent(value: object) -> float | int | None:
    """A used percentage: an amount up to 1000, since vendors show more than 100 at times."""
    known = amount(value)
    return known if known is not None and known <= PERCENT_LIMIT else None


def instant(value: object) -> datetime | None:
    """The instant of an ISO 8601 text with a date and a time, in UTC, which it is taken for where it names no zone."""
    return readings.instant(value) if isinstance(value, str) and re.fullmatch(INSTANT, value) else None


def epoch(value: object) -> float | None:
    """Epoch seconds of a time: ISO 8601 in any precision (UTC if it names no zone), or a number of s or ms."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e14:
        return value / 1000 if value >= MILLISECONDS else float(value)
    return None
