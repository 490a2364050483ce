"""Options that the commands of the history share."""

from __future__ import annotations

from datetime import datetime

import click

from tracker.api import instant
from tracker.kernel import line


def time(_context: click.Context, parameter: click.Parameter, given: str | None) -> datetime | None:
    """An ISO 8601 time; UTC if it names no zone."""
    if given is None:
        return None
    found = instant(given)
    if found is None:
        raise click.BadParameter(
            f"Invalid time {line(given)!r}. Expected ISO 8601, such as 2026-11-22T06:30:00Z.", param=parameter
        )
    return found
