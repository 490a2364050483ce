"""Windows that moved one meter at the same time: every command tells them by one rule, and says what is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

PANE = ">_ OpenAI Codex (v0.44.0)\n Account: {} (Pro)\n Weekly limit: [██░░] {}% left\n"
ONE, OTHER = "dev@example.com", "dave@example.com"


def test_windows_that_overlap_on_one_account_are_not_added(verdicts: Any) -> None:
    """Lanes that work at the same time share the meter: the delta of each holds the work of the other."""
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 85, 75, "-8h", "-6h", 2))
    verdicts.measure(("W3", ONE, 75, 70, "-5h", "-4h", 1))
    said = verdicts("preview").ok()
    assert "  - codex: features=1, capacity=5 pp, efficiency=0.20, ci=n/a, n=1" in said
    assert "(excluded W1: overlaps W2) (excluded W2: overlaps W1)" in said
    board = verdicts("scoreboard", "--by", "provider")
    assert board.ok().splitlines()[1].split()[2:5] == ["3", "1", "5"]
    cure = "`tracker decision-card --window W1` names the cure."
    assert board.err == f"note: codex W1, W2 overlap: not counted. {cure}\n"
    for words in (("--window", "W2"), ("--last", "2"), ("--since", "-7h", "--until", "-330m")):
        assert "(excluded W2: overlaps W1)" in verdicts("preview", *words).ok(), "also with one that was not selected"
    assert "n=1" in verdicts("preview", "--last", "2").ok()
    assert verdicts("scoreboard", "--last", "2").ok().splitlines()[1].split()[2:5] == ["2", "1", "5"]
    listed = {row["window"]: row["providers"]["codex"] for row in json.loads(verdicts("--json", "windows").ok())}
    assert [one["efficiency"] for one in listed.values()] == [None, None, 0.2]
    assert [one.get("overlaps") for one in listed.values()] == ["W2", "W1", None]
    assert json.loads(verdicts("--json", "windows", "--last", "2").ok())[0]["providers"]["codex"]["overlaps"] == "W1"


@pytest.mark.parametrize(("minutes", "left", "hours", "is_shared"),
    [(2, 48, 50, True), (2, 44, 50, False), (2, 99, 168, False), (30, 48, 50, False)])  # fmt: skip
def test_a_fall_between_two_windows_tells_of_clocks_that_differ(
    verdicts: Any, minutes: int, left: int, hours: int, is_shared: bool
) -> None:
    """Two windows of machines whose clocks are 4 minutes apart had 4 of the same points. A reset explains a fall."""
    end = datetime.now(UTC) - timedelta(minutes=90)
    for window, begin, values in (("W1", -27, (60, 44)), ("W2", minutes, (left, left - 11))):
        for phase, at, value in zip(("start", "end"), (begin, begin + 27), values, strict=True):
            reset = end + timedelta(hours=hours if window == "W2" else 50)
            text = PANE.format(ONE, value).replace("left", f"left (resets {reset:%H:%M on %-d %b})")
            taken = (end + timedelta(minutes=at)).isoformat()
            verdicts(phase, "codex", "--stdin", "--window", window, "--captured-at", taken, stdin=text).ok()
        verdicts("complete", "--window", window, "--codex-features", "2", "--outcome", "pass").ok()
    assert ("overlaps W2" in verdicts("preview").ok()) is is_shared
    assert ("overlaps W2" in verdicts("preview", "--window", "W1").ok()) is is_shared


def test_a_window_that_overlaps_is_no_go_until_the_other_is_reopened(verdicts: Any) -> None:
    """The preview makes no figure of it, so that the card cannot say GO; the cure that the card names makes one."""
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 85, 75, "-8h", "-6h", 2))
    for window, other in (("W1", "W2"), ("W2", "W1")):
        done = verdicts("complete", "--window", window, "--outcome", "pass")
        assert f"note: {other} ran at the same time on codex's meter, so neither counts. " in done.notes
        assert f"If {other} is a mistake, reopen it: `tracker complete --reopen --window {other}`\n" in done.notes
    card = verdicts("decision-card", "--window", "W1")
    assert "Verdict: NO-GO" in card.out
    assert "W2 ran at the same time on codex's meter, so neither counts. Give lanes that work at the" in card.out
    cure = card.out.rpartition("If W2 is a mistake, reopen it. Run `tracker ")[2].partition("`")[0]
    verdicts(*cure.split()).ok()
    card = verdicts("decision-card", "--window", "W1")
    assert "Verdict: SOFT GO" in card.out
    assert "note    It counts for codex as long as W2 is not finalized. W2 ran at the same time" in card.out
    assert "codex: features=3, capacity=10 pp" in verdicts("preview", "--window", "W1").ok()


def test_of_a_window_inside_another_the_one_whose_end_was_forgotten_is_the_slip(verdicts: Any) -> None:
    """W2 is right. W1 holds its work, too: it is made anew of the readings around its own, and then both count."""
    verdicts.measure(("W1", ONE, 90, 70, "-9h", "-3h", 3), ("W2", ONE, 80, 74, "-6h", "-4h", 2))
    for window in ("W1", "W2"):
        note = verdicts("complete", "--window", window, "--outcome", "pass").notes
        card = verdicts("decision-card", "--window", window).out
        assert "once you have reopened it: `tracker complete --reopen --window W1`" in note
        assert "once you have reopened it. Run `tracker complete --reopen --window W1`" in card
        assert "If W1 was over before W2 began, `tracker alias delete codex --window W1 --keep-readings`, twice" in card
    verdicts("complete", "--reopen", "--window", "W1").ok()
    for _ in "ab":
        verdicts("alias", "delete", "codex", "--window", "W1", "--keep-readings", "--yes").ok()
    verdicts("windows", "add", "W1", "--from", "-9h", "--to", "-6h", "--provider", "codex").ok()
    verdicts("complete", "--window", "W1", "--codex-features", "3").ok()
    assert "codex: features=5, capacity=16 pp" in verdicts("preview").ok()


def test_the_card_names_the_provider_of_which_the_preview_has_no_figure(verdicts: Any) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", None))
    verdicts("complete", "--window", "W1", "--outcome", "pass").ok()
    assert "(excluded W1: features-missing)" in verdicts("preview").ok()
    card = verdicts("decision-card", "--window", "W1").out
    assert "  - note    It gives no figure for codex: features-missing.\n" in card
    assert "Verdict: SOFT GO" in card
    verdicts("complete", "--window", "W1", "--codex-features", "1").ok()
    assert "no figure" not in verdicts("decision-card", "--window", "W1").out


def test_what_is_not_finalized_is_said_and_leaves_nothing_out(verdicts: Any) -> None:
    """W2 was measured and not finalized; W4 goes on since W3 ran; W5 is of another account."""
    verdicts.measure(("W1", ONE, 90, 80, "-20h", "-18h", 3), ("W2", ONE, 85, 75, "-19h", "-17h", None))
    begin = ("alias", "start", "codex", "--stdin", "--window", "W4", "--captured-at", "-8h", "--agent", "sub")
    verdicts(*begin, stdin=PANE.format(ONE, 70)).ok()
    verdicts.measure(("W3", ONE, 65, 60, "-7h", "-6h", 1), ("W5", OTHER, 65, 60, "-7h", "-6h", 1))
    unsure = "would overlap if all were finalized: W1 with W2, W3 with W4"
    (own,) = [row for row in verdicts("preview").ok().splitlines() if "features=4" in row]
    assert own.endswith(f"n=2, power=n/a ({unsure})")
    board = verdicts("--json", "scoreboard")
    assert board.err == f"note: codex: {unsure}\n"
    assert sorted(row["capacity"] for row in json.loads(board.ok())) == [5, 15]
    for words in ((), ("--last", "2"), ("--last", "1")):
        listed = {row["window"]: row["providers"] for row in json.loads(verdicts("--json", "windows", *words).ok())}
        known = {"W1": "W2", "W2": "W1", "W3": "W4", "W4": "W3", "W5": None}
        assert {window: one["codex"].get("would_overlap") for window, one in listed.items()} == {
            window: known[window] for window in listed
        }
    assert "overlaps" not in str(listed)
    card = verdicts("decision-card", "--window", "W4").out
    assert "failed  W3 ran at the same time on codex's meter. If both are finalized, neither counts." in card
    ready = "W2: ready to finalize (codex); W1 ran at the same time on codex's meter."
    assert ready in verdicts("handoff", "--dry-run").ok()
    # a lane whose next window has begun left W4 behind: when it ended is not known
    verdicts(*(word.replace("W4", "W6").replace("-8h", "-5h") for word in begin), stdin=PANE.format(ONE, 60)).ok()
    assert "W4" not in verdicts("scoreboard").err


def test_every_command_keeps_accounts_apart(verdicts: Any) -> None:
    """Also if nothing but the windows' list and the report reads both accounts at once."""
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", OTHER, 85, 75, "-8h", "-6h", 2))
    assert "overlaps" not in verdicts("windows").ok()
    listed = json.loads(verdicts("--json", "windows").ok())
    assert [row["providers"]["codex"]["efficiency"] for row in listed] == [0.3, 0.2]
    assert "verlap" not in verdicts("report", "--format", "md").ok()
    assert "overlap" not in verdicts("decision-card", "--window", "W1").out
    assert "excluded" not in verdicts("preview").ok()
    assert verdicts("scoreboard").err == ""
    # one whose account nobody knows may be of either
    verdicts(
        "override", "codex", "--window", "W3", "--phase", "before", "--weekly-pct", "12", "--captured-at", "-8h"
    ).ok()
    verdicts(
        "override", "codex", "--window", "W3", "--phase", "after", "--weekly-pct", "22", "--captured-at", "-7h"
    ).ok()
    verdicts("complete", "--window", "W3", "--codex-features", "1").ok()
    listed = json.loads(verdicts("--json", "windows").ok())
    assert [row["providers"]["codex"]["overlaps"] for row in listed[:2]] == ["W3", "W3"]
    assert listed[2]["providers"]["codex"]["overlaps"] in ("W1", "W2")
    assert verdicts("preview").ok().count("excluded") == 3


def test_a_plan_takes_costs_from_the_windows_that_the_preview_counts(verdicts: Any) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 85, 75, "-8h", "-6h", 2))
    plan = ("plan", "--provider", "codex", "--max-age", "30d")
    why = "no finalized window shows what one costs: 2 windows that overlap are left out"
    assert f"{why}; measure one while no other window of this account is open\n" in verdicts(*plan).ok()
    verdicts.measure(("W3", ONE, 75, 70, "-5h", "-4h", 1))
    said = verdicts(*plan).ok()
    assert "  a usual window costs 5 pp (of 1 window; 2 windows that overlap are left out)\n" in said
    (meter,) = json.loads(verdicts("--json", *plan).ok())["meters"]
    assert (meter["windows_measured"], meter["windows_left_out"]) == (1, 2)
    # one that is not selected overlaps one that is
    assert "(of 1 window; 1 window that overlaps is left out)" in verdicts(*plan, "--last", "2").ok()
    verdicts.measure(("W4", OTHER, 75, 50, "-5h", "-4h", 1))
    home, work = verdicts(*plan).ok().split("codex weekly account ")[1:3]
    assert {"2 windows that overlap are left out" in part for part in (home, work)} == {True, False}


def test_at_every_width_it_is_said_why_a_window_does_not_count(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 85, 75, "-8h", "-6h", 2))
    verdicts.measure(("W3", ONE, 75, 70, "-5h", "-4h", 1))
    report = verdicts("report", "--format", "md")
    assert report.err == "", "the page says it"
    assert "codex: 2 windows left out, overlapping: W1, W2." in report.ok()
    rows = [row.split(" | ") for row in report.ok().splitlines() if row.startswith(("| W", "| Window "))]
    assert [row[rows[0].index("Overlaps |")].strip(" |") for row in rows] == ["Overlaps", "", "W1", "W2"]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        said = " ".join(verdicts("preview").ok().split())
        assert "codex: 2 windows left out, overlapping: W1, W2." in said
        listed = verdicts("windows")
        assert "Overlaps" in listed.ok()
        assert "note: overlapping windows do not count: codex W1, codex W2. `tracker dec" in listed.err


def test_a_selection_of_a_provider_says_whose_figures_are_of_it_too(verdicts: Any) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 75, 70, "-5h", "-4h", 1))
    for phase, used, at in (("before", 10, "-5h"), ("after", 20, "-4h")):
        words = ("--window", "W2", "--phase", phase, "--all-models-pct", str(used), "--captured-at", at)
        verdicts("override", "claude", *words).ok()
    verdicts("complete", "--window", "W2", "--codex-features", "1", "--claude-features", "2").ok()
    for command in ("preview", "scoreboard", "compare", "windows"):
        note = "note: whole windows are selected. Also in them: codex W2\n"
        assert (note in verdicts(command, "--provider", "claude").err) is True, command
        assert "selected" not in verdicts(command).err + verdicts(command, "--last", "1").err
    assert (
        "claude and codex, for the quota (pp), in windows of claude: "
        in verdicts("report", "--format", "md", "--provider", "claude").ok()
    )
    assert "whole windows" not in verdicts("plan", "--provider", "claude").err
    more = ": `tracker preview` without options shows all windows"
    assert more in verdicts("preview", "--window", "W1").err
    for words in ((), ("--last", "2"), ("--window", "W1", "--window", "W2")):
        note = "note: at most 2 usable windows per provider; intervals and power need 3."
        assert note in verdicts("preview", *words).err, "all are shown already"


def test_figures_per_feature_are_of_the_windows_that_count(verdicts: Any) -> None:
    """W1 and W2 overlap: their features are not shown, so nothing of theirs is divided. W4 used its tokens in vain."""
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 85, 75, "-8h", "-6h", 2))
    verdicts.measure(("W3", ONE, 75, 70, "-5h", "-4h", 2), ("W4", ONE, 70, 70, "-3h", "-2h", 0))
    verdicts.measure(("W5", ONE, 70, 60, "-1h", "-30m", 2))
    for window, tokens in (("W1", 10), ("W2", 20), ("W3", 400), ("W4", 80)):
        verdicts.facts[window, "codex"] = {"churn": tokens, "tokens": tokens, "requests": 1, "cost_usd": 2 * tokens}
    (row,) = json.loads(verdicts("--json", "scoreboard").ok())
    assert (row["features"], row["tokens"], row["cost_usd"], row["left_out_tokens"]) == (4, 480, 960, 30)
    assert (row["n"], row["unknown_windows"]) == (2, 1), "the tokens of W5 are not known"
    assert (row["tokens_per_feature"], row["cost_usd_per_feature"], row["churn_per_feature"]) == (240, 480, 400)
    said = verdicts("scoreboard").err
    assert "note: codex: tokens are known for 1 of 2 windows.\n" in said
    assert "note: codex: windows that do not count used another 30 tokens.\n" in said
    assert "note: codex (none): tokens are known for 1 of 2" in verdicts("scoreboard", "--by", "methodology").err
    verdicts.facts["W5", "codex"] = {"shared_requests": 1, "tokens": 0, "cost_usd": 0}
    verdicts.facts["W3", "codex"]["shared_requests"] = 1
    verdicts.facts["W3+W5", "codex"] = {"tokens": 40, "requests": 1, "cost_usd": 80}
    (row,) = json.loads(verdicts("--json", "scoreboard").ok())
    assert (row["tokens"], row["tokens_per_feature"], row["cost_usd_per_feature"]) == (520, 130, 260)
    assert row["tokens"] / row["features"] == row["tokens_per_feature"]
    assert "unknown_windows" not in row
    # of the other row's W5 nobody knows how much of the request is its own
    verdicts("complete", "--window", "W5", "--methodology", "other").ok()
    rows = json.loads(verdicts("--json", "scoreboard", "--by", "methodology").ok())
    assert [row["tokens_per_feature"] for row in rows] == [None, None]
    # a request that may also be of W1, which does not count, is of no feature that is shown
    verdicts.facts["W1", "codex"]["shared_requests"] = 1
    verdicts.facts["W1+W2", "codex"] = verdicts.facts.pop(("W3+W5", "codex"))
    rows = json.loads(verdicts("--json", "scoreboard", "--by", "methodology").ok())
    assert [row["tokens_per_feature"] for row in rows] == [0, 240]


def test_windows_that_overlap_count_if_nothing_moved_or_the_accounts_differ(verdicts: Any) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 80, 70, "-432m", "-6h", 2))
    assert "codex: features=5, capacity=20 pp" in verdicts("preview").ok()
    verdicts.measure(("W3", OTHER, 50, 30, "-8h", "-6h", 1))
    said = verdicts("preview").ok()
    assert "features=5, capacity=20 pp" in said
    assert "features=1, capacity=20 pp" in said
    assert "excluded" not in said
    for window in ("W1", "W2", "W3"):
        assert "excluded" not in verdicts("preview", "--window", window).ok(), "of another account"
        assert "overlaps" not in verdicts("windows", "--last", "1").ok()
    verdicts("scoreboard", "--by", "lane").ok()


def test_lanes_that_overlap_are_left_out_of_each_group(verdicts: Any) -> None:
    for lane, window, before, after, start, end in (
        ("sub1", "W1", 90, 80, "-9h", "-7h"),
        ("sub2", "W2", 85, 75, "-8h", "-6h"),
    ):
        for phase, left, at in (("start", before, start), ("end", after, end)):
            words = ("alias", phase, "codex", "--stdin", "--window", window, "--captured-at", at)
            verdicts(*words, stdin=PANE.format(ONE, left), lane=lane).ok()
        verdicts("complete", "--window", window, "--codex-features", "1", lane=lane).ok()
    board = verdicts("scoreboard", "--by", "lane", "--format", "json")
    assert [(row["group"], row["features"], row["capacity"]) for row in json.loads(board.ok())] == [
        ("sub1", None, None), ("sub2", None, None),
    ]  # fmt: skip
    assert [row.partition(": ")[2][:20] for row in board.err.splitlines()] == [
        "codex W1 overlaps W2",
        "codex W2 overlaps W1",
    ]


def test_a_comparison_says_that_the_windows_of_a_side_overlap(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-9h", "-7h", 3), ("W2", ONE, 85, 75, "-8h", "-6h", 2))
    for phase, used, at in (("before", 10, "-9h"), ("after", 20, "-7h")):
        words = ("--window", "W3", "--phase", phase, "--all-models-pct", str(used), "--captured-at", at)
        verdicts("override", "claude", *words).ok()
    verdicts("complete", "--window", "W3", "--claude-features", "2").ok()
    said = verdicts("compare", "codex", "claude").ok()
    assert "Nothing can be said: overlapping windows on the same meter are left out (codex W1, W2)." in said
    assert "used no capacity" not in said
    # whatever is held at once
    monkeypatch.setattr("tracker.windows.reader.PART", 1)
    assert verdicts("compare", "codex", "claude").ok() == said


@pytest.mark.parametrize("phases", [("after",), ("before",), ("after", "before")])
def test_a_window_whose_captures_were_deleted_does_not_count_beside_the_one_that_it_overlapped(
    verdicts: Any, phases: tuple[str, ...]
) -> None:
    """The meter moved 10 pp in all: nothing tells of the deleted ones that they moved it at the same time."""
    verdicts.measure(("W1", ONE, 80, 70, "-9h", "-6h", 2), ("W2", ONE, 78, 72, "-8h", "-7h", 3))
    for phase in phases:
        verdicts("alias", "delete", "codex", "--window", "W2", "--phase", phase, "--yes").ok()
    said = verdicts("preview").ok()
    assert "codex: features=2, capacity=10 pp" in said
    assert "(excluded W2: capture-removed) (stale: re-run complete, or complete --reopen)" in said
    board = verdicts("scoreboard")
    assert board.ok().splitlines()[1].split()[2:5] == ["2", "2", "10"]
    assert "note: codex W2 is stale." in board.err
    for _ in phases:
        verdicts("undo", "--yes").ok()
    assert "(excluded W1: overlaps W2) (excluded W2: overlaps W1)" in verdicts("preview").ok()


def test_a_window_whose_capture_was_replaced_counts_until_it_is_finalized_again(verdicts: Any) -> None:
    verdicts.measure(("W1", ONE, 80, 70, "-9h", "-6h", 2), ("W1", ONE, 80, 69, "-9h", "-5h", None))
    verdicts("complete", "--window", "W1").ok()
    verdicts("alias", "delete", "codex", "--window", "W1", "--phase", "after", "--yes").ok()
    said = verdicts("preview").ok()
    assert "codex: features=2, capacity=11 pp" in said
    assert "(stale: re-run complete, or complete --reopen)" in said
