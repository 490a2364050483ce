"""A count is judged by the newest limit of its own account, be it of a capture or of a sample."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NOW = datetime.now(UTC)


def reading(verdicts: Any, used: float, limit: float | None, minutes: int, account: str | None = None) -> None:
    """A reading of a count that belongs to no window."""
    at = (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    parsed = {"prompts_used": used, "prompts_reset_at": None} | ({} if limit is None else {"prompts_limit": limit})
    row = {"record_id": f"r-{used}-{minutes}", "provider": "glm", "origin": "api", "account": account}
    row |= {"captured_at": at, "until": at, "parsed": parsed}
    data = verdicts.folder / "data"
    data.mkdir(exist_ok=True)
    with (data / "readings.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def gate(verdicts: Any, *arguments: str) -> tuple[int, str]:
    done = verdicts("gate", "glm", "--meter", "prompts", *arguments)
    return done.status, done.out


@pytest.mark.parametrize("hours", [0, 5])
def test_the_vendor_changes_a_limit(verdicts: Any, hours: int) -> None:
    """Five hours later the history has each hour's highest reading alone."""
    reading(verdicts, 850, 10000, 60 * hours + 50)
    reading(verdicts, 895, 900, 60 * hours + 2)
    assert gate(verdicts, "--max-age", "6h") == (3, "stop: glm prompts: 0.56 % left, less than 10 %\n")


def test_a_later_reading_may_show_the_count_alone(verdicts: Any) -> None:
    reading(verdicts, 850, 1000, 60)
    reading(verdicts, 895, None, 2)
    assert gate(verdicts) == (0, "go: glm prompts: 10.5 % left\n")


def test_each_account_has_its_own_limit(verdicts: Any) -> None:
    reading(verdicts, 990, 1000, 9, "a" * 12)
    reading(verdicts, 20, 100, 2, "b" * 12)
    assert gate(verdicts, "--account", "a" * 12) == (3, "stop: glm prompts: 1 % left, less than 10 %\n")
    assert gate(verdicts, "--account", "b" * 12) == (0, "go: glm prompts: 80 % left\n")
