"""A change of what a point buys that drift is sure of reaches what adds points used before and after."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker.api import Meter, UsageEvent
from tracker_verdict.current_meters import CurrentMeter
from tracker_verdict.prospect import prospect
from tracker_verdict.regimes import Regime
from tracker_verdict.stats.forecast import left_over, runout
from tracker_verdict.weeks import PRIOR, Week, phase_of

NOW = datetime.now(UTC).replace(microsecond=0)
DAY, WEEK, HOUR = timedelta(days=1), timedelta(days=7), timedelta(hours=1)
RESET = NOW + 3 * DAY
CHANGED = 6
GATE = ("gate", "codex", "--max-age", "2h")


class Logs:
    """Nine hours of work a day for six weeks, each with a request and a reading; the change came CHANGED days ago."""

    def __init__(self, verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.verdicts, self.asked = verdicts, 0
        self.events: list[UsageEvent] = []
        monkeypatch.setattr("tracker_telemetry.sessions.current.events", self._events)

    def _events(self, _session: Any, since: datetime | None, _folder: Any) -> list[UsageEvent]:
        self.asked += 1
        return [one for one in self.events if since is None or one.at >= since.timestamp()]

    def work(self, ratio: float) -> None:
        chance, used, end, rows = random.Random(3), 0.0, RESET - 7 * WEEK, []
        self.events = []
        for number in range(45 * 9):
            at = NOW - (44 - number // 9) * DAY - (8 - number % 9) * HOUR
            dollars = chance.uniform(0.6, 1.4)
            self.events.append(UsageEvent(at.timestamp() - 60, "codex", "s", "", "", "gpt-5", 1000, 0, dollars, 0.0))
            while at >= end:
                used, end = 0.0, end + WEEK
            used = min(used + 0.5 * dollars * (ratio if NOW - at < CHANGED * DAY else 1.0), 99.0)
            parsed = {"weekly_used": int(used), "weekly_reset_at": end.isoformat()}
            own = {"record_id": f"r{number}", "provider": "codex", "origin": "rollout", "account": None}
            rows.append({**own, "parsed": parsed, "captured_at": at.isoformat(), "until": at.isoformat()})
        data = self.verdicts.folder / "data"
        data.mkdir(exist_ok=True)
        (data / "readings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def windows(self) -> None:
        """Of both providers on each of 12 days: codex's took 4 points before the change, and 8 since."""
        days = [(NOW - back * DAY).isoformat() for back in (13, 12, 11, 10, 9, 8, 5, 4, 3, 2, 1, 0.5)]
        codex = [(2, 4 if at < 6 else 8, when) for at, when in enumerate(days)]
        self.verdicts.rows(codex=codex, claude=[(2, 10, when) for when in days])

    def __call__(self, *arguments: str) -> Any:
        return json.loads(self.verdicts("--json", *arguments).out)

    @property
    def kept(self) -> Any:
        path = self.verdicts.folder / "data" / "state" / ".verdict" / "changes.json"
        return json.loads(path.read_text()) if path.exists() else []


@pytest.fixture
def logs(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> Logs:
    return Logs(verdicts, monkeypatch)


def test_compare_holds_windows_of_both_sides_of_a_change_in_points_of_now(logs: Logs) -> None:
    """With raw points codex looked a third better than it is now."""
    logs.work(2.0)
    logs.windows()
    [change] = logs("meters", "drift", "--provider", "codex")
    logs.verdicts("meters", "drift").ok()
    [found] = logs("compare", "codex", "claude")
    ratio = change["ratio"][0]
    assert ratio == pytest.approx(2.0, rel=0.1)
    own, other = found["providers"]
    assert own["change"] == {"day": change["since"], "ratio": change["ratio"]}
    assert own["efficiency"] == pytest.approx(24 / (24 * ratio + 48))
    assert (other["efficiency"], "change" in other) == (pytest.approx(0.2), False)
    said = f"points used before {change['since']} count as {ratio:.2f} each: a point has bought less since then"
    said += ", if nothing else used the account"
    assert f"({said})" in logs.verdicts("compare", "codex", "claude").ok()
    assert f"({said})" in logs.verdicts("preview", "--last", "40").ok()
    board = logs.verdicts("scoreboard")
    assert f"note: codex: {said}\n" in board.err
    report = logs.verdicts("report", "--format", "md").ok()
    assert f" codex: {said}." in report
    # beside the figures in points of now, and beside each window's own, which are as read
    rule = f"points used before {change['since']} count as {ratio:.2f} each"
    assert f" codex: {rule}." in report.partition("## Efficiency")[2]
    assert "Points are shown as read; " in report.partition("## Windows")[2]
    listed = {one["window"]: one["providers"] for one in logs("windows")}
    older = [own["codex"].get("older_points") for window, own in sorted(listed.items()) if "codex" in own]
    assert older == [ratio] * 6 + [None] * 6
    assert not any("older_points" in own["claude"] for own in listed.values() if "claude" in own)
    assert (
        "codex-06 ran before the value of a point changed, if nothing else used the account."
        in logs.verdicts("windows").err
    )
    [row] = [one for one in logs("scoreboard") if one["provider"] == "codex"]
    assert (row["older_points"], row["efficiency"]) == (ratio, own["efficiency"])


def test_compare_itself_looks_for_a_change(logs: Logs) -> None:
    logs.work(2.0)
    logs.windows()
    [found] = logs("compare", "codex", "claude")
    assert found["providers"][0]["change"]["ratio"][0] == pytest.approx(2.0, rel=0.1)
    # once a day
    asked = logs.asked
    logs("compare", "codex", "claude")
    assert logs.asked == asked > 0


def test_gate_and_plan_hold_past_weeks_in_points_of_now(logs: Logs) -> None:
    """The gate said go at half the chance; it reads no session logs, so `plan` or `meters drift` tells it."""
    logs.work(2.0)
    logs.windows()
    raw = logs(*GATE)
    assert (logs.asked, "change" in raw) == (0, False)
    planned = logs("plan", "--provider", "codex", "--max-age", "2h")
    [meter] = [one for one in planned["meters"] if one["capacity"]]
    ratio = meter["change"]["ratio"][0]
    assert meter["cost"]["least"] == pytest.approx(4 * ratio)
    assert meter["cost"]["usual"] == pytest.approx((4 * ratio + 8) / 2, abs=1e-6)
    asked, found = logs.asked, logs(*GATE)
    assert logs.asked == asked
    assert found["risk"] == meter["forecast"]["probability_full"] > raw["risk"]
    assert found["change"] == meter["change"] == meter["forecast"]["change"]
    rule = f"points used before {meter['change']['day']} count as {ratio:.2f} each"
    assert found["why"].endswith(f" (6 weeks of history); {rule}")
    assert (
        f"  {rule}: a point has bought less since then, if nothing else used the account\n"
        in logs.verdicts("plan").ok()
    )
    assert rule in logs.verdicts("status").ok()


def test_a_look_that_tells_nothing_leaves_a_change_that_is_known(logs: Logs) -> None:
    """Requests of a model without a price came since then."""
    logs.work(2.0)
    logs.verdicts("meters", "drift").ok()
    kept = logs.kept
    assert kept
    logs.events = [one._replace(fresh=None) if place % 20 == 0 else one for place, one in enumerate(logs.events)]
    assert "cannot tell: 5% of the tokens have no list price" in logs.verdicts("meters", "drift").ok()
    assert logs.kept == kept


def test_without_a_change_nothing_is_said_and_figures_are_as_before(logs: Logs) -> None:
    logs.work(1.0)
    logs.windows()
    before = logs.verdicts(*GATE).out, logs.verdicts("preview", "--last", "40").ok()
    said = logs.verdicts("compare", "codex", "claude").ok() + logs.verdicts("plan").ok()
    assert "points used before" not in said
    assert logs.kept == []
    assert (logs.verdicts(*GATE).out, logs.verdicts("preview", "--last", "40").ok()) == before
    assert logs("compare", "codex", "claude")[0]["providers"][0]["capacity"] == 72


def test_a_look_at_less_says_nothing_against_a_change_and_one_at_as_much_does(logs: Logs) -> None:
    logs.work(2.0)
    logs("meters", "drift")
    [kept] = logs.kept
    assert (kept["provider"], kept["meter"], kept["is_only"]) == ("codex", "weekly", True)
    logs.work(1.0)
    logs("meters", "drift", "--since", "3w")
    assert logs.kept == [kept]
    logs("meters", "drift")
    assert logs.kept == []


def test_of_several_accounts_a_change_is_that_of_its_own(logs: Logs) -> None:
    logs.work(2.0)
    logs.windows()
    path = logs.verdicts.folder / "data" / "readings.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    rows = [{**row, "account": "home" if at < 9 else "work"} for at, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    meters = logs("plan", "--provider", "codex")["meters"]
    found = {one["account"]: "change" in one for one in meters if one["capacity"]}
    assert found == {"home": False, "work": True}
    assert [(one["account"], one["is_only"]) for one in logs.kept] == [("work", False)]
    # of which account the windows are nobody said
    assert "points used before" not in logs.verdicts("preview", "--last", "40").ok()


def _totals(days: int, account: str = "") -> list[UsageEvent]:
    """What another machine did on the last days, of which its records have the totals."""
    starts = [(NOW - back * DAY).replace(hour=0, minute=0, second=0).timestamp() for back in range(days)]
    labels = "codex", "other", "", "", "gpt-5", 1000, 0, None, None
    return [UsageEvent(start + 86399, *labels, account=account, since=start) for start in starts]


@pytest.mark.parametrize("days", [CHANGED + 1, 46])
def test_a_change_in_days_of_which_only_totals_are_left_is_dropped_after_an_import(logs: Logs, days: int) -> None:
    """Another machine used the account since then: a point seemed to buy half, and windows of before were scaled."""
    logs.work(2.0)
    logs.windows()
    logs("plan")
    assert logs.kept
    assert "points used before" in logs.verdicts("preview", "--last", "40").ok()
    logs.events += _totals(days)
    (logs.verdicts.folder / "data" / "imports.jsonl").write_text(json.dumps({"record_id": "i"}) + "\n")
    assert "points used before" not in logs.verdicts("preview", "--last", "40").ok()
    assert logs.kept
    logs("plan")
    assert logs.kept == []
    assert "points used before" not in logs.verdicts("preview", "--last", "40").ok()
    [found] = logs("meters", "drift")
    said = logs.verdicts("meters", "drift").ok()
    left_out = "days other requests are known only as daily totals, such as from deleted files or another machine"
    if days == 46:
        assert f": cannot tell: on {found['days_left_out']} of {found['days_left_out']} {left_out}" in said
    else:
        assert (found["since"], found["days_left_out"] >= CHANGED) == (None, True)
        assert f"  on {found['days_left_out']} of " in said
        assert f"{left_out}: rises in that time are not compared\n" in said


def test_totals_of_another_account_leave_a_change(logs: Logs) -> None:
    logs.work(2.0)
    logs.windows()
    logs("plan")
    before = logs.verdicts("preview", "--last", "40").ok()
    (logs.verdicts.folder / "data" / "imports.jsonl").write_text(json.dumps({"record_id": "i"}) + "\n")
    logs.events = [one._replace(account="own") for one in logs.events] + _totals(9, account="other")
    [found] = logs("meters", "drift")
    assert found["ratio"][0] == pytest.approx(2.0, rel=0.1)
    assert found["days_left_out"] == 0
    assert "points used before" in before
    assert logs.verdicts("preview", "--last", "40").ok() == before


def test_what_is_kept_is_made_anew_if_it_is_spoilt(logs: Logs) -> None:
    logs.work(2.0)
    logs.windows()
    logs("meters", "drift")
    [kept] = logs.kept
    path = logs.verdicts.folder / "data" / "state" / ".verdict" / "changes.json"
    for text in ("[{", "{}", json.dumps([{**kept, "day": "soon"}, 1])):
        path.write_text(text)
        assert "points used before" not in logs.verdicts("preview", "--last", "40").ok()
        logs("meters", "drift")
        assert logs.kept == [kept]
    path.unlink()
    os.mkfifo(path)
    assert "points used before" not in logs.verdicts("preview", "--last", "40").ok()
    logs("meters", "drift")


def test_what_this_week_used_before_a_change_counts_as_past_weeks_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = NOW.replace(minute=0, second=0) + 3 * DAY
    start, day = end - WEEK, end - 5 * DAY
    past = [Week(reset_at=end - back * WEEK, phase=0, rises=[0.3] * 168) for back in (3, 2, 1)]
    own = Week(reset_at=end, phase=0, rises=[0.3] * 48 + [0.6] * 48 + [0.0] * 72)
    current = CurrentMeter(account=None, at=start + 96 * HOUR, taken_at=NOW, used=43.2, reset_at=end, limit=100.0)
    meter = Meter(key="weekly", title="Week", window=WEEK)

    monkeypatch.setattr("tracker_verdict.prospect.weeks_before", lambda *_: [*past, own])
    change = Regime(day.date(), day, (2.0, 1.9, 2.1))
    found = prospect([], current, meter, start + 96 * HOUR, UTC, change)
    rises, now = [[0.6] * 168] * 3, phase_of(start, UTC)
    rest, spread, df, full, *_ = runout(rises, 96, 2 * 14.4 + 28.8, PRIOR, [0, 0, 0], now, room=100 - 43.2)
    assert found is not None
    assert (found.rest, found.probability) == (pytest.approx(rest), pytest.approx(full))
    assert (found.change, found.unused) == (change, pytest.approx(left_over(rest, spread, df, 100 - 43.2)))
    # all before the weeks that are known: nothing to say
    old = Regime(day.date(), end - 9 * WEEK, (2.0, 1.9, 2.1))
    raw = prospect([], current, meter, start + 96 * HOUR, UTC)
    assert prospect([], current, meter, start + 96 * HOUR, UTC, old) == raw


def test_a_week_of_which_most_was_given_back_at_a_change_has_a_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rises of before the change come to more than the meter shows: less than nothing was left of them."""
    end = NOW.replace(minute=0, second=0) + 3 * DAY
    start, day = end - WEEK, end - 5 * DAY
    past = [Week(reset_at=end - back * WEEK, phase=0, rises=[0.3] * 168) for back in (3, 2, 1)]
    own = Week(reset_at=end, phase=0, rises=[1.5] * 40 + [0.0] * 128)
    current = CurrentMeter(account=None, at=start + 96 * HOUR, taken_at=NOW, used=8.0, reset_at=end, limit=100.0)
    meter = Meter(key="weekly", title="Week", window=WEEK)

    monkeypatch.setattr("tracker_verdict.prospect.weeks_before", lambda *_: [*past, own])
    found = prospect([], current, meter, start + 96 * HOUR, UTC, Regime(day.date(), day, (0.4, 0.3, 0.5)))
    assert found is not None
    assert found.chance == 1
    assert found.expected is not None
    assert 8 <= found.expected[0] < found.expected[1] < 60
