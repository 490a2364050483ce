"""Several accounts: nothing adds a per cent of one to a per cent of another, and each is told by its whole address."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any

import pytest

PANE = ">_ OpenAI Codex (v0.44.0)\n Account: {} (Pro)\n Weekly limit: [██░░] {}% left\n"
# redacted they are the same
ONE, OTHER = "dev@example.com", "dave@example.com"


def hashed(address: str) -> str:
    return hashlib.blake2b(address.encode(), digest_size=6).hexdigest()


@pytest.fixture
def two(verdicts: Any, kept: Any) -> Any:
    """A window of 10 points on one account, and one of 20 points on another."""
    kept(verdicts.folder / "data", lambda: fill(verdicts))
    return verdicts


def fill(verdicts: Any) -> None:
    windows = (("W1", ONE, 90, 80, "-5h", "-4h", 3), ("W2", OTHER, 70, 50, "-3h", "-10m", 1))
    for window, address, before, after, start, end, features in windows:
        for phase, left, at in (("start", before, start), ("end", after, end)):
            words = ("alias", phase, "codex", "--stdin", "--window", window, "--captured-at", at)
            verdicts(*words, stdin=PANE.format(address, left)).ok()
        verdicts("complete", "--window", window, "--codex-features", str(features)).ok()


def test_addresses_that_are_redacted_alike_are_two_accounts(two: Any) -> None:
    assert ONE not in (two.folder / "data" / "snapshots.jsonl").read_text()
    named = {row["window"]: row["providers"]["codex"]["account"] for row in json.loads(two("--json", "windows").ok())}
    assert named == {"W1": hashed(ONE), "W2": hashed(OTHER)}
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    named = {row["window"]: row["providers"]["codex"]["account"] for row in json.loads(two("--json", "windows").ok())}
    assert named == {"W1": "home", "W2": "work"}


def test_a_pane_that_names_no_account_behind_one_that_does_is_one_meter(two: Any) -> None:
    two("start", "codex", "--stdin", "--window", "W3", stdin=PANE.format(ONE, 40)).ok()
    two("end", "codex", "--stdin", stdin=PANE.replace(" Account: {} (Pro)\n", "").format(35)).ok()
    shown = [two(*words).ok() for words in (("status",), ("plan", "--provider", "codex"))]
    assert [one.count("65%") for one in shown] == [1, 1]


def test_a_report_says_once_what_is_so_for_every_account(two: Any) -> None:
    """What is missing is another provider: it was said as often as there are accounts, of each."""
    [said] = re.findall(r"^.*A comparison needs two providers.*$", two("report", "--format", "md").ok(), re.M)
    assert "account" not in said


def test_an_account_has_one_name_in_a_report(two: Any) -> None:
    """Some tables had its first digits alone, by which a search finds no other row."""
    said = two("report", "--format", "md").ok()
    assert said.count(hashed(ONE)) == said.count(hashed(ONE)[:6]) > 3


def test_lanes_that_share_a_window_have_their_own_accounts(two: Any) -> None:
    """The pair of the last AFTER counts in W3; the meters of the other lane are those of its own account."""
    for lane, address, left, at in (("main", ONE, 60, "-8m"), ("sub", OTHER, 20, "-5m")):
        words = ("alias", "start", "codex", "--stdin", "--window", "W3", "--captured-at", at, "--agent", lane)
        two(*words, stdin=PANE.format(address, left)).ok()
    said = two("status").ok()
    main, sub = (part.partition("\n\n")[0] for part in (said.partition("lane main")[2], said.partition("lane sub")[2]))
    assert f"weekly account {hashed(ONE)}  40%" in main
    assert f"weekly account {hashed(OTHER)}  80%" in sub
    lanes = json.loads(two("--json", "status").ok())["lanes"]
    assert {one["agent_id"]: one["meters"][0]["used"] for one in lanes if one["agent_id"]} == {"main": 40, "sub": 80}
    assert "not in a window" not in said


def test_a_new_window_of_an_account_goes_on_with_its_own_ids(verdicts: Any) -> None:
    """It had the next id of a colleague's, whose records were imported; the two directories then refused each other."""
    for window, address, lane, hours in (("A-05", ONE, "main", 8), ("B-05", OTHER, "bob", 5), ("C-07", ONE, "", 2)):
        words = ("--window", window, "--agent", lane, "--captured-at")
        for phase, ago in (("start", hours), ("end", hours - 1)):
            verdicts(phase, "codex", "--stdin", *words, f"-{ago}h", stdin=PANE.format(address, 10 * ago)).ok()
        verdicts("complete", "--window", window, "--codex-features", "1", "--outcome", "pass").ok()
    said = verdicts("plan", "--provider", "codex").ok()
    assert f"`tracker start codex --window C-08` on account {hashed(ONE)}\n" in said
    assert f"`tracker start codex --agent bob --window B-06` on account {hashed(OTHER)}\n" in said


def test_each_account_has_its_own_cure(verdicts: Any) -> None:
    """The end of one account's window reads nothing of another account, nor does a sample that names none."""
    verdicts.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    verdicts.measure(("W1", ONE, 90, 80, "-5h", "-4h", 3), ("W2", OTHER, 70, 50, "-3h", "-2h", 1))
    words = ("alias", "start", "codex", "--stdin", "--captured-at", "-30m", "--agent", "sub", "--window", "W3")
    verdicts(*words, stdin=PANE.format(OTHER, 50)).ok()
    home, work = verdicts("plan", "--provider", "codex").ok().partition("codex weekly account work")[::2]
    assert "the limit is 15 min: `tracker start codex --window W4` on account home\n" in home
    assert "the limit is 15 min: `tracker end codex --agent sub` on account work, which ends W3\n" in work
    for name, address in (("home", ONE), ("work", OTHER)):
        gate = ("gate", "codex", "--account", name)
        refused = verdicts(*gate)
        assert refused.status == 4
        cure = refused.err.partition("`tracker ")[2].partition("`")[0]
        verdicts(*cure.split(), "--stdin", stdin=PANE.format(address, 45)).ok()
        assert verdicts(*gate).ok().startswith("go: codex weekly: 45 % left"), name


def test_status_joins_no_open_window_of_another_account(verdicts: Any) -> None:
    for phase, left, at in (("start", 90, "-3h"), ("end", 80, "-2h")):
        words = ("alias", phase, "codex", "--stdin", "--window", "W1", "--captured-at", at)
        verdicts(*words, stdin=PANE.format(ONE, left)).ok()
    verdicts("complete", "--window", "W1", "--codex-features", "1").ok()
    start = ("alias", "start", "codex", "--stdin", "--agent", "sub", "--window", "W2")
    verdicts(*start, "--captured-at", "-1h", stdin=PANE.format(ONE, 80)).ok()
    assert "BEFORE of W3, since W1 is finalized: tracker start codex --stdin\n" in verdicts("status").ok()
    verdicts(*start, "--captured-at", "-30m", stdin=PANE.format(OTHER, 80)).ok()
    assert "BEFORE of W3, since W1 is finalized: tracker start codex --stdin\n" in verdicts("status").ok()


def test_the_preview_shows_them_apart(two: Any) -> None:
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    said = two("preview").ok()
    assert "  - codex account home: features=3, capacity=10 pp, efficiency=0.30, ci=n/a, n=1" in said
    assert "  - codex account work: features=1, capacity=20 pp, efficiency=0.05, ci=n/a, n=1" in said
    assert "capacity=30" not in said
    found = json.loads(two("--json", "preview").ok())["providers"]
    assert [(one["account"], one["capacity"]) for one in found] == [("home", 10), ("work", 20)]
    assert "account" not in two("preview", "--window", "W1").ok().partition("Outcome")[0]


def test_without_the_feature_that_names_accounts_they_stay_apart(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The captures' own records say that they are two, by their hashes."""
    monkeypatch.setenv("TRACKER_DISABLE_PLUGINS", "capture")
    for number, (address, capacity) in enumerate(((ONE, 10), (OTHER, 20))):
        for command in ("preview", "scoreboard"):
            rows = [one for one in two(command).ok().splitlines() if "codex" in one and hashed(address) in one]
            assert len(rows) == 1, command
            assert str(capacity) in rows[0], (command, number)
    assert "capacity=30" not in two("preview").ok()
    done = two("gate", "codex", "--max-age", "1d")
    assert done.status == 4
    assert "there are 2 accounts; add --account" in done.out
    said = two("plan", "--provider", "codex", "--max-age", "1d").ok()
    for address, cost in ((ONE, 10), (OTHER, 20)):
        own = said.partition(f"codex weekly account {hashed(address)}")[2].partition("codex")[0]
        assert f"a usual window costs {cost} pp (of 1 window)" in own
    assert "\ncodex verdict:" not in said


def test_the_report_names_and_compares_them_apart(two: Any) -> None:
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    for window, at in (("W3", "-8h"), ("W4", "-6h")):
        for phase, used, later in (("before", 10, at), ("after", 20, f"-{int(at[1]) - 1}h")):
            values = ("--window", window, "--phase", phase, "--all-models-pct", str(used), "--captured-at", later)
            two("override", "claude", *values).ok()
        two("complete", "--window", window, "--claude-features", "2").ok()
    report = two("report", "--format", "md").ok()
    assert "--account" not in report
    for name in ("home", "work"):
        assert f", codex account {name}: " in report.partition("## ")[0]
        assert f"| codex account {name} | " in report
        assert f"\n## codex, 7 d, account {name}\n" in report


def test_an_account_that_no_window_is_of_is_refused(verdicts: Any) -> None:
    verdicts.settings(f'[accounts]\nwork = "{ONE}"\n')
    for phase, left, at in (("start", 90, "-5h"), ("end", 80, "-4h")):
        words = ("alias", phase, "codex", "--stdin", "--window", "W1", "--captured-at", at)
        verdicts(*words, stdin=PANE.format(ONE, left)).ok()
    for phase, used, at in (("before", 10, "-3h"), ("after", 20, "-2h")):
        values = ("--window", "W2", "--phase", phase, "--all-models-pct", str(used), "--captured-at", at)
        verdicts("override", "claude", *values).ok()
    verdicts("complete", "--window", "W1", "--codex-features", "2").ok()
    verdicts("complete", "--window", "W2", "--claude-features", "2").ok()
    assert "codex: features=2" in verdicts("compare", "--account", "work").ok()
    refused = verdicts("compare", "--account", "wrk").refused(1)
    assert refused == "error: No window belongs to account 'wrk'. Did you mean work?"


def test_an_account_where_no_window_names_one(verdicts: Any) -> None:
    verdicts.rows(codex=[(3, 18)], claude=[(2, 10)])
    refused = verdicts("compare", "--account", "work").refused()
    assert refused == "error: No window belongs to account 'work'. No window has an account: leave out --account."


def test_a_narrow_scoreboard_keeps_the_accounts_apart(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    shown = two("scoreboard", "--by", "provider").ok()
    assert f"codex ({hashed(ONE)})" in shown
    assert f"codex ({hashed(OTHER)})" in shown


def test_what_is_so_of_two_meters_is_said_once(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "400")
    said = two("plan", "--provider", "codex").ok()
    few = r"how much costs vary is assumed until 3 windows measure it \(1 so far\)"
    [names] = re.findall(rf"(.+): {few}\n", said)
    assert {*names.split(", ")} == {f"codex weekly {hashed(one)}" for one in (ONE, OTHER)}


def test_a_plan_of_one_account(two: Any) -> None:
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    plan = ("plan", "--provider", "codex", "--account")
    said = two(*plan, "work").ok()
    assert re.findall(r"codex (?:weekly )?account (\w+)", said) == ["work", "work"]
    assert [one["account"] for one in json.loads(two("--json", *plan, "work").ok())["meters"]] == ["work"]
    assert re.findall(r"weekly account (\w+)", two(*plan, "work", "--account", "home").ok()) == ["home", "work"]
    assert two(*plan, "wrk").refused() == "error: No reading of account 'wrk'. Did you mean work?"
    assert two(*plan, "x").refused() == "error: No reading of account 'x'. Expected one of home, work."
    assert "--score covers all accounts. Leave out --account." in two("plan", "--score", "--account", "work").refused(2)
    assert "Expected --pairs N A B" in two("plan", "--pairs", "2", "codex", "claude", "--account", "work").refused(2)


def test_the_plan_takes_the_costs_of_each_account_alone(two: Any) -> None:
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    said = two("plan", "--provider", "codex").ok()
    home, work = said.index("codex weekly account home: 20% used"), said.index("codex weekly account work: 50% used")
    assert "a usual window costs 10 pp (of 1 window)" in said[home:work]
    assert "a usual window costs 20 pp (of 1 window)" in said[work:]
    assert "codex account home verdict: unknown" in said
    assert "codex account work verdict: GO" in said
    assert "(not named)" not in said


def test_the_hash_of_a_redacted_address_is_matched(two: Any) -> None:
    """As records of before have it; of two accounts that it fits it is named as one of them."""
    path = two.folder / "data" / "snapshots.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "account"}) + "\n" for row in rows))
    (two.folder / "data" / "readings.jsonl").unlink()
    two.settings(f'[accounts]\nhome = "{ONE}"\n')
    assert {row["providers"]["codex"]["account"] for row in json.loads(two("--json", "windows").ok())} == {"home"}
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    named = {row["providers"]["codex"]["account"] for row in json.loads(two("--json", "windows").ok())}
    assert named == {"home or work"}


def test_gate_asks_which_account(two: Any) -> None:
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    assert "there are 2 accounts; add --account home or --account work" in two("gate", "codex").out
    assert two("gate", "codex", "--account", "work").ok().startswith("go: codex weekly: 50 % left")


def test_an_after_of_another_account_is_refused(verdicts: Any) -> None:
    verdicts("alias", "start", "codex", "--stdin", stdin=PANE.format(ONE, 90)).ok()
    words = ("alias", "end", "codex", "--stdin")
    refused = verdicts(*words, stdin=PANE.format(OTHER, 50)).refused(1)
    assert "This codex reading is from another account than the BEFORE of W0-01." in refused
    assert "Capture the pane of that account, or store it with --force." in refused, "another window has no BEFORE"
    verdicts(*words, "--force", stdin=PANE.format(OTHER, 50)).ok()
    assert "other-account" in verdicts("window-audit", "--window", "W0-01").ok()


def test_a_finalized_window_keeps_its_account(two: Any) -> None:
    """Another account's pair would take over the features that were counted on the first."""
    known = two("--json", "windows").ok()
    start, end = (("alias", one, "codex", "--stdin", "--window", "W1", "--agent", "new") for one in ("start", "end"))
    # it may be measured again on its own account, or if the user insists
    two(*start, "--dry-run", stdin=PANE.format(ONE, 50)).ok()
    assert "from another account than the AFTER of W1." in two(*start, stdin=PANE.format(OTHER, 50)).refused(1)
    assert two("--json", "windows").ok() == known
    two(*start, "--force", stdin=PANE.format(OTHER, 50)).ok()
    assert "from another account than the AFTER of W1." in two(*end, stdin=PANE.format(OTHER, 40)).refused(1)
    counted = two("scoreboard").ok()
    two(*end, "--force", stdin=PANE.format(OTHER, 40)).ok()
    # what was stored nevertheless counts on its own account when the window is finalized with it
    accounts = [row["providers"]["codex"]["account"] for row in json.loads(two("--json", "windows").ok())]
    assert accounts == [row["providers"]["codex"]["account"] for row in json.loads(known)]
    assert two("scoreboard").ok() == counted
    two("complete", "--window", "W1").ok()
    assert two("scoreboard").ok() != counted


def test_a_window_from_one_account_to_another_belongs_to_none(two: Any) -> None:
    for phase, address, left, at in (("start", ONE, 80, "-9m"), ("end", OTHER, 45, "-1m")):
        words = ("alias", phase, "codex", "--stdin", "--window", "W3", "--captured-at", at, "--force")
        two(*words, stdin=PANE.format(address, left))
    path = two.folder / "data" / "snapshots.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    if len(rows) == 5:
        # as earlier versions stored it
        rows.append({**rows[3], "record_id": "f" * 32, "window": "W3", "captured_at": rows[4]["captured_at"]})
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    two("complete", "--window", "W3", "--codex-features", "1")
    two.settings(f'[accounts]\nhome = "{ONE}"\nwork = "{OTHER}"\n')
    said = two("plan", "--provider", "codex").ok()
    assert "home+work" not in said + two("gate", "codex").out + two("status").ok()
    assert "there are 2 accounts" in two("gate", "codex").out
    assert said.count("(of 1 window)") == 2


def test_figures_leave_a_window_of_two_accounts_out(verdicts: Any) -> None:
    verdicts.measure(("W1", ONE, 90, 80, "-5h", "-4h", 3))
    verdicts("alias", "start", "codex", "--stdin", "--window", "W2", stdin=PANE.format(ONE, 80)).ok()
    verdicts("alias", "end", "codex", "--stdin", "--window", "W2", "--force", stdin=PANE.format(OTHER, 40)).ok()
    verdicts("complete", "--window", "W2", "--codex-features", "2").ok()
    said = verdicts("preview").ok()
    assert "  - codex: features=3, capacity=10 pp, efficiency=0.30, ci=n/a, n=1" in said
    assert "(excluded W2: other-account)" in said
    board = verdicts("scoreboard")
    assert board.ok().splitlines()[1].split()[2:5] == ["2", "3", "10"]
    assert "codex W2 does not count: its BEFORE and AFTER are from two accounts." in board.err
    (row,) = [row for row in json.loads(verdicts("--json", "windows").ok()) if row["window"] == "W2"]
    assert row["providers"]["codex"]["account"] == "2 accounts"
    assert row["providers"]["codex"]["capacity"] is None
    verdicts.measure(("W3", OTHER, 40, 20, "-3m", "-2m", 1))
    assert "codex account 2 accounts: features=n/a, capacity=n/a" in verdicts("preview").ok()
    assert "Choose one with --account." in (refused := verdicts("compare", "codex", "claude").refused(1))
    assert "2 accounts (" in refused and "3 accounts" not in refused  # noqa: PT018


def test_a_comparison_says_whose_windows_it_cannot_read(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_DISABLE_PLUGINS", "codex")
    assert (
        two("compare")
        .refused()
        .endswith(
            "no provider has any that can be read."
            " It leaves out codex: recorded here, but TRACKER_DISABLE_PLUGINS disables its plugin."
        )
    )


def test_a_plan_on_a_narrow_terminal_keeps_the_meter_and_the_account(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns that no width leaves out tell every row from the others."""
    from tracker.session import Session

    tables: list[Any] = []
    monkeypatch.setattr(Session, "table", lambda _, columns, rows: tables.append((columns, rows)) or True)
    two("plan", "--provider", "codex").ok()
    two.settings(f'[accounts]\nhome-of-mine = "{ONE}"\n')
    two("plan", "--provider", "codex").ok()
    hashes, named = tables
    first = [column.key for column in hashes[0] if column.rank == 0]
    assert first == ["name", "account", "used", "verdict"]
    assert [(row["name"], row["account"]) for row in hashes[1]] == [
        ("codex weekly", account) for account in sorted((hashed(ONE), hashed(OTHER)))
    ]
    assert {row["account"] for row in named[1]} == {"home-of-mine", hashed(OTHER)}


def test_a_window_of_two_plans_does_not_count_and_plans_are_not_added_without_a_word(verdicts: Any) -> None:
    """A per cent of one plan is not one of another: after the upgrade the meter fell, and then rose past its BEFORE."""
    pane = ">_ OpenAI Codex (v0.169.0)\n Account: dev@example.com ({})\n Weekly limit: {}% left\n"
    told = [("Plus", 60, "Plus", 40), ("Plus", 40, "Pro 200", 38), ("Pro 200", 38, "Pro 200", 36)]
    for number, (plan, before, other, after) in enumerate(told, 1):
        at = ("--window", f"W{number}", "--captured-at")
        verdicts("start", "codex", "--stdin", *at, f"-{90 - 10 * number}m", stdin=pane.format(plan, before)).ok()
        ended = verdicts("end", "codex", "--stdin", *at, f"-{85 - 10 * number}m", stdin=pane.format(other, after))
        finalized = verdicts("complete", "--window", f"W{number}", "--codex-features", "2")
        is_of_two = "BEFORE and AFTER are from different plans, so nothing was measured; the next window counts again"
        assert [is_of_two in ended.err, is_of_two in finalized.err] == [plan != other] * 2
        assert ("capacity=n/a" in finalized.ok()) == (plan != other)
    said = verdicts("preview").ok()
    assert "features=4, capacity=22 pp" in said
    assert "(excluded W2: other-plan) (measured on several plans: Plus, Pro 200)" in said
    board = verdicts("scoreboard")
    assert "codex W2 does not count: its BEFORE and AFTER are from two plans." in board.err
    assert "codex: measured on several plans: Plus, Pro 200" in board.err
    assert "It gives no figure for codex: other-plan." in verdicts("decision-card", "--window", "W2").ok()
    assert "several plans" not in verdicts("preview", "--window", "W3").ok()


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        (("Pro 200", False), ("pro", True), True),
        (("Enterprise", False), ("business", True), True),
        (("prolite", True), ("pro", True), False),
        (("Plus", False), ("Plus Max", False), False),
    ],
)
def test_a_plan_in_a_pane_and_in_json_is_one(
    verdicts: Any, one: tuple[str, bool], other: tuple[str, bool], is_one: bool
) -> None:
    """The pane says `Enterprise`, Codex's app server `business`; two words of one kind are two plans."""

    def shown(plan: str, used: int, *, is_json: bool) -> str:
        limits = {"limitId": "codex", "primary": None, "planType": plan}
        limits["secondary"] = {"usedPercent": used, "windowDurationMins": 10080, "resetsAt": time.time() + 300_000}
        answer = json.dumps({"id": 3, "result": {"rateLimits": limits}})
        pane = f">_ OpenAI Codex (v0.169.0)\n Account: dev@example.com ({plan})\n Weekly limit: {100 - used}% left\n"
        return answer if is_json else pane

    for verb, (plan, is_json), used in (("start", one, 20), ("end", other, 30)):
        text = shown(plan, used, is_json=is_json)
        done = verdicts(
            verb, "codex", "--stdin", "--window", "W1", *(["--captured-at", "-30m"] * (verb == "start")), stdin=text
        )
    assert ("(+10)" in done.err, "other-plan" in done.err) == (is_one, not is_one), done.err
    verdicts("complete", "--window", "W1", "--codex-features", "2").ok()
    said = verdicts("preview").ok()
    assert ("capacity=10 pp" in said, "other-plan" in said) == (is_one, not is_one)
    assert "several plans" not in said
    assert ("of another plan" in verdicts("plan", "--provider", "codex").out) is False
