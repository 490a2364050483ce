"""`tracker preview`: what the windows delivered."""

from __future__ import annotations

import click

from tracker.cli.command import Command
from tracker.cli.options import Selection, selection, window_option
from tracker.session import session


@click.command("preview", cls=Command, epilog="tracker preview --last 10")
@window_option(names=("windows",), multiple=True, metavar="W ...", help="The windows [default: all].")
@selection()
def command(windows: tuple[str, ...], selection: Selection) -> None:
    """Show what the windows delivered per unit of quota."""
    from tracker.preview import assemble
    from tracker.windows.reader import Windows

    here = session()
    for window in windows:
        if not here.index.knows(window) or window in here.index.emptied():
            raise Windows(here).no_window(window)
    chosen = selection.windows(here)
    shown = list(windows) or (here.index.windows() if chosen is None else chosen)
    if chosen is not None:
        shown = [window for window in shown if window in chosen]
    preview = assemble(here, dict.fromkeys(shown))
    Windows(here).note_missing(preview.absent)
    if here.json:
        here.data(preview.document())
        return
    here.show("\n".join(preview.lines()))
    for note in preview.notes(is_all=not windows and chosen is None):
        here.note(note)
    if not shown and chosen is not None:
        here.note("note: No window fits. Run `tracker windows` to see all of them.")
    elif not shown:
        here.note(f"note: {here.root} holds no records. Begin with `tracker start PROVIDER --stdin`.")
