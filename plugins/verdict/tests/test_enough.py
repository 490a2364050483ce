"""`tracker compare` once there are as many windows as the next decision was planned to take."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROWS = ((5, 10), (8, 12), (4, 9), (6, 11), (7, 10))
WHEN = "2026-01-01T12:00:00Z"


def measured(verdicts: Any, count: int) -> tuple[int, int]:
    """So many alike windows of each side; how many of each the next decision takes."""
    days = [f"2026-01-{1 + at // 3:02d}T1{at % 3}:00:00Z" for at in range(count)]
    codex, claude = ([(*ROWS[(at + one) % len(ROWS)], day) for at, day in enumerate(days)] for one in (0, 2))
    verdicts.rows(codex=codex, claude=claude)
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    half, most = found["windows_needed"]
    return half, most


def test_no_window_is_promised_to_settle_what_many_did_not(verdicts: Any) -> None:
    """One more was said to reach it in four fifths of all cases, each day anew."""
    _, most = measured(verdicts, 30)
    assert most < 30
    said = verdicts("compare", "codex", "claude").ok()
    assert "  Measure more only if a ratio below 1.5 matters to you. Not enough data: today " in said
    assert (
        "  Moving work takes evidence of 3 to 1. This many windows would have reached it in four fifths of all"
        " cases if the true ratio were 1.5: it is probably less.\n"
    ) in said
    page = verdicts("report", "--format", "md").ok()
    [row] = [one for one in page.splitlines() if one.startswith("| claude / codex, ")]
    assert row.endswith("| 0 |")


def test_what_half_of_all_cases_take_is_not_promised_once_it_is_there(verdicts: Any) -> None:
    half, most = measured(verdicts, 15)
    assert half < 15 < most
    said = verdicts("compare", "codex", "claude").ok()
    assert f"  Measure {most - 15} more window{'s' if most > 16 else ''} of each, alternating." in said
    assert f"If the true ratio is 1.5, {most - 15} more of each reach it in four fifths of all cases.\n" in said


LOPSIDED = "one window of codex used most of the capacity; windows of similar size say more"


@pytest.mark.parametrize(
    ("windows", "lacking"),
    [
        ([(3, 0)] * 39 + [(6, 20)], LOPSIDED),
        ([(3, 0), (2, 10), (1, 9)], LOPSIDED),
        ([(3, 1), (2, 1), (1, 20)], LOPSIDED),
        ([(3, 0)] * 3, "codex used no capacity"),
        ([(0, 9)] * 3, "neither side delivered a feature"),
    ],
)
def test_no_number_is_promised_where_no_number_of_windows_is_enough(verdicts: Any, windows: Any, lacking: str) -> None:
    features = 0 if "neither" in lacking else 2
    verdicts.rows(codex=[(*one, WHEN) for one in windows], claude=[(features, 10, WHEN)] * len(windows))
    said = verdicts("compare", "codex", "claude", "--effect", "2").ok()
    assert "Measure more windows of each, alternating; how many is not known." in said
    assert f"Not enough data: {lacking}." in said
    assert "in half" not in said
    assert "four fifths" not in said
    [found] = json.loads(verdicts("--json", "compare", "--effect", "2").ok())
    assert found["windows_needed"] is None


def test_idle_windows_are_the_reason_rather_than_their_time(verdicts: Any) -> None:
    """Windows of the same hours were said not to be close enough in time."""
    verdicts.rows(codex=[(0, 0, WHEN)] * 3, claude=[(2, 10, WHEN)] * 3)
    said = verdicts("compare", "codex", "claude").ok()
    assert "  Nothing can be said: no window of codex that counts used capacity or delivered a feature.\n" in said
    assert "close enough" not in said


@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("names", [("codex", "claude"), ("claude", "codex")])
def test_sides_that_are_alike_lean_to_neither(verdicts: Any, features: int, names: tuple[str, str]) -> None:
    """The side that was named first was 49 % sure to deliver more; a rounding of 7e-16 favoured one of two equals."""
    count = 1 if features else 3
    verdicts.rows(codex=[(features, 12, WHEN)] * count, claude=[(features, 12, WHEN)] * count)
    assert "  Nothing says that either delivers more.\n" in verdicts("compare", *names).ok()
    [found] = json.loads(verdicts("--json", "compare", *names).ok())
    assert found["favours"] is None


def test_windows_without_an_interval_say_why(verdicts: Any) -> None:
    verdicts.rows(claude=[(2, 30, "2026-01-01T12:00:00Z"), (2, 2, "2026-01-02T12:00:00Z"), (2, 2, WHEN)])
    assert "ci=n/a, n=3, power=n/a (no interval: one window used most of the capacity)" in verdicts("preview").ok()
