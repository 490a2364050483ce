"""A meter that is inside its reserve stops work, whatever a window costs, in `plan` as in `gate`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


def read(verdicts: Any, used: float, age: str = "-1m", *more: str) -> None:
    reset = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    values = ("--weekly-pct", str(used), "--weekly-resets", reset)
    verdicts("override", "codex", "--window", "W1", "--phase", "before", "--captured-at", age, *values, *more).ok()


@pytest.mark.parametrize(
    ("used", "settings", "said"),
    [
        (99.6, "", "0.4 pp left, and 10 are the reserve: no window fits"),
        (95, "", "5 pp left, and 10 are the reserve: no window fits"),
        (72, "reserve_pp = 30\n", "28 pp left, and 30 are the reserve: no window fits"),
    ],
)
def test_inside_the_reserve_no_window_has_to_be_measured(verdicts: Any, used: float, settings: str, said: str) -> None:
    verdicts.settings(settings)
    read(verdicts, used)
    plan = verdicts("plan").ok()
    assert f"\n  STOP: {said}\ncodex verdict: STOP\n" in plan
    [shown] = json.loads(verdicts("plan", "--json").ok())
    assert (shown["verdict"], shown["meters"][0]["why"]) == ("STOP", said)


def test_outside_of_it_the_cost_is_what_is_missing(verdicts: Any) -> None:
    read(verdicts, 89)
    assert "  unknown: no finalized window says what one costs" in verdicts("plan").ok()


@pytest.mark.parametrize("age", ["-1m", "-3h"])
def test_the_gate_agrees_also_by_an_old_reading(verdicts: Any, age: str) -> None:
    """Until its reset a meter only rises."""
    read(verdicts, 99.6, age)
    assert verdicts("plan").ok().endswith("codex verdict: STOP\n")
    done = verdicts("gate", "codex")
    assert (done.status, done.out) == (3, "stop: codex weekly: 0.4 % left, less than 10 %\n")


def test_nothing_left_is_known_however_old_the_reading_is(verdicts: Any) -> None:
    read(verdicts, 100, "-3h")
    assert verdicts("gate", "codex", "--min-left", "0").out == "stop: codex weekly: 0 % left\n"


def test_of_two_readings_of_one_instant_the_later_counts(verdicts: Any) -> None:
    at = datetime.now(UTC).isoformat()
    for used in (99.6, 60):
        read(verdicts, used, at)
    assert (
        verdicts("gate", "codex", "--min-left", "5", "--max-risk", "1").ok().startswith("go: codex weekly: 40 % left")
    )


def test_a_pane_of_the_instant_that_an_override_corrects_says_nothing_any_more(verdicts: Any) -> None:
    """Neither its value nor its reset: `status` forecast with that."""
    at = datetime.now(UTC).isoformat()
    words = ("start", "codex", "--stdin", "--window", "W1", "--captured-at", at)
    soon = (datetime.now().astimezone() + timedelta(days=3)).strftime("%H:%M on %-d %b")
    verdicts(*words, stdin=f">_ OpenAI Codex (v0.169.0)\n Weekly limit: 5% left (resets {soon})\n").ok()
    values = ("--phase", "before", "--captured-at", at, "--weekly-pct", "60")
    verdicts("override", "codex", "--window", "W1", *values).ok()
    assert verdicts("gate", "codex").ok() == "go: codex weekly: 40 % left\n"
    assert "likely to be full" not in verdicts("status").ok()
