"""Honest values of claude-monitor's output: what a value is not, it does not become."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TypeAlias

Number: TypeAlias = "int | float"

LIMIT = 10**15  # beyond any account's use; below it floats hold integers exactly, and a record's JSON holds them too
PERCENT_LIMIT = 1000  # far above 100 a number is no percentage

WHOLE = re.compile(r"[0-9]{1,15}|[1-9][0-9]{0,2}(,[0-9]{3}){1,4}")  # 0,123 is a fraction of another language
DECIMAL = re.compile(rf"(?:{WHOLE.pattern})(\.[0-9]{{1,20}})?([eE][+-]?[0-9]{{1,2}})?")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
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
    """A name such as `max20` or `local_estimate`."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def instant(value: object) -> datetime | None:
    """The instant of an ISO 8601 text, UTC where it names no zone."""
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def instant_text(value: object) -> str | None:
    """The text of an instant, as given."""
    return value if isinstance(value, str) and instant(value) else None


def number(text: str, whole: bool) -> Number | str:
    """The number that a text prints the English way; the text itself where it prints none.

    `1.234` is no whole number, since a tool in another language may mean a thousand.
    """
    if not (WHOLE if whole else DECIMAL).fullmatch(text):
        return text
    digits = text.replace(",", "")
    return int(digits) if whole else float(digits)
