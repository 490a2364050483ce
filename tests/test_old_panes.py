"""Panes from a while ago: no reset is read into a year in which it cannot be, and an old pane is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.windows.window import SLACK, CaptureRequest, dated
from tracker_claude import usage
from tracker_codex import status

PLUGINS = Path(__file__).parents[1] / "plugins"
CAPTURED = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
BUFFER = timedelta(minutes=5)


def screens(plugin: str) -> list[tuple[str, str]]:
    found = sorted((PLUGINS / plugin / "tests" / "screens").rglob("*.txt"))
    return [(path.stem, path.read_text(encoding="utf-8")) for path in found]


@pytest.mark.parametrize("days", [1, 3, 6, 30, 200, 364])
@pytest.mark.parametrize("plugin", ["codex", "claude"])
def test_no_reset_lies_beyond_its_window(plugin: str, days: int) -> None:
    provider = {"codex": status, "claude": usage}[plugin]
    source: Source = provider.source_info()
    at = CAPTURED + timedelta(days=days)
    for name, text in screens(plugin):
        reading = provider.parse_status(text, at, UTC)
        kept = dated(CaptureRequest(source, reading, text, at, "alias", force=True), BUFFER)
        for gauge in kept.gauges:
            meter = source.meter(gauge.meter)
            assert meter is not None
            if gauge.reset_at is not None and meter.longest is not None:
                assert gauge.reset_at <= at + meter.longest + SLACK, (name, gauge)


@pytest.mark.parametrize("days", [6, 30, 200])
def test_a_pane_whose_resets_are_over_is_refused(days: int) -> None:
    text = (PLUGINS / "codex" / "tests" / "screens" / "v0.155.0_base.txt").read_text(encoding="utf-8")
    # its times of day without a date are over, too
    at = CAPTURED + timedelta(days=days, hours=7)
    request = CaptureRequest(status.source_info(), status.parse_status(text, at, UTC), text, at, "alias")
    with pytest.raises(TrackerError, match="This codex pane is older than "):
        dated(request, BUFFER)


def test_the_reset_of_a_meter_without_a_known_window_makes_no_pane_new() -> None:
    text = (PLUGINS / "claude" / "tests" / "screens" / "v2.1.330_base_max_110col.txt").read_text(encoding="utf-8")
    text, at = text.replace("Sonnet only", "Fable"), datetime(2026, 6, 20, 12, 30, tzinfo=UTC)
    reading = usage.parse_status(text, at, UTC)
    assert reading.gauge("fable") is not None
    with pytest.raises(TrackerError, match="This claude pane is older than 2026-06-20 "):
        dated(CaptureRequest(usage.source_info(), reading, text, at, "alias"), BUFFER)


def test_a_time_of_day_that_is_too_far_ahead_says_no_more() -> None:
    text = ">_ OpenAI Codex (v0.169.0)\n  5h limit: [██████████████████░░] 89% left (resets 23:30)\n"
    at = CAPTURED - timedelta(hours=1)
    reading = status.parse_status(text, at, UTC)
    with pytest.raises(TrackerError) as error:
        dated(CaptureRequest(status.source_info(), reading, text, at, "alias"), BUFFER)
    assert str(error.value).startswith(
        "This codex pane is not from 2026-11-22 05:30 UTC: its resets do not fit that time."
        " Capture a new one, give the right time of this one with --captured-at, or store it"
    )
    right = CAPTURED.replace(hour=20)
    reading = status.parse_status(text, right, UTC)
    assert dated(CaptureRequest(status.source_info(), reading, text, right, "alias"), BUFFER).errors == ()


def test_a_model_has_the_window_of_its_label() -> None:
    meter = status.source_info().meter("gpt_5_3_codex_spark_weekly")
    assert meter is not None
    assert meter.window == timedelta(days=7)
    assert [(one.window, one.rounding) for one in (usage.source_info().meter("fable"),) if one] == [(None, "floor")]


PANE = """>_ OpenAI Codex (v0.169.0)
  5h limit: {0}% left (resets 18:00)
  Weekly limit: {0}% left (resets 06:00 on {1})
"""


@pytest.mark.parametrize("day", ["20 Nov", "21 Nov", "22 Nov"])
def test_an_old_before_in_which_a_time_of_day_fits_measures_nothing(tracker_inside: Any, day: str) -> None:
    """Its week was over when it was captured: what the new week used since is no rise from it."""
    for phase, hour, pane in (("start", 15, PANE.format(67, day)), ("end", 16, PANE.format(60, "28 Nov"))):
        at = f"2026-11-22T{hour}:04:00Z"
        assert tracker_inside(phase, "codex", "--stdin", "--captured-at", at, stdin=pane, TZ="UTC").returncode == 0
    done = tracker_inside("complete", "--window", "W0-01", "--codex-features", "1")
    assert "capacity=n/a" in done.stdout
    assert "note: codex: reset-crossed:weekly (the meter was reset in between" in done.stderr
