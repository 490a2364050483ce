"""`tracker churn`: the lines that changed in a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracker.kernel import Number, WritingCommand, provider_option, session, window_option

FEATURES = Number(int, max=1_000_000)


def pathspec(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Git's path patterns: git would refuse an empty one in its own words."""
    for pattern in given:
        if not pattern.strip() or "\0" in pattern:
            raise click.BadParameter(f"Invalid path {pattern!r}. Expected git's pathspec.", param=parameter)
    return given


@click.command("churn", cls=WritingCommand, epilog="tracker churn --window W0-01 --provider codex")
@window_option(required=True)
@provider_option()
@click.option("--methodology", metavar="M", help="How the work was done [default: as finalized].")
@click.option("--commit-start", metavar="S", help="The commit before the work [default: as finalized or captured].")
@click.option("--commit-end", metavar="E", help="The commit after it [default: as finalized or captured, else HEAD].")
@click.option(
    "--paths", multiple=True, metavar="P ...", callback=pathspec, help="Count only these paths (git pathspecs)."
)
@click.option(
    "--exclude", multiple=True, metavar="P ...", callback=pathspec, help="Leave these paths out (git pathspecs)."
)
@click.option("--features", type=FEATURES, metavar="N", help="Features finished [default: as finalized].")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
@click.option(
    "--ledger-path",
    type=click.Path(path_type=Path),
    metavar="F",
    help="Append to this CSV file instead of the usual ledger.",
)
def command(**given: Any) -> None:
    """Measure the lines that changed in a window, per feature. Commits marked `xproto::` are left out."""
    from tracker_ledgers.churn import Request, book

    book(session(), Request(**given))
