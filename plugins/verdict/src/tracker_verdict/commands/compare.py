"""`tracker compare`: one provider against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from tracker.kernel import Command, Number, Selection, Windows, plural, selection, session
from tracker_verdict.options import accounts_option, price_option

if TYPE_CHECKING:
    from tracker.kernel import Session
    from tracker_verdict.comparison import Match
    from tracker_verdict.price import Price

effect_option = click.option(
    "--effect",
    type=Number(float, min=1.001),
    metavar="RATIO",
    help="The true ratio that you want to detect [default: the setting effect, 1.5 unless you change it].",
)
blocks_option = click.option(
    "--blocks",
    type=click.Choice(["day", "project"]),
    help="Compare sums per day or per project instead of single windows.",
)


@click.command("compare", cls=Command, epilog="tracker compare codex claude")
@click.argument("names", metavar="[A B]", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Compare every provider with the best one.")
@price_option
@effect_option
@blocks_option
@accounts_option
@selection()
def command(
    names: tuple[str, ...],
    everyone: bool,
    given: tuple[str, ...],
    effect: float | None,
    blocks: str | None,
    accounts: tuple[str, ...],
    selection: Selection,
) -> None:
    """Compare providers by what they deliver for the quota, or for the money."""
    from tracker_verdict import advice, comparison
    from tracker_verdict.price import prices
    from tracker_verdict.settings import effect_in_use

    _check(names, everyone=everyone)
    here = session()
    question = comparison.Question(
        prices=prices(here, given),
        effect=effect_in_use(here) if effect is None else effect,
        blocks=blocks,
        accounts=accounts,
    )
    known = comparison.delivered(here, selection.windows(here), with_projects=blocks == "project")
    Windows(here).note_missing(Windows(here).missing_plugins(known.windows))
    found = comparison.matches(here, names, question, known)
    _note(here, found)
    _note_prices(here, found, question.prices)
    if here.json:
        here.data([comparison.document(match) for match in found])
    else:
        for match in found:
            advice.show(here, match)


def _note(here: Session, found: Sequence[Match]) -> None:
    """What each provider's figures leave out, once."""
    from tracker_verdict.accounts import note_excluded

    for side in {side.name: side for match in found for side in (match.a, match.b)}.values():
        note_excluded(here, side.figures)
        if side.unknown:
            which = plural(side.unknown, "window")
            here.note(f"note: {side.name}: summed as one: {which} with no known project, or with several.")


def _note_prices(here: Session, found: Sequence[Match], known: Mapping[str, Price]) -> None:
    """Say whose price is missing if the other side's is known, and so is not used."""
    from tracker_verdict.price import example_of

    for match in found:
        bare = [side for side in (match.a, match.b) if side.name not in known]
        if len(bare) == 1:
            name, unit = bare[0].name, bare[0].unit
            cure = f"`tracker config set prices.{name} {example_of(unit)}`, with your price"
            here.note(f"note: {name} has no price, so the two are compared per {unit}. Type {cure}.")


def _check(names: tuple[str, ...], *, everyone: bool) -> None:
    if len(names) not in (0, 2) or (names and everyone):
        got = f"{' '.join(names)} and --all" if everyone else " ".join(names)
        raise click.UsageError(f"Invalid names: {got}. Expected two providers, or none to compare all (--all).")
    if names and names[0] == names[1]:
        raise click.UsageError(f"You named {names[0]} twice. Name two providers.")
