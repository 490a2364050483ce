"""`tracker window-audit`: every record of a window, and everything that was taken back."""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import partial

import click

from tracker.api import instant
from tracker.kernel import Command, Windows, session, window_option

INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


@click.command("window-audit", cls=Command, epilog="tracker window-audit --window W0-01")
@window_option(required=True)
def command(window: str) -> None:
    """Show every record of a window, including those that were taken back."""
    from tracker_desk.audit import audit, lines

    here = session()
    if not here.index.knows(window):
        raise Windows(here).no_window(window)
    found = audit(here, window)
    Windows(here).note_missing(Windows(here).missing_plugins([window]))
    if here.json:
        here.data(found)
    else:
        local = partial(_local, here.zone)
        for text in lines(found):
            is_cure = text.lstrip().startswith("cure:")
            here.show(INSTANT.sub(local, text) if here.is_terminal else text, has_cures=is_cure)


def _local(local: tzinfo, found: re.Match[str]) -> str:
    """An instant as a person reads it."""
    at = instant(found[0])
    return f"{at.astimezone(local):%Y-%m-%d %H:%M:%S %Z}" if at else found[0]
