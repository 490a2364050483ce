"""Panes of Codex's `/status` that a test writes row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tracker.api import Gauge, Reading
from tracker_codex import status

CAPTURED = datetime(2026, 11, 22, 6, 33, 40, tzinfo=UTC)


def read(text: str, captured_at: datetime = CAPTURED, timezone: str = "UTC") -> Reading:
    return status.parse_status(text=text, captured_at=captured_at, timezone=ZoneInfo(timezone))


def used(reading: Reading) -> dict[str, float | None]:
    return {gauge.meter: gauge.used for gauge in reading.gauges}


def pane(*rows: str, version: str | None = "0.169.0") -> str:
    """A pane of 0.160 and later; without a version, one whose head was not copied."""
    head = f"/status\n\n  >_ OpenAI Codex (v{version})\n\n" if version else ""
    return "\n".join([f"{head}  Model:  gpt-5\n", *rows, "\n\n› Ask Codex to do anything\n"])


def boxed(*rows: str, version: str = "0.94.0", width: int = 76) -> str:
    """A pane of 0.42 to 0.158, whose box cuts off what is too long."""
    lines = [f"  >_ OpenAI Codex (v{version})", "", "  Model:  gpt-5", *rows]
    box = [f"│{line:{width}.{width}}│" for line in lines]
    return "\n".join(["/status", "", "╭" + "─" * width + "╮", *box, "╰" + "─" * width + "╯", "", "› Ask Codex"])


def row(text: str, **arguments: str | None) -> Gauge:
    [gauge] = read(pane(text, **arguments)).gauges
    return gauge
