"""Time zones: the one that is named, else the machine's."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta, tzinfo

from tracker.errors import TrackerError

EXPECTED = "Expected a name such as Europe/Berlin or UTC."
POSIX = re.compile(r"(<[A-Za-z0-9+-]{3,}>|[A-Za-z]{3,})[+-]?\d")  # CET-1CEST, <+0330>-3:30


def zone(name: str | None) -> tzinfo:
    """The named zone; the machine's if there is no name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return local_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TrackerError(f"Unknown time zone {name!r}. {EXPECTED}") from error


def local_zone() -> tzinfo:
    """The machine's zone with its rules for summer time, not just today's offset.

    The variable TZ says it as the C library reads it: a name, a rule such as `CET-1CEST` or a file; empty is UTC.
    """
    from zoneinfo import ZoneInfo

    given = os.environ.get("TZ")
    name = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2] if given is None else given.lstrip(":") or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    if given is None:
        return ClockZone(time.tzname[0])
    if not POSIX.match(name) and not name.startswith("/"):  # the C library takes UTC for it, without a word
        raise TrackerError(f"Unknown time zone {name!r} in the variable TZ. {EXPECTED}")
    if hasattr(time, "tzset"):
        time.tzset()
    return ClockZone(name)


class ClockZone(tzinfo):
    """The zone of the C library's own clock, at any date."""

    def __init__(self, name: str) -> None:
        self.name = name

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def tzname(self, moment: datetime | None) -> str | None:
        return self.name if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def dst(self, _moment: datetime | None) -> None:
        """Not known: the library gives the whole offset."""

    def fromutc(self, moment: datetime) -> datetime:
        """The same instant here; of an hour that comes twice the second one has `fold`."""
        there = moment.replace(tzinfo=UTC).astimezone()
        here = there.replace(tzinfo=self, fold=0)
        return here if here.utcoffset() == there.utcoffset() else here.replace(fold=1)

    def __str__(self) -> str:
        return self.name
