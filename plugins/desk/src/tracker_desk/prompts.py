"""Questions, answered on a terminal or by piped lines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from tracker.kernel import TrackerError

T = TypeVar("T")


def asked(ask: Callable[[], T]) -> T:
    """The answer; an error if there is none."""
    try:
        return ask()
    except click.Abort:
        # the question's line has no end yet
        click.echo(err=True)
        if sys.stdin.isatty():
            click.echo("Nothing was written.", err=True)
            raise
        why = "The answers ended early, and nothing was written. Use --yes to run without questions."
        raise TrackerError(why) from None
