"""Windows that ran at the same time, unpriced requests, and the same figures in every command and order."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tracker.kernel import plural
from tracker_telemetry.sessions.window_facts import used

Make = Callable[..., str]
PANE = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
OUTER = 6  # requests while W1 ran: one alone, the others while W2 ran, too
INNER = 5


@pytest.fixture
def capture(home: Any) -> Callable[..., None]:
    """A window from one minute to another, finalized with features if there are any."""

    def make(window: str, lane: str, start: int, end: int | None, features: int = 0) -> None:
        for phase, minute in (("start", start), ("end", end)):
            if minute is not None:
                words = ("--window", window, "--force", "--captured-at", f"2026-11-20T10:{minute:02}:00Z")
                pane = PANE.format(10 + minute // 2)
                done = home.run("--agent", lane, "alias", phase, "claude", "--stdin", *words, stdin=pane)
                assert done.exit_code == 0, done.output
        if features:
            done = home.run("complete", "--window", window, "--claude-features", str(features))
            assert done.exit_code == 0, done.output

    return make


@pytest.fixture
def overlapping(home: Any, message: Make, capture: Callable[..., None]) -> Any:
    """W1 with W2 of another lane inside it: one request in W1 alone, five in both, two after them."""
    capture("W1", "", 0, 30, features=2)
    capture("W2", "sub1", 10, 20, features=1)
    minutes = (5, *range(11, 11 + INNER), 40, 41)
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in minutes))
    return home


def asked(home: Any, *arguments: str) -> Any:
    done = home.run("--json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_what_windows_share_stands_for_each_and_counts_once(overlapping: Any) -> None:
    one, two = (row["providers"]["claude"] for row in asked(overlapping, "windows"))
    names = ("requests", "tokens", "shared_requests", "shared_tokens", "shared_with")
    assert [one[name] for name in names] == [1, 150, 5, 750, "W2"]
    assert [two[name] for name in names] == [0, 0, 5, 750, "W1"]
    shown = overlapping.run("windows")
    assert "claude W1, claude W2 ran at the same time as others" in shown.stderr
    assert "shared_requests" in shown.stdout
    facts = {row["window"]: row for row in asked(overlapping, "preview")["facts"] if "requests" in row}
    assert {window: row["requests"] for window, row in facts.items()} == {"W1": 1, "W1+W2": 5, "W2": 0}


def test_a_preview_shows_tokens_and_money(overlapping: Any) -> None:
    facts = [row for row in asked(overlapping, "preview")["facts"] if "tokens" in row]
    wide = overlapping.run("preview", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="120").stdout
    rows = [line.split()[:4] for line in wide.partition("Tokens and money")[2].splitlines()[2:5]]
    # what windows share stands behind the first of them
    assert [row[0] for row in rows] == ["W1", "W1+W2", "W2"]
    known = sorted([one["window"], "claude", str(one["tokens"]), str(one["requests"])] for one in facts)
    assert sorted(rows) == known
    piped = overlapping.run("preview").stdout.partition("Tokens and money:\n")[2].splitlines()
    words = [re.findall(r"[\w+]+", line) for line in piped]
    assert sorted([window, provider, tokens, requests] for window, provider, tokens, _, requests, *_ in words) == known


def test_what_windows_share_follows_the_first_that_is_shown(overlapping: Any, capture: Callable[..., None]) -> None:
    capture("W3", "", 38, 50)
    chosen = ("--window", "W2", "--window", "W3")
    shown = overlapping.run("preview", *chosen, FORCE_COLOR="1", NO_COLOR="1", COLUMNS="120").stdout
    rows = shown.partition("Tokens and money")[2].splitlines()[2:5]
    assert [row.split()[0] for row in rows] == ["W2", "W1+W2", "W3"]


def test_a_scoreboard_counts_each_request_once(overlapping: Any) -> None:
    [row] = asked(overlapping, "scoreboard")
    # both windows moved one meter at the same time: their features are left out, and what one took is not known
    assert (row["tokens"], row["features"], row["tokens_per_feature"]) == (None, None, None)
    assert row["left_out_tokens"] == OUTER * 150
    assert "shared_requests" not in row


def test_what_rows_of_a_scoreboard_share_is_not_known_per_feature(overlapping: Any) -> None:
    rows = {row["group"]: row for row in asked(overlapping, "scoreboard", "--by", "lane")}
    assert {name: row["left_out_tokens"] for name, row in rows.items()} == {"(none)": 150, "sub1": 0}
    assert [row["tokens_per_feature"] for row in rows.values()] == [None, None]
    assert [row["cost_usd_per_feature"] for row in rows.values()] == [None, None]
    assert [row["shared_requests"] for row in rows.values()] == [5, 5]
    assert "5 more requests may belong to other windows" in overlapping.run("scoreboard", "--by", "lane").stderr


def test_a_window_that_is_open_takes_nothing_away_in_silence(home: Any, message: Make, capture: Any) -> None:
    capture("W1", "", 0, 30, features=2)
    capture("W2", "sub1", 10, None)
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in (5, 11, 12)))
    [row] = asked(home, "scoreboard")
    assert (row["tokens"], row["shared_requests"], row["tokens_per_feature"]) == (150, 2, None)
    handed = home.run("handoff", "--dry-run").stdout
    assert "2 more requests shared with W2, so what a feature took is not known" in handed
    assert "per feature" not in handed.partition("Tokens and money")[2].partition("\n\n")[0]


def test_what_a_window_shares_with_one_of_which_only_totals_are_left_is_still_shared(
    home: Any, message: Make, capture: Any
) -> None:
    """Else what it has alone would be all that its features took."""
    capture("W1", "", 0, 30, features=2)
    capture("W2", "sub1", 10, None)
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in (5, 11, 12)))
    gone = home.projects / "s2.jsonl"
    gone.write_text(message("later", minute=40, sessionId="s2"))
    assert home.total()[0] == 4
    gone.unlink()
    shutil.rmtree(home.data / ".index")
    assert asked(home, "windows")[1]["providers"]["claude"]["lost_sessions"] == 1
    [row] = asked(home, "scoreboard")
    assert (row["tokens"], row["shared_requests"], row["tokens_per_feature"]) == (150, 2, None)


def test_every_order_of_commands_gives_the_same(overlapping: Any, message: Make) -> None:
    """No command needs another one that reads the session logs first."""
    [before] = asked(overlapping, "scoreboard")
    (overlapping.projects / "s2.jsonl").write_text(message("new", minute=6, sessionId="s2"))
    [after], own = asked(overlapping, "scoreboard"), asked(overlapping, "windows")[0]["providers"]["claude"]
    assert (after["left_out_tokens"], own["requests"]) == (before["left_out_tokens"] + 150, 2)
    assert "W1 claude: 300 tokens, 2 requests" in overlapping.run("handoff", "--dry-run").stdout


def test_money_that_leaves_requests_out_is_the_least_that_it_was(home: Any, message: Make, capture: Any) -> None:
    capture("W1", "", 0, 30, features=2)
    rows = (message("1", minute=1), message("2", minute=2, model="house-model"), message("3", minute=3, model="own"))
    (home.projects / "s1.jsonl").write_text("".join(rows))
    [priced] = [row["cost_usd"] for row in home.usage("model")["rows"] if row["cost_usd"] is not None]
    assert [row["unpriced_requests"] for row in home.usage("model")["rows"]] == [0, 1, 1]
    assert home.usage()["totals"]["unpriced_requests"] == 2
    header, *lines = home.run("usage", "model", "--csv").stdout.splitlines()
    assert [row.rpartition(",")[2] for row in (header, *lines)] == ["unpriced_requests", "0", "1", "1"]
    assert "at least $" in home.run("usage").stdout
    [window] = asked(home, "windows")
    own = window["providers"]["claude"]
    assert (own["cost_usd"], own["unpriced_requests"]) == (priced, 2)
    assert "at least " in home.run("windows").stdout
    [row] = asked(home, "scoreboard")
    assert (row["cost_usd"], row["unpriced_requests"]) == (priced, 2)
    assert home.run("scoreboard").stdout.count("at least ") == 2
    for command in ("usage", "windows", "scoreboard", "preview"):  # as a terminal shows them
        shown = home.run(command, FORCE_COLOR="1", COLUMNS="300").stdout
        assert ("≥$" in shown, "at least $" in shown) == (True, False), command
    report = home.run("report", "--format", "md").stdout
    assert report.count("If a row has requests without a price, its cost is a minimum.") == 3
    handed = home.run("handoff", "--dry-run").stdout
    assert "(2 requests without a known price)" in handed
    assert handed.partition("Tokens and money")[2].count("at least $") == 2


def test_a_report_counts_what_its_title_says(home: Any, message: Make, capture: Any) -> None:
    capture("W1", "", 0, 10, features=2)
    capture("W2", "", 20, 30, features=2)
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in (1, 2, 15, 21, 40)))
    usage = {"input_tokens": 100, "cached_input_tokens": 50, "output_tokens": 5}
    lines = (
        ("session_meta", {"id": "t"}),
        ("token_usage_record", {"thread_id": "t", "response_id": "r", "usage": usage}),
    )
    rows = ({"timestamp": "2026-11-20T10:03:00Z", "type": kind, "payload": one} for kind, one in lines)
    path = home.sessions / "rollout-2026-11-20T10-00-00-t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {(): 6, ("--provider", "codex"): 1, ("--provider", "claude"): 5, ("--last", "1"): 1, ("--last", "2"): 3}
    for chosen, count in options.items():
        report = home.run("report", "--format", "md", *chosen).stdout
        assert f"{plural(count, 'request')} used" in report, chosen
        if "--provider" in chosen:
            assert f"# Usage report of {chosen[1]}" in report
            assert home.total(*chosen)[0] == count
    windows = [row for row in home.usage("window", "--last", "2")["rows"] if row["window"] != "(no window)"]
    assert sum(row["requests"] for row in windows) == options["--last", "2"]
    report = home.run("report", "--format", "md").stdout
    assert report.count("Tokens and money\n") == 1


def test_a_request_of_a_window_s_first_instant_was_made_before_it(home: Any, message: Make, capture: Any) -> None:
    """A log writes a request and the meters that hold it with one time, and windows begin and end with such meters."""
    capture("W1", "", 0, 10)
    capture("W2", "", 10, 20)
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in (0, 5, 10, 20)))
    assert {row["window"]: row["requests"] for row in home.usage("window")["rows"]} == {
        "(no window)": 1,
        "W1": 2,
        "W2": 1,
    }


def test_a_lane_may_have_a_branch_or_a_project_that_no_lane_can_be_called(
    home: Any, message: Make, capture: Any
) -> None:
    capture("W1", "feat-a", 0, 30)
    capture("W2", "my-app", 0, 30)
    rows = (
        message("1", gitBranch="feat/a", minute=5),
        message("2", cwd="/home/dev/my app", minute=5),
        message("3", gitBranch="other", minute=5),
    )
    (home.projects / "s1.jsonl").write_text("".join(rows))
    found = {row["window"]: row["requests"] for row in home.usage("window")["rows"]}
    assert found == {"W1": 1, "W2": 1, "W1+W2": 1}


@pytest.mark.parametrize(("lane", "own"), [("sub1", {"W1+W2": 3}), ("feat-a", {"W1": 2, "W2": 1})])
def test_a_lane_called_main_need_not_be_that_of_the_branch(
    home: Any, message: Make, capture: Any, lane: str, own: dict[str, int]
) -> None:
    """It is what the first lane is called; the other one may work on that branch, too, unless it has one of its own."""
    capture("W1", "main", 0, 30)
    capture("W2", lane, 0, 30)
    rows = (message("1", minute=5), message("2", minute=6), message("3", gitBranch="feat/a", minute=7))
    (home.projects / "s1.jsonl").write_text("".join(rows))
    assert {row["window"]: row["requests"] for row in home.usage("window")["rows"]} == own


def test_a_branch_is_known_when_its_log_is_gone(home: Any, message: Make, capture: Any) -> None:
    capture("W1", "main", 0, 30)
    capture("W2", "feat-a", 0, 30)
    (home.projects / "s1.jsonl").write_text(message("1", minute=5) + message("2", minute=6))
    (home.projects / "s2.jsonl").write_text(message("3", gitBranch="feat/a", minute=7))
    before = home.usage("window")["rows"]
    (home.projects / "s2.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    now = {row["window"]: row["requests"] for row in home.usage("window")["rows"]}
    assert ({row["window"]: row["requests"] for row in before}, now.get("W1")) == ({"W1": 2, "W2": 1}, 2)


def test_what_is_not_known_stands_behind_what_is_dear(home: Any, message: Make) -> None:
    rows = (message("1"), message("2", output=90000, model="house-model"))
    (home.projects / "s1.jsonl").write_text("".join(rows))
    report = home.run("report", "--format", "md", "--since", "2026-11-01").stdout
    table = report.partition("## Usage by model")[2]
    assert table.index("claude-opus-4-6") < table.index("house-model")


def test_what_is_missing_is_of_what_is_shown(home: Any, message: Make) -> None:
    days = (message("1", model="old", timestamp="2026-10-01T10:00:00Z"), message("2", model="new"))
    (home.projects / "s1.jsonl").write_text("".join(days))
    for arguments in (("weekly", "--last", "1"), ("daily", "--last", "1"), ("model", "--by", "project")):
        missing = home.usage(*arguments)["missing"]
        models = {one["detail"]: one["count"] for one in missing if one["kind"] == "unpriced"}
        assert models == ({"new": 1} if "--last" in arguments else {"new": 1, "old": 1}), arguments


def test_deleted_files_are_told_of_the_days_that_are_shown(home: Any, message: Make) -> None:
    for name, day in (("s1", 1), ("s2", 2), ("s3", 20)):
        row = message(name, timestamp=f"2026-10-{day:02}T10:00:00Z", sessionId=name)
        (home.projects / f"{name}.jsonl").write_text(row)
    home.usage()
    for path in home.projects.iterdir():
        path.unlink()
    for path in home.data.glob(".index/sessions*"):
        path.unlink()
    counts = {arguments: home.usage(*arguments)["missing"] for arguments in (("daily",), ("weekly", "--last", "1"))}
    assert [one["count"] for found in counts.values() for one in found if one["kind"] == "deleted"] == [3, 1]
    said = home.run("usage").stderr
    assert "the files of 3 sessions are deleted, or on another machine; their daily totals are counted" in said
    assert "the first from 2026-10-01" in said


def test_the_last_window_is_the_one_that_began_last(home: Any, message: Make, capture: Any) -> None:
    capture("W9", "", 0, 10)
    capture("W1", "", 20, 30)
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in (1, 2, 15, 16, 17, 21)))
    assert [row["window"] for row in home.usage("window", "--last", "1")["rows"]] == ["W1"]
    assert [row["window"] for row in home.usage("window", "--last", "2")["rows"]] == ["W1", "W9"]


def test_lines_that_cannot_be_read_name_their_file_which_is_not_stored(home: Any, message: Make) -> None:
    for name in ("s1", "s2"):
        (home.projects / f"{name}.jsonl").write_text(message(name) + '{torn "usage"\n')
    [missing] = [one for one in home.usage()["missing"] if one["kind"] == "unreadable"]
    assert missing["detail"] == "Claude Code sessions: s1.jsonl, s2.jsonl"
    assert "2 lines could not be read: Claude Code sessions: s1.jsonl, s2.jsonl" in home.run("usage").stderr
    assert b"s1.jsonl" not in b"".join(path.read_bytes() for path in home.data.rglob("*") if path.is_file())


def test_a_period_is_named_and_an_empty_time_refused(home: Any, message: Make) -> None:
    assert "daily (the default), weekly, monthly" in " ".join(home.run("usage", "--help").stdout.split())
    (home.projects / "s1.jsonl").write_text(message("1"))
    for command in ("usage", "windows", "report"):
        done = home.run(command, "--since", "2026-11-20", "--until", "2026-11-10")
        assert (done.exit_code, "--since is later than --until" in done.stderr) == (2, True), command


def test_today_ends_at_midnight_and_says_what_has_no_price(home: Any, message: Make, monkeypatch: Any) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr("tracker.session.Session.now", datetime(2026, 11, 20, 12, tzinfo=UTC))
    done = home.run("alias", "start", "claude", "--stdin", "--window", "W1", stdin=PANE.format(10))
    assert done.exit_code == 0, done.output
    rows = (message("1"), message("2", model="house-model"), message("3", timestamp="2026-11-21T00:00:00Z"))
    (home.projects / "s1.jsonl").write_text("".join(rows))
    [today] = [line for line in home.run().stdout.splitlines() if line.startswith("Today")]
    assert today.startswith("Today: claude 2 requests, 300 tokens, at least $")
    assert today.endswith("at list prices; 1 request without a known price")
    (home.projects / "s1.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    assert today in home.run().stdout.splitlines()  # what only the journal has


def test_a_long_list_reads_the_captures_once(overlapping: Any, capture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for some thousand windows at a time; who captures in between is asked anew."""
    from tracker.session import Session
    from tracker_telemetry.sessions import spans, window_facts

    made: list[Session] = []
    real = spans.Spans.made
    monkeypatch.setattr(spans.Spans, "made", lambda session: made.append(session) or real(session))
    for name, value in (("HOME", overlapping.folder), ("CLAUDE_CONFIG_DIR", ""), ("CODEX_HOME", "")):
        monkeypatch.setenv(name, str(value))
    session = Session()
    session.data_dir = overlapping.data
    found = [window_facts.facts(session, [window]) for window in ("W1", "W2")]
    assert [len(one) for one in found] == [2, 2]
    assert len(made) == 1
    capture("W3", "", 39, 41)
    later = Session()
    later.data_dir = overlapping.data
    assert window_facts.facts(later, ["W3"])["W3", "claude"]["requests"] == 2


def test_a_sentence_names_a_few_of_many_windows() -> None:
    """One that was never closed shares its requests with all that follow."""
    names = [f"W{number}" for number in range(70)]
    found = {"tokens": 5, "requests": 1, "cost_usd": None, "shared_requests": 2, "shared_with": ", ".join(names[1:])}
    assert str(used("+".join(names), "claude", found)) == (
        "W0+W1+W2 and 67 more claude: 5 tokens, 1 request; 2 more requests shared with W1, W2, W3 and 66 more"
    )
    few = found | {"shared_with": "W1, W2, W3, W4"}
    assert str(used("W0", "claude", few)).endswith("shared with W1, W2, W3, W4")
