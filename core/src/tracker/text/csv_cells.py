"""Cells and rows of CSV files that people open in spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from tracker.text.json_values import decoded
from tracker.text.render import escape

FORMULA = tuple("=+-@＝＋－＠")
BLANK = tuple("\t\r\n")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def cell(value: object) -> str:
    """A value as a cell: nothing in it steers a terminal, and no text runs in a spreadsheet; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = decoded(str(value))
    is_formula = text.startswith(BLANK) or text.lstrip().startswith(FORMULA)
    return f"'{escape(text)}" if is_formula and not NUMBER.fullmatch(text) else escape(text)


def csv_line(values: Sequence[object], end: str = "\n") -> bytes:
    """One row with its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerow([cell(value) for value in values])
    return text.getvalue().encode()
