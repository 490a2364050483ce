"""Gemini CLI's `/stats model`: the conformance checks, and tests of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tracker.api import PreviewContext
from tracker_kit import StatusConformance, shown

import tracker_gemini

SCREENS = Path(__file__).parent / "screens"
PANE = (SCREENS / "auto.txt").read_text()
QUOTA = "42% used (Limit resets in 3h 12m)"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class TestGemini(StatusConformance):
    source = "gemini"
    screens = SCREENS


@pytest.mark.parametrize(
    ("quota", "used", "reset"),
    [
        ("42% used", 42, None),
        ("7% used (Limit resets in 23h)", 7, "2026-01-02T11:00:00+00:00"),
        ("99% used (Limit resets in 4m)", 99, "2026-01-01T12:04:00+00:00"),
        ("Limit reached", 100, None),
        ("Limit reached, resets in 5h 1m", 100, "2026-01-01T17:01:00+00:00"),
        ("42% used (Limit resets in )", 42, None),
        ("Limit reached, resets in ", 100, None),
        ("0% used (Limit resets in tomorrow)", None, None),
        ("Usage limit: 42%", None, None),
    ],
)
def test_the_quota_and_its_reset(quota: str, used: int | None, reset: str | None) -> None:
    text = PANE.replace(QUOTA, quota.ljust(len(QUOTA)))
    reading = tracker_gemini.parse_status(text, NOON)
    found = [(gauge.used, gauge.reset_at and gauge.reset_at.isoformat()) for gauge in reading.gauges]
    assert found == ([] if used is None else [(used, reset)])
    assert reading.errors == (() if found else ("insufficient-data",))


def test_a_count_that_is_no_number_is_none() -> None:
    reading = tracker_gemini.parse_status(PANE.replace("161,234", "many   ").replace("11,000 ", "-      "), NOON)
    models = reading.fields["models"]
    assert isinstance(models, dict)
    assert models["gemini-3-pro-preview"] == {
        "requests": 12,
        "input_tokens": 98111,
        "cache_read_tokens": 52123,
        "output_tokens": None,
    }


def test_the_block_shows_the_newest_session() -> None:
    sessions = [{"models": {"gemini-2.5-flash": {"requests": count, "input_tokens": None}}} for count in (1, 5)]
    block = tracker_gemini.render_preview_block(
        PreviewContext(windows=("W0-01",), records=tuple({"parsed": one} for one in sessions))
    )
    assert shown(block) == ["gemini-2.5-flash: requests=5 input_tokens=n/a"]
