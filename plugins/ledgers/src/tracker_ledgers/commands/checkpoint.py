"""`tracker checkpoint`: the end of a session."""

from __future__ import annotations

from typing import Any

import click

from tracker.kernel import Number, provider_option, session, window_option
from tracker_ledgers.commands import NotedByItself

COUNT = Number(int, min=0)


@click.command(
    "checkpoint",
    cls=NotedByItself,
    epilog="tracker checkpoint --window W0-01 --provider codex --task session --plan 200000 --actual 168000",
)
@window_option(required=True)
@provider_option(required=True)
@click.option("--task", required=True, metavar="T", help="What the session was for.")
@click.option("--plan", required=True, type=COUNT, metavar="N", help="Tokens that you planned.")
@click.option(
    "--actual",
    type=COUNT,
    metavar="N",
    help="Tokens that the session used [default: those of the window in session logs].",
)
@click.option("--session-id", metavar="ID", help="What the ledger calls the session [default: the window].")
@click.option("--commits", type=COUNT, metavar="N", help="Commits of the session [default: as measured].")
@click.option("--lines-added", type=COUNT, metavar="N", help="Lines added [default: as measured].")
@click.option("--lines-deleted", type=COUNT, metavar="N", help="Lines deleted [default: as measured].")
@click.option("--features-added", type=COUNT, metavar="N", help="Features finished [default: as finalized].")
@click.option("--tests-added", type=COUNT, metavar="N", help="Tests written.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
@click.option("--decision-card", "with_card", is_flag=True, help="Also show the window's decision card.")
def command(with_card: bool, **given: Any) -> None:
    """Close a session: token ledger, churn, handoff. Update the last run in the standing jobs, if any."""
    from tracker_ledgers.checkpoint import close

    close(session(), given, with_card=with_card)
