"""`tracker cost-compare`: what routing costs or saves, per feature."""

from __future__ import annotations

import click

from tracker.command import Command
from tracker.session import session


@click.command("cost-compare", cls=Command)
@click.option("--window", metavar="W", help="A window [default: all].")
@click.option("--file", "path", metavar="PATH", help="A log that is not stored; - is standard input.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first N rows; the totals cover all.")
@click.option("--by", type=click.Choice(["rid", "model", "lane", "day"]), default="rid", show_default=True)
@click.option("--source", "name", metavar="SOURCE", help="The telemetry source, where there are several.")
def command(window: str | None, path: str | None, top: int | None, by: str, name: str | None) -> None:
    """Compare the tokens and the money of routed requests with the others', per feature."""
    from tracker.errors import TrackerError
    from tracker.verdicts import costs, prices
    from tracker.wording import near

    here = session()
    if window is not None and path is not None:
        raise click.UsageError("give --window or --file, not both")
    source = costs.telemetry_source(here, name)
    if window is not None and window not in (known := here.index.windows()):
        raise TrackerError(f"no window {window!r}; {near(window, known) if known else 'there are no records yet'}")
    found = costs.file_events(here, source, path) if path else costs.stored_events(here, source, window)
    result = costs.costs(source, found, by, prices.table(here, source))  # type: ignore[arg-type]
    if here.json:
        here.data(costs.document(result, by, top))  # type: ignore[arg-type]
        return
    click.echo("\n".join(costs.csv_lines(result, by, top)))  # type: ignore[arg-type]
    if result.lines:
        here.note(costs.money_line(result))
