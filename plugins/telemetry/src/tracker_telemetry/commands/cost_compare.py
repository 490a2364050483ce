"""`tracker cost-compare`: what routing costs or saves, per feature."""

from __future__ import annotations

from typing import cast

import click

from tracker.kernel import Command, Whole, session


@click.command("cost-compare", cls=Command)
@click.option("--window", metavar="W", help="A window [default: all].")
@click.option("--file", "path", metavar="PATH", help="A log that is not stored; - is standard input.")
@click.option("--top", type=Whole(min=1), metavar="N", help="Only the first N rows; the totals cover all.")
@click.option("--by", type=click.Choice(["rid", "model", "lane", "day"]), default="rid", show_default=True)
@click.option("--source", "name", metavar="SOURCE", help="The telemetry source, where there are several.")
def command(window: str | None, path: str | None, top: int | None, by: str, name: str | None) -> None:
    """Compare the tokens and the money of routed requests with the others', per feature."""
    from tracker.kernel import TrackerError, near
    from tracker_telemetry import costed_log, costs, prices
    from tracker_telemetry.totals import Known, only_source

    here = session()
    if window is not None and path is not None:
        raise click.UsageError("give --window or --file, not both")
    source = here.source(name, kinds=["telemetry"]) if name else only_source(here)
    if window is not None and not here.index.knows(window):
        known = here.index.windows()
        raise TrackerError(f"no window {window!r}; {near(window, known) if known else 'there are no records yet'}")
    events: Known | costed_log.Log
    if path is not None:
        events = costed_log.read(here, source, path)
    else:
        events = Known(here, source, here.index.windows() if window is None else [window])
    found = costs.compare(source, events, cast("costs.By", by), top, prices.table(here, source))
    if here.json:
        here.data(costs.document(found, events))
        return
    click.echo("\n".join(costs.csv_lines(found)))
    if found.rows:
        here.note(costs.money_line(found))
