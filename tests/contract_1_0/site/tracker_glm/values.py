"""Honest values of GLM's JSON: what a value is not, it does not become."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TypeAlias

Number: TypeAlias = "int | float"

LIMIT = 10**15  # beyond any account's use; below it floats hold integers exactly, and a record's JSON holds them too
PERCENT_LIMIT = 1000  # far above 100 a number is no percentage
EPOCH_MS = range(946_684_800_000, 4_102_444_800_000)  # 2000 to 2100; seconds taken for milliseconds would be 1970

WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]{0,39}")
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


def word(value: object) -> str | None:
    """A plan's name such as `pro`."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def epoch_ms(value: object) -> datetime | None:
    """The instant of milliseconds since 1970."""
    known = count(value)
    return datetime.fromtimestamp(known / 1000, UTC) if known is not None and known in EPOCH_MS else None


def instant(value: object) -> datetime | None:
    """The instant of an ISO 8601 text, UTC where it names no zone."""
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
