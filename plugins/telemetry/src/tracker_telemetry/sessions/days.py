"""Days of requests whose time is not known otherwise: those of deleted files, and of other machines."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from functools import cache
from math import inf
from typing import NamedTuple

from tracker_telemetry import DAY
from tracker_telemetry.sessions.columns import LATEST

MICROSECOND = 1e-6
QUARTER = 900  # seconds: every time zone begins its days at a multiple of them


class Day(NamedTuple):
    """A day in UTC, as the journal keeps it: the first and the last instant at which its requests may have been made.

    name: empty if not even that is known.
    """

    name: str
    first: float
    last: float

    @classmethod
    def of(cls, name: str, since: float | None, until: float | None) -> Day:
        """The day of that name; when the first and the last request was made, as far as the journal says it."""
        first = _midnight(name)
        if not 0 <= first < LATEST:  # as an edited file may have it
            return cls("", -inf, inf)
        last = first + DAY - MICROSECOND
        last = last if until is None or until < first else min(until, last)
        return cls(name, first if since is None or since > last else max(since, first), last)

    def dates(self, zone: tzinfo) -> list[date]:
        """The one or two days of a zone that it lies on, that of its name first."""
        if not self.name:
            return []
        first, last = date_of(self.first, zone), date_of(self.last, zone)
        if first == last:
            return [first]
        return [first, last] if str(first) == self.name else [last, first]

    def is_within(self, since: float, until: float) -> bool:
        """Whether all of it is from an instant on and before another."""
        return since <= self.first and self.last < until


@cache
def _midnight(name: str) -> float:
    """When a day begins; infinite if the text names none."""
    try:
        return datetime.fromisoformat(name).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return inf


def date_of(at: float, zone: tzinfo) -> date:
    """The day of a zone that an instant lies on: no zone begins its days within a quarter of an hour."""
    return _date(at // QUARTER, zone)


@cache
def _date(quarter: float, zone: tzinfo) -> date:
    return datetime.fromtimestamp(quarter * QUARTER, zone).date()
