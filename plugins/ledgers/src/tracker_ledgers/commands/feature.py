"""`tracker feature`: the feature log."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from tracker.kernel import Group, Number, WritingCommand, provider_option, session, window_option


@click.group("feature", cls=Group, epilog="tracker feature reserve --prefix F-")
def command() -> None:
    """Reserve feature ids, and log what was built."""


def _day(_context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    try:
        return given and date.fromisoformat(given).isoformat()
    except ValueError:
        problem = f"Invalid day {given or ''!r}. Expected one such as 2026-11-22."
        raise click.BadParameter(problem, param=parameter) from None


def _columns(function: Any) -> Any:
    """An option per column, apart from the id."""
    count = Number(int, min=0)
    options = (
        window_option(),
        provider_option(),
        click.option("--files-touched", type=count, metavar="N", help="How many files it touched."),
        click.option("--scenario", metavar="TEXT", help="The scenario that shows it."),
        click.option("--commit-id", metavar="SHA", help="The commit that finished it."),
        click.option("--baseline-commit", metavar="SHA", help="The commit before it."),
        click.option("--implementation-commit", metavar="SHA", help="The commit of its code."),
        click.option("--docs-commit", metavar="SHA", help="The commit of its documentation."),
        click.option("--lines-added", type=count, metavar="N", help="Lines that it added."),
        click.option("--lines-removed", type=count, metavar="N", help="Lines that it removed."),
        click.option("--date", callback=_day, metavar="DAY", help="The day [default: today]."),
        click.option("--notes", metavar="TEXT", help="Anything to remember."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("reserve", cls=WritingCommand, epilog="tracker feature reserve --prefix F-")
@click.option("--feature-id", "--id", "feature_id", metavar="ID", help="The id [default: the next free one].")
@click.option("--prefix", metavar="TEXT", help="The series of the next free id, such as F-.")
@_columns
def reserve(prefix: str | None, **given: Any) -> None:
    """Reserve an id before the work begins, and print it. An id that is taken is refused."""
    from tracker_ledgers.features import check_id
    from tracker_ledgers.features import reserve as take

    if prefix is not None:
        check_id(prefix)
    take(session(), given, prefix)


@command.command(
    "log", cls=WritingCommand, epilog="tracker feature log --feature-id F-1 --window W0-01 --provider codex"
)
@click.option("--feature-id", "--id", "feature_id", required=True, metavar="ID", help="The id.")
@_columns
def log(**given: Any) -> None:
    """Log what was built under an id."""
    from tracker_ledgers.features import log as note

    note(session(), given)
