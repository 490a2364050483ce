"""`tracker report`: everything on one page."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.kernel import Command, session


@click.command("report", cls=Command)
@click.option("--since", metavar="TIME", help="Windows that ended since this time: ISO 8601, or a span such as 30d.")
@click.option("--until", metavar="TIME", help="Windows that began at or before this time.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="The last N windows.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it [default: stdout].",
)
@click.option("--format", "form", type=click.Choice(["html", "md"]), help="[default: html, or md if FILE ends so]")
def command(since: str | None, until: str | None, last: int | None, out: Path | None, form: str | None) -> None:
    """Write a report of everything as one HTML file, or as Markdown.

    \b
    tracker report --since 30d --out report.html
    """
    from tracker.kernel import plural, replace_file, zone
    from tracker_views.content import gathered, selected
    from tracker_views.times import moment

    here = session()
    local = zone(here.config.timezone)
    begin, end = (moment(text, here.now, local) if text else None for text in (since, until))
    found = gathered(here, selected(here, begin, end, last))
    if form == "md" or (form is None and out is not None and out.suffix == ".md"):
        from tracker_views.markdown import page
    else:
        from tracker_views.html import page
    text = page(found, local)
    if out is None:
        click.echo(text, nl=False)
        return
    replace_file(out, text.encode())
    here.note(f"{out}: {plural(len(found.period.windows), 'window')}, {len(text.encode()) // 1000 + 1} kB")
