"""`tracker demo`: the main job on bundled captures, in a temporary folder."""

from __future__ import annotations

import click

from tracker.kernel import Command, session, window_option


@click.command("demo", cls=Command, epilog="tracker demo")
@window_option(default="W0-01", show_default=True, help="The id of the first window that the demo makes.")
def command(window: str) -> None:
    """Run the main job on bundled captures, in a temporary folder."""
    from tracker_kit.demo import run

    run(session(), window)
