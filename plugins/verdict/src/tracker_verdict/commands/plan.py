"""`tracker plan`: how many windows still fit."""

from __future__ import annotations

import click

from tracker.kernel import Command, Whole, session


@click.command("plan", cls=Command)
@click.option("--provider", required=True, metavar="P", help="The provider.")
@click.option("--windows-left", type=Whole(min=1), metavar="N", help="Windows that are planned.")
def command(provider: str, windows_left: int | None) -> None:
    """Say how many windows of the usual size still fit before each reset, and when to stop."""
    from tracker_verdict.planning import document, lines, outlooks

    here = session()
    source = here.source(provider, kinds=["status"])
    from tracker_verdict.settings import VerdictSettings

    reserve = here.settings(VerdictSettings).reserve_pp
    found = outlooks(here, source, here.now, windows_left)
    if here.json:
        here.data(document(source, found, reserve))
    else:
        click.echo("\n".join(lines(source, found, reserve, windows_left)))
