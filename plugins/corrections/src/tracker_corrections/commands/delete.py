"""`tracker alias delete`: take a capture back."""

from __future__ import annotations

from functools import partial

import click

from tracker.kernel import Number, WritingCommand, session, window_option


@click.command(
    "delete",
    cls=WritingCommand,
    epilog="tracker alias delete {provider} --phase after --window W0-02 --yes",
)
@click.argument("provider")
@click.option("--phase", type=click.Choice(["before", "after"]), help="Only captures of this phase.")
@window_option(help="Only captures of this window [default: any window of the lane].")
@click.option("--index", "position", type=Number(int, min=1), default=1, show_default=True, help="The Nth newest.")
@click.option(
    "--reason", metavar="TEXT", default="deleted by the operator", help="Why; `tracker window-audit` shows it."
)
@click.option("--keep-readings", is_flag=True, help="Leave what it read in the meter history: the pane was right.")
@click.option(
    "--yes",
    "-y",
    is_flag=True,
    help="Do not ask, even if the window is finalized or not named, or the capture belongs to another lane.",
)
def command(
    provider: str, phase: str | None, window: str | None, position: int, reason: str, keep_readings: bool, yes: bool
) -> None:
    """Take a capture back. A row in the journal says so. Nothing is erased."""
    from tracker_corrections.deletion import find_capture, take_back

    here = session()
    source = here.source(provider, kinds=["status"])
    find, is_named = partial(find_capture, here, source, phase, window, position), window is not None
    take_back(here, source, find, reason=reason, is_named=is_named, is_sure=yes, keeps_reading=keep_readings)
