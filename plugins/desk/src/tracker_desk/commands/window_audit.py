"""`tracker window-audit`: everything that stands in a window, and everything that was taken back."""

from __future__ import annotations

import click

from tracker.kernel import Command, Windows, session, window_option


@click.command("window-audit", cls=Command, epilog="tracker window-audit --window W0-01")
@window_option(required=True)
def command(window: str) -> None:
    """Show every record of a window, also those that were taken back."""
    from tracker_desk.audit import audit, lines

    here = session()
    if not here.index.knows(window):
        raise Windows(here).no_window(window)
    found = audit(here, window)
    Windows(here).note_missing(Windows(here).missing_plugins([window]))
    if here.json:
        here.data(found)
    else:
        here.show("\n".join(lines(found)))
