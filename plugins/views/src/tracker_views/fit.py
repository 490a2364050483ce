"""Tables that fit a width: columns go in a declared order, and what went is said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from attrs import evolve, frozen
from rich.cells import cell_len, set_cell_size

from tracker.api import Cell, Column
from tracker_views.cells import bar, is_filled, short, text

GAP = 2
NONE = "-"  # what is not known, in narrow cells
BARS = (20, 10)  # characters of a bar; columns are left out before there is none
PHONE, SHORT = 60, 6  # on so few columns a bar may be shorter, and a large count is rounded
LARGE = 100_000
WIDE = 24  # cells that a long text column keeps before others are left out
LEAST = 8  # cells that a long text column keeps
ID = re.compile(r"\A([0-9a-f]{6})[0-9a-f]{6}\Z")  # of an account: its first digits tell it from others
COMMAND = re.compile(r"(?:^|`)tracker ")


@frozen(kw_only=True)
class TableLayout:
    """The columns that fit with their widths, the cells' text, and the titles of what was left out."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]

    @property
    def note(self) -> str:
        """What is not shown; empty if everything is."""
        # a comma stands before a unit, too
        names = ", ".join(one.partition(", ")[0] for one in self.left_out)
        return f"Not shown at this width: {names}." if names else ""


def fitted(columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], room: int, zone: tzinfo) -> TableLayout:
    """Leave out the columns without a value, then those of the highest rank, the last one first.

    Times are in the zone, whose letters are in the head: both those of summer and of winter. A cut command would be
    another command, so its column is shown whole, or left out if it may be.
    """
    named = [evolve(one, title=_title(one, rows, zone)) if one.kind == "instant" else one for one in columns]
    kept = [one for one in named if not one.rank or is_filled(one, rows)]
    cells: dict[str, list[str]] = {}
    widths: dict[str, int] = {}

    def measure(columns: Sequence[Column], size: int) -> bool:
        """Whether all fit with bars of a size."""
        cells.update({one.key: [_cell(row, one, zone, size, is_phone=room < PHONE) for row in rows] for one in columns})
        widths.update({one.key: max(map(cell_len, (one.title, *cells[one.key]))) for one in columns})
        return _needed(widths, kept) <= room

    measure(kept, 0)
    texts = [one for one in kept if one.kind == "text"]
    narrow = [one for one in texts if not one.rank or not any(map(COMMAND.search, cells[one.key]))]
    shares = [one for one in kept if one.kind == "share"]
    sizes = (*BARS, SHORT) if room < PHONE else BARS
    if not any(measure(shares, size) for size in sizes):
        # cut long texts before any column is left out
        small = [one.key for one in kept[1:] if not one.rank] if room < PHONE else []
        widths.update({one.key: min(widths[one.key], LEAST if one.key in small else WIDE) for one in narrow})
    left_out = _leave_out(kept, widths, rows, room)
    any(measure(shares, size) for size in (*sizes, 0))
    _narrow(kept, [one for one in narrow if one in kept], widths, room)
    for one in kept:
        # what was narrowed takes the room that is left
        whole = max(map(cell_len, (one.title, *cells[one.key])))
        widths[one.key] += max(0, min(whole - widths[one.key], room - _needed(widths, kept)))
    return TableLayout(
        columns=tuple(kept),
        widths=tuple(widths[one.key] for one in kept),
        rows=tuple(zip(*(cells[one.key] for one in kept), strict=True)) if kept else ((),) * len(rows),
        left_out=tuple(reversed(left_out)),
    )


def _title(column: Column, rows: Sequence[Mapping[str, Cell]], zone: tzinfo) -> str:
    """The head of times, such as `From (CET/CEST)`."""
    instants = [one.astimezone(zone) for row in rows if isinstance(one := row.get(column.key), datetime)]
    letters = {f"{one:%Z}": one.utcoffset() or timedelta() for one in instants or [datetime.now(zone)]}
    return f"{column.title} ({'/'.join(sorted(letters, key=lambda name: letters[name]))})"


def _leave_out(
    kept: list[Column], widths: Mapping[str, int], rows: Sequence[Mapping[str, Cell]], room: int
) -> list[str]:
    """Take columns out until the others fit: empty ones first; of a range both ends. The titles, the last one first."""
    empty = {one.key for one in kept[1:] if not is_filled(one, rows)}
    left_out = []
    while len(kept) > 1 and _needed(widths, kept) > room:
        last = max(kept[1:], key=lambda one: (one.key in empty, one.rank, kept.index(one)))
        if not last.rank and last.key not in empty:
            break
        pair = {last.key, last.key.replace("high", "low")}
        for one in [one for one in reversed(kept[1:]) if one.key in pair]:
            kept.remove(one)
            left_out.append(one.title)
    return left_out


def _narrow(kept: Sequence[Column], texts: Sequence[Column], widths: dict[str, int], room: int) -> None:
    """Take from the widest text until all fit, or no text is longer than the least."""
    while (over := _needed(widths, kept) - room) > 0:
        widest = max(texts, key=lambda one: widths[one.key], default=None)
        if widest is None or widths[widest.key] <= LEAST:
            break
        widths[widest.key] = max(LEAST, widths[widest.key] - over)


def _cell(row: Mapping[str, Cell], column: Column, zone: tzinfo, size: int, *, is_phone: bool) -> str:
    """A cell's text, a share with its bar."""
    value = row.get(column.key)
    if is_phone and column.kind == "count" and isinstance(value, int | float) and abs(value) >= LARGE:
        return short(value, column)
    shown = NONE if value is None else text(value, column, zone)
    if column.key == "account":
        shown = ID.sub(r"\1", shown)
    if column.kind != "share" or not size or not isinstance(value, int | float):
        return shown
    low, high = (row.get(key) if key else None for key in (column.low, column.high))
    return f"{bar(value, low, high, size)} {shown:>4}"


def _needed(widths: Mapping[str, int], kept: Sequence[Column]) -> int:
    return sum(widths[one.key] for one in kept) + GAP * (len(kept) - 1)


def cut(shown: str, width: int, *, is_name: bool = False) -> str:
    """The text in `width` cells, with a sign if it was longer. A name keeps its end: long ones often begin alike."""
    if cell_len(shown) <= width:
        return shown
    end = shown[-(width // 2) :] if is_name and cell_len(shown) == len(shown) else ""
    return f"{set_cell_size(shown, width - 1 - cell_len(end)).rstrip()}…{end}"
