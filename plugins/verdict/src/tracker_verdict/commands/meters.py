"""`tracker meters calibrate`, `reconcile` and `drift`: a meter against the session logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from tracker.kernel import Command, Number, moment, provider_option, session
from tracker_verdict.options import accounts_option

if TYPE_CHECKING:
    from tracker.api import Source
    from tracker.kernel import Session
    from tracker_verdict.pieces import Ledger

ROWS = click.option("--rows", type=Number(int, min=1), default=12, show_default=True, help="How many lines to list.")


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        provider_option(about="Only this provider [default: all that have readings]."),
        click.option(
            "--meter",
            metavar="M",
            help="The meter [default: the capacity meter, or the weekly one if that is a count].",
        ),
        click.option(
            "--since", metavar="TIME", default="8w", show_default=True, callback=moment, help="From this time on."
        ),
        accounts_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    "calibrate",
    cls=Command,
    short_help="Say how many points of a meter a dollar of tokens costs.",
    epilog="tracker meters calibrate --provider codex",
)
@_options
@click.option(
    "--by",
    type=click.Choice(["window", "project", "session"]),
    default="project",
    show_default=True,
    help="What to split the points by.",
)
@ROWS
def calibrate(
    provider: str | None, meter: str | None, since: datetime, accounts: tuple[str, ...], by: str, rows: int
) -> None:
    """Say how many points of a meter a list-price dollar of tokens costs, and what each window or project used.

    The figures come from the meter history and the session logs. They need at least 20 points on 6 days.
    """
    from tracker_verdict import rates, shares

    here = session()
    found = [rates.rates(ledger) for ledger in _ledgers(here, provider, meter, since, accounts)]
    if here.json:
        here.data([{**rates.document(known), **shares.document(here, known, by)} for known in found])
        return
    for known in found:
        for line in shares.lines(here, known, by, rows):
            here.say(line)


@click.command(
    "reconcile",
    cls=Command,
    short_help="List rises of a meter that no request explains.",
    epilog="tracker meters reconcile --provider codex",
)
@_options
@ROWS
def reconcile(provider: str | None, meter: str | None, since: datetime, accounts: tuple[str, ...], rows: int) -> None:
    """List rises of a meter that no logged request explains, and requests that moved nothing.

    Requests without a list price are listed by model, since the points that they used are not known.
    """
    from tracker_verdict import rates, residuals

    here = session()
    found = [rates.rates(ledger) for ledger in _ledgers(here, provider, meter, since, accounts)]
    if here.json:
        here.data([residuals.document(known) for known in found])
        return
    for known in found:
        own = residuals.residuals(known)
        table = residuals.table(known, own, rows)
        has_table = bool(table) and not here.quiet and here.table(residuals.COLUMNS, table)
        listed = () if has_table else residuals.listed(known, own, rows)
        for line in (*listed, *residuals.summary(known, own, rows)):
            here.say(line)


@click.command("drift", cls=Command, epilog="tracker meters drift --provider codex")
@_options
def drift(provider: str | None, meter: str | None, since: datetime, accounts: tuple[str, ...]) -> None:
    """Say whether a point of a meter buys less than before.

    A change is reported at p 0.01: expect a false alarm for about one in a hundred meters that did not change.
    """
    from tracker_verdict import drift as changes
    from tracker_verdict.regimes import keep

    here = session()
    found = [changes.drift(ledger) for ledger in _ledgers(here, provider, meter, since, accounts)]
    for one in found:
        keep(here, one, since)
    if here.json:
        here.data([one.document() for one in found])
        return
    for one in found:
        for line in changes.lines(one):
            here.say(line)


def _ledgers(
    here: Session, provider: str | None, meter: str | None, since: datetime, accounts: Sequence[str]
) -> list[Ledger]:
    """The meter and requests of the provider, or of every one with readings; notes say which are left out."""
    from tracker.kernel import TrackerError, near
    from tracker_verdict.pieces import NoReadings, ledger

    named = [here.source(provider, kinds=["status"])] if provider else list(here.registry.providers.values())
    found: list[Ledger] = []
    absent: list[str] = []
    problems: list[str] = []
    for source in named:
        key = _in_per_cent(source, meter)
        if key is None:
            names = ", ".join(one.key for one in source.meters if one.unit == "pp")
            which, hint = f" {meter!r}" if meter else "", f" Name one with --meter: {names}." if names else ""
            absent += [f"{source.name} has no meter{which} in per cent.{hint}"] if meter or provider else []
            continue
        try:
            found.append(ledger(here, source, key, since, accounts))
        except NoReadings as error:
            # a provider with older readings, or of another meter, says more than one without any
            absent.insert(0 if error.is_known else len(absent), str(error))
        except TrackerError as error:
            problems.append(str(error))
    if not found:
        raise TrackerError(next(iter([*problems, *absent]), "No provider has a meter in per cent."))
    known = {name for one in found for name in one.accounts}
    for name in accounts:
        if name not in known:
            raise TrackerError(next(iter(problems), f"No reading of account {name!r}. {near(name, sorted(known))}"))
    for problem in problems:
        here.note(f"left out: {problem}")
    return found


def _in_per_cent(source: Source, meter: str | None) -> str | None:
    """The named meter, or the capacity meter; if that is a count, the weekly one, which requests also move."""
    from tracker_verdict.weeks import WEEK

    weekly = (one.key for one in source.meters if one.window == WEEK)
    for key in (meter,) if meter else (source.capacity, *weekly):
        if key and (found := source.meter(key)) and found.unit == "pp":
            return key
    return None
