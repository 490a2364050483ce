"""Instants and lengths of time in a person's words."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo


class Clock:
    """Instants as a person at a given instant, in a given zone, calls them."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now, self.zone = now.astimezone(zone), zone

    def head(self) -> str:
        """The instant itself, with the zone's name."""
        return f"{self.now:%a %d %b %Y %H:%M %Z} ({self.zone})"

    def at(self, instant: datetime) -> str:
        """`14:06`; with the day if that is another, with the zone's letters if they differ."""
        local = instant.astimezone(self.zone)
        day = "" if local.date() == self.now.date() else "%a %d %b " if local.year == self.now.year else "%d %b %Y "
        letters = "" if local.tzname() == self.now.tzname() else " %Z"
        return local.strftime(f"{day}%H:%M{letters}")

    def until(self, instant: datetime) -> str:
        """`14:06 (in 4 min)`."""
        return f"{self.at(instant)} (in {span(instant - self.now)})"


def span(length: timedelta) -> str:
    """`under 1 min`, `32 min`, `3 h 5 min`, `4 d 19 h`."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
