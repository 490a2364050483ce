"""`tracker meters`: the history of every meter."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from tracker.kernel import Group, Number, moment, session

if TYPE_CHECKING:
    from tracker_capture.meters import Series


class Meters(Group):
    """Other commands take the provider as a word; here a word is one of its own commands."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] in session().registry.providers:
            words = f"tracker meters --provider {args[0]}"
            raise click.UsageError(f"{args[0]} is a provider, not a command of `meters`. Type `{words}`.", ctx)
        return super().resolve_command(ctx, args)


@click.group("meters", cls=Meters, invoke_without_command=True, epilog="tracker meters --provider codex")
@click.option("--provider", metavar="P", help="Only this provider.")
@click.option("--meter", metavar="M", help="Only this meter, such as weekly.")
@click.option("--since", metavar="TIME", callback=moment, help="Only readings from this time on.")
@click.option("--until", metavar="TIME", callback=moment, help="Only readings up to this time, or to the end of a day.")
@click.option("--rows", type=Number(int), default=8, show_default=True, help="Rows of each table.")
@click.pass_context
def command(
    context: click.Context,
    provider: str | None,
    meter: str | None,
    since: datetime | None,
    until: datetime | None,
    rows: int,
) -> None:
    """Show the history of every meter: a sparkline, and a table of its newest readings with the resets marked."""
    if context.invoked_subcommand is not None:
        return
    from tracker.kernel import TrackerError
    from tracker_capture import meters

    here = session()
    if provider is not None:
        here.source(provider, kinds=["status"])
    found = meters.series(here, provider, meter, since, until)
    if here.json:
        here.data([meters.document(one) for one in found])
        return
    if not found:
        raise TrackerError(meters.none_matches(here, provider, meter))
    for place, one in enumerate(found):
        if here.is_terminal and place:
            here.show("")
        _show(one, rows)


def _show(found: Series, rows: int) -> None:
    """The head and the sparkline; the table as far as there is a terminal, else lines."""
    from tracker_capture import meters

    here = session()
    head, sparkline, *rest = meters.lines(here, found, rows)
    here.show(head)
    here.show(sparkline)
    if here.quiet or not (rows and here.table(*meters.table(here, found, rows))):
        for line in rest:
            here.show(line)
