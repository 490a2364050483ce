"""`tracker compare`: one provider against another."""

from __future__ import annotations

import click

from tracker.kernel import Finite, WritingCommand, session


@click.command("compare", cls=WritingCommand)
@click.argument("names", metavar="[A B]", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Every provider with finalized windows, each against the best.")
@click.option("--price", "given", multiple=True, metavar="PROVIDER=200/mo:4.3bars", help="What a month costs and buys.")
@click.option("--effect", type=Finite(min=1, min_open=True), default=1.5, show_default=True, metavar="RATIO")
@click.option("--review", is_flag=True, help="Today is a review date that was fixed beforehand.")
def command(names: tuple[str, ...], everyone: bool, given: tuple[str, ...], effect: float, review: bool) -> None:
    """Compare providers by what they deliver for the quota, or for the money."""
    from tracker.kernel import absent, finalized, tell
    from tracker_verdict import comparing
    from tracker_verdict.worth import prices

    here = session()
    if len(names) not in (0, 2) or (names and everyone):
        raise click.UsageError("name two providers, or none for all of them (--all)")
    if names and names[0] == names[1]:
        raise click.UsageError(f"{names[0]} against itself says nothing; name two providers")
    from tracker_verdict.settings import VerdictSettings

    worths = prices(here.registry.providers, here.settings(VerdictSettings).prices, given)
    tell(here, absent(here, finalized(here.index)))
    found = comparing.matches(here, names, worths, effect=effect, review=review)
    if here.json:
        here.data([comparing.document(match) for match in found])
    else:
        for match in found:
            click.echo("\n".join(comparing.lines(match)))
    comparing.note_looks(here, found)
