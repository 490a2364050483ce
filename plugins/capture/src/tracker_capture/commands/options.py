"""Options that the commands of the history share."""

from __future__ import annotations

from datetime import datetime

import click

from tracker.kernel import Session


def time(context: click.Context, parameter: click.Parameter, given: str | None) -> datetime | None:
    """A time as other commands take it: ISO 8601, `yesterday 14:00`, `14:06` or `-2h`."""
    try:
        return None if given is None else context.ensure_object(Session).time(given)
    except click.BadParameter as error:
        raise click.BadParameter(error.message, param=parameter) from None
