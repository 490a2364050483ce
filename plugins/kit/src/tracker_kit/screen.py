"""Screens: captured texts, each with the reading that is expected of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

CAPTURED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)  # of a screen that nobody recorded yet


class Screen:
    """One captured text `NAME.txt`, and `NAME.json` beside it.

    The JSON holds `captured_at`, `timezone`, `scope` and `origin`, which `parse_status` is given, and `parsed`: what
    the record of that capture holds. `--update-screens` writes it if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.beside = path, path.stem, path.with_suffix(".json")
        self.text = path.read_bytes().decode()
        self.expected: dict[str, Any] = {"captured_at": CAPTURED_AT.isoformat()}
        self.is_recorded = self.beside.exists()
        if self.is_recorded:
            self.expected |= json.loads(self.beside.read_text(encoding="utf-8"))
        self.captured_at = datetime.fromisoformat(self.expected["captured_at"])
        self.timezone = ZoneInfo(self.expected.get("timezone") or "UTC")

    @property
    def arguments(self) -> dict[str, Any]:
        """What `parse_status` is given beside the text."""
        return {
            "captured_at": self.captured_at,
            "timezone": self.timezone,
            "scope": self.expected.get("scope"),
            "origin": self.expected.get("origin"),
        }

    def record(self, parsed: dict[str, Any] | None) -> None:
        """Write what is expected from now on; the diff shows the change."""
        self.expected["parsed"] = parsed
        text = json.dumps(self.expected, indent=2, ensure_ascii=False)
        self.beside.write_text(text + "\n", encoding="utf-8")


def screens(folder: Path) -> list[Screen]:
    return [Screen(path) for path in sorted(folder.glob("*.txt"))]
