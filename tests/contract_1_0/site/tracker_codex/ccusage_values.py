"""Honest numbers and times of ccusage's reports: what a value is not, it does not become."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TypeAlias

Number: TypeAlias = "int | float"

LIMIT = 10**15  # beyond any account's use; below it floats hold integers exactly, and a record's JSON holds them too
PERCENT_LIMIT = 1000  # bars show 110 % at times; a number far above 100 is no percentage
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The last part of both is missing in months. English months are spelt out here: strptime's depend on the locale.
DAY = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?")
NAMED_DAY = re.compile(rf"(?P<month>{'|'.join(MONTHS)}) (?:(?P<day>[0-9]{{1,2}}), )?(?P<year>[0-9]{{4}})")
# datetime.fromisoformat alone takes any character between day and time
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def amount(value: object) -> Number | None:
    """A finite number from 0 up, whole ones as integers (-0.0 is 0); text and booleans are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LIMIT:
        return None
    return int(value) if float(value).is_integer() else value


def count(value: object) -> int | None:
    """A whole number from 0 up."""
    whole = amount(value)
    return whole if isinstance(whole, int) else None


def percent(value: object) -> Number | None:
    """A used percentage, over 100 too."""
    known = amount(value)
    return known if known is not None and known <= PERCENT_LIMIT else None


def instant(value: object) -> datetime | None:
    """The instant of an ISO 8601 text, UTC where it names no zone."""
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment(value: object) -> tuple[datetime, str] | None:
    """What a time sorts by and how it is shown: `Oct 05, 2025` as 2025-10-05, a month as 2025-10, instants as given."""
    if not isinstance(value, str):
        return None
    match = DAY.fullmatch(value) or NAMED_DAY.fullmatch(value)
    if match is None:
        found = instant(value)
        return None if found is None else (found, value)
    month = match["month"]
    number = int(month) if month.isdecimal() else MONTHS.index(month) + 1
    try:
        start = datetime(int(match["year"]), number, int(match["day"] or 1), tzinfo=UTC)
    except ValueError:
        return None
    return start, start.date().isoformat()[: None if match["day"] else len("2025-10")]


def shown_time(value: object) -> str | None:
    """How a day, month or instant is shown."""
    found = moment(value)
    return None if found is None else found[1]
