"""`tracker usage`: tokens, requests and money from the session logs of all clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import click

from tracker.kernel import Command, Selection, selection, session

if TYPE_CHECKING:
    from tracker.api import Source
    from tracker.kernel import Session
    from tracker_telemetry.sessions.moves import Moves
    from tracker_telemetry.sessions.usage import Sums, Usage

WAYS = ("daily", "weekly", "monthly", "session", "project", "branch", "model", "window")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_MOVES = 7  # periods whose moves are listed one by one
ZONE = "The zone in which days begin [default: the setting `timezone`]."
HEADINGS = ("requests", "input", "cache read", "cached", "cache write", "output", "cost")


class Period(click.Choice[str]):
    """One of `WAYS`; for another word, the error suggests the nearest."""

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        from tracker.kernel import near

        return f"Unknown period {value!r}. {near(value, WAYS)}"


@click.command("usage", cls=Command, epilog="tracker usage project --last 5")
@click.argument("by", type=Period(WAYS), default="daily", metavar="[PERIOD]")
@click.option("--by", "columns", multiple=True, type=click.Choice(WAYS[3:]), help="Also split each row by this.")
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV.")
@click.option("--timezone", metavar="ZONE", is_eager=True, help=ZONE)
@click.option(
    "--start-of-week",
    type=click.Choice(DAYS),
    default="monday",
    show_default=True,
    metavar="DAY",
    help="The first day of a week.",
)
@selection(last="The last N periods or windows; the N largest of other groups.", of="Only requests of this provider.")
def command(
    by: str,
    columns: tuple[str, ...],
    is_csv: bool,
    timezone: str | None,
    start_of_week: str,
    selection: Selection,
) -> None:
    """Show what your agents' requests used, from the session logs of all clients.

    PERIOD is daily (the default), weekly, monthly, session, project, branch, model or window.
    """
    from attrs import evolve

    from tracker.kernel import zone
    from tracker_telemetry.sessions import usage as report
    from tracker_telemetry.sessions.current import current
    from tracker_telemetry.sessions.gaps import without_plugin

    here = session()
    sources = _sources(here, selection.provider)
    in_windows = bool(selection.named) or selection.lane is not None or selection.is_open
    query = report.Query(
        by=cast("report.By", by),
        columns=columns,
        provider=selection.provider,
        since=report.begin(selection.since),
        until=report.end(selection.until),
        last=selection.last,
        windows=_windows(here, selection) if in_windows else None,
        zone=zone(timezone) if timezone else here.zone,
        first_weekday=DAYS.index(start_of_week),
    )
    found = current(here, sources, lambda store, _: report.usage(here, store, sources, query))
    if selection.provider is None:
        found = evolve(found, missing=[*found.missing, *without_plugin(here)])
    if not found.rows:
        for line in _looked(here, sources):
            here.note(line)
    if here.json:
        here.data(found.document())
    elif is_csv:
        for line in _csv(found):
            click.echo(line, nl=False)
    else:
        _show(here, found)


def _windows(here: Session, selection: Selection) -> frozenset[str]:
    """The windows that are named or selected and ended at `since` or later, or are still open."""
    from tracker_telemetry.sessions.spans import Spans
    from tracker_telemetry.sessions.usage import begin

    chosen = selection._replace(last=None, since=None)
    if selection.since is not None and not selection.named:
        known = Spans.of_session(here).lasting(begin(selection.since))
        if not known:
            return frozenset()
        chosen = chosen._replace(named=tuple(window for window in here.index.windows() if window in known))
    return frozenset(chosen.windows(here) or ())


def _sources(here: Session, provider: str | None) -> Sequence[Source]:
    """The sources of session logs, or those that may hold requests of a provider."""
    from tracker.kernel import TrackerError, near
    from tracker_telemetry.sessions.owners import owners, sources_of
    from tracker_telemetry.sessions.store import log_sources

    known = log_sources(here)
    if provider is not None and provider not in (names := owners(here, known)):
        raise TrackerError(f"No session logs of provider {provider!r}. {near(provider, names)}")
    return sources_of(here, known, provider)


def _show(here: Session, found: Usage) -> None:
    """The table, what the meters moved, and what is missing."""
    from tracker_telemetry.sessions.gaps import example, sentences
    from tracker_telemetry.sessions.panels import table

    if not (found.rows and here.table(*table(found), total=True)):
        for line in _table(found):
            click.echo(line)
    for moved in found.meters:
        here.show(_moved(moved))
    for text in sentences(found.missing, are_private=True):
        here.note(f"missing: {text}")
    if entry := example(found.missing):
        here.note(entry)


def _looked(here: Session, sources: Sequence[Source]) -> Iterator[str]:
    """Why there is nothing to show, and what to type."""
    from tracker.api import LogOrigin
    from tracker.kernel import Registry, plural
    from tracker_telemetry.sessions.files import files, places

    if not sources:
        one = Registry.installation("./plugins/codex")
        yield "No plugin in use reads session logs. `tracker plugins list` shows what is left out, and why."
        yield f"In a checkout of tracker, {one} brings one."
        return
    counts = {source.name: len(files(source)) for source in sources}
    if any(counts.values()):
        yield "The session logs hold no requests that match. To see all, run `tracker usage` without options."
    for source in sources:
        yield f"{source.title}: {plural(counts[source.name], 'file')} in {', '.join(places(source))}"
    found = {one.variable for source in sources for one in source.origins if isinstance(one, LogOrigin)}
    variables = sorted(name for name in found if name and not name.startswith("XDG_"))
    if variables and not any(counts.values()):
        yield f"If the logs are in another folder, set {' or '.join(variables)} to it and run `tracker usage` again."


def _moved(moves: Moves) -> str:
    """`meter codex weekly moved: 2026-11-20 3 pp, 2026-11-21 0.5 pp`; for many periods, the sum and the last ones."""
    from tracker.kernel import line, number

    def amount(moved: float) -> str:
        return f"{number(round(moved, 2))} {moves.unit}"

    name = f"meter {moves.provider} {moves.meter}" + (f" ({line(moves.account)})" if moves.account else "")
    parts = [f"{period} {amount(moved)}" for period, moved in moves.periods.items()]
    if len(parts) <= MOST_MOVES:
        return f"{name} moved: {', '.join(parts)}"
    whole, last = amount(sum(moves.periods.values())), ", ".join(parts[-MOST_MOVES:])
    return f"{name} moved {whole} in {len(parts)} periods (--json lists all), most recently: {last}"


def _csv(found: Usage) -> Iterator[str]:
    from tracker.kernel import csv_line

    rows = found.document()["rows"]
    names = [*found.names, *found.totals.document()]
    yield csv_line(names).decode()
    for row in rows:
        yield csv_line([row[name] for name in names]).decode()


def _table(found: Usage) -> Iterator[str]:
    """An aligned table."""
    from tracker.kernel import line

    if not found.rows:
        yield "No requests."
        return
    keys = [tuple(map(line, key)) for key, _ in found.lines]
    sums = [one for _, one in found.lines]
    figures = map(_figures, sums, _amounts(sums))
    table = [(*found.names, *HEADINGS), *((*key, *own) for key, own in zip(keys, figures, strict=True))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    names = len(found.names)
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:names], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[names:], widths[names:], strict=True)]
        yield "  ".join(cells).rstrip()


def _figures(sums: Sums, cost: str) -> Sequence[str]:
    plain, read, short, long, output, _ = sums.tokens
    requests, inputs, reads, writes, outputs = (
        f"{count:,}" for count in (sums.requests, plain, read, short + long, output)
    )
    whole = plain + read + short + long
    share = f"{100 * read / whole:.0f}%" if whole else "n/a"
    least = "at least " if sums.unpriced and sums.cost is not None else ""
    return requests, inputs, reads, share, writes, outputs, f"{least}{cost}"


def _amounts(column: Sequence[Sums]) -> list[str]:
    """Amounts that add up: all in cents, or with four digits if one is under half a cent; less than 0.001 has more.

    One that leaves requests out is rounded down.
    """
    from tracker_telemetry.sessions.money import dollars, needs_digits, rounded

    amounts = [(one.cost, one.unpriced > 0) for one in column]
    digits = 4 if any(cost and needs_digits(cost, is_least=is_least) for cost, is_least in amounts) else 2
    return [
        dollars(cost, is_least=is_least)
        if cost is None or 0 < cost < 0.001
        else f"${rounded(cost, digits, is_least=is_least):,.{digits}f}"
        for cost, is_least in amounts
    ]
