"""Instants, lengths of time and time zones in a person's words."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from io import BytesIO

from tracker.errors import TrackerError

EXPECTED = "Expected ISO 8601, such as 2026-11-22T06:30:00Z, `yesterday 14:00`, `14:06`, or `-2h`."
AGO = r"(\d{1,6})\s*([mhdw])\s*"
MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
SPOKEN = r"(?=.)(today|yesterday)?\s*(?:(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
ZONE_EXPECTED = "Expected a name such as Europe/Berlin or UTC."
# a file of a time zone (RFC 9636) up to its last line, which is a rule: no transitions, one type, one character
EMPTY_FILE = (b"TZif2" + bytes(15 + 19) + b"\1" + bytes(3) + b"\1" + bytes(7)) * 2


def moment(text: str, now: datetime, zone: Callable[[], tzinfo], *, is_end: bool = False) -> datetime | None:
    """The local time that a person means, such as `yesterday 14:00` or `7d`; None if nobody could tell.

    zone: that of a time without one. is_end: a day without a time is meant to its end, the later of two.
    """
    try:
        if re.fullmatch(f"-?({AGO})+", text := text.strip()):
            return now - timedelta(minutes=sum(int(count) * MINUTES[unit] for count, unit in re.findall(AGO, text)))
        if spoken := re.fullmatch(SPOKEN, text.lower()):
            day = now.astimezone(zone()) - timedelta(days=spoken[1] == "yesterday")
            hour, minute, second = (int(part or 0) for part in spoken.groups()[1:])
            found = day.replace(hour=hour, minute=minute, second=second, microsecond=0)
        else:
            found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=zone())
        rest = timedelta(days=1, microseconds=-1) if is_end and not re.search(r"\d[Tt]|[: ]", text) else timedelta()
        found = (found + rest).replace(fold=bool(rest))
        return found if found.astimezone(UTC).year >= 1000 else None
    except (ValueError, OverflowError):
        return None


def doubt(at: datetime) -> str:
    """The note on a local time that a clock shows twice or never when it changes; empty for any other."""
    here, other = (at.replace(fold=fold).astimezone(UTC).astimezone(at.tzinfo) for fold in (at.fold, 1 - at.fold))
    how = f"showed {at:%H:%M} twice" if here.time() == at.time() else f"never showed {at:%H:%M}"
    what = f"the clock {how} on {at:%d %b %Y}: this is read as {here.isoformat()}"
    return "" if here.utcoffset() == other.utcoffset() else f"{what}, not {other.isoformat()}"


class Clock:
    """Instants as a person at a given instant, in a given zone, calls them."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now, self.zone = now.astimezone(zone), zone

    def at(self, instant: datetime) -> str:
        """`14:06`; with the day if that is another, with the zone's letters if they differ."""
        local = instant.astimezone(self.zone)
        day = "" if local.date() == self.now.date() else "%a %d %b " if local.year == self.now.year else "%d %b %Y "
        return local.strftime(f"{day}%H:%M" if local.tzname() == self.now.tzname() else f"{day}%H:%M %Z")


def span(length: timedelta) -> str:
    """`under 1 min`, `32 min`, `3 h 5 min`, `4 d 19 h`."""
    if (minutes := int(length.total_seconds() // 60)) < 60:
        return f"{minutes} min" if minutes > 0 else "under 1 min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def zone(name: str | None) -> tzinfo:
    """The named zone; the machine's if there is no name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return local_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TrackerError(f"Unknown time zone {name!r}. {ZONE_EXPECTED}") from error


def local_zone() -> tzinfo:
    """The machine's zone with its rules for summer time, not just today's offset.

    The variable TZ says it as the C library reads it: a name, a file, or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`;
    empty is UTC.
    """
    from zoneinfo import ZoneInfo

    given = os.environ.get("TZ")
    name = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2] if given is None else given.lstrip(":") or "UTC"
    with suppress(KeyError, ValueError, OSError):
        return ZoneInfo(name)
    if given is None or name.startswith("/"):
        with suppress(ValueError, OSError), open(name if given else "/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file, key=name or time.tzname[0])
    if given is None:
        return datetime.now().astimezone().tzinfo or UTC
    for rule in (name, f"{name},M3.2.0,M11.1.0"):  # the second one has the C library's own rule for summer time
        with suppress(ValueError):
            return ZoneInfo.from_file(BytesIO(EMPTY_FILE + f"\n{rule}\n".encode()), key=name)
    # the C library would take UTC for it, without a word
    raise TrackerError(f"Unknown time zone {name!r} in the variable TZ. {ZONE_EXPECTED}")
