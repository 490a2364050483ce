"""What the index remembers of each record: its window's extent, and of captures their lane, time and resets."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from attrs import define

from tracker.contract.parsed import instant

STAMP = re.compile(r"\bAGENT_ID=([\w.-]+)")
PHASES = ("before", "after")
COUNT = "count"


def identity(stream: str, line: bytes, record: dict[str, Any]) -> str:
    """The record's id; one derived from its line where it is older than ids (schema 1.0.0)."""
    found = record.get("record_id")
    if isinstance(found, str) and found:
        return found
    return hashlib.blake2b(line, digest_size=16, person=stream.encode()[:16]).hexdigest()


def lane_of(record: dict[str, Any]) -> str | None:
    """The lane of a record; schema 1.0.0 has it in the notes alone, behind what the caller wrote."""
    found = record.get("agent_id")
    if found is None and "agent_id" not in record:
        stamps = STAMP.findall(text(record.get("notes")))
        return stamps[-1] if stamps else None
    return found if isinstance(found, str) and found else None


def without_text(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without the pane that it was read from: of many, the figures alone fit into memory."""
    return {key: value for key, value in record.items() if key != "raw_text"}


def text(value: object) -> str:
    """The text, an empty one for anything else."""
    return value if isinstance(value, str) else ""


@define
class Notes:
    """Records of one stream on their way into the index, in their order.

    Runs of records of one window are one extent; a line that is no record belongs to the run that it stands in.
    """

    database: sqlite3.Connection
    stream: str
    start: int
    window: str | None = None

    def __attrs_post_init__(self) -> None:
        query = "SELECT window, start FROM extent WHERE stream = ? AND stop = ?"
        row = self.database.execute(query, (self.stream, self.start)).fetchone()
        if row is not None:  # the last run goes on
            self.database.execute("DELETE FROM extent WHERE stream = ? AND stop = ?", (self.stream, self.start))
            self.window, self.start = row

    def take(self, offset: int, line: bytes, record: dict[str, Any]) -> None:
        """Note the record that stands at an offset."""
        self.enter(offset, text(record.get("window")))
        if "tombstone" in record:
            values = (self.stream, text(record["tombstone"]), identity(self.stream, line, record))
            self.database.execute("INSERT INTO tombstone VALUES (?, ?, ?)", values)
        elif record.get("phase") in PHASES:
            self._capture(offset, identity(self.stream, line, record), record["phase"], record)
        elif record.get("phase") is None and isinstance(record.get("parsed"), dict):
            # a count of schema 1.0.0, which closes its window
            self._capture(offset, identity(self.stream, line, record), COUNT, record)

    def enter(self, offset: int, window: str) -> None:
        """Say that what follows is of a window."""
        if window != self.window:
            self._extend(offset)
            self.window, self.start = window, offset

    def end(self, stop: int) -> None:
        """Say where the last record ends."""
        self._extend(stop)

    def _extend(self, stop: int) -> None:
        if self.window is not None and self.start < stop:
            values = (self.stream, self.window, self.start, stop)
            self.database.execute("INSERT INTO extent VALUES (?, ?, ?, ?)", values)

    def _capture(self, offset: int, record_id: str, phase: str, record: dict[str, Any]) -> None:
        taken, provider = instant(record.get("captured_at")), text(record.get("provider"))
        lane, window = lane_of(record) or "", text(record.get("window"))
        at = taken.timestamp() if taken else 0.0
        values = (self.stream, offset, record_id, provider, lane, window, phase, at)
        self.database.execute("INSERT OR IGNORE INTO capture VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        parsed = record.get("parsed")
        for key, value in parsed.items() if isinstance(parsed, dict) else ():
            if key.endswith("_reset_at") and (reset := instant(value)):
                row = (self.stream, provider, reset.timestamp(), record_id)
                self.database.execute("INSERT INTO reset VALUES (?, ?, ?, ?)", row)
