"""`tracker uat`: the acceptance run that opens a session."""

from __future__ import annotations

import click

from tracker.kernel import Number, session, window_option
from tracker_ledgers.commands import NotedByItself


@click.command("uat", cls=NotedByItself, epilog="tracker uat --window W0-01 --record")
@window_option(required=True)
@click.option("--record", is_flag=True, help="Keep the reports, and append a row of evidence for each.")
@click.option(
    "--timeout",
    type=Number(float, min=0.001),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="Stop a runner after this time; it counts as failed.",
)
def command(window: str, record: bool, timeout: float) -> None:
    """Run the acceptance checks of a window, then show its preview. The checks are pytest and behave, or your
    own commands from `uat.commands`."""
    from tracker_ledgers.uat import run

    run(session(), window, record=record, seconds=timeout)
