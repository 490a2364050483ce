"""`tracker report`: everything on one page."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tracker.kernel import Command, Selection, TrackerError, selection, session
from tracker_views.commands.output import out_option


@click.command("report", cls=Command, epilog="tracker report --since 30d --out report.html")
@selection()
@out_option("The file to write [default: standard output].")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md"]),
    help="The format [default: html, or md if FILE ends with .md].",
)
def command(out: Path | None, form: str | None, selection: Selection) -> None:
    """Write a report of everything as one HTML file, or as Markdown."""
    from tracker.kernel import plural, replace_file
    from tracker_views.content import gathered, period_of

    if form is None and out is not None and out.suffix.lower() not in ("", ".html", ".htm", ".md"):
        raise click.BadParameter(
            f"A report is HTML or Markdown, not {out.suffix}. Expected a name such as {out.stem}.html, or --format."
            f"{' To get a PDF, print the HTML page in a browser.' if out.suffix.lower() == '.pdf' else ''}",
            param_hint="--out",
        )
    if out is None and form != "md" and sys.stdout.isatty():
        raise TrackerError("A terminal does not show HTML. Type `tracker report --out report.html`, or --format md.")
    here = session()
    local = here.zone
    found = gathered(here, period_of(here, selection))
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
