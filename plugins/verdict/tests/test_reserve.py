"""A meter that is inside its reserve stops work, whatever a window costs, in `plan` as in `gate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from toys import STATUS


def read(verdicts: Any, used: float, age: str = "-1m", *more: str) -> None:
    reset = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    values = ("--weekly-pct", str(used), "--weekly-resets", reset)
    verdicts("override", "codex", "--window", "W1", "--phase", "before", "--captured-at", age, *values, *more).ok()


@pytest.mark.parametrize(
    ("used", "settings", "said"),
    [
        (99.6, "", "0.4 pp left, and the reserve is 10: no window fits"),
        (95, "", "5 pp left, and the reserve is 10: no window fits"),
        (72, "reserve_pp = 30\n", "28 pp left, and the reserve is 30: no window fits"),
    ],
)
def test_inside_the_reserve_no_window_has_to_be_measured(verdicts: Any, used: float, settings: str, said: str) -> None:
    verdicts.settings(settings)
    read(verdicts, used)
    plan = verdicts("plan").ok()
    assert f"\n  STOP: {said}\ncodex verdict: STOP\n" in plan
    [shown] = json.loads(verdicts("plan", "--json").ok())
    assert (shown["verdict"], shown["meters"][0]["why"]) == ("STOP", said)


def test_without_room_nothing_is_likely_to_fit_at_all(verdicts: Any) -> None:
    """Of a full meter it said "1% likely to fit"."""
    verdicts.rows(codex=[(1, 9)] * 3)
    read(verdicts, 100)
    assert (
        "\n  0 more windows fit and leave 10 pp\n  1 planned window: 0% likely to fit: STOP\n" in verdicts("plan").ok()
    )


def test_outside_of_it_the_cost_is_what_is_missing(verdicts: Any) -> None:
    read(verdicts, 89)
    assert "  unknown: no finalized window shows what one costs" in verdicts("plan").ok()


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


@pytest.mark.parametrize("reserve", [0, 5, 10, 33, 100])
@pytest.mark.parametrize("above", [-1, 0, 0.5])
def test_the_gate_keeps_the_plan_s_reserve(verdicts: Any, reserve: int, above: float) -> None:
    """At its limit, too: work takes more than what may be used."""
    verdicts.settings(f"reserve_pp = {reserve}\n")
    used = min(max(100 - reserve - above, 0), 100)
    read(verdicts, used)
    is_low = used >= 100 - reserve
    assert ("codex verdict: STOP\n" in verdicts("plan").ok()) is is_low
    done = verdicts("gate", "codex", "--max-risk", "1")
    assert done.status == (3 if is_low else 0), done.out
    # what is typed comes before the setting
    assert verdicts("gate", "codex", "--max-risk", "1", "--min-left", "0").status == (3 if used >= 100 else 0)


def test_what_is_left_at_the_limit_is_said(verdicts: Any) -> None:
    read(verdicts, 80)
    said = "stop: codex weekly: 20 % left, which must stay free\n"
    assert verdicts("gate", "codex", "--min-left", "20", "--max-risk", "1").out == said


def test_a_low_meter_without_a_reset_is_not_known_once_its_reading_is_old(verdicts: Any) -> None:
    """It may have been reset since: the gate said unknown and the plan STOP."""
    pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] {}% left\n"
    for phase, left, at in (("start", 18, "-5h"), ("end", 8, "-40m")):
        verdicts(phase, "codex", "--stdin", "--window", "W1", "--captured-at", at, stdin=pane.format(left)).ok()
    verdicts("complete", "--window", "W1", "--codex-features", "1").ok()
    assert "unknown: codex weekly: the newest reading is 40 min old" in verdicts("gate", "codex").out
    plan = verdicts("plan").ok()
    assert "likely to fit, but not decided: the last reading is 40 min old; the limit is 15 min" in plan
    assert plan.endswith("codex verdict: unknown\n")
    assert verdicts("plan", "--max-age", "1h").ok().endswith("codex verdict: STOP\n")
    assert verdicts("gate", "codex", "--max-age", "1h").status == 3


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A provider whose second meter is a count of 300."""
    from inprocess import Program

    from tracker.hosting.discovery import Plugin
    from tracker.hosting.registry import Registry

    module = ModuleType("toy")
    code = STATUS.replace('title="Heat"', 'title="Heat", unit="calls"')
    limit = 'limit=None if m == "fuel" else 0 if "ran out" in text else 300,'
    exec(code.replace("used=float(u),", f"used=float(u), {limit}"), module.__dict__)
    registry = Registry(plugins=[Plugin("toy", "", "tracker-toys", "1.0", lambda: module)])
    monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: registry)
    monkeypatch.chdir(tmp_path)
    return Program(tmp_path / "data")


@pytest.mark.parametrize(("calls", "said"), [(290, "3.33 % left, less than 10 %"), (300, "0 % left, less than 10 %")])
def test_a_count_beside_the_capacity_meter_stops_both(counted: Any, calls: int, said: str) -> None:
    counted("start", "toy", "--stdin", stdin=f"fuel 20%\nheat {calls}%").ok()
    assert "toy verdict: STOP\n" in counted("plan").ok()
    done = counted("gate", "toy")
    assert (done.status, done.out) == (3, f"stop: toy heat: {said}\n")
    assert counted("gate", "toy", "--meter", "fuel").status == 0


def test_a_limit_of_nothing_replaces_that_of_an_older_reading(counted: Any) -> None:
    counted("start", "toy", "--stdin", "--captured-at", "-5m", stdin="fuel 20%\nheat 2%").ok()
    counted("end", "toy", "--stdin", stdin="fuel 20%\nheat 3%\nran out").ok()
    done = counted("gate", "toy", "--meter", "heat")
    assert (done.status, done.out) == (3, "stop: toy heat: 0 % left, less than 10 %\n")
    plan = counted("plan").ok()
    assert "toy heat: 3 of 0 calls used" in plan
    assert "toy verdict: STOP\n" in plan


def test_the_table_tells_the_limit_of_a_forecast_from_that_of_a_verdict(
    verdicts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gave two limits for the age of one reading, and did not say of what."""
    read(verdicts, 95, "-3h")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    said = verdicts("plan").ok()
    assert "\ncodex weekly: 5 pp left, and the reserve is 10: no window fits\n" in said
    assert "\ncodex weekly: no forecast: the last reading is 3 h 0 min old; the limit is 2 h 0 min\n" in said


def two(verdicts: Any, session: float, week: float, reset: str, *more: str) -> None:
    """A pane of two meters, of which that of capacity was reset, or will be."""
    values = ("--session-pct", str(session), "--all-models-pct", str(week), "--all-models-resets", reset)
    soon = ("--session-resets", (datetime.now(UTC) + timedelta(hours=3)).isoformat())
    verdicts("override", "claude", "--window", "W1", "--phase", "before", *values, *soon, "--force", *more).ok()


def test_a_full_meter_stops_the_gate_although_the_meter_of_capacity_is_not_known(verdicts: Any) -> None:
    """The gate said unknown where the plan says STOP."""
    two(verdicts, 97, 20, (datetime.now(UTC) - timedelta(hours=2)).isoformat())
    assert verdicts("plan").ok().endswith("claude verdict: STOP\n")
    done = verdicts("gate", "claude")
    assert (done.status, done.out) == (3, "stop: claude session: 3 % left, less than 10 %\n")
    assert verdicts("gate", "claude", "--meter", "all_models").status == 4


def test_no_plan_is_tight_by_another_meter_while_that_of_capacity_is_not_known(verdicts: Any) -> None:
    delta = {"session_pct": 10, "all_models_pct": 2}
    verdicts.rows(claude=[(1, 2, "2026-01-01T12:00:00Z", {"providers": {"claude": {"delta": delta, "errors": []}}})])
    two(verdicts, 82, 20, (datetime.now(UTC) - timedelta(hours=2)).isoformat())
    plan = verdicts("plan", "--windows-left", "1").ok()
    assert "likely to fit: tight\n" in plan
    assert plan.endswith("claude verdict: unknown\n")
    assert verdicts("gate", "claude").status == 4
