"""`tracker report`: everything on one page."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tracker.kernel import Command, Selection, Session, TrackerError, selection, session
from tracker_views.commands.output import deliver, out_option


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
    """Write a report of everything as one HTML file, or as Markdown.

    --json prints what its tables show.
    """
    from tracker.kernel import plural
    from tracker_views.content import gathered, period_of

    here = session()
    _check(here, out, form)
    found = gathered(here, period_of(here, selection))
    if here.json:
        from tracker_views.document import document

        here.data(document(found))
        return
    if form == "md" or (form is None and out is not None and out.suffix == ".md"):
        from tracker_views.markdown import page
    else:
        from tracker_views.html import page
    deliver(here, page(found, here.zone), out, plural(len(found.period.windows), "window"))


def _check(here: Session, out: Path | None, form: str | None) -> None:
    """Refuse a format that a report does not have, or that its destination cannot show."""
    if here.json and (out is not None or form is not None):
        raise click.UsageError("--json always prints to standard output. Leave out --out and --format.")
    if form is None and out is not None and out.suffix.lower() not in ("", ".html", ".htm", ".md"):
        raise click.BadParameter(
            f"A report is HTML or Markdown, not {out.suffix}. Expected a name such as {out.stem}.html, or --format."
            f"{' To get a PDF, print the HTML page in a browser.' if out.suffix.lower() == '.pdf' else ''}",
            param_hint="--out",
        )
    if out is None and form != "md" and not here.json and sys.stdout.isatty():
        raise TrackerError("A terminal cannot show HTML. Type `tracker report --out report.html`, or --format md.")
