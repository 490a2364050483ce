"""A floored meter: what a reading stands for counts, what was read is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from toys import STATUS

RESET = "2026-01-08T00:00:00+00:00"
METER = 'Meter(key="fuel", title="Fuel")'
FLOORED = 'Meter(key="fuel", title="Fuel", window=timedelta(days=7), rounding="{}")'


@pytest.fixture
def delta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The delta of a window from one pane to another, and the values that were stored."""
    from inprocess import Program

    from tracker.hosting.discovery import Plugin
    from tracker.hosting.registry import Registry

    def measure(rounding: str, start: str, before: float, end: str, after: float, *, shows_idle: bool = True) -> Any:
        module = ModuleType("toy")
        exec(STATUS.replace(METER, FLOORED.format(rounding)), module.__dict__)
        registry = Registry(plugins=[Plugin("toy", "", "tracker-toys", "1.0", lambda: module)])
        monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: registry)
        monkeypatch.chdir(tmp_path)
        program = Program(tmp_path / "data")
        for verb, at, used in (("start", start, before), ("end", end, after)):
            pane = f"fuel {used}%{f' reset {RESET}' if used or shows_idle else ''}"
            program("alias", verb, "toy", "--stdin", "--captured-at", at, stdin=pane).ok()
        program("complete", "--window", "W0-01").ok()
        stored = [row["parsed"]["fuel_pct"] for row in program.rows("snapshots")]
        assert stored == [before, after]
        return program.rows("windows")[-1]["providers"]["toy"]["delta"]["fuel_pct"]

    return measure


@pytest.mark.parametrize(
    ("rounding", "start", "before", "after", "expected"),
    [
        ("floor", "2026-01-01T00:03:00Z", 0, 12, 12.5),
        ("floor", "2026-01-01T01:00:00Z", 0, 12, 12),
        ("floor", "2026-01-01T01:00:00Z", 5, 12, 7),
        ("floor", "2026-01-01T01:00:00Z", 5.7, 12, 6.8),
        ("floor", "2026-01-01T01:00:00Z", 5.7, 5, 0),
        ("nearest", "2026-01-01T00:03:00Z", 0, 12, 12),
        ("exact", "2026-01-01T01:00:00Z", 91, 90.6, 0),
    ],
    ids=["at a reset", "at no reset", "two panes", "decimals first", "a fall of rounding", "rounded", "mixed"],
)
def test_what_a_reading_stands_for(
    delta: Callable[..., Any], rounding: str, start: str, before: float, after: float, expected: float
) -> None:
    assert delta(rounding, start, before, "2026-01-01T05:00:00Z", after) == expected


@pytest.mark.parametrize(("start", "expected"), [("2026-01-01T00:03:00Z", 12.5), ("2026-01-01T01:00:00Z", 12)])
def test_an_idle_meter_without_a_reset_began_with_the_period_of_the_later_reading(
    delta: Callable[..., Any], start: str, expected: float
) -> None:
    assert delta("floor", start, 0, "2026-01-01T05:00:00Z", 12, shows_idle=False) == expected
