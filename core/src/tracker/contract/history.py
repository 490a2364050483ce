"""Meters and requests over time: tuples that features give each other, because there are many."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple


class MeterReading(NamedTuple):
    """What a meter showed from `at` to `until` without a change; a tuple, because there are many.

    account: a hash, None if the reading does not name it. is_scheduled: whether it was taken whether or not somebody
    worked. client: the version of the vendor's program.
    """

    provider: str
    meter: str
    account: str | None
    origin: str
    at: datetime
    until: datetime
    used: float
    reset_at: datetime | None
    is_scheduled: bool = False
    plan: str | None = None
    client: str | None = None


class MeterOutlook(NamedTuple):
    """What is to be expected of a meter until its reset: a line for people, and the same as JSON values."""

    provider: str
    meter: str
    account: str | None
    text: str
    figures: Mapping[str, Any]


class UsageEvent(NamedTuple):
    """One request that a client wrote down, at `at` in epoch seconds; a tuple, because there are millions.

    tokens: all but cache reads. fresh, cached: dollars at list price of those and of cache reads, None without a price.
    prices: dollars per token of input, cache reads, 5-minute and 1-hour cache writes, output. in_folder: whether it was
    made in the folder that was asked about.
    """

    at: float
    provider: str
    session: str
    project: str
    branch: str
    model: str
    tokens: int
    cached_tokens: int
    fresh: float | None
    cached: float | None
    prices: tuple[float, float, float, float, float] | None = None
    in_folder: bool = False
