"""Meter values that a person read: what is no time is refused, what is odd is said."""

from __future__ import annotations

from typing import Any

import pytest

OVERRIDE = ("override", "toy", "--window", "W1", "--phase", "before")


@pytest.mark.parametrize("text", ["nonsense", "14:06", ""])
def test_a_reset_that_is_no_time_is_refused(program: Any, text: str) -> None:
    refused = program(*OVERRIDE, "--fuel-pct", "1", "--fuel-resets", text).refused(2)
    wanted = f"Invalid time '{text}'. Expected ISO 8601, such as 2026-11-22T06:30:00Z."
    assert refused == f"error: Invalid value for --fuel-resets: {wanted}"
    assert program.rows("snapshots") == []


def test_a_reset_is_kept_as_an_instant(program: Any) -> None:
    program(*OVERRIDE, "--fuel-pct", "1", "--fuel-resets", "2026-01-10T08:30:00+02:00").ok()
    [record] = program.rows("snapshots")
    assert record["parsed"]["fuel_reset_at"] == "2026-01-10T06:30:00Z"


def test_a_count_may_be_over_a_hundred(program: Any) -> None:
    done = program("override", "tally", "--window", "W1", "--phase", "before", "--calls-used", "400")
    assert done.ok() == "stored tally before snapshot for W1 (awaiting end)\n"
