"""`tracker init`: a first `tracker.toml`."""

from __future__ import annotations

import click

from tracker.kernel import session
from tracker_desk.commands.config import SettingCommand


@click.command("init", cls=SettingCommand, epilog="tracker init --yes")
@click.option("--yes", "-y", is_flag=True, help="Take the defaults without asking.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(yes: bool, force: bool) -> None:
    """Write a commented tracker.toml into this folder."""
    from tracker_desk.first_settings import initialize

    initialize(session(), ask=not yes, force=force)
