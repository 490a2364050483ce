"""The file `hours.csv` in the data directory: a row `window,hours` for each stretch of work."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from tracker.kernel import TrackerError

if TYPE_CHECKING:
    from tracker.kernel import Session

NAME = "hours.csv"


def read(session: Session) -> dict[str, float]:
    """The hours per window, added up; none if there is no file."""
    path = session.root / NAME
    found: dict[str, float] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                try:
                    hours = float(row["hours"])
                    found[row["window"]] = found.get(row["window"], 0) + hours
                except (KeyError, TypeError, ValueError):
                    raise TrackerError(f"Invalid row in {path}, line {number}. Expected window,hours.") from None
    except FileNotFoundError:
        return {}
    return found
