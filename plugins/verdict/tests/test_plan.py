"""`tracker plan`: what fits until the reset, and what it does not know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tracker_verdict.outlook import Outlook
from tracker_verdict.plan_text import lines

DAY = "2026-01-01T12:00:00Z"
PANE = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      90% left\n  Weekly limit:  {}% left\n"


@pytest.fixture
def closed(verdicts: Any) -> Any:
    """A finalized window W0-01 of 18 pp."""
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(80)).ok()
    verdicts("alias", "end", "codex", "--stdin", stdin=PANE.format(62)).ok()
    verdicts("complete", "--window", "W0-01", "--codex-features", "3", "--outcome", "pass").ok()
    return verdicts


def test_the_plan_counts_what_fits_and_says_stop(closed: Any) -> None:
    found = json.loads(closed("plan", "--provider", "codex", "--json").ok())
    [capacity] = [one for one in found["meters"] if one["capacity"]]
    assert (capacity["used_pct"], capacity["cost"]["usual"], capacity["windows_that_fit"]["usual"]) == (38, 18, 2)
    assert (found["verdict"], capacity["spread"]) == ("GO", "assumed")
    said = closed("plan", "--provider", "codex", "--windows-left", "3").ok()
    assert "tight\n  how much costs vary is assumed until 3 windows measure it (1 so far)\n" in said
    assert (
        "  a usual window costs 18 pp (of 1 window)\n  2 more windows fit and leave 10 pp\n  3 planned windows: "
        in said
    )
    assert "likely to fit: tight\n" in said
    assert said.endswith("verdict: tight\n")
    assert closed("plan", "--provider", "codex", "--windows-left", "5").ok().endswith("verdict: STOP\n")


def test_the_plan_is_no_go_as_long_as_a_meter_is_unknown(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts.rows(codex=[(1, 10)] * 3)
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(80)).ok()
    ending = "codex verdict: unknown: fiveh not known, weekly alone says GO\n"
    cure = "measure one that begins and ends between two resets of fiveh"
    why = f"  unknown: no finalized window shows what one costs: {cure}\n"
    said = verdicts("plan", "--provider", "codex").ok()
    assert said.endswith(why + ending)
    assert json.loads(verdicts("plan", "--provider", "codex", "--json").ok())["verdict"] == "unknown"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert verdicts("plan").ok().endswith(ending.replace(" verdict", ""))
    monkeypatch.delenv("FORCE_COLOR")
    # what it asks for makes it known
    verdicts("alias", "end", "codex", "--stdin", stdin=PANE.format(70).replace("90%", "80%")).ok()
    verdicts("complete", "--window", "W0-01", "--codex-features", "1").ok()
    assert verdicts("plan", "--provider", "codex").ok().endswith("codex verdict: GO\n")


def test_a_meter_that_is_not_shown_any_more_does_not_count(verdicts: Any) -> None:
    verdicts.rows(codex=[(1, 10)] * 3)
    verdicts("start", "codex", "--stdin", "--captured-at", "-9d", "--force", stdin=PANE.format(80)).ok()
    verdicts("end", "codex", "--stdin", stdin="\n".join(PANE.format(75).replace("5h", "").splitlines())).ok()
    assert verdicts("plan", "--provider", "codex").ok().endswith("codex verdict: GO\n")


def test_three_windows_measure_how_much_costs_differ(closed: Any) -> None:
    for left in (62, 61):
        closed("alias", "start", "codex", "--stdin", stdin=PANE.format(left)).ok()
        window = closed("alias", "end", "codex", "--stdin", stdin=PANE.format(left - 1)).ok().split()[5]
        closed("complete", "--window", window, "--codex-features", "1").ok()
    said = closed("plan", "--provider", "codex").ok()
    assert "of 3 windows)" in said
    assert "assumed" not in said
    [capacity] = [
        one for one in json.loads(closed("plan", "--provider", "codex", "--json").ok())["meters"] if one["capacity"]
    ]
    assert capacity["spread"] == "measured"


def test_the_plan_says_what_it_does_not_know(verdicts: Any) -> None:
    never = verdicts("plan", "--provider", "codex").ok()
    why = "  unknown: it was never captured: `tracker capture --sample codex`\n"
    assert never.endswith(f"{why}codex verdict: unknown\n")
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(80)).ok()
    assert "unknown: no finalized window shows what one costs" in verdicts("plan", "--provider", "codex").ok()
    assert "prompts have no bar" in verdicts("plan", "--provider", "glm").ok()


def test_the_plan_goes_by_no_reading_older_than_the_meters_window(verdicts: Any) -> None:
    """After a week the weekly bar has begun anew, whatever it said before."""
    verdicts.rows(codex=[(3, 18)])
    old = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    verdicts("alias", "start", "codex", "--stdin", "--captured-at", old, stdin=PANE.format(5)).ok()
    said = verdicts("plan", "--provider", "codex").ok()
    why = "  unknown: the last reading is 8 d 0 h old and the meter is reset every 7 d 0 h"
    assert f"{why}: `tracker capture --sample codex`\n" in said
    assert said.endswith("verdict: unknown\n")


def test_what_is_said_to_fit_does_so_at_even_odds(verdicts: Any) -> None:
    """Half of these windows cost 2 pp, and 14 of them 50 all the same."""
    verdicts.rows(codex=[(1, cost) for cost in (2, 8, 2, 2, 2, 4, 2, 2, 8, 4)])
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(62)).ok()
    for planned, verdict in ((14, "tight"), (16, "STOP")):
        said = verdicts("plan", "--provider", "codex", "--windows-left", str(planned)).ok()
        assert "  a usual window costs 3.6 pp (2 to 8, mean of 10 windows)\n  14 more windows fit (6 to 26) and" in said
        assert f"likely to fit: {verdict}\n" in said
    assert "14 more windows fit (6 to 26)" in verdicts("status").ok()


@pytest.mark.parametrize(
    ("left", "costs", "words", "verdict"),
    [
        (60, [0, 15, 20], "4 more windows fit (2 or more: the cheapest window cost nothing)", "GO"),
        (60, [0, 0, 20], "7 more windows fit (2 or more: the cheapest window cost nothing)", "GO"),
        (60, [10, 15, 20], "3 more windows fit (2 to 5)", "GO"),
        (20, [0, 15, 20], "0 more windows fit", "tight"),
        (10, [0, 0, 20], "0 more windows fit", "STOP"),
    ],
)
def test_windows_that_cost_nothing_have_no_limit(
    verdicts: Any, left: int, costs: list[float], words: str, verdict: str
) -> None:
    deltas = [{"weekly_pct": cost, "fiveh_pct": 5} for cost in costs]
    known = [{"providers": {"codex": {"delta": delta, "errors": []}}} for delta in deltas]
    verdicts.rows(codex=[(1, cost, DAY, more) for cost, more in zip(costs, known, strict=True)])
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(left)).ok()
    said = verdicts("plan", "--provider", "codex").ok()
    assert f"  {words} and leave 10 pp\n" in said
    assert said.endswith(f"verdict: {verdict}\n")


@pytest.mark.parametrize(
    ("fiveh", "planned", "meter", "verdict"),
    [
        ("95%", 1, "GO", "GO"),
        ("95%", 80, "unknown", "STOP"),  # 80 pp at most of 85, and 800 pp of the weekly meter
        ("12%", 2, "unknown", "unknown: fiveh not known, weekly alone says GO"),
        ("10%", 1, "STOP", "STOP"),
        ("0%", 1, "STOP", "STOP"),
    ],
)
def test_what_no_window_moved_costs_less_than_rounding_hides(
    verdicts: Any, fiveh: str, planned: int, meter: str, verdict: str
) -> None:
    """Three windows moved the 5h meter by 0: GO only if its room is enough at the limit, and nothing contradicts it."""
    known = {"providers": {"codex": {"delta": {"weekly_pct": 10, "fiveh_pct": 0}, "errors": []}}}
    verdicts.rows(codex=[(1, 10, DAY, known)] * 3)
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(80).replace("90%", fiveh)).ok()
    words = ("plan", "--provider", "codex", "--windows-left", str(planned))
    said = verdicts(*words).ok()
    assert said.endswith(f"codex verdict: {verdict}\n")
    why = ", but not decided: 3 finalized windows moved it by 0: a longer one will show what one costs"
    decided = why if meter == "unknown" else f": {meter}"
    assert f"likely to fit{decided}\n" in said[said.index("codex fiveh") :]
    assert "  no window moved it: the probability assumes 1 pp each, the most that rounding hides\n" in said
    found = json.loads(verdicts("--json", *words).ok())
    own = next(one for one in found["meters"] if one["meter"] == "fiveh")
    assert (found["verdict"], own["verdict"]) == (verdict.partition(":")[0], meter)
    assert (own["cost"]["most"], own["spread"]) == (0, "assumed")


def test_planned_pairs_are_in_the_command_log_and_forecasts_are_not(closed: Any) -> None:
    """`undo` names the command that drew them."""
    closed("plan", "--provider", "codex").ok()
    assert closed("undo", "--list").ok().splitlines()[0].split("  ")[1].startswith("tracker complete ")
    closed("plan", "--pairs", "2", "codex", "claude").ok()
    assert closed("undo", "--list").ok().splitlines()[0].endswith("plan --pairs 2 codex claude  (2 records)")
    closed("undo", "--yes").ok()
    assert "--pairs" not in closed("undo", "--list").ok()


def test_a_meter_that_must_have_been_reset_has_no_value(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pane does not say when the 5-hour meter is reset; six hours later it was, whatever it said."""
    verdicts("alias", "start", "codex", "--stdin", "--captured-at", "-6h", stdin=PANE.format(80)).ok()
    assert "and the meter is reset every 5 h 0 min" in verdicts("plan").ok()
    assert "| codex fiveh | not known | 6 h 0 min ago | reset since |" in verdicts("report", "--format", "md").ok()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    (fiveh,) = [row for row in verdicts("plan").ok().splitlines() if row.startswith("codex fiveh  ")]
    assert "%" not in fiveh


def test_windows_of_another_plan_do_not_say_what_one_costs(verdicts: Any) -> None:
    """20 points of Plus are 2 of Pro: `plan` said that no window fits."""
    pane = ">_ OpenAI Codex (v0.169.0)\n Account: dev@example.com ({})\n Weekly limit: {}% left\n"

    def window(number: int, plan: str, before: int, after: int) -> None:
        at = ("--window", f"W{number}", "--captured-at")
        verdicts("start", "codex", "--stdin", *at, f"-{90 - 20 * number}m", stdin=pane.format(plan, before)).ok()
        verdicts("end", "codex", "--stdin", *at, f"-{85 - 20 * number}m", stdin=pane.format(plan, after)).ok()
        verdicts("complete", "--window", f"W{number}", "--codex-features", "2").ok()

    window(1, "Plus", 60, 40)
    window(2, "Plus", 40, 20)
    assert "a usual window costs 20 pp (20 to 20, mean of 2 windows)" in verdicts("plan", "--max-age", "2h").ok()
    verdicts("start", "codex", "--stdin", "--window", "W3", "--captured-at", "-35m", stdin=pane.format("Pro", 95)).ok()
    said = verdicts("plan", "--max-age", "2h").ok()
    assert (
        "no finalized window shows what one costs: 2 windows of another plan are left out; measure one on this" in said
    )
    window(3, "Pro", 95, 93)
    said = verdicts("plan", "--max-age", "2h").ok()
    assert "a usual window costs 2 pp (of 1 window; 2 windows of another plan are left out)" in said
    [plan] = json.loads(verdicts("--json", "plan", "--max-age", "2h").ok())
    assert [(one["windows_measured"], one["windows_of_another_plan"]) for one in plan["meters"]] == [(1, 2)]


@pytest.mark.parametrize(
    ("told", "is_outdated"),
    [
        # by the log the plan changed after the window; before it, so that panes and log may name one plan; not at all
        ([(-100, "plus"), (-40, "plus"), (-30, "pro")], True),
        ([(-100, "plus"), (-40, "pro"), (-30, "pro")], False),
        ([(-100, "pro"), (-30, "pro")], False),
        # what panes name again tells more than a log, which may hold another account's sessions
        ([(-100, "plus"), (-40, "plus"), (-30, "pro"), (-20, "pane")], False),
    ],
)
def test_a_plan_that_panes_no_longer_name_is_told_by_the_log(
    verdicts: Any, told: list[tuple[int, str]], is_outdated: bool
) -> None:
    """Panes have words of their own: `Plus` in a window of before says nothing against the `pro` of today's log."""
    pane = ">_ OpenAI Codex (v0.169.0)\n Account: dev@example.com (Plus)\n Weekly limit: {}% left\n"
    for verb, left, at in (("start", 60, "-80m"), ("end", 40, "-75m")):
        words = ("--window", "W2", "--captured-at", at)
        verdicts(verb, "codex", "--stdin", *words, stdin=pane.format(left)).ok()
    verdicts("complete", "--window", "W2", "--codex-features", "2").ok()
    account = json.loads(verdicts("--json", "windows").ok())[0]["providers"]["codex"]["account"]
    now = datetime.now(UTC)
    if told[-1][1] == "pane":
        *told, (minutes, _) = told
        words = ("--window", "W3", "--captured-at", f"{minutes}m")
        verdicts("start", "codex", "--stdin", *words, stdin=pane.format(39)).ok()
    rows = [
        {
            "record_id": f"{number:032x}",
            "provider": "codex",
            "origin": "rollout",
            "account": account,
            "plan": plan,
            "parsed": {"weekly_used": 60, "weekly_reset_at": (now + timedelta(days=3)).isoformat()},
            "captured_at": (now + timedelta(minutes=minutes)).isoformat(),
            "until": (now + timedelta(minutes=minutes)).isoformat(),
        }
        for number, (minutes, plan) in enumerate(told, 1)
    ]
    with (verdicts.folder / "data" / "readings.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    [plan] = json.loads(verdicts("--json", "plan", "--max-age", "2h").ok())
    [weekly] = [one for one in plan["meters"] if one["meter"] == "weekly"]
    assert (weekly["windows_measured"], weekly["windows_of_another_plan"]) == (not is_outdated, is_outdated)


def test_windows_without_an_account_are_not_judged_by_another_accounts_plan(verdicts: Any) -> None:
    pane = ">_ OpenAI Codex (v0.169.0)\n Account: {}\n Weekly limit: {}% left\n"
    told = (("(Plus)", 60, 50), ("dev@example.com (Pro)", 90, 85), ("dave@example.com (Pro)", 70, 65))
    for number, (account, before, after) in enumerate(told):
        at = ("--window", f"W{number}", "--captured-at")
        for phase, left, minute in (("start", before, 0), ("end", after, 5)):
            when = f"-{90 - 20 * number - minute}m"
            verdicts("alias", phase, "codex", "--stdin", *at, when, stdin=pane.format(account, left)).ok()
        verdicts("complete", "--window", f"W{number}", "--codex-features", "2").ok()
    [plan] = json.loads(verdicts("--json", "plan", "--max-age", "3h").ok())
    assert [(one["windows_measured"], one["windows_of_another_plan"]) for one in plan["meters"]] == [(1, 0)] * 3


def test_a_value_is_of_the_time_at_which_it_was_read_and_not_stored() -> None:
    """The age beside it goes by that, too."""
    now = datetime(2026, 1, 10, 10, tzinfo=UTC)
    session: Any = SimpleNamespace(now=now, zone=UTC, settings=lambda _: SimpleNamespace(reserve_pp=0))
    one = Outlook(meter="fuel", is_capacity=True, used=3.0, at=now - timedelta(minutes=12), taken_at=now)
    source: Any = SimpleNamespace(name="toy")
    assert next(iter(lines(session, source, [one], 1))).startswith("toy fuel: 3% used at 09:48")
