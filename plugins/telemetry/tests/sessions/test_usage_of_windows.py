"""Requests of session logs and the windows that they were made in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., str]
ROOT = Path(__file__).parents[4]


@pytest.fixture
def two_days(home: Any) -> Any:
    """W1 on the 20th and W2 on the 22nd, both finalized."""
    pane = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for window, day in (("W1", 20), ("W2", 22)):
        for minute, phase in ((0, "start"), (30, "end")):
            words = ("--window", window, "--force", "--captured-at", f"2026-11-{day}T10:{minute:02}:00Z")
            assert home.run("alias", phase, "claude", "--stdin", *words, stdin=pane.format(minute)).exit_code == 0
        assert home.run("complete", "--window", window, "--claude-features", "2").exit_code == 0
    return home


def test_requests_belong_to_the_window_in_which_they_were_made(home: Any, message: Make) -> None:
    from tracker.session import Session
    from tracker_telemetry.sessions import window_facts

    pane = (ROOT / "plugins" / "claude" / "src" / "tracker_claude" / "demo" / "usage_before.txt").read_text()
    captures = (("start", "W1", "2026-11-20T10:00:30Z"), ("end", "W1", "2026-11-20T10:02:30Z"))
    for command, window, at in captures:
        words = ("alias", command, "claude", "--window", window, "--stdin", "--force", "--captured-at", at)
        done = home.run(*words, stdin=pane)
        assert done.exit_code == 0, done.output
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at) for at in range(5)))
    rows = home.usage("window")["rows"]
    assert {row["window"]: row["requests"] for row in rows} == {"W1": 2, "(no window)": 3}
    session = Session()
    session.data_dir = home.data
    found = window_facts.facts(session, ["W1"])["W1", "claude"]
    kinds = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    own = [row for row in rows if row["window"] == "W1"]
    assert found["tokens"] == sum(row[f"{kind}_tokens"] for row in own for kind in kinds) > 0
    assert found["requests"] == 2


def test_a_window_has_the_requests_of_the_time_that_its_readings_are_from(home: Any, message: Make) -> None:
    """Counts may be pasted hours after they were made: what was used by then moved them, and no request since."""
    counts = '{{"generated_at": "2026-11-20T10:{:02}:00Z", "blocks": [{{"prompts_used": {}}}]}}'
    for phase, counted, pasted in (("start", 10, 30), ("end", 20, 50)):
        words = ("--window", "W1", "--captured-at", f"2026-11-20T10:{pasted}:00Z")
        done = home.run("alias", phase, "glm", "--stdin", *words, stdin=counts.format(counted, counted))
        assert done.exit_code == 0, done.output
    minutes = (5, 10, 11, 15, 20, 21, 35, 45)  # a request is in the reading of its own instant
    (home.projects / "s1.jsonl").write_text("".join(message(str(at), minute=at, model="glm-4.6") for at in minutes))
    found = {row["window"]: row["requests"] for row in home.usage("window")["rows"]}
    assert found == {"W1": 3, "(no window)": 5}
    [window] = json.loads(home.run("--json", "windows").stdout)
    assert window["providers"]["glm"]["requests"] == 3


def test_windows_at_once_are_told_apart_by_branch_or_project(home: Any, message: Make) -> None:
    pane = (ROOT / "plugins" / "claude" / "src" / "tracker_claude" / "demo" / "usage_before.txt").read_text()
    for lane in ("main", "fix"):
        for command, at in (("start", "2026-11-20T10:00:30Z"), ("end", "2026-11-20T10:09:30Z")):
            words = ("--agent", lane, "alias", command, "claude", "--window", f"W-{lane}", "--stdin", "--force")
            done = home.run(*words, "--captured-at", at, stdin=pane)
            assert done.exit_code == 0, done.output
    rows = [message("a", minute=1), message("b", minute=2, gitBranch="fix"), message("c", minute=3, gitBranch="other")]
    (home.projects / "s1.jsonl").write_text("".join(rows))
    found = home.usage("window")
    assert {row["window"]: row["requests"] for row in found["rows"]} == {"W-main": 1, "W-fix": 1, "W-fix+W-main": 1}
    assert [(one["kind"], one["count"]) for one in found["missing"]] == [("shared", 1)]
    assert "name each lane after its branch or project to tell" in found["missing"][0]["detail"]
    (home.data.parent / "tracker.toml").write_text('[privacy]\nprojects = "hash"\n')
    [shared] = home.usage("window")["missing"]
    assert "name each lane after its branch to tell" in shared["detail"]  # no lane has the name of a hash


def test_a_window_of_one_project_names_it(home: Any, message: Any) -> None:
    """What `compare --blocks project` sums by."""
    usage = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for window, start, rows in (("W1", 0, ("acme",)), ("W2", 20, ("acme", "other")), ("W3", 40, ("other",))):
        for minute, phase in ((start, "start"), (start + 10, "end")):
            words = ("--window", window, "--captured-at", f"2026-11-20T10:{minute:02}:00Z")
            done = home.run("alias", phase, "claude", "--stdin", *words, stdin=usage.format(10 + minute // 2))
            assert done.exit_code == 0, done.stderr
        for at, project in enumerate(rows):
            text = message(f"{window}-{at}", minute=start + 3 + at, cwd=f"/home/dev/{project}")
            (home.projects / f"{window}-{project}.jsonl").write_text(text)
        assert home.run("complete", "--window", window, "--claude-features", "2").exit_code == 0
    home.usage("daily")
    found = json.loads(home.run("--json", "windows").stdout)
    assert [one["providers"]["claude"].get("project") for one in found] == ["acme", None, "other"]
    facts = json.loads(home.run("--json", "preview").stdout)["facts"]
    for one in (*(one["providers"]["claude"] for one in found), *facts):
        assert one["tokens_per_feature"] == one["tokens"] / 2 > 0
        assert one["cost_usd_per_feature"] == one["cost_usd"] / 2 > 0
    [row] = json.loads(home.run("--json", "scoreboard").stdout)
    assert row["tokens"] == 4 * 150


def test_a_window_that_is_open_goes_on_after_its_before(home: Any, message: Any) -> None:
    usage = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    captures = (("a", "start", "W1", "20T09:00"), ("a", "end", "W1", "20T09:10"), ("a", "start", "W2", "20T23:00"))
    for lane, phase, window, at in captures:
        words = ("--window", window, "--force", "--captured-at", f"2026-11-{at}:00Z")
        done = home.run("--agent", lane, "alias", phase, "claude", "--stdin", *words, stdin=usage.format(10))
        assert done.exit_code == 0, done.stderr
    rows = (("a", "20T09:05"), ("b", "20T23:30"), ("c", "21T00:30"))
    made = [message(name, timestamp=f"2026-11-{at}:00Z") for name, at in rows]
    (home.projects / "s1.jsonl").write_text("".join(made))
    for words in (("--lane", "a"), ("--open",)):
        done = home.run("--json", "usage", "window", *words, "--since", "2026-11-21")
        [row] = json.loads(done.stdout)["rows"]
        assert (row["window"], row["requests"]) == ("W2", 1)
    assert home.total("--lane", "a", "--since", "2026-11-20T09:06") == (2, 200, 100)
    assert home.total("--lane", "b", "--since", "2026-11-21") == (0, 0, 0)


def test_only_requests_in_the_windows_of_a_lane(home: Any, message: Any) -> None:
    usage = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for lane, start in (("one", 0), ("two", 30)):
        words = ("--window", lane, "--captured-at", f"2026-11-20T10:{start:02}:00Z")
        done = home.run("--agent", lane, "alias", "start", "claude", "--stdin", *words, stdin=usage.format(10))
        assert done.exit_code == 0, done.stderr
        if lane == "one":
            words = ("--window", lane, "--captured-at", "2026-11-20T10:20:00Z")
            end = ("alias", "end", "claude", "--stdin", *words)
            assert home.run("--agent", lane, *end, stdin=usage.format(12)).exit_code == 0
        (home.projects / f"{lane}.jsonl").write_text(message(lane, minute=start + 5))
    (home.projects / "outside.jsonl").write_text(message("outside", minute=25))
    assert home.total()[0] == 3
    assert home.total("--lane", "one")[0] == 1
    assert home.total("--open")[0] == 1
    # the meters moved for others, too
    assert [one["moved"] for one in home.usage()["meters"]] == [12]
    assert home.usage("--lane", "one")["meters"] == home.usage("--open")["meters"] == []
    assert home.total("--lane", "none")[0] == 0


def test_a_meter_that_moved_on_a_day_without_a_request_is_said(two_days: Any, message: Any) -> None:
    """Others used the account. Of a day between, when the meter was read and had not moved, there is nothing to say."""
    (two_days.projects / "s1.jsonl").write_text(message("a", minute=5))
    pane = "  Current session: 30% used\n  Current week (all models): 30% used\n"
    words = ("--window", "W0", "--captured-at", "2026-11-21T10:00:00Z")
    assert two_days.run("start", "claude", "--stdin", *words, stdin=pane).exit_code == 0
    found = two_days.usage()["meters"], two_days.usage("--until", "2026-11-21")["meters"]
    both, first = ({one["period"]: one["moved"] for one in own} for own in found)
    assert (both, first) == ({"2026-11-20": 30, "2026-11-22": 30}, {"2026-11-20": 30})


def test_what_came_from_another_machine_counts_at_once_and_in_no_known_window(home: Any, message: Any) -> None:
    """As `tracker import` leaves it: the totals of days alone, without the other machine's files."""
    usage = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for minute, phase in ((0, "start"), (10, "end")):
        words = ("--window", "W1", "--captured-at", f"2026-11-20T10:{minute:02}:00Z")
        assert home.run("alias", phase, "claude", "--stdin", *words, stdin=usage.format(minute)).exit_code == 0
    theirs = type(home)(home.folder / "other")
    (theirs.projects / "s2.jsonl").write_text(message("b", sessionId="s2", minute=5))
    assert theirs.total()[0] == 1
    (home.projects / "s1.jsonl").write_text(message("a", minute=5))
    assert home.total()[0] == 1
    imported = (theirs.data / "claude_sessions.jsonl").read_bytes()
    with (home.data / "claude_sessions.jsonl").open("ab") as file:
        file.write(imported)
    for _ in ("with the index", "without it"):
        rows = home.usage("window", "--last", "1")["rows"]
        assert {row["window"]: row["requests"] for row in rows} == {"W1": 1}
        rows = home.usage("window")["rows"]
        assert {row["window"]: row["requests"] for row in rows} == {"W1": 1, "(window not known)": 1}
        assert home.missing() == {"deleted": 1}
        said = home.run("usage").stderr
        assert "missing: the files of 1 session are deleted, or on another machine; their daily totals" in said
        shutil.rmtree(home.data / ".index")


@pytest.mark.parametrize(
    ("own", "theirs", "minutes", "is_known"),
    [("one", "two", [5], True), ("one", "one", [5], False), ("one", "", [5], False), ("", "two", [5], False),
     ("one", "one", [-5], True), ("one", "one", [31, 300], True), ("", "", [-5, 31], False)],
)  # fmt: skip
def test_what_another_account_used_on_another_machine_is_of_no_window_of_this_one(
    two_days: Any, message: Any, own: str, theirs: str, minutes: list[int], *, is_known: bool
) -> None:
    """Nor is what was made before the window began, or since it ended."""

    def write(home: Any, name: str, account: str, minutes: list[int]) -> None:
        owner = json.dumps({"type": "session-owner", "accountUuid": account, "sessionId": name}) + "\n"
        times = [f"2026-11-20T{10 + at // 60:02}:{at % 60:02}:00Z" for at in minutes]
        text = "".join(message(f"{name}{at}", timestamp=at, sessionId=name) for at in times)
        (home.projects / f"{name}.jsonl").write_text((owner if account else "") + text)
        assert home.total()[0] == len(minutes)

    other = type(two_days)(two_days.folder / "other")
    write(two_days, "a", own, [5])
    write(other, "b", theirs, minutes)
    with (two_days.data / "claude_sessions.jsonl").open("ab") as file:
        file.write((other.data / "claude_sessions.jsonl").read_bytes())
    found = json.loads(two_days.run("--json", "windows").stdout)[0]["providers"]["claude"]
    assert (found.get("tokens"), found.get("lost_sessions")) == ((150, None) if is_known else (None, 1))


@pytest.mark.parametrize(
    ("reads", "until", "shared"),
    [("its own", None, None), ("its own", 15, 1), ("those of here", None, 2), ("none", None, 2)],
)
def test_a_window_of_another_machine_shares_no_request_of_the_files_that_are_here(
    home: Any, message: Any, reads: str, until: int | None, shared: int | None
) -> None:
    """It is known of the time before that one read its own. An old data directory reads the files that are here."""
    other = type(home)(home.folder / "other")
    pane = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for one, window, start in ((home, "W1", 0), (other, "W2", 10)):
        for phase, minute in (("start", start), ("end", start + 30)):
            words = ("--window", window, "--captured-at", f"2026-11-20T10:{minute:02}:00Z")
            assert one.run(phase, "claude", "--stdin", *words, stdin=pane.format(minute)).exit_code == 0
    (home.projects / "s1.jsonl").write_text("".join(message(str(minute), minute=minute) for minute in (5, 12, 20)))
    (other.projects / "s2.jsonl").write_text(message("theirs", minute=35, sessionId="s2"))
    if reads != "none":
        assert other.run("usage", HOME=str((other if reads == "its own" else home).folder)).exit_code == 0
    if until:
        totals = other.data / "claude_sessions.jsonl"
        [row] = map(json.loads, totals.read_text().splitlines())
        totals.write_text(json.dumps(row | {"captured_at": f"2026-11-20T10:{until}:00Z"}) + "\n")
    assert home.run("import", str(other.data)).exit_code == 0
    found = json.loads(home.run("--json", "windows").stdout)[0]["providers"]["claude"]
    assert (found["requests"], found.get("shared_requests")) == (3 - (shared or 0), shared)


@pytest.mark.parametrize(
    ("windows", "reads", "expected"),
    [
        ({"theirs": "W2"}, True, "(no window)"),
        ({"theirs": "W2"}, False, "W2"),
        ({"here": "W1", "theirs": "W2"}, True, "W1"),
        ({"here": "W1", "theirs": "W2"}, False, "W1+W2"),
    ],
)
def test_a_window_of_another_machine_takes_no_request_of_the_files_that_are_here(
    home: Any, message: Any, windows: dict[str, str], reads: bool, expected: str
) -> None:
    """Neither where nothing ran here, nor by the name of its lane: a colleague's window had the tokens of one's own."""
    other = type(home)(home.folder / "other")
    pane = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for one, window in windows.items():
        lane = ("--agent", "feat-a") if one == "theirs" else ()
        for phase, minute in (("start", 10), ("end", 40)):
            words = (
                *lane,
                phase,
                "claude",
                "--stdin",
                "--window",
                window,
                "--captured-at",
                f"2026-11-20T10:{minute}:00Z",
            )
            assert (other if lane else home).run(*words, stdin=pane.format(minute)).exit_code == 0
    (home.projects / "s1.jsonl").write_text(message("mine", minute=20, gitBranch="feat-a"))
    (other.projects / "s2.jsonl").write_text(message("theirs", minute=35, sessionId="s2"))
    if reads:
        assert other.run("usage").exit_code == 0
    assert home.run("import", str(other.data)).exit_code == 0
    rows = home.usage("window")["rows"]
    assert [row["window"] for row in rows if row["window"] != "(window not known)"] == [expected]


def test_windows_of_which_only_daily_totals_are_left(two_days: Any, message: Any) -> None:
    """The vendor deleted a file, and the index went: no command takes what is left for all that a window used."""
    for name in ("a20", "b20", "a22", "b22"):
        text = message(name, timestamp=f"2026-11-{name[1:]}T10:05:00Z", sessionId=name)
        (two_days.projects / f"{name}.jsonl").write_text(text)

    def known() -> list[Any]:
        found = json.loads(two_days.run("--json", "windows").stdout)
        return [
            (one["providers"]["claude"].get("tokens"), one["providers"]["claude"].get("lost_sessions")) for one in found
        ]

    assert known() == [(300, None), (300, None)]
    (two_days.projects / "a20.jsonl").unlink()
    assert known() == [(300, None), (300, None)]  # the index has them
    shutil.rmtree(two_days.data / ".index")
    assert known() == [(None, 1), (300, None)]
    assert "note: the usage of claude W1 is not known: session files of those days" in two_days.run("windows").stderr
    [row] = json.loads(two_days.run("--json", "scoreboard").stdout)
    assert (row["tokens_per_feature"], row["lost_sessions"]) == (150, 1)
    assert "some windows have only daily totals left" in two_days.run("scoreboard").stderr
    unknown = "W1 claude: tokens not known, since only daily totals of 1 session are left"
    for command in (("handoff", "--dry-run"), ("report", "--format", "md")):
        assert unknown in two_days.run(*command).stdout, command


def test_a_window_with_requests_of_several_accounts(two_days: Any, message: Any) -> None:
    """It measures one of them, and nothing tells which: no figure is better than that of both."""
    for name, account, day in (("a", "one", 20), ("b", "two", 20), ("c", "one", 22), ("d", "", 22)):
        owner = json.dumps({"type": "session-owner", "accountUuid": account, "sessionId": name}) + "\n"
        text = message(name, timestamp=f"2026-11-{day}T10:05:00Z", sessionId=name)
        (two_days.projects / f"{name}.jsonl").write_text((owner if account else "") + text)
    found = {one["window"]: one["providers"]["claude"] for one in json.loads(two_days.run("--json", "windows").stdout)}
    assert (found["W1"].get("tokens"), found["W1"]["accounts"]) == (None, 2)
    assert (found["W2"]["tokens"], found["W2"].get("accounts")) == (300, None)
    assert "note: the usage of claude W1 is not known: several accounts made requests" in two_days.run("windows").stderr
    [row] = json.loads(two_days.run("--json", "scoreboard").stdout)
    assert (row["tokens"], row["tokens_per_feature"]) == (300, 150)
    assert "some windows have several accounts' requests" in two_days.run("scoreboard").stderr
    report = two_days.run("report", "--format", "md")
    assert "W1 claude: tokens not known, since the requests belong to 2 accounts" in report.stdout
    shown = two_days.run("preview", FORCE_COLOR="1", COLUMNS="120").stdout
    assert "W1 claude: tokens not known, since the requests belong to 2 accounts." in shown
    # also where there is nothing else to say of tokens
    alone = two_days.run("preview", "--window", "W1", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="120").stdout
    assert "Tokens and money\x1b[0m\nW1 claude: tokens not known" in alone
    assert {row["window"]: row["requests"] for row in two_days.usage("window")["rows"]} == {"W1": 2, "W2": 2}
    cure = "give each account its own windows, in a lane named after its branch or pro"
    assert cure in two_days.run("windows").stderr
    assert cure in two_days.run("usage", "window").stderr
    said = "missing: claude W1 has requests of 2 accounts but measures one of them"
    for words, is_said in (
        (("window",), True),
        (("daily", "--window", "W1"), True),
        (("daily", "--since", "2026-11-01T00:01:00Z"), False),
    ):
        assert (said in two_days.run("usage", *words).stderr) is is_said
    assert said not in two_days.run("usage", "window", "--last", "1").stderr


def test_a_lane_of_each_account_tells_their_requests_apart(home: Any, message: Any) -> None:
    """As `windows` and `usage window` say."""
    pane = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for lane in ("feat-a", "feat-b"):
        for phase, used, at in (("start", 10, "10:00"), ("end", 20, "10:30")):
            words = ("--window", lane, "--captured-at", f"2026-11-20T{at}:00Z")
            done = home.run("--agent", lane, phase, "claude", "--stdin", *words, stdin=pane.format(used))
            assert done.exit_code == 0, done.stderr
    for name in ("a", "b"):
        owner = json.dumps({"type": "session-owner", "accountUuid": name, "sessionId": name}) + "\n"
        text = message(name, minute=5, sessionId=name, gitBranch=f"feat/{name}")
        (home.projects / f"{name}.jsonl").write_text(owner + text)
    found = {one["window"]: one["providers"]["claude"] for one in json.loads(home.run("--json", "windows").stdout)}
    assert {name: (one["requests"], one.get("accounts")) for name, one in found.items()} == {
        "feat-a": (1, None),
        "feat-b": (1, None),
    }


def test_what_came_from_another_machine_goes_where_its_file_is_here(home: Any, message: Any) -> None:
    """The same session was copied to both machines: what its file shows counts, and once."""
    rows = message("a") + message("b", minute=1)
    (home.projects / "s1.jsonl").write_text(rows)
    assert home.total()[0] == 2
    kept = (home.data / "claude_sessions.jsonl").read_text().replace('"requests":2', '"requests":1')
    with (home.data / "claude_sessions.jsonl").open("a") as file:
        file.write(kept.replace('"record_id":"', '"record_id":"of-another-machine-'))
    assert home.total()[0] == 2
    assert home.missing() == {}
    stored = (home.data / "claude_sessions.jsonl").read_bytes()
    assert home.total()[0] == 2
    assert (home.data / "claude_sessions.jsonl").read_bytes() == stored


def test_a_checkpoint_books_what_the_session_logs_have_of_its_window(home: Any, message: Any) -> None:
    """168000 were typed where the logs had 1,106,500, and nothing said so."""
    pane = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
    for phase, used, at in (("start", 10, "10:00"), ("end", 20, "10:30")):
        words = ("--window", "W1", "--captured-at", f"2026-11-20T{at}:00Z")
        assert home.run(phase, "claude", "--stdin", *words, stdin=pane.format(used)).exit_code == 0
    words = ("checkpoint", "--window", "W1", "--provider", "claude", "--task", "t", "--plan", "1000")
    unknown = home.run(*words)
    cure = "Session logs do not tell how many tokens claude used in W1. Type --actual N."
    assert (unknown.exit_code, cure in unknown.stderr) == (2, True)
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", minute=5) + message("b", minute=6))
    assert "booked 300 tokens for W1 (delta=-700)" in home.run(*words).stdout
    assert "booked 200 tokens for W1" in home.run(*words, "--actual", "200").stdout
