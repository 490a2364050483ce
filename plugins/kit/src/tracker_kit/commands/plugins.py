"""`tracker plugins`: what is installed and what is wrong with it; `new`, `check` and `info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracker.kernel import Command, Group, WritingCommand, session

KINDS = ("status", "report", "telemetry", "view", "feature")
ABOUT = "status (a provider with meters), report, telemetry (a stream of requests), view or feature"
PIPE = 10_000  # columns of what is no terminal


class Kind(click.Choice[str]):
    """A kind of plugin; a wrong one is told what each is for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in KINDS:
            self.fail(f"Invalid kind {value!r}. Expected {ABOUT}.", param, ctx)
        return value


class SettingCommand(WritingCommand):
    """It writes outside of the data directory, so it is not noted in a command log."""

    is_noted = False


@click.group("plugins", cls=Group, invoke_without_command=True, epilog="tracker plugins")
@click.pass_context
def command(context: click.Context) -> None:
    """List the installed plugins, and what is wrong with any."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@command.command("list", epilog="tracker plugins list")
def list_() -> None:
    """List every plugin with its distribution, contract, hooks and state."""
    from tracker_kit import inventory

    here = session()
    here.registry.report = lambda _text: None  # the table says it
    inventory.load_parts(here.registry, click.get_current_context().find_root())
    rows, note = inventory.list_plugins(here.registry), inventory.disabled(here.registry)
    if here.json:
        here.data(rows)
    else:
        cells, below = inventory.cells(rows), "\n".join(inventory.below(rows))
        if here.quiet or not here.table(inventory.TABLE, cells):
            for row in inventory.table(rows):
                here.show(row)
        elif below:
            here.say(below)
    if note:
        here.note(note)


@click.command(cls=Command, epilog="tracker plugins info codex")
@click.argument("name", metavar="SOURCE")
def info(name: str) -> None:
    """Show what a source declares, and what tracker makes of it."""
    from shutil import get_terminal_size

    from tracker_kit import declaration

    here = session()
    found = declaration.find(here, name)
    if here.json:
        here.data(declaration.document(here, found))
        return
    width = get_terminal_size((80, 24)).columns if here.is_terminal else PIPE
    for row in declaration.describe(here, found, width):
        here.show(row)


@click.command(cls=Command, epilog="tracker plugins check codex")
@click.argument("target", metavar="[PATH|SOURCE]", default=".")
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="A folder of screens, or of one file of lines, to check with [default: the project's tests, or the demo's].",
)
def check(target: str, inputs: Path | None) -> None:
    """Check a plugin's folder or an installed source by every rule."""
    from tracker_kit import plugin_check

    plugin_check.check(session(), target, inputs)


@click.command(cls=SettingCommand, epilog="tracker plugins new acme")
@click.argument("name")
@click.option(
    "--kind",
    type=Kind(KINDS),
    default="status",
    show_default=True,
    metavar="KIND",
    help=f"What it will read or add: {ABOUT}.",
)
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The folder to write it into."
)
def new(name: str, kind: str, into: Path) -> None:
    """Write a complete plugin that passes its checks."""
    from tracker_kit import scaffold

    scaffold.write(session(), name, kind, into)
