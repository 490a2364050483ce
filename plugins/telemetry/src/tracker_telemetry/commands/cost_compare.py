"""`tracker cost-compare`: what routing costs or saves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import click

from tracker.kernel import Command, Number, Session, plural, session, window_option

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tracker.api import Source
    from tracker_telemetry import costs

WAYS = ("rid", "model", "lane", "day")


@click.command("cost-compare", cls=Command, epilog="tracker cost-compare --window W0-01")
@window_option(help="A window [default: all].")
@click.option("--file", "path", metavar="PATH", help="Compare this log without storing it; - is standard input.")
@click.option("--top", type=Number(int, min=1), metavar="N", help="Only the first N rows; the totals cover all.")
@click.option("--by", type=click.Choice(WAYS), default="rid", show_default=True, help="One row for each; days are UTC.")
@click.option("--source", "name", metavar="SOURCE", help="The telemetry source, if there are several.")
def command(window: str | None, path: str | None, top: int | None, by: str, name: str | None) -> None:
    """Compare tokens and money of requests routed to the cheaper model with the others, by id, model, lane or day."""
    from tracker.kernel import TrackerError, Windows
    from tracker_telemetry import costs
    from tracker_telemetry.index import ask, ask_log
    from tracker_telemetry.sessions.list_prices import ListPrices
    from tracker_telemetry.totals import only_source

    here = session()
    if window is not None and path is not None:
        raise click.UsageError("--window and --file exclude each other. Give one of them.")
    source = here.source(name, kinds=["telemetry"]) if name else only_source(here)
    if window is not None and not here.index.knows(window):
        raise Windows(here).no_window(window)
    if path is None and not here.journal.size(source.stream):
        cure = f"Store a log with `tracker ingest {source.name} --window W0-01 --file PATH`, or give --file PATH here."
        raise TrackerError(f"No events of {source.name} are stored in {here.root}. {cure}")
    prices = ListPrices.of_source(here, source)

    def show(events: DuckDBPyConnection) -> None:
        _show(here, costs.compare(source, events, prices), events, cast("costs.By", by), top)

    if path is not None:
        ask_log(_log(here, source, path), show)
    else:
        ask(here, source, None if window is None else [window], show)


def _show(here: Session, found: costs.Costs, events: DuckDBPyConnection, by: costs.By, top: int | None) -> None:
    """The comparison as a table or CSV, with its totals and the money."""
    from tracker_telemetry import costs

    if here.json:
        here.data(costs.document(found, events, by, top))
        return
    has_rows = any(side.used for side in found.sides)
    if here.is_terminal and has_rows and here.table(*costs.table(found, events, by, top)):
        here.show(costs.totals_line(found))
    else:
        lines = costs.csv_lines(found, events, by, top)
        while part := list(islice(lines, costs.PART)):
            click.echo("\n".join(part))
        click.echo(f"# {costs.totals_line(found)}")
    if has_rows:
        here.note(costs.money_line(found))


def _log(here: Session, source: Source, path: str) -> Iterator[dict[str, Any]]:
    """The events of a file, or of standard input for `-`."""
    from tracker_telemetry.index import events_of
    from tracker_telemetry.lines import opened, refuse_packed

    refuse_packed(path)
    rejected = 0
    with opened(None if path == "-" else path) as file:
        for _, events in events_of(here, source, (line.rstrip(b"\r\n") for line in file)):
            rejected += events is None
            yield from events or ()
    if rejected:
        here.warn(f"left out {plural(rejected, 'line')} of {path} that could not be read")
