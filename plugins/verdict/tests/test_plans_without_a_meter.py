"""Real panes without the meter of capacity, or without any: what is said about them, and whether that helps."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

SCREENS = Path(__file__).parents[2] / "codex" / "tests" / "screens"
AT = ("--captured-at", "2026-11-22T06:28:55Z", "--timezone", "UTC")
# the pane of another account
OTHER = "v0.169.0_credits_zero"
# panes of any day are young enough
AGE = ("--max-age", "99999h")


def pane(name: str) -> str:
    return (SCREENS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "meters"),
    [
        ("v0.169.0_monthly", ["monthly"]),
        ("v0.169.0_annual_1h", ["annual", "secondary_usage"]),
        ("v0.169.0_spend_only", ["monthly_credit"]),
    ],
)
def test_a_plan_without_the_meter_says_so_and_what_its_meters_are_good_for(
    verdicts: Any, name: str, meters: list[str]
) -> None:
    done = verdicts("start", "codex", "--stdin", *AT, stdin=pane(name))
    assert done.ok() == "stored codex before snapshot for W0-01 (awaiting end)\n"
    assert (
        "warning: this BEFORE does not show weekly, so it cannot measure the window: this plan has no such meter"
        in done.err
    )
    assert "capture the whole pane" not in done.err
    [cure] = re.findall(r"`tracker (.+?)`", done.err)
    for meter in meters:
        judged = verdicts(*cure.replace(" M", f" {meter}").split(), *AGE)
        assert judged.out.startswith(("go: ", "stop: ")) or "and has not been read since" in judged.out, judged.out
    refused = verdicts("gate", "codex", *AGE)
    options = " or ".join(f"--meter {meter}" for meter in meters)
    assert refused.out == f"unknown: codex weekly: this plan's readings have no such meter; add {options}\n"
    assert (refused.status, refused.err) == (4, "")
    ended = verdicts("end", "codex", "--stdin", *AT, "--force", stdin=pane(name))
    assert ended.err.count("does not show weekly") == ended.err.count("warning: this AFTER does not show weekly") == 1
    # another plan
    for _ in range(2):
        verdicts("undo", "--yes").ok()
    now = ("--captured-at", datetime.now(UTC).isoformat())
    assert "lacks" not in verdicts("start", "codex", *now, stdin=">_ OpenAI Codex\n Weekly limit: 80% left\n").err
    assert verdicts("gate", "codex").out.startswith("go: codex weekly: 80 % left")


# without its reset the pane fits any day
WITHOUT = re.sub(r" \(resets .*\)", "", pane("v0.169.0_monthly"))
WHOLE = WITHOUT.replace("  Monthly limit:", "  Weekly limit:        {}% left\n  Monthly limit:")


def test_a_pane_whose_lines_are_lost_is_not_of_a_plan_without_the_meter(verdicts: Any) -> None:
    """A BEFORE of a plan that showed its meter an hour ago was said to measure nothing, whatever one types."""
    now = datetime.now(UTC)
    at = [("--captured-at", (now - timedelta(minutes=ago)).isoformat()) for ago in (90, 60, 30, 5)]
    verdicts("start", "codex", *at[0], stdin=WHOLE.format(80)).ok()
    verdicts("end", "codex", *at[1], stdin=WHOLE.format(70)).ok()
    verdicts("complete", "--window", "W0-01", "--codex-features", "1").ok()
    begun = verdicts("start", "codex", *at[2], stdin=WITHOUT)
    assert (
        "does not show weekly, so it cannot measure the window: capture the whole pane with `tracker start codex"
        in begun.err
    )
    _check_that_it_measures(verdicts, at[3])


def test_a_meter_that_the_after_shows_is_one_of_the_plan(verdicts: Any) -> None:
    now = datetime.now(UTC)
    at = [("--captured-at", (now - timedelta(minutes=ago)).isoformat()) for ago in (30, 5)]
    assert "this plan has no such meter" in verdicts("start", "codex", *at[0], stdin=WITHOUT).err
    _check_that_it_measures(verdicts, at[1])


def test_the_meter_of_another_plan_is_asked_of_none(verdicts: Any) -> None:
    """What the BEFORE of a plan without the meter showed cannot be typed, and would measure nothing."""
    now = datetime.now(UTC)
    at = [("--captured-at", (now - timedelta(minutes=ago)).isoformat()) for ago in (30, 5)]
    verdicts("start", "codex", *at[0], stdin=WITHOUT).ok()
    ended = verdicts("end", "codex", *at[1], stdin=WHOLE.format(66).replace("(Pro 200)", "(Plus)"))
    assert "this plan has no such meter" in ended.err
    assert "override" not in ended.err + verdicts("status").out


def _check_that_it_measures(verdicts: Any, at: tuple[str, str]) -> None:
    """The cure that the AFTER and the status name brings what the window costs."""
    ended = verdicts("end", "codex", *at, stdin=WHOLE.format(66))
    assert "this plan has no such meter" not in ended.err
    [cure] = re.findall(
        r"does not show weekly, so it cannot measure the window: type what it showed with `tracker (.+?)`", ended.err
    )
    assert cure in verdicts("status").out
    window = cure.split("--window ")[1].split()[0]
    lost = verdicts("complete", "--window", window, "--codex-features", "1")
    assert "capacity=n/a" in lost.out
    assert "no-meter" not in lost.err
    verdicts(*cure.replace(" N", " 32").split()).ok()
    assert "capacity=2 pp" in verdicts("complete", "--window", window, "--codex-features", "1").ok()


@pytest.mark.parametrize(
    ("name", "cause", "again"),
    [
        (
            "v0.94.0_n50",
            "a meter's label is there without a readable percentage; capture again in a wider terminal",
            "v0.94.0_n60",
        ),
        ("v0.169.0_null_limits", "Codex says that this account has no limits, so there is nothing to read; run", OTHER),
        ("v0.94.0_apikey", "Codex is not logged in with the plan's account, and an API key has no limits; run", OTHER),
    ],
)
def test_a_pane_without_values_names_its_cause(verdicts: Any, name: str, cause: str, again: str) -> None:
    refused = verdicts("start", "codex", "--stdin", *AT, stdin=pane(name)).refused()
    assert f"): {cause}" in refused
    assert "send Codex a message" not in refused
    # what it says to do: a wider terminal, another account
    assert "awaiting end" in verdicts("start", "codex", "--stdin", *AT, stdin=pane(again)).ok()


def test_a_meter_that_no_reading_shows_is_not_of_this_plan(verdicts: Any) -> None:
    """No capture would bring it, so none is asked for."""
    pane = "Current week (all models)\n███ 20% used\nResets Feb 9 at 6:59am (Europe/Berlin)\n"
    verdicts("start", "claude", "--force", stdin=pane)
    # what a person typed is not all that the plan has
    verdicts("override", "claude", "--window", "W1", "--phase", "before", "--session-pct", "5").ok()
    done = verdicts("gate", "claude", "--meter", "opus")
    why = "this plan's readings have no such meter; add --meter all_models"
    assert (done.status, done.out, done.err) == (4, f"unknown: claude opus: {why}\n", "")


def test_the_meter_of_capacity_may_be_missing_in_half_a_pane(verdicts: Any) -> None:
    verdicts("start", "codex", "--force", stdin=">_ OpenAI Codex\n 5h limit: 80% left\n")
    done = verdicts("gate", "codex")
    assert done.out == "unknown: codex weekly: no reading\n"
    assert "a new reading is needed: `tracker " in done.err


def test_the_gate_of_a_count_names_the_meters_that_have_an_end(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cure for GLM was a capture that never shows where prompts end, and ended the operator's window."""
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waits for what no capture brings"))
    reset = int((time.time() + 86_400) * 1000)
    limits = [{"type": "TOKENS_LIMIT", "unit": 6, "number": 1, "percentage": 40, "nextResetTime": reset}]
    quota = json.dumps({"code": 200, "success": True, "data": {"limits": limits}})
    counts = json.dumps({"blocks": [{"window_id": "W0-01", "provider": "glm-4.6", "prompts_used": 118}]})
    for phase, text, why in (
        ("start", quota, "this plan's readings have no such meter"),
        ("end", counts, "the vendor shows no limit for prompts"),
    ):
        verdicts(phase, "glm", "--stdin", "--window", "W0-01", stdin=text)
        done = verdicts("gate", "glm", "--wait")
        assert (done.status, done.err) == (4, "")
        assert done.out == f"unknown: glm prompts: {why}; add --meter weekly\n"
    assert verdicts("gate", "glm", "--meter", "weekly").status == 0
    full = quota.replace('"percentage": 40', '"percentage": 100')
    verdicts("start", "glm", "--stdin", "--window", "W0-02", stdin=full).ok()
    assert verdicts("gate", "glm").status == 3


@pytest.mark.parametrize(
    ("provider", "why"),
    [("codex", "no reading. Did you mean weekly?"), ("glm", "glm has no meter weakly. Did you mean weekly?")],
)
def test_a_meter_that_nobody_has_is_not_waited_for(
    verdicts: Any, monkeypatch: pytest.MonkeyPatch, provider: str, why: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waits"))
    done = verdicts("gate", provider, "--meter", "weakly", "--wait")
    assert (done.status, done.out, done.err) == (4, f"unknown: {provider} weakly: {why}\n", "")
