"""`tracker` without a command: the home screen."""

from __future__ import annotations

import click

from tracker.kernel import Command, session


@click.command("home", cls=Command, epilog="tracker")
def command() -> None:
    """Show every provider's meters, what is open and what comes next.

    `tracker` without a command does the same.
    """
    from tracker.kernel import zone
    from tracker_desk import home
    from tracker_desk.status import look
    from tracker_desk.status_text import document

    here = session()
    status, local = look(here, with_outlooks=here.json), zone(here.config.timezone)
    if here.json:
        here.data(document(here, status, local))
    else:
        home.show(here, status, local)
