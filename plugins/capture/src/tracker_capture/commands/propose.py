"""`tracker windows propose`: windows that the past suggests."""

from __future__ import annotations

from datetime import datetime

import click

from tracker.kernel import Command, moment, session

SINCE = click.option(
    "--since",
    metavar="TIME",
    default="14d",
    show_default=True,
    callback=moment,
    help="From this time on: ISO 8601, or a span such as `7d`.",
)


@click.command("propose", cls=Command, epilog="tracker windows propose --since 7d")
@SINCE
def command(since: datetime) -> None:
    """Propose windows from commits, session logs and the meter history. Nothing is stored."""
    from tracker.kernel import zone
    from tracker_capture import proposals

    here = session()
    found = proposals.proposals(here, since)
    if here.json:
        here.data([one.document() for one in found])
        return
    for line in proposals.lines(found, zone(here.config.timezone)):
        here.say(line)
    if any(share.draft for one in found if not one.goes_on for share in one.shares):
        here.note("note: store those that fit with `tracker windows accept W...`. They are not finalized then")
    elif found:
        here.note("note: none of them can be stored yet: each may still go on, or its capacity is not known")
    else:
        here.note("note: no new window since then. Run `tracker sync` first, in the repository where you worked.")
