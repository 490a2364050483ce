"""`tracker windows accept`: store proposed windows."""

from __future__ import annotations

from datetime import datetime

import click

from tracker.kernel import WritingCommand, session
from tracker_capture.commands.propose import SINCE


@click.command("accept", cls=WritingCommand, epilog="tracker windows accept H20261126-1130")
@click.argument("windows", metavar="W...", nargs=-1, required=True)
@SINCE
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
def command(windows: tuple[str, ...], since: datetime, notes: str | None) -> None:
    """Store proposed windows: BEFORE and AFTER of each provider that worked in them. Nothing is finalized."""
    from tracker_capture import proposals
    from tracker_capture.settings import Propose
    from tracker_capture.windows import save

    here = session()
    pause = here.settings(Propose).gap_minutes
    for one in proposals.chosen(proposals.proposals(here, since), windows, pause):
        drafts = [share.draft for share in one.shares if share.draft]
        for draft in drafts:
            save(here, one.window, draft, notes)
        names = [draft.source.name for draft in drafts]
        counts = f"--{names[0]}-features {len(one.features)}" if len(names) == 1 else "--PROVIDER-features N ..."
        here.note(f"note: finish it with `tracker complete --window {one.window} {counts}`")
