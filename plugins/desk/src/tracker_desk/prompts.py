"""Questions: on a terminal, or answered by lines that are piped in."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TypeVar

import click

from tracker.kernel import TrackerError

T = TypeVar("T")


def asked(ask: Callable[[], T]) -> T:
    """The answer; an error if there is none."""
    # click 8.2 and 8.3 write a space to stdout with every question
    quiet = contextlib.nullcontext() if sys.stdin.isatty() else contextlib.redirect_stdout(sys.stderr)
    try:
        with quiet:
            return ask()
    except click.Abort:
        # the question's line has no end yet
        click.echo(err=True)
        if sys.stdin.isatty():
            click.echo("Nothing was written.", err=True)
            raise
        why = "The answers ended early, and nothing was written. Use --yes to run without questions."
        raise TrackerError(why) from None
