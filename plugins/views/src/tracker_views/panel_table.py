"""The board's table: the rows of one panel that pass the filter, sorted, and as many columns as fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from rich.text import Text
from textual.widgets import DataTable

from tracker.api import Cell, Panel
from tracker_views.cells import is_number, text
from tracker_views.fit import TableLayout, cut, fitted
from tracker_views.terminal import styled


class PanelTable(DataTable[Text]):
    """`needle` is what rows have to hold, `sort_key` the column they are sorted by, `is_turned` whether downwards."""

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

    def draw(self, panel: Panel, room: int) -> str:
        """Show a panel, if it is not what is shown already. Returns what is left out."""
        rows = self._chosen(panel)
        found = fitted(panel.columns, rows, room, self.zone)
        drawn = (panel.name, self.sort_key, self.is_turned, found)
        if drawn != self.drawn:
            self.drawn = drawn
            self._fill(rows, found)
        return found.note

    def _chosen(self, panel: Panel) -> list[Mapping[str, Cell]]:
        rows = list(panel.rows)
        if self.needle:
            words = self.needle.casefold()
            rows = [
                row
                for row in rows
                if any(words in text(row.get(one.key), one, self.zone).casefold() for one in panel.columns)
            ]
        key = self.sort_key
        if key is not None:
            known = [row for row in rows if row.get(key) is not None]
            known.sort(key=lambda row: row[key], reverse=self.is_turned)  # type: ignore[arg-type, return-value]
            rows = [*known, *(row for row in rows if row.get(key) is None)]
        return rows

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
