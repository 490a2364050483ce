"""Rows of the meter history that somebody edited: they may hide themselves, but end no command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NOW = datetime.now(UTC)
FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"


def row(number: int, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(hours=6 - 3 * number)).isoformat()
    reset = (NOW + timedelta(days=3)).isoformat()
    parsed = {"weekly_used": 40 + number, "weekly_reset_at": reset}
    own = {"record_id": f"r{number}", "origin": "rollout", "provider": "codex", "account": None}
    return {**own, "captured_at": at, "until": at, "parsed": parsed, **more}


@pytest.mark.parametrize(
    "edited",
    [
        {"account": 5},
        {"until": FIRST},
        {"captured_at": FIRST, "until": FIRST},
        {"parsed": {"weekly_used": 1e300, "weekly_reset_at": None}},
        {"parsed": {"weekly_used": 41, "weekly_reset_at": FIRST}},
        {"parsed": {"weekly_used": 41, "weekly_reset_at": LAST}},
        {
            "captured_at": FIRST,
            "until": FIRST,
            "parsed": {"weekly_used": 41, "weekly_reset_at": "0001-01-03T00:00:00Z"},
        },
    ],
)
def test_an_edited_row_ends_no_command(verdicts: Any, edited: dict[str, Any]) -> None:
    data = verdicts.folder / "data"
    data.mkdir()
    rows = [row(0, account="a1"), row(1, **edited), row(2)]
    (data / "readings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    for words in (("meters",), ("plan",), ("status",), ("report", "--format", "md")):
        verdicts(*words).ok()
    assert "42% used at " in verdicts("plan").ok()


def test_a_history_of_edited_rows_alone_is_shown(verdicts: Any) -> None:
    data = verdicts.folder / "data"
    data.mkdir()
    rows = [row(number, until=FIRST, parsed={"weekly_used": 1e300 if number else 5}) for number in range(3)]
    (data / "readings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    for words in (("meters",), ("status",)):
        verdicts(*words).ok()
