"""`tracker scoreboard`: a table per group of windows."""

from __future__ import annotations

import click

from tracker.kernel import Command, Selection, Session, selection, session
from tracker_verdict.options import price_option


@click.command("scoreboard", cls=Command, epilog="tracker scoreboard --by lane")
@click.option(
    "--by",
    type=click.Choice(["provider", "methodology", "lane", "outcome"]),
    default="provider",
    show_default=True,
    help="What to group windows by.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json", "markdown", "csv"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@price_option
@selection()
def command(by: str, layout: str, given: tuple[str, ...], selection: Selection) -> None:
    """Show features, capacity, efficiency, churn, tokens and money per group of windows.

    Tokens come from session logs and streams. Those that `tracker checkpoint` records are only in the token ledger.
    """
    from tracker_verdict import scoreboard as board
    from tracker_verdict.price import prices

    here = session()
    known = prices(here, given)
    windows = selection.windows(here)
    found = board.scoreboard(here, by, known, windows)
    if here.json or layout == "json":
        here.data(found)
        return
    if found and layout == "text" and here.table(*board.table(found)):
        return
    shapes = {"text": board.as_text, "markdown": board.as_markdown, "csv": board.as_csv}
    if found or layout != "text" or not here.is_terminal:
        click.echo("\n".join(shapes[layout](found)))
    if not found:
        here.note(f"note: no finalized window{_which(here, windows)}")


def _which(session: Session, windows: list[str] | None) -> str:
    """Which windows are missing, and what to do about it."""
    from tracker.kernel import Windows

    which = "" if windows is None else " among those that you selected"
    if any(one.measured for one in Windows(session).missing_plugins(windows)):
        return f"{which} that can be read"
    return f"{which}; finish one with `tracker complete --window W`"
