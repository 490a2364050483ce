"""`tracker config`: the settings, where each comes from, and changing one."""

from __future__ import annotations

import click

from tracker.api import Column
from tracker.kernel import Group, WritingCommand, escape, session

COLUMNS = {"setting": 0, "value": 0, "origin": 2, "type": 3}


class SettingCommand(WritingCommand):
    """A change of settings. If there is no data directory yet, no log records it."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        found = super().get_params(ctx)
        for one in found:
            if isinstance(one, click.Option) and one.name in ("state_dir", "no_fsync"):
                # it concerns records, which this command does not write
                one.hidden = True
            elif isinstance(one, click.Option) and one.name == "dry_run":
                one.help = "Show what would change and write nothing."
        return found


@click.group("config", cls=Group, epilog="tracker config list")
def command() -> None:
    """Show the settings and where they come from, or change one."""
    from tracker_desk.config_values import tolerate

    tolerate(session(), session().warn)


@command.command("list", epilog="tracker config list --verbose")
@click.option("--verbose", is_flag=True, help="Show where each value comes from and what it is for.")
def list_(verbose: bool) -> None:
    """List every setting with its value, type and origin."""
    from tracker_desk.config_values import held

    here = session()
    found = held(here).values()
    if here.json:
        here.data([one.document() for one in found])
        return
    columns = tuple(Column(key=key, title=key.capitalize(), rank=rank) for key, rank in COLUMNS.items())
    rows = [
        {"setting": one.setting.key, "value": one.text, "type": one.setting.kind.title, "origin": one.origin}
        for one in found
    ]
    if verbose or not here.table(columns, rows):
        for one in found:
            click.echo(escape(one.line(verbose=verbose)))


@command.command("get", epilog="tracker config get buffer_minutes")
@click.argument("key")
@click.option("--verbose", is_flag=True, help="Show which file, variable or option the value comes from.")
def get(key: str, verbose: bool) -> None:
    """Print the current value of one setting."""
    from tracker_desk.config_values import look_up

    here = session()
    found = look_up(here, key)
    if here.json:
        here.data(found.document() | {"key": key})
    else:
        click.echo(escape(found.line(verbose=True) if verbose else found.text))


@command.command(
    "set",
    cls=SettingCommand,
    epilog="tracker config set timezone Europe/Berlin",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Change one setting in its file.

    Comments and order stay. A list is written A,B,C.
    """
    from tracker_desk.config_values import change

    change(session(), key, value)


@command.command("trust", cls=SettingCommand, epilog="tracker config trust")
def trust() -> None:
    """Consent to the settings of tracker.toml that need it.

    They run commands, send keys, or write outside the file's folder.
    """
    from tracker_desk.config_values import trust as record

    record(session())


@click.command("init", cls=SettingCommand, epilog="tracker init --yes")
@click.option("--yes", "-y", is_flag=True, help="Take the defaults without asking.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init(yes: bool, force: bool) -> None:
    """Write a commented tracker.toml into this folder."""
    from tracker_desk.first_settings import initialize

    initialize(session(), ask=not yes, force=force)
