"""`tracker setup`: from an installed program to the first figure."""

from __future__ import annotations

import click

from tracker.kernel import session
from tracker_desk.commands.config import SettingCommand


@click.command("setup", cls=SettingCommand, epilog="tracker setup --dry-run")
@click.option("--yes", "-y", is_flag=True, help="Make every offered change without asking.")
@click.option("--undo", is_flag=True, help="Remove what setup added.")
def command(yes: bool, undo: bool) -> None:
    """Show what tracker can use here, and offer the status line, short commands and a schedule.

    Each change is shown before it is made.
    """
    from tracker_desk import setup

    if yes and undo:
        raise click.UsageError("--yes and --undo exclude each other. Use one of them.")
    if undo:
        setup.take_back(session())
    else:
        setup.set_up(session(), is_yes=yes)
