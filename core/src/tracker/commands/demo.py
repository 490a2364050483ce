"""`tracker demo`: the main job on bundled captures, in a temporary folder."""

from __future__ import annotations

import click

from tracker.command import Command
from tracker.session import session


@click.command("demo", cls=Command)
@click.option("--window", default="W0-01", show_default=True, metavar="W", help="The demo's window.")
def command(window: str) -> None:
    """Run the main job on bundled captures, in a temporary folder."""
    from tracker.demo import run

    run(session(), window)
