"""`tracker handoff`: the brief for the next person."""

from __future__ import annotations

import click

from tracker.kernel import Windows, session, window_option
from tracker_ledgers.commands import NotedByItself


@click.command("handoff", cls=NotedByItself, epilog="tracker handoff --window W0-01")
@window_option(
    names=("windows",),
    multiple=True,
    metavar="W ...",
    help="The windows [default: those that need something, and the last finalized ones].",
)
def command(windows: tuple[str, ...]) -> None:
    """Write the brief for the next person into its own part of docs/SESSION_HANDOFF.md."""
    from tracker_ledgers.handoff import write

    here = session()
    brief = write(here, windows)
    Windows(here).note_missing(Windows(here).missing_plugins([one.window for one in brief.windows]))
