"""`tracker complete`: finalize a window."""

from __future__ import annotations

from typing import Any

import click

from tracker.cli.command import ProviderCommand
from tracker.cli.options import Finite, Several
from tracker.session import session


class CompleteCommand(Several, ProviderCommand):
    """Several features may follow one `--feature-id`."""


@click.command("complete", cls=CompleteCommand)
@click.option("--window", required=True, metavar="W", help="The window.")
@click.option("--quality", type=Finite(min=0), metavar="Q", help="How good the work is; 1 is as planned.")
@click.option("--outcome", metavar="WORD", help="pass, partial, fail, or a word of yours.")
@click.option("--methodology", metavar="M", help="How the work was done.")
@click.option("--commit-start", metavar="SHA", help="The commit before the work.")
@click.option("--commit-end", metavar="SHA", help="The commit after it.")
@click.option("--feature-id", "feature_ids", multiple=True, metavar="ID ...", help="The features that were built.")
@click.option("--spec-id", metavar="S", help="The specification that was worked from.")
@click.option("--spec-version", metavar="V", help="Its version.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
def command(window: str, **given: Any) -> None:
    """Finalize a window: its features, quality and outcome. Again appends; the latest row counts."""
    from tracker.windows.finalize import finalize

    features = {name.removeprefix("features_"): given.pop(name) for name in list(given) if name.startswith("features_")}
    finalize(session(), window, {name: count for name, count in features.items() if count is not None}, given)
