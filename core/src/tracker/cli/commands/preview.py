"""`tracker preview`: what the windows delivered."""

from itertools import chain, islice

import click

from tracker.cli.command import Command
from tracker.cli.options import Selection, selection
from tracker.session import session
from tracker.text.render import line

LINES = 1000  # that are shown at once


@click.command("preview", cls=Command, epilog="tracker preview --last 10")
@selection()
def command(selection: Selection) -> None:
    """Show what the windows delivered per unit of quota."""
    from tracker.contract.features import Period
    from tracker.windows.reader import Windows

    here = session()
    preview = Windows(here).preview(chosen := selection.windows(here))
    Windows(here).note_missing(preview.absent)
    if here.json:
        here.data(preview.document())
        return
    has_tables = here.is_terminal and here.registry.first("show_preview", session=here, preview=preview)
    lines = iter(()) if has_tables else preview.lines()
    while some := list(islice(lines, LINES)):
        here.show("\n".join(some))
    period = Period(windows=preview.windows, names=("preview",))
    for panel in () if has_tables else chain(*here.registry.ask("panels", session=here, period=period)):
        if panel.name in period.names and (said := [*panel.headlines, *panel.missing]):
            here.show("\n  - ".join(map(line, (f"{panel.title}:", *said))))
    for note in preview.notes(is_all=len(preview.windows) == len(here.index.windows())):
        here.note(note)
    if not preview.windows and chosen is not None:
        here.note("note: No window matches. Run `tracker windows` to see all of them.")
    elif not preview.windows:
        here.note(f"note: {here.root} holds no windows. Begin with `tracker start PROVIDER --stdin`.")
