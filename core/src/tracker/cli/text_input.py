"""The text of a capture: from standard input or a file, bounded and decoded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tracker.cli.options import moment
from tracker.errors import TrackerError

TIME = "When it was captured: ISO 8601, `yesterday 14:00` or `-2h` [default: now]."
ZONE = "The zone of times that name none [default: this machine's]."
LIMIT = 8 << 20  # bytes of one pane or report


def input_options(function: Any) -> Any:
    """`--stdin | --file`, `--captured-at`, `--timezone`, `--notes`, `--force`."""
    for option in reversed(
        (
            click.option("--stdin", "use_stdin", is_flag=True, help="Read the text from standard input."),
            click.option(
                "--file", "path", type=click.Path(path_type=Path), metavar="PATH", help="Read it from a file."
            ),
            click.option("--notes", metavar="TEXT", help="Anything to remember."),
            click.option("--captured-at", metavar="TIME", callback=moment, help=TIME),
            # eager, because it is the zone of the other option
            click.option("--timezone", metavar="ZONE", is_eager=True, help=ZONE),
            click.option("--force", is_flag=True, help="Store it even if a rule forbids it; the record says so."),
        )
    ):
        function = option(function)
    return function


def take_text(use_stdin: bool = True, path: Path | None = None) -> str:
    """The text of standard input or a file; invalid UTF-8 is replaced, because panes come from anywhere."""
    if use_stdin and path is not None:
        raise click.UsageError("Two texts are given. Name a file, or use --stdin.")
    if path is not None:
        try:
            with path.open("rb") as file:
                data = file.read(LIMIT + 1)
        except OSError as error:
            raise TrackerError(f"Cannot read {path}: {error.strerror}. Nothing was stored.") from error
    else:
        if sys.stdin.isatty():
            print("paste the text, then press Ctrl-D:", file=sys.stderr)
        data = sys.stdin.buffer.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise TrackerError(f"The text is too long. Expected at most {LIMIT >> 20} MB. Nothing was stored.")
    return data.decode("utf-8-sig", errors="replace")
