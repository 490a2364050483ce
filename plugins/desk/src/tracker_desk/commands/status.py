"""`tracker status` and the home screen: the state of everything on one screen."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from shutil import get_terminal_size

import click

from tracker.kernel import Command, Number, Session, plural, session


@click.command("home", cls=Command, epilog="tracker")
def home() -> None:
    """Show every provider's meters, what is open and what comes next.

    `tracker` without a command does the same.
    """
    _show(session(), is_home=True)


@click.command("status", cls=Command, epilog="tracker status")
@click.option("--watch", type=Number(float, min=0.1, max=86_400), metavar="SECONDS", help="Refresh every SECONDS.")
def command(watch: float | None) -> None:
    """Show what is open in each lane, its last meters and what is due next.

    A lane is closed once its newest window has its AFTER, finalized or not.
    """
    here = session()
    if watch is None:
        _show(here)
        return
    try:
        _repeat(here, watch)
    except KeyboardInterrupt:  # the way out, no failure
        return


class _Screen(io.StringIO):
    """Collects what the terminal will show."""

    def isatty(self) -> bool:
        return True


def _repeat(here: Session, seconds: float) -> None:
    """One screen after another: on a terminal each replaces the last, elsewhere an empty line separates them."""
    import time

    is_drawn = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not here.json
    while True:
        if is_drawn:
            _draw(here)
        else:
            _show(here)
            click.echo()
        sys.stdout.flush()
        time.sleep(seconds)


def _draw(here: Session) -> None:
    """Draw the first lines that fit; the meters and what is next are among them."""
    kept = _Screen()
    with contextlib.redirect_stdout(kept):
        _show(here)
    shown, room = kept.getvalue().splitlines(), get_terminal_size().lines - 1
    if len(shown) > room:
        shown[room - 1 :] = [f"and {plural(len(shown) - room + 1, 'more line')}: `tracker status`"]
    click.clear()
    click.echo("\n".join(shown))


def _show(here: Session, *, is_home: bool = False) -> None:
    from attrs import evolve

    from tracker_desk import at_hand, home, status_text
    from tracker_desk.status import look

    # outlooks read the whole meter history, for which the home screen has no time
    is_whole = here.json or not is_home
    status, local = look(here, with_outlooks=is_whole), here.zone
    if is_whole:
        status = evolve(status, at_hand=at_hand.unstored(here, status))
    if here.json:
        here.data(status_text.document(here, status, local))
    elif is_home:
        home.show(here, status, local)
    else:
        status_text.show(here, status, local)
