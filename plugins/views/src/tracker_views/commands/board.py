"""`tracker board`: a live board in the terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from tracker.kernel import Command, TrackerError, session
from tracker_views.commands.output import deliver, out_option

PERIODS = {"today": timedelta(0), "7d": timedelta(days=7), "30d": timedelta(days=30), "all": None}


class Every(click.ParamType[timedelta]):
    """An interval, from a minute to a week."""

    name = "interval"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,5})([mhd])", str(value).strip().lower())
        length = timedelta(minutes=int(found[1]) * {"m": 1, "h": 60, "d": 1440}[found[2]]) if found else timedelta(0)
        if not timedelta(0) < length <= timedelta(days=7):
            self.fail(f"Invalid interval {value!r}. Expected 5m, 2h or 1d.", param, ctx)
        return length


def check_terminal() -> None:
    """Refuse to draw if nobody could see it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise TrackerError("The board needs a terminal. Type `tracker board --once > board.svg` for a picture.")
    if "utf" not in (encoding := sys.stdout.encoding.lower()):
        raise TrackerError(f"{encoding} cannot encode the board's lines. Set PYTHONUTF8=1, or type `tracker status`.")


@click.command("board", cls=Command, epilog="tracker board --once --out board.svg")
@click.option("--period", type=click.Choice([*PERIODS]), default="today", show_default=True, help="The time to show.")
@click.option(
    "--every",
    type=Every(),
    metavar="INTERVAL",
    help="Also read the meters, as `tracker watch` does, every 5m, 2h or 1d [default: show what is recorded].",
)
@click.option("--once", is_flag=True, help="Write one picture of the board as SVG and exit.")
@out_option("Write the picture to this file.")
def command(period: str, every: timedelta | None, once: bool, out: Path | None) -> None:
    """Show meters, usage, windows, lanes, anomalies and the log, live. `?` shows the keys."""
    if out is not None and not once:
        raise click.UsageError("--out needs --once.")
    if every is not None and once:
        raise click.UsageError("--once reads no meters. Leave out --every.")
    if session().json:
        raise click.UsageError("The board has no JSON. Type `tracker report --json` or `tracker status --json`.")
    if not once:
        check_terminal()
    if once and out is None and sys.stdout.isatty():
        raise TrackerError("A terminal cannot show SVG. Type `tracker board --once --out board.svg`.")
    from tracker_views.board import Board
    from tracker_views.refresh import ProcessReader

    if not once:
        live = Board(session(), period, every, ProcessReader())
        live.run()
        sys.exit(live.return_code)
    board = Board(session(), period)
    size = shutil.get_terminal_size((110, 34)) if sys.stdout.isatty() else (110, 34)
    deliver(session(), board.picture((size[0], size[1])), out)
