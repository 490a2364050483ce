"""Time zones: the one that is named, else the machine's."""

from __future__ import annotations

import os
from datetime import tzinfo

from tracker.errors import TrackerError


def zone(name: str | None) -> tzinfo:
    """The named zone; the machine's where none is named."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return local_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TrackerError(f"no time zone is named {name!r}; names look like Europe/Berlin or UTC") from error


def local_zone() -> tzinfo:
    """The machine's zone with its rules for summer time, not just today's offset."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    for name in (os.environ.get("TZ", ""), os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]):
        try:
            return ZoneInfo(name.lstrip(":"))
        except (KeyError, ValueError, OSError):
            continue
    found = datetime.now().astimezone().tzinfo
    assert found is not None
    return found
