"""`tracker plan` says whether a weekly meter lasts until its reset, stores that, and scores it."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker.session import Session
from tracker_verdict.current_meters import CurrentMeter
from tracker_verdict.forecasts import Outcome, score
from tracker_verdict.prospect import Prospect, lines, per_cent

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


def weeks(
    verdicts: Any,
    count: int,
    *,
    daily: float,
    today: float | None = None,
    reset: datetime | None = None,
    read: timedelta = WEEK,
) -> None:
    """Readings each 3 hours of `count` ended weeks, and of the one that ends in 3 days: `daily` points a day.

    read: from each ended week's begin for how long it was read.
    """
    chance = random.Random(2)
    end = reset or NOW + timedelta(days=3)
    rows = []
    for number in range(count, -1, -1):
        start = end - (number + 1) * WEEK
        used, at = 0.0, start
        while at < min(start + WEEK, NOW + timedelta(minutes=1)):
            rate = daily if number or today is None else today
            used = min(used + rate / 8 * chance.uniform(0.5, 1.5), 100.0)
            if not number or at - start <= read:
                rows.append(_row(len(rows), at, int(used), start + WEEK))
            at += 3 * HOUR
        if not number:
            rows.append(_row(len(rows), NOW, int(used), end))
    data = verdicts.folder / "data"
    data.mkdir(exist_ok=True)
    (data / "readings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _row(number: int, at: datetime, used: float, reset: datetime, account: str | None = None) -> dict[str, Any]:
    parsed = {"weekly_used": used, "weekly_reset_at": reset.isoformat()}
    own = {"record_id": f"r{number}", "provider": "codex", "origin": "rollout", "account": account, "parsed": parsed}
    return {**own, "captured_at": at.isoformat(), "until": at.isoformat()}


def forecast(verdicts: Any) -> Any:
    found = json.loads(verdicts("--json", "plan", "--provider", "codex").ok())
    [meter] = [one for one in found["meters"] if one["meter"] == "weekly"]
    return meter["forecast"]


def test_weeks_like_the_last_ones(verdicts: Any) -> None:
    weeks(verdicts, 4, daily=9)
    found = forecast(verdicts)
    assert found["weeks"] == 4
    assert found["probability_full"] < 0.1
    assert found["rest"] == pytest.approx(27, abs=6)
    assert found["unused"] == pytest.approx(37, abs=8)
    assert found["full_at"] is None
    said = verdicts("plan").ok()
    assert "% likely to be full before the reset (4 weeks of history)" in said
    assert "points are still to come" in said
    gate = ("gate", "codex", "--max-age", "2h", "--max-risk")
    assert [verdicts(*gate, limit).status for limit in ("0", "0.9")] == [3, 0]
    assert verdicts(*gate, "0").out.endswith("(4 weeks of history), more than 0 %\n")


def test_a_busy_week_is_full_before_its_reset_and_never_after_it(verdicts: Any) -> None:
    weeks(verdicts, 4, daily=12, today=22)
    found = forecast(verdicts)
    assert found["probability_full"] > 0.8
    assert NOW.isoformat()[:13] <= found["full_at"] < (NOW + timedelta(days=3)).isoformat()
    assert "likely to be full before the reset, around " in verdicts("plan").ok()


@pytest.mark.parametrize(
    ("count", "days", "said"),
    [(4, 3, "4 weeks of history, 4 of them not read in their last day)"), (4, 6.5, "4 weeks of history)")],
)
def test_weeks_that_nobody_read_to_their_end_are_said(verdicts: Any, count: int, days: float, said: str) -> None:
    """What was used in them elsewhere is missing, so that the probability may be too low."""
    weeks(verdicts, count, daily=9, read=timedelta(days=days))
    assert f"% likely to be full before the reset ({said}" in verdicts("plan").ok()
    assert said in verdicts("gate", "codex", "--max-age", "2h").out
    assert forecast(verdicts)["weeks_cut"] == (count if days == 3 else 0)


def test_too_few_weeks_are_said_with_the_linear_pace_by_that_name(verdicts: Any) -> None:
    weeks(verdicts, 1, daily=9)
    said = verdicts("plan", "--provider", "codex").ok()
    assert "  unlikely to be full before the reset (1 week of history, 3 are needed for a probability); linear" in said
    # the reason is said where it is asked for, and not of each meter on the screen of all
    assert "codex weekly: unlikely to be full before the reset; linear pace: " in verdicts("status").ok()
    used = float(said.split("% used")[0].rpartition(" ")[2])
    linear = f"linear pace: {used * 7 / 4:.0f}% at the reset"
    assert linear in said
    found = forecast(verdicts)
    names = ("probability_full", "full_at", "rest", "rest_80", "unused")
    assert [found[name] for name in names] == [None] * 5
    assert (found["word"], found["why_not"]) == ("unlikely", "1 week of history; 3 are needed")
    assert found["linear_pace"] == pytest.approx(used * 7 / 4)
    (status,) = [one for one in json.loads(verdicts("--json", "status").ok())["outlooks"] if one["meter"] == "weekly"]
    assert status["expected"] is None
    report = verdicts("report", "--format", "md").ok()
    assert f"codex weekly: 1 week of history, 3 are needed for a forecast; {linear}" in report
    stored = json.loads((verdicts.folder / "data" / "forecasts.jsonl").read_text().splitlines()[0])
    assert stored["forecast"]["rest_80"] is not None


@pytest.mark.parametrize(("linear", "chance", "is_said"), [(115, 0.3, True), (80, 0.3, False), (115, 0.9, False)])
def test_a_pace_that_the_word_denies_says_why(linear: float, chance: float, is_said: bool) -> None:
    """ "unlikely to be full" stood beside "115% at the reset"."""
    meter = CurrentMeter(account=None, at=NOW, taken_at=NOW, used=29, reset_at=NOW + timedelta(days=5))
    [said] = lines(Prospect(current=meter, weeks=1, probability=chance, rest=60, linear=linear), UTC)
    assert said.endswith("% at the reset, which treats all hours of the week alike") == is_said


def test_instants_are_local_for_people_and_utc_for_programs(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks(verdicts, 1, daily=9)
    verdicts.settings('timezone = "Asia/Kathmandu"\n')
    said = verdicts("plan", "--provider", "codex").ok()
    head = said.splitlines()[0]
    assert re.fullmatch(
        r"codex weekly: [\d.]+% used at (\w+ \d+ \w+ )?\d\d:\d\d \+0545, reset \w+ \d+ \w+ \d\d:\d\d \+0545", head
    )
    (meter, *_) = json.loads(verdicts("--json", "plan", "--provider", "codex").ok())["meters"]
    assert meter["reset_at"].endswith("Z")


@pytest.mark.parametrize(
    ("reset", "words"),
    [
        (NOW - HOUR, "no forecast: its reset has passed"),
        (NOW + WEEK - 3 * HOUR, "no forecast: the reading is from the first 6 hours of its week"),
    ],
)
def test_what_cannot_be_forecast(verdicts: Any, reset: datetime, words: str) -> None:
    weeks(verdicts, 2, daily=9, reset=reset)
    assert words in verdicts("plan", "--provider", "codex").ok()


def test_a_forecast_is_scored_when_its_week_has_ended(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks(verdicts, 4, daily=9)
    verdicts("plan", "--provider", "codex").ok()
    verdicts("plan", "--provider", "codex", "--dry-run").ok()
    assert len((verdicts.folder / "data" / "forecasts.jsonl").read_text().splitlines()) == 1
    assert "1 forecast cannot be scored yet" in verdicts("plan", "--score", "--provider", "codex").ok()
    weeks(verdicts, 5, daily=9, reset=NOW + timedelta(days=10))
    path = verdicts.folder / "data" / "readings.jsonl"
    end = NOW + timedelta(days=3)
    more = [_row(9000 + day, NOW + day * timedelta(days=1), 36 + 9 * day, end) for day in range(3)]
    path.write_text(path.read_text() + "".join(json.dumps(row) + "\n" for row in more))
    monkeypatch.setattr(Session, "now", property(lambda _session: NOW + timedelta(days=4)))
    [found] = json.loads(verdicts("--json", "plan", "--score", "--provider", "codex").ok())
    assert (found["forecasts"], found["weeks"], found["full"], found["hits"]) == (1, 1, 0, 1)
    assert found["brier"] < 0.05
    assert found["coverage"] == 1
    said = verdicts("plan", "--score").ok()
    assert "codex: 1 forecast of 1 week scored: 1 right about whether the meter was full" in said
    assert "Brier score 0.0" in said


def test_status_says_it_too_and_weeks_that_come_late_count(verdicts: Any) -> None:
    weeks(verdicts, 4, daily=9)
    path = verdicts.folder / "data" / "readings.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[-20:]))
    assert json.loads(verdicts("--json", "status").ok())["outlooks"][0]["forecast"]["weeks"] == 0
    # as the first `sync` adds them
    with path.open("a") as file:
        file.writelines(lines[:-20])
    said = verdicts("status").ok()
    assert "codex weekly: " in said
    assert "likely to be full before the reset (4 weeks of history)" in said


def test_accounts_have_the_names_of_the_settings(verdicts: Any) -> None:
    verdicts.settings('[accounts]\nwork = "0123456789ab"\nhome = "dev@example.com"\n')
    data = verdicts.folder / "data"
    data.mkdir()
    # the history keeps a hash of the redacted address
    address = hashlib.blake2b(b"d***@example.com", digest_size=6).hexdigest()
    names = ("0123456789ab", address, "ffffffffffff")
    end = NOW + timedelta(days=3)
    rows = [_row(at, NOW, 20 + at, end, name) for at, name in enumerate(names)]
    (data / "readings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for command in ("plan", "meters", "status"):
        said = verdicts(command).ok()
        assert all(f"codex weekly account {name}: " in said for name in ("work", "home", "ffffffffffff")), said
    for wrong in ("work = 7", '0123456789ab = "work"'):
        verdicts.settings(f"[accounts]\n{wrong}\n")
        assert "Expected a table with an address or an id for each name" in verdicts("meters").refused()


def test_windows_name_their_account(verdicts: Any) -> None:
    verdicts.settings('[accounts]\nhome = "dev@example.com"\n')
    pane = ">_ OpenAI Codex (v0.44.0)\n Account: dev@example.com (Pro)\n Weekly limit: [██░░] 50% left\n"
    verdicts("alias", "start", "codex", "--stdin", "--window", "W1", stdin=pane).ok()
    [window] = json.loads(verdicts("--json", "windows").ok())
    assert window["providers"]["codex"]["account"] == "home"


def test_each_command_keeps_its_forecast_once_an_hour(verdicts: Any) -> None:
    weeks(verdicts, 4, daily=9)
    path = verdicts.folder / "data" / "forecasts.jsonl"
    for _ in range(3):
        verdicts("status").ok()
    verdicts("gate", "codex", "--max-age", "2h").ok()
    verdicts("plan", "--provider", "codex").ok()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    hours = {row["captured_at"][:13] for row in rows}
    assert rows[0]["source"] == "status"
    assert len(rows) == len(hours)
    assert "cannot be scored yet" in verdicts("plan", "--score", "--provider", "codex").ok()


@pytest.mark.parametrize("command", ["status", "gate"])
def test_a_forecast_is_scored_whichever_command_made_it(
    verdicts: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    weeks(verdicts, 4, daily=9)
    verdicts(*(("status",) if command == "status" else ("gate", "codex", "--max-age", "2h"))).ok()
    end = NOW + timedelta(days=3)
    with (verdicts.folder / "data" / "readings.jsonl").open("a") as file:
        file.write(json.dumps(_row(9999, end - HOUR, 64, end)) + "\n")
    monkeypatch.setattr(Session, "now", property(lambda self: end + HOUR))
    path = verdicts.folder / "data" / "forecasts.jsonl"
    row = json.loads(path.read_text().splitlines()[0])
    # another machine of the account looked in the same hour, and its records came by an import
    with path.open("a") as file:
        file.write(json.dumps(row | {"record_id": "c" * 32, "nonce": "d" * 32}) + "\n")
    assert "1 forecast of 1 week scored: 1 right about whether the meter was full" in verdicts("plan", "--score").ok()


def test_a_week_whose_end_nobody_read_refutes_no_forecast(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks(verdicts, 4, daily=9)
    verdicts("status").ok()
    end = NOW + timedelta(days=3)
    with (verdicts.folder / "data" / "readings.jsonl").open("a") as file:
        file.write(json.dumps(_row(9999, end + HOUR, 1, end + WEEK)) + "\n")
    monkeypatch.setattr(Session, "now", property(lambda self: end + 2 * HOUR))
    said = verdicts("plan", "--score", "--provider", "codex").ok()
    assert "codex: no forecast is scored; 1 forecast cannot be scored, since the end of the week was not read" in said
    assert json.loads(verdicts("--json", "plan", "--score", "--provider", "codex").ok()) == [
        {"provider": "codex", "forecasts": 0, "waiting": 0, "unread": 1, "words": 0}
    ]


def test_a_full_week_is_scored_by_the_rule_of_others(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody read its last day. If full ones counted all the same, weeks were picked by how they ended."""
    weeks(verdicts, 4, daily=9)
    verdicts("status").ok()
    end = NOW + timedelta(days=3)
    path = verdicts.folder / "data" / "readings.jsonl"
    for at, scored in ((NOW + HOUR, 0), (end - HOUR, 1)):
        with path.open("a") as file:
            file.write(json.dumps(_row(9999 + scored, at, 100, end)) + "\n")
        with monkeypatch.context() as later:
            later.setattr(Session, "now", property(lambda self: end + 2 * HOUR))
            [found] = json.loads(verdicts("--json", "plan", "--score", "--provider", "codex").ok())
        assert (found["forecasts"], found["unread"]) == (scored, 1 - scored)
    assert found["full"] == 1


@pytest.mark.parametrize(
    ("probability", "fit", "risk"),
    [
        (0.7998, 79, 80),
        (0.8, 80, 80),
        (0.2004, 20, 21),
        (0.1996, 19, 20),
        (0.29, 29, 29),
        (1e-9, 1, 1),
        (0.0, 0, 0),
        (1.0, 99, 99),
    ],
)
def test_a_figure_never_looks_like_a_limit_that_it_does_not_reach(probability: float, fit: int, risk: int) -> None:
    """`plan` says GO from 80 %, `gate` stops above 20 %: "80% likely to fit: tight" was a rounded 79.98."""
    assert (per_cent(probability), per_cent(probability, math.ceil)) == (fit, risk)


def test_what_was_told_in_a_word_is_not_scored_as_a_number(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks(verdicts, 1, daily=9)
    assert "unlikely to be full before the reset (1 week" in verdicts("plan", "--provider", "codex").ok()
    monkeypatch.setattr(Session, "now", property(lambda self: NOW + timedelta(days=4)))
    said = verdicts("plan", "--score", "--provider", "codex").ok()
    assert said == "codex: no forecast is scored; 1 forecast was only a word, from under 3 weeks of history\n"


@pytest.mark.parametrize(("plan", "count"), [("plus", 0), ("Pro", 4), (None, 4)])
def test_weeks_of_another_plan_forecast_nothing(verdicts: Any, plan: str | None, count: int) -> None:
    """A per cent of it is of another quota: `1% likely` was said of a week that was full."""
    weeks(verdicts, 4, daily=9)
    path = verdicts.folder / "data" / "readings.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    begin = (NOW + timedelta(days=3) - WEEK).isoformat()
    path.write_text(
        "".join(json.dumps({**row, "plan": plan if row["captured_at"] >= begin else "pro"}) + "\n" for row in rows)
    )
    assert forecast(verdicts)["weeks"] == count


def test_a_reading_that_the_next_one_corrects_fills_no_week(verdicts: Any) -> None:
    weeks(verdicts, 4, daily=8)
    whole = forecast(verdicts)
    with (verdicts.folder / "data" / "readings.jsonl").open("a") as file:
        for past in range(1, 5):
            end = NOW + timedelta(days=3) - past * WEEK
            file.write(json.dumps(_row(9000 + past, end - timedelta(days=6, minutes=30), 100, end)) + "\n")
    assert forecast(verdicts)["rest"] == pytest.approx(whole["rest"])


@pytest.mark.parametrize(
    ("used", "words"),
    [(2, "no forecast: it is too early in the week without past weeks to go by"), (30, "likely to be full")],
)
def test_the_first_morning_says_nothing_without_weeks_before_it(verdicts: Any, used: int, words: str) -> None:
    """By the prior nobody works before 8 h, so that 2 % at 7 h were "likely to be full"; 30 % are another matter."""
    # where it is 7 o'clock
    offset = NOW.hour - 7 if NOW.hour < 20 else NOW.hour - 31
    verdicts.settings(f'timezone = "Etc/GMT{offset:+}"\n')
    data = verdicts.folder / "data"
    data.mkdir()
    (data / "readings.jsonl").write_text(json.dumps(_row(1, NOW, used, NOW + WEEK - 7 * HOUR)) + "\n")
    assert words in verdicts("plan", "--provider", "codex").ok()


def test_a_reset_that_the_vendor_moves_by_hours_makes_no_week_of_two(verdicts: Any) -> None:
    weeks(verdicts, 2, daily=9)
    whole = forecast(verdicts)
    path = verdicts.folder / "data" / "readings.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    for row in rows[20:56]:
        reset = datetime.fromisoformat(row["parsed"]["weekly_reset_at"]) + 2 * HOUR
        row["parsed"]["weekly_reset_at"] = reset.isoformat()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert forecast(verdicts)["weeks"] == whole["weeks"] == 2


def test_a_stored_forecast_is_no_step_of_undo(verdicts: Any) -> None:
    """Neither one of this version nor one of before, which had the id of its command."""
    pane = ">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] 50% left\n"
    verdicts("alias", "start", "codex", "--stdin", "--window", "W1", "--captured-at", "-5h", stdin=pane).ok()
    weeks(verdicts, 4, daily=9)
    verdicts("plan").ok()
    path = verdicts.folder / "data" / "forecasts.jsonl"
    [row] = [json.loads(line) for line in path.read_text().splitlines()]
    assert "command_id" not in row
    path.write_text(json.dumps({**row, "command_id": "f" * 24}) + "\n")
    [step] = json.loads(verdicts("--json", "undo", "--list").ok())
    assert step["command_id"] != "f" * 24
    assert "took back codex before snapshot for W1" in verdicts("undo", "--yes").ok()


@pytest.mark.parametrize("reset_at", [datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2026, 11, 29, 18, tzinfo=UTC)])
def test_forecasts_of_one_reset_are_of_one_week(reset_at: datetime) -> None:
    """Vendors compute it anew for each answer: on Sunday at noon they were two weeks, and the interval too narrow."""
    said: Any = {"probability": 0.1, "is_linear_full": False, "was_full": False, "is_in_band": True}
    resets = [reset_at + timedelta(weeks=week, seconds=moved) for week in (0, 1) for moved in (-20, 5, 20)]
    assert score([Outcome(reset_at=one, **said) for one in resets])["weeks"] == 2


def test_what_is_expected_at_the_reset_is_rounded_where_it_is_shown() -> None:
    """46.49 became 46.5, which was then 46 in the report's chart and 47 in its table."""
    current = CurrentMeter(account=None, at=NOW, taken_at=NOW, used=45.0, reset_at=NOW + timedelta(days=2))
    known = Prospect(current=current, weeks=8, probability=0.1, rest=5.0, low=1.48974, high=80.0)
    assert known.expected == (46.48974, 100.0)
