"""`tracker board`: a live board in the terminal."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from tracker.kernel import Command, TrackerError, replace_file, session

PERIODS = ("today", "7d", "30d", "all")


@click.command("board", cls=Command, epilog="tracker board --once --out board.svg")
@click.option(
    "--period", type=click.Choice(PERIODS), default="today", show_default=True, help="The time that is shown."
)
@click.option("--once", is_flag=True, help="Print one picture of it as SVG, and end.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the picture there.")
def command(period: str, once: bool, out: Path | None) -> None:
    """Show meters, usage, windows, lanes, anomalies and the log, live. `?` shows the keys."""
    if out is not None and not once:
        raise click.UsageError("--out needs --once.")
    if not once and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TrackerError("The board needs a terminal. Type `tracker board --once > board.svg` for a picture.")
    from tracker_views.board import Board, picture

    board = Board(session(), period)
    if not once:
        board.run()
        return
    size = shutil.get_terminal_size((110, 34)) if sys.stdout.isatty() else (110, 34)
    text = picture(board, (size[0], size[1]))
    if out is None:
        click.echo(text, nl=False)
    else:
        replace_file(out, text.encode())
