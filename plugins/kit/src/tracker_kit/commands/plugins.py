"""`tracker plugins new`, `check` and `info`."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.kernel import Command, WritingCommand, session

KINDS = ("status", "report", "telemetry", "view", "feature")


class SettingCommand(WritingCommand):
    """It writes outside of the data directory, so it is not noted in a command log."""

    is_noted = False


@click.command(cls=Command, epilog="tracker plugins info codex")
@click.argument("name", metavar="SOURCE")
def info(name: str) -> None:
    """Show what a source declares, and what is made from it."""
    from tracker_kit import declaration

    here = session()
    found = declaration.find(here, name)
    if here.json:
        here.data(declaration.document(here, found))
        return
    for row in declaration.describe(here, found):
        here.say(row)


@click.command(cls=Command, epilog="tracker plugins check codex")
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


@click.command(cls=SettingCommand, epilog="tracker plugins new acme")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), default="status", show_default=True)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The folder above it.")
def new(name: str, kind: str, into: Path) -> None:
    """Write a complete plugin that passes its checks."""
    from tracker_kit import scaffold

    scaffold.write(session(), name, kind, into)
