"""`tracker gate`: go, stop or unknown, for scripts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

from tracker_verdict.current_meters import too_old


def reading(
    verdicts: Any,
    used: float,
    *,
    age: timedelta = timedelta(minutes=1),
    reset: timedelta | None = None,
    account: str | None = None,
) -> None:
    """A reading of codex's weekly meter that belongs to no window, so old when the test asks."""
    now = datetime.now(UTC)
    row = {
        "record_id": f"r-{used}-{age}",
        "origin": "rollout",
        "account": account,
        "provider": "codex",
        "captured_at": (now - age - timedelta(hours=1)).isoformat(),
        "until": (now - age).isoformat(),
        "parsed": {"weekly_used": used, "weekly_reset_at": None if reset is None else (now + reset).isoformat()},
    }
    data = verdicts.folder / "data"
    data.mkdir(exist_ok=True)
    with (data / "readings.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


@pytest.mark.parametrize(
    ("used", "age", "reset", "options", "status", "words"),
    [
        (40, 1, 24, (), 0, "go: codex weekly: 60 % left"),
        (95, 1, 24, (), 3, "stop: codex weekly: 5 % left, less than 10 %"),
        (95, 1, 24, ("--min-left", "2", "--max-risk", "1"), 0, "go: codex weekly: 5 % left"),
        (80, 1, 120, (), 3, "stop: codex weekly: 20 % left, likely to be full before the reset (0 weeks of history"),
        (40, 20, 24, (), 4, "unknown: codex weekly: the newest reading is 2"),
        (40, 20, 24, ("--max-age", "1h"), 0, "go: codex weekly: 60 % left"),
        (40, 1, -1, (), 4, "had passed; send Codex a message first"),
        (40, 1, None, (), 0, "go: codex weekly: 60 % left"),
    ],
)
def test_the_answer(
    verdicts: Any, used: float, age: int, reset: int | None, options: tuple[str, ...], status: int, words: str
) -> None:
    reading(verdicts, 10, age=timedelta(days=2))
    reading(verdicts, used, age=timedelta(minutes=age), reset=None if reset is None else timedelta(hours=reset))
    done = verdicts("gate", "codex", *options)
    assert (done.status, done.error) == (status, None)
    assert words in done.out


@pytest.mark.parametrize("used", [12, 20, 38, 50, 65, 80])
@pytest.mark.parametrize("hours", [20, 96, 150])
def test_the_gate_says_what_plan_says(verdicts: Any, used: float, hours: int) -> None:
    reading(verdicts, used, reset=timedelta(hours=hours))
    gate, plan = verdicts("gate", "codex"), verdicts("plan", "--provider", "codex").out
    is_likely = "\n  likely to be full before the reset" in plan
    assert is_likely != ("\n  unlikely to be full before the reset" in plan)
    assert gate.status == (3 if is_likely else 0), (gate.out, plan)
    assert ("left, likely to be full" in gate.out) == is_likely


def test_without_a_reading_the_answer_is_unknown(verdicts: Any) -> None:
    (verdicts.folder / "data").mkdir()
    done = verdicts("gate", "codex", "--json")
    assert done.status == 4
    assert json.loads(done.out)["why"] == "no reading"
    done = verdicts("gate", "glm")
    assert (done.status, "`tracker start glm`, if it shows the limit of prompts\n" in done.err) == (4, True)
    refused = verdicts("gate", "codex", "--max-age", "soon").refused(2)
    assert "Invalid age 'soon'. Expected a number with s, m, h or d, such as 15m." in refused


def test_waiting_ends_with_go(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reading(verdicts, 95)
    monkeypatch.setattr("time.sleep", lambda _seconds: reading(verdicts, 5, age=timedelta(0)))
    done = verdicts("gate", "codex", "--wait")
    assert (done.status, done.out) == (0, "go: codex weekly: 95 % left\n")
    assert "waiting: stop: codex weekly: 5 % left, less than 10 %" in done.err


def test_waiting_ends_at_the_reset(verdicts: Any) -> None:
    reading(verdicts, 95, reset=timedelta(hours=-1))
    done = verdicts("gate", "codex", "--wait")
    assert (done.status, done.error) == (4, None)
    assert "the reading was old already, since its reset at " in done.out


def test_accounts_are_told_apart(verdicts: Any) -> None:
    reading(verdicts, 95, account="a1")
    reading(verdicts, 40, account="b2")
    done = verdicts("gate", "codex", "--wait")
    assert (done.status, done.error) == (4, None)
    assert done.out == "unknown: codex weekly: there are 2 accounts; add --account a1 or --account b2\n"
    assert verdicts("gate", "codex", "--account", "b2").ok() == "go: codex weekly: 60 % left\n"
    assert verdicts("gate", "codex", "--account", "a1", "--json").status == 3
    assert "Did you mean a1?" in verdicts("gate", "codex", "--account", "a").refused()
    said = verdicts("plan", "--provider", "codex").ok()
    assert "codex weekly account a1: 95% used" in said
    assert "codex weekly account b2: 40% used" in said


def test_plan_says_go_only_where_gate_does(verdicts: Any) -> None:
    pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] {}% left\n"
    for phase, left, at in (("start", 90, "-5h"), ("end", 80, "-40m")):
        words = ("alias", phase, "codex", "--stdin", "--window", "W1", "--captured-at", at)
        verdicts(*words, stdin=pane.format(left)).ok()
    verdicts("complete", "--window", "W1", "--codex-features", "1").ok()
    assert "unknown: codex weekly: the newest reading is 40 min old" in verdicts("gate", "codex").out
    said = verdicts("plan", "--provider", "codex").ok()
    assert "the last reading is 40 min old; the limit is 15 min: `tracker capture --sample codex`" in said
    assert said.endswith("codex verdict: unknown\n")
    assert verdicts("plan", "--provider", "codex", "--max-age", "1d").ok().endswith("codex verdict: GO\n")
    assert verdicts("gate", "codex", "--max-age", "1h").ok().startswith("go: ")


def test_a_capture_of_the_future_is_none_of_now(verdicts: Any) -> None:
    pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] {}% left\n"
    verdicts(
        "alias", "start", "codex", "--stdin", "--window", "W1", "--captured-at", "-10m", stdin=pane.format(60)
    ).ok()
    late = "2999-01-01T00:00:00Z"
    verdicts(
        "alias", "end", "codex", "--stdin", "--window", "W1", "--captured-at", late, "--force", stdin=pane.format(3)
    ).ok()
    assert verdicts("gate", "codex").ok().startswith("go: codex weekly: 60 % left")
    assert "2999-01-01T00:00:00" in verdicts("doctor").out
    assert "codex weekly: 40% used" in verdicts("plan", "--provider", "codex").ok()


def test_the_plan_of_a_provider_without_bars_says_what_was_read(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = '{"blocks": [{"window_id": "W1", "provider": "glm-4.6", "prompts_used": 118}]}'
    verdicts("alias", "start", "glm", "--stdin", "--window", "W1", stdin=blocks).ok()
    said = verdicts("plan").ok()
    assert said.startswith("glm prompts: 118 prompts at ")
    assert "unknown: prompts have no bar: the vendor shows no limit\nglm verdict: unknown\n" in said
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = verdicts("plan").ok()
    assert "glm prompts: 118 prompts used\n" in table
    assert "118%" not in table


def test_a_count_with_a_limit_is_judged_as_a_bar_is(toys: Any) -> None:
    for phase, pane, at in (("start", "200 of 300", "-2h"), ("end", "230 of 300", "-1m")):
        ok(toys("alias", phase, "tally", "--stdin", "--captured-at", at, stdin=pane))
    ok(toys("complete", "--window", "W0-01", "--tally-features", "1"))
    assert ok(toys("gate", "tally")) == "go: tally calls: 23.33 % left\n"
    stopped = toys("gate", "tally", "--min-left", "30")
    assert (stopped.returncode, stopped.stdout) == (3, "stop: tally calls: 23.33 % left, less than 30 %\n")
    said = ok(toys("plan"))
    assert said.startswith("tally calls: 230 of 300 calls used at ")
    assert "  a usual window costs 30 calls (of 1 window)\n  1 more window fits and leaves 30 calls\n" in said
    table = ok(toys("plan", FORCE_COLOR="1", COLUMNS="120", TERM="dumb"))
    assert " 77%" in table
    assert "tally calls: 230 of 300 calls used\n" in table
    assert " 30 calls (" in table
    assert "pp" not in table
    [plan] = json.loads(ok(toys("--json", "plan")))
    [meter] = plan["meters"]
    assert (meter["used"], meter["unit"], meter["limit"], round(meter["used_pct"])) == (230, "calls", 300, 77)


PANE = (
    ">_ OpenAI Codex (v0.44.0)\n 5h limit: [██░░] {}% left (resets {:%H:%M on %d %b})\n Weekly limit: [██░░] {}% left\n"
)


def test_a_full_meter_stops_although_another_has_room(verdicts: Any) -> None:
    soon = datetime.now().astimezone() + timedelta(hours=3)
    verdicts("alias", "start", "codex", "--stdin", "--window", "W1", stdin=PANE.format(0, soon, 77)).ok()
    done = verdicts("gate", "codex")
    assert (done.status, done.out) == (3, "stop: codex fiveh: 0 % left, less than 10 %\n")
    assert verdicts("gate", "codex", "--meter", "weekly").ok() == "go: codex weekly: 77 % left\n"
    said = verdicts("plan").ok()
    assert "  it is full until " in said
    assert "codex fiveh: it is full until " in verdicts("status").ok()


def test_a_full_week_has_no_forecast(verdicts: Any) -> None:
    reading(verdicts, 100, reset=timedelta(hours=90))
    end = (datetime.now(UTC) + timedelta(hours=90)).strftime("%d %b")
    for said in (verdicts("plan").ok(), verdicts("status").ok()):
        assert "it is full until " in said
        assert end in said
        assert "likely" not in said
        assert "linear" not in said
    assert verdicts("gate", "codex", "--min-left", "0").out == "stop: codex weekly: 0 % left\n"


def test_plan_says_that_the_gate_stops(verdicts: Any) -> None:
    pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] {}% left\n"
    for phase, left, at in (("start", 60, "-5h"), ("end", 59, "-4h")):
        words = ("alias", phase, "codex", "--stdin", "--window", "W1", "--captured-at", at)
        verdicts(*words, stdin=pane.format(left)).ok()
    verdicts("complete", "--window", "W1", "--codex-features", "1").ok()
    reading(verdicts, 80, reset=timedelta(hours=120))
    assert verdicts("gate", "codex").status == 3
    ending = "codex verdict: GO for 1 window; weekly is likely to be full before the reset, so `tracker gate` stops\n"
    assert verdicts("plan").ok().endswith(ending)


def of_claude(verdicts: Any, age: timedelta = timedelta(minutes=1), **meters: float) -> None:
    """A reading of Claude's meters."""
    now = datetime.now(UTC)
    parsed = {f"{key}_used": used for key, used in meters.items()}
    parsed |= {f"{key}_reset_at": (now + timedelta(hours=30)).isoformat() for key in meters}
    at = (now - age).isoformat()
    row = {"record_id": f"r-{age}", "origin": "statusline", "provider": "claude", "captured_at": at, "parsed": parsed}
    data = verdicts.folder / "data"
    data.mkdir(exist_ok=True)
    (data / "readings.jsonl").write_text(json.dumps(row) + "\n")
    day = "2026-01-01T12:00:00Z"
    window = {"window": "W1", "provider": None, "captured_at": day, "finalized_at": day, "features": {"claude": 1}}
    delta = {"all_models_pct": 2.0, "opus_pct": 30.0, "session_pct": 2.0}
    (data / "windows.jsonl").write_text(
        json.dumps({**window, "providers": {"claude": {"delta": delta, "errors": []}}}) + "\n"
    )


def test_a_meter_of_one_model_stops_neither_gate_nor_plan(verdicts: Any) -> None:
    of_claude(verdicts, all_models=20, opus=97, session=10)
    left = "go: claude all_models: 80 % left, unlikely to be full before the reset"
    assert verdicts("gate", "claude").ok() == f"{left} (0 weeks of history, 3 are needed for a probability)\n"
    assert verdicts("gate", "claude", "--meter", "opus").status == 3
    assert verdicts("gate", "claude", "--meter", "session").status == 0
    said = verdicts("plan", "--provider", "claude").ok()
    assert "likely to fit: STOP\n  this is the meter of one model" in said
    assert said.endswith("claude verdict: GO\n")
    of_claude(verdicts, all_models=20, opus=20, session=97)
    assert verdicts("gate", "claude").out == "stop: claude session: 3 % left, less than 10 %\n"
    assert verdicts("plan", "--provider", "claude").ok().endswith("claude verdict: STOP\n")


def test_what_was_full_is_full_until_its_reset_however_old_the_reading_is(verdicts: Any) -> None:
    of_claude(verdicts, age=timedelta(hours=2), all_models=20, session=97)
    path = verdicts.folder / "data" / "readings.jsonl"
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    new = {"record_id": "new", "origin": "print", "provider": "claude", "captured_at": at}
    path.write_text(path.read_text() + json.dumps({**new, "parsed": {"all_models_used": 21}}) + "\n")
    assert verdicts("gate", "claude").out == "stop: claude session: 3 % left, less than 10 %\n"


def test_the_plan_s_table_shows_no_figure_of_before_a_reset(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    for hours, is_shown in ((1, True), (-1, False)):
        reading(verdicts, 40, age=timedelta(hours=3), reset=timedelta(hours=hours))
        [row] = [one for one in verdicts("plan").ok().splitlines() if one.startswith("codex weekly ")]
        assert ("40%" in row) is is_shown
        (verdicts.folder / "data" / "readings.jsonl").unlink()


def test_plan_names_a_command_that_works_here(verdicts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file or a program to read from, a person pastes the pane."""
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    reading(verdicts, 40, age=timedelta(hours=3), reset=timedelta(hours=-1))
    assert "and has not been read since: `tracker start codex`\n" in verdicts("plan", "--provider", "codex").ok()
    assert verdicts("gate", "codex").err == "note: a new reading is needed: `tracker start codex`\n"
    # what it says to type makes it known
    pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] 60% left\n"
    verdicts("start", "codex", stdin=pane).ok()
    known = verdicts("gate", "codex")
    assert (known.out, known.err) == ("go: codex weekly: 60 % left\n", "")
    verdicts("undo", "--yes").ok()
    (tmp_path / "codex" / "sessions").mkdir(parents=True)
    assert "and has not been read since: `tracker start codex`\n" in verdicts("plan", "--provider", "codex").ok()


@pytest.mark.parametrize(
    ("used", "status"), [(-5, 4), ("40", 4), (True, 4), (float("inf"), 4), (float("nan"), 4), (None, 4), (250, 3)]
)
def test_what_is_no_reading_never_is_a_go(verdicts: Any, used: Any, status: int) -> None:
    reading(verdicts, 10, age=timedelta(days=1))
    reading(verdicts, used)
    done = verdicts("gate", "codex")
    assert (done.status, done.error, "failed" in done.err) == (status, None, False)
    assert "-150" not in done.out


def test_a_meter_that_cannot_be_is_unknown(verdicts: Any) -> None:
    reading(verdicts, 10)
    for key in ("nosuch", "x y", "", "\x1b[2J"):
        done = verdicts("gate", "codex", "--meter", key)
        assert (done.status, done.error) == (4, None)
    for name, why in (("codex", "no reading"), ("glm", "glm has no meter wekly")):
        said = verdicts("gate", name, "--meter", "wekly").out
        assert said == f"unknown: {name} wekly: {why}. Did you mean weekly?\n"
    assert "no meter" in verdicts("meters", "drift", "--provider", "codex", "--meter", "x y").refused()


CODEX = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] {}% left\n"


def opened(verdicts: Any, lane: str = "") -> str:
    """A finalized window and an open one, whose BEFORE is an hour old; what the plan advises."""
    for phase, left, at, window in (("start", 90, "-5h", "W1"), ("end", 80, "-4h", "W1"), ("start", 70, "-1h", "W2")):
        words = ("alias", phase, "codex", "--stdin", "--window", window, "--captured-at", at)
        verdicts(*words, stdin=CODEX.format(left), lane=lane).ok()
    verdicts("complete", "--window", "W1", "--codex-features", "1").ok()
    [(words, rest)] = re.findall(r"is 15 min: `tracker ([^`]+)`(.*)", verdicts("plan", "--provider", "codex").ok())
    return words + rest


def befores(verdicts: Any) -> int:
    path = verdicts.folder / "data" / "snapshots.jsonl"
    return sum(json.loads(line)["phase"] == "before" for line in path.read_text().splitlines())


@pytest.mark.parametrize("lane", ["", "night"])
def test_a_before_of_the_future_has_a_cure(verdicts: Any, lane: str) -> None:
    at = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    words = ("override", "codex", "--window", "W1", "--phase", "before", "--weekly-pct", "10", "--captured-at", at)
    verdicts(*words, "--force", lane=lane).ok()
    cure = f"alias delete codex --phase before --window W1{' --agent night' if lane else ''}"
    said = f"`tracker {cure}` first: that BEFORE lies in the future\n"
    done = verdicts("gate", "codex")
    assert (done.out, done.status) == ("unknown: codex weekly: its only reading lies in the future\n", 4)
    assert done.err == f"note: a new reading is needed: {said}"
    for plan in (verdicts("plan"), verdicts("plan", "--provider", "codex")):
        assert f"  unknown: its only reading lies in the future: {said}" in plan.ok()
    if lane:
        # this lane can read the meter whatever another one stored
        pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] 60% left\n"
        words = ("alias", "start", "codex", "--stdin", "--window", "W2", "--captured-at", "-1h")
        verdicts(*words, stdin=pane).ok()
        assert "in the future" not in verdicts("gate", "codex").err
    verdicts(*cure.split()).ok()
    assert "in the future" not in verdicts("plan", "--provider", "codex").ok()


def test_a_full_meter_stops_a_plan_before_any_window_was_measured(verdicts: Any) -> None:
    reading(verdicts, 100, reset=timedelta(hours=30))
    assert verdicts("gate", "codex").status == 3
    said = verdicts("plan").ok().splitlines()
    assert said[1].startswith("  it is full until ")
    assert said[2:] == ["codex verdict: STOP"]
    [meter] = json.loads(verdicts("--json", "plan", "--provider", "codex").ok())["meters"]
    assert (meter["verdict"], meter["why"], meter["cost"]) == ("STOP", None, None)


@pytest.mark.parametrize(
    ("seconds", "most", "expected"),
    [
        (900.5, 900, "over 15 min old; the limit is 15 min"),
        (960, 900, "16 min old; the limit is 15 min"),
        (45, 30, "45 s old; the limit is 30 s"),
        (30.2, 30, "over 30 s old; the limit is 30 s"),
        (7201, 7200, "over 2 h 0 min old; the limit is 2 h 0 min"),
    ],
)
def test_what_is_too_old_never_reads_like_what_is_not(seconds: float, most: float, expected: str) -> None:
    assert too_old(timedelta(seconds=seconds), timedelta(seconds=most)) == expected


@pytest.mark.parametrize("lane", ["", "night"])
def test_what_plan_advises_in_an_open_window_replaces_no_before(verdicts: Any, tmp_path: Path, lane: str) -> None:
    (tmp_path / "codex-home" / "codex").unlink()
    found = opened(verdicts, lane)
    words, _, rest = found.partition(", ")
    assert (words, rest) == (f"end codex{' --agent night' if lane else ''}", "which ends W2")
    known = befores(verdicts)
    verdicts(*words.split(), stdin=CODEX.format(65)).ok()
    assert befores(verdicts) == known
    # it closed the open window, and the plan knows what is left
    assert verdicts("plan", "--provider", "codex").ok().startswith("codex weekly: 35% used")


def test_where_the_meters_can_be_read_plan_advises_a_sample(verdicts: Any, tmp_path: Path) -> None:
    words = opened(verdicts)
    assert words == "capture --sample codex"
    known = befores(verdicts)
    now = datetime.now(UTC)
    limits = {"primary": {"used_percent": 35.0, "window_minutes": 10080, "resets_at": int(now.timestamp()) + 90_000}}
    payload = {"type": "token_count", "info": None, "rate_limits": limits}
    folder = tmp_path / "codex-home" / "sessions" / f"{now:%Y}" / f"{now:%m}" / f"{now:%d}"
    folder.mkdir(parents=True)
    line = json.dumps({"timestamp": now.isoformat(), "type": "event_msg", "payload": payload})
    (folder / f"rollout-{now:%Y-%m-%dT%H-%M-%S}-x.jsonl").write_text(line + "\n")
    verdicts(*words.split()).ok()
    assert befores(verdicts) == known
    assert verdicts("plan", "--provider", "codex").ok().startswith("codex weekly: 35% used")
    assert "closed" not in verdicts("status").ok()
