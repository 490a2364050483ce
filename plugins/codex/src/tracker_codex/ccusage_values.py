"""The figures and times in ccusage's reports. A text that is not a time gives none."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from tracker.api import JSON, amount, count, instant, percent

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The last part of both is missing in months. English months are spelt out here: strptime's depend on the locale.
DAY = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?")
NAMED_DAY = re.compile(rf"(?P<month>{'|'.join(MONTHS)}) (?:(?P<day>[0-9]{{1,2}}), )?(?P<year>[0-9]{{4}})")

# What a row says, the names that it has had, and how an honest value is told.
FIGURES: dict[str, tuple[tuple[str, ...], Callable[[object], float | None]]] = {
    "tokens": (("totalTokens", "tokensUsed"), count),
    "input_tokens": (("inputTokens",), count),
    "output_tokens": (("outputTokens",), count),
    "reasoning_output_tokens": (("reasoningOutputTokens",), count),
    "cache_read_tokens": (("cacheReadTokens", "cachedInputTokens"), count),
    "cache_write_tokens": (("cacheCreationTokens",), count),
    "cost_usd": (("costUSD", "totalCost"), amount),
    "percent_used": (("percentUsed",), percent),
    "tokens_remaining": (("tokensRemaining",), count),
}


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


def stored_figure(name: str, value: object) -> JSON:
    """A figure of a record that others may have written: None if a report has no such value."""
    if name in ("latest", "reset"):
        return shown_time(value)
    return FIGURES[name][1](value) if name in FIGURES else count(value)
