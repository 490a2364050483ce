"""`tracker plugins`: what is installed and what is wrong with any of it. Features add commands to the group."""

from __future__ import annotations

import click

from tracker.cli.command import Group
from tracker.session import session


@click.group("plugins", cls=Group, invoke_without_command=True, epilog="tracker plugins")
@click.pass_context
def command(context: click.Context) -> None:
    """List the sources that are installed, and what is wrong with any."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@command.command("list", epilog="tracker plugins list")
def list_() -> None:
    """List every source with its distribution, contract, hooks and state."""
    from tracker.hosting import inventory
    from tracker.hosting.registry import discover

    here, registry = session(), discover()
    rows, note = inventory.list_plugins(registry), inventory.disabled(registry)
    if here.json:
        here.data(rows)
    else:
        for row in inventory.table(rows):
            here.say(row)
    if note:
        here.note(note)
