"""What the index holds of each record: its window's extent, and of captures their lane, time and resets."""

from __future__ import annotations

import sqlite3
from typing import Any

from attrs import define

from tracker.contract.readings import instant
from tracker.journal.index_database import row_sum
from tracker.journal.records import COUNT, PHASES, lane_of, record_id, text


@define
class Rows:
    """Adds the records of one stream to the index, in their order.

    Consecutive records of one window are one extent; a line that is not a record belongs to the extent around it.
    total: the sum of the checksums of the stream's rows.
    """

    database: sqlite3.Connection
    stream: str
    start: int
    total: int
    window: str | None = None
    _at: object = None

    def __attrs_post_init__(self) -> None:
        query = "SELECT rowid, * FROM extent WHERE stream = ? AND stop = ?"
        row = self.database.execute(query, (self.stream, self.start)).fetchone()
        if row is not None:
            # the last extent goes on
            self.database.execute("DELETE FROM extent WHERE rowid = ?", row[:1])
            self.total -= row_sum(row[1:])
            _, _, self.window, self.start, _, self._at = row

    def add(self, offset: int, line: bytes, record: dict[str, Any]) -> None:
        """Add the record at an offset."""
        window, phase = text(record.get("window")), record.get("phase")
        if window != self.window:
            self.end(offset)
            self.window, self.start = window, offset
        self._at = record.get("captured_at")
        if "tombstone" in record:
            own_id = record_id(self.stream, line, record)
            self._insert("tombstone", text(record["tombstone"]), own_id)
        elif phase in PHASES:
            self._capture(offset, line, record, phase)
        elif phase is None and isinstance(record.get("parsed"), dict):
            self._capture(offset, line, record, COUNT)

    def end(self, stop: int) -> None:
        """End the extent."""
        if self.window is not None and self.start < stop:
            self._insert("extent", self.window, self.start, stop, _epoch(self._at))

    def _capture(self, offset: int, line: bytes, record: dict[str, Any], phase: str) -> None:
        own_id, provider, parsed = record_id(self.stream, line, record), text(record.get("provider")), record["parsed"]
        lane, window, at = lane_of(record) or "", text(record.get("window")), _epoch(record.get("captured_at"))
        self._insert("capture", offset, own_id, provider, lane, window, phase, at)
        for key, value in parsed.items() if isinstance(parsed, dict) else ():
            if key.endswith("_reset_at") and instant(value):
                self._insert("reset", provider, _epoch(value), own_id)

    def _insert(self, table: str, *values: object) -> None:
        row = (self.stream, *values)
        marks = ",".join("?" * len(row))
        # of two captures with one id, as after a merge, the first counts
        if self.database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row).rowcount:
            self.total += row_sum(row)


def _epoch(value: object) -> float:
    """An instant in epoch seconds, 0 if there is none."""
    if isinstance(value, float):
        return value
    found = instant(value)
    return found.timestamp() if found else 0.0
