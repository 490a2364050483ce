"""Captures, and how a test appends them to a journal."""

from __future__ import annotations

from typing import Any

from tracker.journal.journal import Journal

AT = "2026-01-10T08:00:00Z"


def capture(number: int, window: str = "W1", phase: str = "before", **more: Any) -> dict[str, Any]:
    own = {"record_id": f"{number:032x}", "window": window, "phase": phase, "provider": "toy", "captured_at": AT}
    return {**own, "agent_id": None, "parsed": {"fuel_pct": 1}, **more}


def add(journal: Journal, *numbers: int, stream: str = "snapshots", **more: Any) -> None:
    with journal.lock("test"):
        journal.append(stream, [capture(number, **more) for number in numbers])
