"""The board's table: the rows of one panel that pass the filter, sorted, and as many columns as fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from attrs import evolve
from rich.text import Text
from textual.widgets import DataTable

from tracker.api import Cell, Column, Panel
from tracker.kernel import plural
from tracker_views.cells import is_number, text
from tracker_views.fit import TableLayout, cut, fitted
from tracker_views.terminal import styled


class PanelTable(DataTable[Text]):
    """`needle` is what rows must contain, `sort_key` the column they are sorted by, `is_turned` whether downwards."""

    def __init__(self, zone: tzinfo) -> None:
        super().__init__(id="table", cursor_type="row", zebra_stripes=False)
        self.zone = zone
        self.needle = ""
        self.sort_key: str | None = None
        self.is_turned = False
        self.drawn: object = None

    def unsort(self) -> None:
        self.sort_key, self.is_turned = None, False

    def sort_by_next(self, panel: Panel) -> None:
        """By the next column; after the last one as the panel has its rows."""
        keys = [None, *(one.key for one in panel.columns)]
        place = keys.index(self.sort_key) if self.sort_key in keys else 0
        self.sort_key = keys[(place + 1) % len(keys)]

    def draw(self, panel: Panel, room: int) -> tuple[str, str]:
        """Show a panel, if it is not what is shown already. Returns what the filter hides, and what is left out."""
        # all rows take part in the layout: what a filter hides changes no column
        found = fitted(panel.columns, panel.rows, room, self.zone)
        chosen = self._chosen(panel, found)
        found = evolve(found, rows=tuple(cells for _, cells in chosen))
        drawn = (panel.name, self.sort_key, self.is_turned, found)
        if drawn != self.drawn:
            self.drawn = drawn
            self._fill([row for row, _ in chosen], found)
        count, passing = plural(len(panel.rows), "row"), "passes" if len(chosen) == 1 else "pass"
        hidden = f"{len(chosen)} of {count} {passing} the filter {self.needle!r}. Escape shows all."
        return hidden if self.needle else "", found.note

    def _chosen(self, panel: Panel, found: TableLayout) -> list[tuple[Mapping[str, Cell], tuple[str, ...]]]:
        """The rows that pass the filter, each with its cells, sorted; rows without a value of the column stay last."""
        chosen = list(zip(panel.rows, found.rows, strict=True))
        if self.needle:
            words = self.needle.casefold()
            chosen = [(row, cells) for row, cells in chosen if words in self._words(row, panel.columns)]
        if (key := self.sort_key) is not None:
            known = [(row, cells) for row, cells in chosen if row.get(key) is not None]
            known.sort(key=lambda one: _rank(one[0][key]), reverse=self.is_turned)
            chosen = [*known, *((row, cells) for row, cells in chosen if row.get(key) is None)]
        return chosen

    def _words(self, row: Mapping[str, Cell], columns: Sequence[Column]) -> str:
        """The values of a row as they are filtered, apart from each other."""
        return "\0".join(text(row.get(one.key), one, self.zone).casefold() for one in columns)

    def _fill(self, rows: Sequence[Mapping[str, Cell]], found: TableLayout) -> None:
        line, top = self.cursor_row, self.scroll_y
        self.clear(columns=True)
        for column, width in zip(found.columns, found.widths, strict=True):
            mark = (" ↓" if self.is_turned else " ↑") if column.key == self.sort_key else ""
            self.add_column(Text(column.title + mark, justify="right" if is_number(column) else "left"), width=width)
        for row, cells in zip(rows, found.rows, strict=True):
            shown = []
            for cell, column, width in zip(cells, found.columns, found.widths, strict=True):
                shown.append(styled(cut(cell, width), row.get(column.key), column))
                shown[-1].justify = "right" if is_number(column) else "left"
            self.add_row(*shown)
        self.move_cursor(row=min(line, max(len(found.rows) - 1, 0)), scroll=False)
        self.scroll_to(y=top, animate=False)


def _rank(value: Cell) -> tuple[int, Any]:
    """The place of a value among others: a third party's column may hold several kinds."""
    return (0 if isinstance(value, int | float) else 1 if isinstance(value, datetime) else 2), value
