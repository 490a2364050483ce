"""`tracker plan`: how many windows still fit, and in which order to measure two providers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from tracker.kernel import Number, Selection, WritingCommand, selection, session
from tracker_verdict.commands.age import Age
from tracker_verdict.options import accounts_option

if TYPE_CHECKING:
    from tracker.api import Source


class PlanCommand(WritingCommand):
    """Writes forecasts, which the command log does not note, and the order of planned pairs, which it does."""

    is_noted = False


@click.command("plan", cls=PlanCommand, epilog="tracker plan --provider codex")
@click.argument("names", metavar="[A B]", nargs=-1)
@click.option("--windows-left", type=Number(int, min=1), metavar="N", help="How many windows you plan [default: 1].")
@click.option("--pairs", type=Number(int, min=1, max=99), metavar="N", help="Plan N pairs of A and B in random order.")
@click.option("--max-age", type=Age(), default="15m", show_default=True, help="How old a reading may be for GO.")
@accounts_option
@click.option("--score", "is_score", is_flag=True, help="Show how earlier forecasts turned out.")
@selection()
def command(
    names: tuple[str, ...],
    windows_left: int | None,
    pairs: int | None,
    max_age: timedelta,
    accounts: tuple[str, ...],
    is_score: bool,
    selection: Selection,
) -> None:
    """Say whether each meter lasts until its reset and how likely planned windows are to fit, or plan pairs of windows.

    The verdict is that of the worst meter, and never GO while a meter in per cent is unknown, unless it was not shown
    for a week. As in `tracker gate`, the meter of a single model does not count: if that is full, it stops work with
    that model alone.
    """
    provider = selection.provider
    if pairs is not None:
        _plan_pairs(names, pairs, is_alone=not (any(selection) or windows_left or accounts or is_score))
        return
    if names:
        raise click.UsageError(f"Unexpected {names[0]!r}. Expected --provider {names[0]}, or --pairs N A B.")
    here = session()
    chosen = [here.source(provider, kinds=["status"])] if provider else list(here.registry.providers.values())
    if is_score and accounts:
        raise click.UsageError("--score covers all accounts. Leave out --account.")
    if is_score:
        _score(chosen)
    else:
        _plan(chosen, selection, windows_left or 1, max_age, accounts)


def _plan(chosen: list[Source], selection: Selection, left: int, max_age: timedelta, accounts: tuple[str, ...]) -> None:
    from tracker.kernel import TrackerError, Windows
    from tracker_verdict import forecasts
    from tracker_verdict.current_meters import newest_windows
    from tracker_verdict.outlook import only, outlooks
    from tracker_verdict.plan_table import show
    from tracker_verdict.plan_text import document, lines

    here, provider = session(), selection.provider
    windows = selection._replace(provider=None).windows(here)
    plans = [(source, outlooks(here, source, left, windows, max_age=max_age)) for source in chosen]
    plans = only(plans, accounts)
    if provider is None:
        # also one whose only capture lies in the future: its cure is printed
        plans = [
            (source, found)
            for source, found in plans
            if any(one.used is not None for one in found) or newest_windows(here, source)
        ]
    if not plans:
        if absent := [one for one in Windows(here).missing_plugins() if one.measured]:
            problems = "; ".join(one.problem for one in absent)
            cures = "; ".join(dict.fromkeys(one.cure for one in absent))
            raise TrackerError(f"No meter can be read. {problems}. To read them, {cures}.")
        raise TrackerError(
            "No meter has been read yet. Type `tracker sync` or `tracker capture --sample --all`, or paste a pane"
            " with `tracker start PROVIDER`."
        )
    for source, found in plans:
        forecasts.store(here, source, [(one.meter, one.prospect) for one in found], "plan")
    if here.json:
        documents = [document(here, source, found, left) for source, found in plans]
        here.data(documents[0] if provider else documents)
        return
    if show(here, plans, left):
        return
    for source, found in plans:
        here.show("\n".join(lines(here, source, found, left)), has_cures=True)


def _score(sources: list[Source]) -> None:
    from tracker_verdict import forecasts

    here = session()
    documents = []
    for source in sources:
        found = forecasts.outcomes(here, source, here.now)
        if here.json:
            known = forecasts.score(found.scored) if found.scored else {"forecasts": 0}
            documents.append({"provider": source.name, **known, **found.left_out})
        else:
            here.show("\n".join(forecasts.lines(source, found)))
    if here.json:
        here.data(documents)


def _plan_pairs(names: tuple[str, ...], count: int, *, is_alone: bool) -> None:
    from tracker_verdict import pairs
    from tracker_verdict.price import price_options, prices

    if len({*names}) != 2 or len(names) != 2 or not is_alone:
        raise click.UsageError("Expected --pairs N A B, such as `tracker plan --pairs 6 codex claude`.")
    here = session()
    meters = [(name, here.source(name, kinds=["status"]).capacity_meter) for name in names]
    units = {name: meter.unit if meter else "" for name, meter in meters}
    options = price_options(units, prices(here)) if len({*units.values()}) > 1 else []
    drawn = pairs.plan(here, (names[0], names[1]), count)
    if here.dry_run:
        return
    here.running = click.get_current_context().params
    if here.json:
        here.data(pairs.document(drawn))
    else:
        here.show("\n".join(pairs.lines(drawn, options)))
