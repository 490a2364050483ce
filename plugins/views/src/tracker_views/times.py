"""Times that a person types."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

import click

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """ISO 8601 with or without a time and a zone, or a span before now such as 30d."""
    try:
        if ago := re.fullmatch(r"(\d+) *([hdw])", text.strip()):
            return now - int(ago[1]) * UNITS[ago[2]]
        found = datetime.fromisoformat(text.strip())
        return found if found.tzinfo else found.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"Invalid time {text!r}. Expected ISO 8601, such as 2026-11-22T06:30:00Z, or a span, such as 30d."
        ) from None
