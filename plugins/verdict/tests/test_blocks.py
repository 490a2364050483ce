"""`tracker compare --blocks`: windows that are summed by day or by project."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tracker_verdict.stats.efficiency import Efficiency, measure
from tracker_verdict.stats.ratio import Comparison


def test_windows_are_summed_by_project(verdicts: Any) -> None:
    windows = [(2 + at % 3, 10 + at % 4, f"2026-01-0{1 + at // 4}T{10 + at % 4}:00:00Z") for at in range(8)]
    verdicts.rows(codex=windows, claude=windows)
    assert "No window has a known project." in verdicts("compare", "codex", "claude", "--blocks", "project").refused()
    for name in ("codex", "claude"):
        for at in range(8):
            verdicts.facts[f"{name}-{1 + at:02d}", name] = {"project": f"p{at % 4}"}
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude", "--blocks", "project").ok())
    assert [side["blocks"] for side in found["providers"]] == [{"by": "project", "n": 4}] * 2


def test_windows_that_are_summed_by_day_are_planned_in_days(verdicts: Any) -> None:
    """14 and 10 windows on 5 days: so many days are 2.8 times as many windows of one side, and twice of the other."""

    def windows(count: int) -> list[tuple[int, int, str]]:
        return [(2 + at * 7 % 4, 10 + at * 5 % 7, f"2026-01-0{1 + at % 5}T{10 + at}:00:00Z") for at in range(count)]

    def days(found: list[tuple[int, int, str]]) -> Efficiency:
        own = [[(one, used) for one, used, _ in found[date::5]] for date in range(5)]
        return measure([(sum(one for one, _ in day), sum(used for _, used in day)) for day in own])

    codex, claude = windows(14), windows(10)
    verdicts.rows(codex=codex, claude=claude)
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude", "--blocks", "day").ok())
    least, most = Comparison(days(codex), days(claude)).windows_needed or (0, 0)
    needed = [math.ceil(2.8 * least), math.ceil(2.8 * most)]
    assert found["windows_needed"] == found["gates"][0]["windows_needed"] == needed
    said = verdicts("compare", "codex", "claude", "--blocks", "day").ok()
    assert f"Measure {least - 5} to {most - 5} more days of each, alternating." in said
    assert f"{least - 5} more of each reach it in half of all cases, and {most - 5} in four fifths." in said


def test_days_that_were_asked_for_are_never_dropped(verdicts: Any) -> None:
    """Of 2 days with 12 windows each of all 24 single windows said `Retire`: windows of one day are alike."""
    windows = {
        name: [(few + at % 3, 10, f"2026-01-0{1 + at // 12}T{at % 12:02d}:00:00Z") for at in range(24)]
        for name, few in (("codex", 3), ("claude", 0))
    }
    windows["codex"][-1] = (3, 10, "2026-01-03T09:00:00Z")
    verdicts.rows(**windows)
    assert "Retire claude. " in verdicts("compare", "codex", "claude").ok()
    said = verdicts("compare", "codex", "claude", "--blocks", "day").ok()
    assert "Not enough data: claude has 2 days of comparable windows, and --blocks day needs 3 on each side." in said
    assert "n=24 (spread over 2 days)" in said
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude", "--blocks", "day").ok())
    assert (found["verdict"], found["evidence"]) == ("not enough data", None)
    assert [side["blocks"] for side in found["providers"]] == [{"by": "day", "n": 3}, {"by": "day", "n": 2}]


def test_windows_of_unknown_projects_are_no_projects_of_their_own(verdicts: Any) -> None:
    """Eight of claude without a session log were shown as `spread over 8 projects`."""
    windows = [(2 + at % 3, 10 + at % 4, f"2026-01-0{1 + at // 4}T{10 + at % 4}:00:00Z") for at in range(8)]
    verdicts.rows(codex=windows, claude=windows)
    for at in range(6):
        verdicts.facts[f"codex-{1 + at:02d}", "codex"] = {"project": f"p{at % 4}"}
    done = verdicts("compare", "codex", "claude", "--blocks", "project")
    assert "claude has 1 project of comparable windows, and --blocks project needs 3 on each side." in done.ok()
    assert "(spread over 1 project)" in done.out
    assert "note: claude: summed as one: 8 windows with no known project, or with several." in done.err
    assert "note: codex: summed as one: 2 windows with no known project, or with several." in done.err


def test_json_says_how_alike_neighbours_are_and_how_far_apart_the_sides(verdicts: Any) -> None:
    """The interval counts on windows that are not alike in a row, and the choice on sides that are close in time."""
    runs = [(features, 10, f"2026-01-0{1 + at}T12:00:00Z") for at, features in enumerate((1, 2, 2, 5, 6, 5))]
    verdicts.rows(codex=runs, claude=[(2, 10, f"2026-01-0{1 + at}T18:00:00Z") for at in range(6)])
    rows = {row["provider"]: row for row in json.loads(verdicts("--json", "preview").ok())["providers"]}
    codex, claude = rows["codex"], rows["claude"]
    assert codex["lag_1"] == pytest.approx(0.1125 / 0.215)
    assert codex["fano"] > 1
    assert claude["lag_1"] is None
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert found["comparable"]["apart"] == 0.25


def test_tables_say_what_an_interval_is_measured_between(verdicts: Any) -> None:
    """Of twelve windows on three days the scoreboard and the report showed the interval beside `12` alone."""
    windows = [(2 + at % 3, 10 + at % 4, f"2026-01-0{1 + at // 4}T{10 + at % 4}:00:00Z") for at in range(12)]
    verdicts.rows(codex=windows, claude=windows[:5])
    rows = {row["provider"]: row for row in json.loads(verdicts("--json", "scoreboard").ok())}
    assert {name: row["spread_over"] for name, row in rows.items()} == {"codex": "3 days", "claude": None}
    assert "| measured over 3 days | 12 |" in verdicts("report", "--format", "md").ok()
    verdicts.rows(codex=windows[:5])
    assert "spread_over" not in verdicts("scoreboard", "--format", "csv").ok()


def test_an_assumed_interval_is_spread_over_no_days(verdicts: Any) -> None:
    """Of twenty windows without a feature it was said to be `assumed` and `spread over 6 days`."""
    windows = [(0, 15, f"2026-01-0{1 + at // 4}T{10 + at % 4}:00:00Z") for at in range(20)]
    verdicts.rows(claude=windows, codex=[(3, *one[1:]) for one in windows[:10]])
    said = verdicts("compare", "codex", "claude").ok()
    assert " assumed, n=20\n" in said
    [_, claude] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())[0]["providers"]
    assert (claude["blocks"], claude["ci_kind"]) == (None, "assumed")
    assert "spread_over" not in verdicts("scoreboard", "--format", "csv").ok()


@pytest.mark.parametrize(
    ("days", "said"), [([10, 1, 1], "one day outweighs the others"), ([6, 6], "only 2 days"), ([12], "only 1 day")]
)
def test_many_windows_of_too_few_days_say_so(verdicts: Any, days: list[int], said: str) -> None:
    """What differs between days is not in their interval, and nothing told that from one over days."""
    times = [f"2026-01-0{1 + day}T{8 + at:02d}:00:00Z" for day, count in enumerate(days) for at in range(count)]
    verdicts.rows(codex=[(2 + at % 3, 10 + at % 4, time) for at, time in enumerate(times)])
    line = verdicts("preview").ok()
    assert "n=12, " in line
    assert f" (spread over single windows: {said})\n" in line
    verdicts.rows(codex=[(2 + at % 3, 10 + at % 4, time) for at, time in enumerate(times[:11])])
    assert "spread over" not in verdicts("preview").ok()
