"""`tracker plugins`: what is installed and what is wrong with any of it; how to write one, and whether it is sound."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.cli.command import Command, Group, SettingCommand
from tracker.session import session


class PluginsGroup(Group):
    command_class = Command


@click.group("plugins", cls=PluginsGroup, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the sources that are installed, and what is wrong with any."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@command.command("list")
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


@command.command()
@click.argument("name", metavar="SOURCE")
def info(name: str) -> None:
    """Show what a source declares, and what is made from it."""
    from tracker.hosting import inventory

    here = session()
    found = inventory.find(here, name)
    if here.json:
        here.data(inventory.document(here, found))
        return
    for row in inventory.describe(here, found):
        here.say(row)


@command.command()
@click.argument("target", metavar="[PATH|SOURCE]", default=".")
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Screens, or one file of lines, to check with [default: the project's tests, else the demo's].",
)
def check(target: str, inputs: Path | None) -> None:
    """Check a plugin's folder, or an installed source, by every rule."""
    from tracker_kit import checking

    checking.check(session(), target, inputs)


@command.command(cls=SettingCommand)
@click.argument("name")
@click.option("--kind", type=click.Choice(["status", "report", "telemetry"]), default="status", show_default=True)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The folder above it.")
def new(name: str, kind: str, into: Path) -> None:
    """Write a complete plugin that passes the conformance checks."""
    from tracker_kit import scaffold

    scaffold.write(session(), name, kind, into)
