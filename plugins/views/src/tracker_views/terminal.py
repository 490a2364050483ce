"""Tables on a terminal: as wide as it is, in colour unless that is not wanted."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from tracker.api import Cell, Column
from tracker.kernel import Session, zone
from tracker_views.cells import is_number
from tracker_views.content import UNKNOWN
from tracker_views.fit import GAP, cut, fitted, width_of


def show(session: Session, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], *, total: bool) -> None:
    """Print the rows. NO_COLOR and FORCE_COLOR are rich's own; a dumb terminal gets text alone."""
    console = Console(highlight=False, no_color=session.no_color or None, soft_wrap=True)
    # rich takes a dumb terminal for 80 columns wide
    room = shutil.get_terminal_size((80, 24)).columns
    found = fitted(columns, rows, room, zone(session.config.timezone))
    console.print(_line(found.columns, found.widths, [one.title for one in found.columns], "bold"))
    for place, cells in enumerate(found.rows):
        is_total = total and place == len(found.rows) - 1
        console.print(_line(found.columns, found.widths, cells, "bold" if is_total else ""))
    if found.note:
        console.print(Text(found.note, style="dim"))


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str], style: str) -> Text:
    """Numbers at the right, text at the left, what is not known dim."""
    line = Text(style=style)
    for place, (column, width, cell) in enumerate(zip(columns, widths, cells, strict=True)):
        shown = cut(cell, width)
        space = " " * (width - width_of(shown))
        is_last = place == len(columns) - 1
        before, after = (space, "") if is_number(column) else ("", "" if is_last else space)
        line.append(" " * (GAP if place else 0) + before)
        line.append(shown, style="dim" if cell == UNKNOWN else "")
        line.append(after)
    return line
