"""Tables on a terminal: as wide as it is, in colour unless that is not wanted."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from textwrap import wrap

from rich.console import Console
from rich.text import Text

from tracker.api import Cell, Column
from tracker.kernel import Session
from tracker_views.cells import is_number
from tracker_views.fit import GAP, TableLayout, cut, fitted

HIGH, PRESSING = 70, 90  # per cent from which a bar is yellow, and red
# of one cell each, for a terminal whose encoding lacks them
SIGNS = str.maketrans("█▌▒░…≥", "#+=.~>")


class Screen(Console):
    """A console that leaves a reader that stopped early to the program."""

    def on_broken_pipe(self) -> None:
        raise


def show(session: Session, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], *, total: bool) -> None:
    """Print the rows. NO_COLOR and FORCE_COLOR are rich's own; a dumb terminal gets text alone."""
    write(session, lines(columns, rows, room(), session.zone, total=total))


def room() -> int:
    """The terminal's width in cells; rich takes a dumb one for 80 wide."""
    return shutil.get_terminal_size((80, 24)).columns


def write(session: Session, found: Iterable[Text]) -> None:
    """Print lines that fit already."""
    console = Screen(highlight=False, no_color=session.no_color or None, soft_wrap=True)
    for line in found:
        if not console.encoding.startswith("utf"):
            line.plain = line.plain.translate(SIGNS)
        console.print(line)


def lines(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], room: int, local: tzinfo, *, total: bool = False
) -> Iterator[Text]:
    """The head, a line for each row, and what is left out."""
    found = fitted(columns, rows, room, local)
    yield _line(found, [Text(one.title) for one in found.columns], "bold")
    for place, (row, cells) in enumerate(zip(rows, found.rows, strict=True)):
        is_total = total and place == len(rows) - 1
        shown = [
            styled(cut(cell, width, is_name=not at), row.get(column.key), column)
            for at, (cell, column, width) in enumerate(zip(cells, found.columns, found.widths, strict=True))
        ]
        yield _line(found, shown, "bold" if is_total else "")
    if found.note:
        yield from (Text(part, style="dim") for part in wrap(found.note, room))


def styled(shown: str, value: Cell, column: Column) -> Text:
    """A cell: what is not known is dim, a bar has the colour of how full it is."""
    if value is None:
        return Text(shown, style="dim")
    drawn, gap, number = shown.rpartition(" ")
    if column.kind == "share" and gap and isinstance(value, int | float):
        colour = "red" if value >= PRESSING else "yellow" if value >= HIGH else "green"
        return Text.assemble((drawn, colour), gap, number)
    return Text(shown)


def _line(found: TableLayout, cells: Sequence[Text], style: str) -> Text:
    """Numbers at the right, text at the left."""
    line = Text(style=style)
    for place, (column, width, cell) in enumerate(zip(found.columns, found.widths, cells, strict=True)):
        space = " " * (width - cell.cell_len)
        is_last = place == len(cells) - 1
        # bars begin at the left
        is_right = is_number(column) and column.kind != "share"
        before, after = (space, "") if is_right else ("", "" if is_last else space)
        line.append(" " * (GAP if place else 0) + before)
        line.append_text(cell)
        line.append(after)
    return line
