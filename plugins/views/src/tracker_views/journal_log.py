"""The event log: the newest records of every stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tracker.api import Cell, Column, Panel, instant
from tracker.kernel import Journal, Session

TAIL = 1 << 16  # bytes of each stream
MOST = 50


def panel(session: Session) -> Panel:
    """The newest first."""
    rows: list[tuple[datetime, Mapping[str, Cell]]] = []
    for stream in session.journal.streams():
        start = max(0, session.journal.size(stream) - TAIL)
        for _, text in session.journal.lines(stream, start):
            # the first one may be half a line
            record = Journal.decode(text or b"") or {}
            at = instant(record.get("captured_at"))
            if at is not None:
                known = {key: str(record[key]) for key in ("window", "provider", "phase", "source") if record.get(key)}
                rows.append((at, {"at": at, "stream": stream, **known}))
    rows.sort(key=lambda row: row[0], reverse=True)
    return Panel(
        name="log",
        title="Log",
        place=95,
        about="The newest records.",
        columns=(
            Column(key="at", title="At", kind="instant", rank=0),
            Column(key="stream", title="Stream", rank=0),
            Column(key="window", title="Window"),
            Column(key="provider", title="Provider"),
            Column(key="phase", title="Phase", rank=2),
            Column(key="source", title="From", rank=3),
        ),
        rows=[row for _, row in rows[:MOST]],
    )
