"""The decision card: which evidence counts, in sentences; and the sections of the handoff."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok, records, refused

Run = Callable[..., Any]


@pytest.fixture
def add(finalized: Run) -> Callable[..., None]:
    ok(finalized("churn", "--window", "W0-20"))

    def add(result: str, capability: str = "C-1", *more: str) -> None:
        words = ("--window", "W0-20", "--capability", capability, "--result", result)
        ok(finalized("evidence", "add", *words, *more))

    return add


@pytest.mark.parametrize(
    ("results", "verdict", "done"),
    [
        ([("pass", "C-1")], "GO", 5),
        ([("fail", "C-1")], "NO-GO", 4),
        ([("skip", "C-1")], "SOFT GO", 4),
        ([("fail", "C-1"), ("pass", "C-1")], "GO", 5),
        ([("fail", "C-1"), ("pass", "C-2")], "NO-GO", 4),
        ([("pass", "C-1"), ("fail", "C-1"), ("skip", "C-1")], "NO-GO", 4),
    ],
)
def test_evidence_that_passed_counts(
    finalized: Run, add: Callable[..., None], results: list[tuple[str, str]], verdict: str, done: int
) -> None:
    for result, capability in results:
        add(result, capability)
    found = json.loads(ok(finalized("decision-card", "--window", "W0-20", "--json")))
    assert (found["verdict"], found["completeness"]["done"]) == (verdict, done)


def test_records_that_travel_say_that_evidence_stays_behind(
    finalized: Run, add: Callable[..., None], tmp_path: Path
) -> None:
    def verdict() -> str:
        done = finalized("decision-card", "--window", "W0-20", "--json", TRACKER_DATA_DIR=str(tmp_path / "new"))
        return str(json.loads(ok(done))["verdict"])

    add("pass")
    exported = finalized("export", "--format", "jsonl", "--out", "out")
    assert exported.returncode == 0
    assert (
        "note: the export leaves out the ledgers, with the evidence that decision cards count: copy docs/Ledgers as"
        in (exported.stderr)
    )
    (tmp_path / "docs").rename(tmp_path / "other")
    imported = finalized("import", "out", TRACKER_DATA_DIR=str(tmp_path / "new"))
    assert "append the rows of the other project's docs/Ledgers/Acceptance_Evidence.csv to your own" in imported.stderr
    assert verdict() == "SOFT GO"
    (tmp_path / "docs" / "Ledgers").mkdir(parents=True)
    shutil.copy(tmp_path / "other" / "Ledgers" / "Acceptance_Evidence.csv", tmp_path / "docs" / "Ledgers")
    assert verdict() == "GO"
    again = finalized("import", "out", TRACKER_DATA_DIR=str(tmp_path / "new"))
    assert again.stderr == ""


def test_a_remark_makes_no_window_more_complete(toys: Run, tmp_path: Path) -> None:
    """Neither that a provider gives no figure, nor that events came at other times."""
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 28%"))
    ok(toys("complete", "--window", "W1", "--outcome", "pass"))
    (tmp_path / "usage.jsonl").write_text('{"ts": "2026-01-10T08:00:00Z", "rid": "A", "lane": "far"}\n')
    ok(toys("ingest", "toy-stream", "--window", "W1", "--file", "usage.jsonl"))
    card = toys("decision-card", "--window", "W1").stdout
    assert "  - note    It gives no figure for toy: features-missing.\n" in card
    assert "  - note    1 event of Toy " in card
    assert "Completeness: 60% (3/5)\n" in card


def test_a_window_of_telemetry_alone_names_what_it_wants(toys: Run, tmp_path: Path) -> None:
    (tmp_path / "usage.jsonl").write_text('{"ts": "2026-01-10T08:00:00Z", "rid": "A", "lane": "far"}\n')
    ok(toys("ingest", "toy-stream", "--window", "W1", "--file", "usage.jsonl"))
    card = toys("decision-card", "--window", "W1").stdout
    cure = "tracker start PROVIDER --stdin --window W1"
    assert f"  - missing The window cannot be finalized: it holds no captures. Run `{cure}`.\n" in card
    assert "  - missing No outcome is given.\n" in card
    assert "  - missing No churn is measured: it holds no captures. In the repository" in card
    # what it says to run works
    ok(toys(*cure.replace("PROVIDER", "toy").split()[1:], stdin="fuel 10%"))
    card = toys("decision-card", "--window", "W1").stdout
    assert "Run `tracker end toy --stdin --window W1`." in card


def test_other_results_are_refused(finalized: Run, tmp_path: Path) -> None:
    done = finalized("evidence", "add", "--window", "W0-20", "--result", "great")
    assert done.returncode == 2
    assert "'great' is not one of 'pass', 'fail', 'skip'" in done.stderr
    assert not (tmp_path / "docs" / "Ledgers").exists()


def test_evidence_without_a_capability_is_refused(finalized: Run, tmp_path: Path) -> None:
    for given in ((), ("--capability", " ")):
        done = finalized("evidence", "add", "--window", "W0-20", "--result", "pass", *given)
        assert done.returncode == 2
        assert "'--capability'" in done.stderr
        assert "Name what the run proves, such as `--capability quota-meters`." in done.stderr
    assert not (tmp_path / "docs" / "Ledgers").exists()


def test_older_rows_without_a_capability_do_not_count(finalized: Run, add: Callable[..., None], tmp_path: Path) -> None:
    add("skip")
    ledger = tmp_path / "docs" / "Ledgers" / "Acceptance_Evidence.csv"
    ledger.write_text(f"{ledger.read_text()}W0-20,,,,pass,,,\n")
    said = ok(finalized("decision-card", "--window", "W0-20"))
    assert "Verdict: SOFT GO" in said
    assert "No evidence has passed. 1 row without a capability does not count. Run `tracker uat" in said
    ledger.write_text(f"{ledger.read_text()}W0-20,,,me,fail,,,\n")
    add("pass")
    said = ok(finalized("decision-card", "--window", "W0-20"))
    assert "Verdict: GO" in said
    assert "Evidence passed (1 row). 2 rows without a capability do not count." in said


def test_results_that_a_person_typed_count_as_they_are_meant(
    finalized: Run, add: Callable[..., None], tmp_path: Path
) -> None:
    add("skip")
    ledger = tmp_path / "docs" / "Ledgers" / "Acceptance_Evidence.csv"
    verdicts = [("Passed", "GO"), ("red", "GO"), ("failing", "NO-GO")]
    for result, verdict in verdicts:
        ledger.write_text(f"{ledger.read_text()}W0-20,login,,me,{result},,,\n")
        said = ok(finalized("decision-card", "--window", "W0-20"))
        assert f"Verdict: {verdict}\n" in said
        assert ("A result such as 'red' does not count. Expected pass, fail or skip." in said) == (result != "Passed")


def test_the_cure_of_a_failed_acceptance_run_is_that_run(finalized: Run, add: Callable[..., None]) -> None:
    """Rows that say `pass` would be a claim without a run."""
    for capability, result in (("uat-pytest", "fail"), ("uat-behave", "fail"), ("uat-preview", "pass")):
        add(result, capability, "--test-run-id", "uat-1")
    said = ok(finalized("decision-card", "--window", "W0-20"))
    assert (
        "no later run passed: uat-pytest (uat-1), uat-behave (uat-1). Run `tracker uat --window W0-20 --record`.\n"
        in said
    )
    add("fail", "login")
    said = ok(finalized("decision-card", "--window", "W0-20"))
    assert "`tracker uat --window W0-20 --record` repeats what it ran. Repeat login, and record the result" in said
    assert "Run `tracker evidence add --window-id W0-20 --capability login --result pass`." in said


def test_what_the_acceptance_run_no_longer_runs_it_does_not_cure(finalized: Run, add: Callable[..., None]) -> None:
    """A person's capability, and one of a run before `[uat] commands` were others."""
    cure = "Run `tracker evidence add --window-id W0-20 --capability {} --result pass`."
    add("fail", "uat-login")
    assert cure.format("uat-login") in ok(finalized("decision-card", "--window", "W0-20"))
    add("pass", "uat-login")
    for run, capability, result in (("uat-1", "uat-pytest", "fail"), ("uat-2", "uat-true", "pass")):
        add(result, capability, "--test-run-id", run)
        add("pass", "uat-preview", "--test-run-id", run)
    assert cure.format("uat-pytest") in ok(finalized("decision-card", "--window", "W0-20"))


def test_the_cure_of_a_failure_names_its_capability(finalized: Run, add: Callable[..., None]) -> None:
    add("fail", "two words")
    said = ok(finalized("decision-card", "--window", "W0-20"))
    cure = "evidence add --window-id W0-20 --capability 'two words' --result pass"
    assert f"Repeat two words, and record the result if it passes. Run `tracker {cure}`." in said
    ok(finalized(*shlex.split(cure)))
    assert "Verdict: GO" in ok(finalized("decision-card", "--window", "W0-20"))


def test_the_card_reads_as_sentences(finalized: Run) -> None:
    said = ok(finalized("decision-card", "--window", "W0-20"))
    assert said.splitlines()[3:] == [
        "  - ok      It is finalized.",
        "  - ok      The outcome is pass.",
        "  - ok      No anomaly is open.",
        "  - missing No churn is measured. Run `tracker churn --window W0-20`.",
        "  - missing No evidence has passed. Run `tracker uat --window W0-20 --record`.",
    ]


def test_without_a_repository_the_card_asks_for_the_commit(toys: Run, work: Any) -> None:
    """The churn of a window whose captures name no commit is measured with the commit that a person names."""
    words = ("override", "toy", "--window", "W0-20", "--fuel-pct")
    ok(toys(*words, "10", "--phase", "before", GIT_DIR="/nowhere"))
    ok(toys(*words, "28", "--phase", "after", GIT_DIR="/nowhere"))
    ok(toys("complete", "--window", "W0-20", "--toy-features", "1", "--outcome", "pass"))
    said = ok(toys("decision-card", "--window", "W0-20"))
    assert "No churn is measured: no BEFORE names a commit, as outside a git repository." in said
    [cure] = re.findall(r"Run `tracker (churn .+?)`", said)
    assert cure == "churn --window W0-20 --commit-start COMMIT"
    ok(toys(*shlex.split(cure.replace("COMMIT", "HEAD"))))
    assert "Churn is measured (1 row, no file changed)." in ok(toys("decision-card", "--window", "W0-20"))


@pytest.mark.parametrize("hashes", ["sha1", "sha256"])
def test_the_first_window_of_a_repository_has_its_churn(
    toys: Run, tmp_path: Path, make_repository: Any, monkeypatch: pytest.MonkeyPatch, hashes: str
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", hashes)
    work = make_repository(tmp_path)
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    work.write(".gitignore", "/data/\n")
    work.commit("the work", **{"file.py": "one\ntwo\n"})
    ok(toys("end", "toy", "--stdin", "--window", "W1", stdin="fuel 28%"))
    ok(toys("complete", "--window", "W1", "--outcome", "pass"))
    assert "No churn is measured. Run `tracker churn --window W1`." in ok(toys("decision-card", "--window", "W1"))
    assert "files=2, +3/-0 (net=3)" in ok(toys("churn", "--window", "W1"))


def test_each_command_of_a_card_works_until_nothing_is_missing(toys: Run, work: Any, tmp_path: Path) -> None:
    """Every command is typed as it is printed, in the order of the card."""
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W1", AGENT_ID="sub1", stdin="fuel 10%"))
    work.commit("the work", **{"file.py": "one\n"})
    typed: list[str] = []
    while cures := re.findall(r"Run `tracker ((?!uat).+?)`", toys("decision-card", "--window", "W1").stdout):
        [command, *_] = [one for one in cures if one not in typed]
        typed.append(command)
        ok(toys(*shlex.split(command), stdin="fuel 28%"))
    assert typed == [
        "end toy --stdin --window W1 --agent sub1",
        "complete --window W1",
        "complete --window W1 --outcome pass",
        "churn --window W1",
    ]


@pytest.mark.parametrize("lane", [None, "sub1"])
def test_a_before_of_the_future_is_taken_back(toys: Run, work: Any, tmp_path: Path, lane: str | None) -> None:
    """No AFTER can follow it, so that neither the card nor the handoff asks for one."""
    at = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    words = ("alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", at, "--force")
    ok(toys(*words, stdin="fuel 10%", AGENT_ID=lane or ""))
    cure = f"alias delete toy --phase before --window W1{' --agent sub1' if lane else ''}"
    card = ok(toys("decision-card", "--window", "W1"))
    assert f"The window is open: its BEFORE of toy is dated in the future. Run `tracker {cure}`.\n" in card
    brief = ok(toys("handoff", "--dry-run"))
    assert f"toy's BEFORE is dated in the future: take it back:\n\n```sh\ntracker {cure}\n" in brief
    assert "tracker end" not in brief
    ok(toys(*cure.split()))
    assert "of the future" not in toys("status").stdout


def test_an_after_alone_is_taken_out(toys: Run, work: Any, tmp_path: Path) -> None:
    """A BEFORE from now on would follow it."""
    ok(toys("override", "toy", "--window", "W1", "--phase", "after", "--fuel-pct", "5", AGENT_ID="sub1"))
    cure = "alias delete toy --phase after --window W1 --agent sub1"
    card = ok(toys("decision-card", "--window", "W1"))
    assert f"The window cannot be finalized: it has no BEFORE of toy. Run `tracker {cure}`.\n" in card
    brief = ok(toys("handoff", "--dry-run"))
    assert f"toy's AFTER has no BEFORE, so it measures nothing:\n\n```sh\ntracker {cure}\n" in brief
    ok(toys(*cure.split()))
    assert "W1" not in ok(toys("status"))


def test_the_handoff_has_the_sections_of_all_features(finalized: Run, tmp_path: Path) -> None:
    """`checkpoint` writes them into the file, too."""
    events = [{"ts": "2026-11-22T08:00:00Z", "rid": rid, "lane": "far"} for rid in "ABCD"]
    (tmp_path / "usage.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    ok(finalized("ingest", "toy-stream", "--window", "W0-20", "--file", "usage.jsonl"))
    close = ("checkpoint", "--window", "W0-20", "--provider", "toy", "--task", "end", "--plan", "5", "--actual", "900")
    ok(finalized(*close))
    text = (tmp_path / "docs" / "SESSION_HANDOFF.md").read_text()
    costs = text.partition("## Cost comparison")[2].partition("## ")[0].splitlines()
    assert [line.partition(",")[0] for line in costs if "," in line] == ["rid", "A", "B", "C"]
    assert "tokens_actual=900" in text.partition("## Token ledger")[2]


def test_undo_reverses_the_churn_row(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20"))
    said = finalized("undo", "--yes")
    assert "reversed a row of W0-20 in Churn_Ledger.csv" in ok(said) + said.stderr
    rows = (tmp_path / "docs" / "Ledgers" / "Churn_Ledger.csv").read_text().splitlines()
    assert ",6,51,47,4," in rows[1]
    assert ",-6,-51,-47,-4," in rows[2]
    first, second = csv.DictReader(rows)
    assert float(first["features"]) + float(second["features"]) == 0 < float(first["features"])


def test_undo_of_a_checkpoint_leaves_the_handoff_to_the_next_one(finalized: Run, tmp_path: Path) -> None:
    close = ("checkpoint", "--window", "W0-33", "--provider", "toy", "--task", "slip", "--plan", "5", "--actual", "900")
    ok(finalized(*close))
    file = tmp_path / "docs" / "SESSION_HANDOFF.md"
    before = file.read_bytes()
    ok(finalized("undo", "--yes"))
    assert file.read_bytes() == before
    ok(finalized("handoff"))
    assert "task=slip" in before.decode()
    assert "W0-33" not in file.read_text()


def test_a_finalized_window_that_lost_a_capture_names_a_cure_that_works(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("alias", "start", "toy", "--stdin", "--window", "W0-21", stdin="fuel 30%"))
    delete = ("alias", "delete", "toy", "--yes", "--window", "W0-20", "--phase")
    ok(finalized(*delete, "after"))
    card = finalized("decision-card", "--window", "W0-20").stdout
    cure, reopen = "tracker end toy --stdin --window W0-20", "tracker complete --reopen --window W0-20"
    assert "Since it was finalized, it lost its toy AFTER" in card
    assert f"`{reopen}` reopens the window instead. Run `{cure}`." in card
    ok(finalized("handoff"))
    text = (tmp_path / "docs" / "SESSION_HANDOFF.md").read_text()
    assert "(stale: no toy AFTER)" in text
    assert cure in text
    assert "Every pair is complete" not in text
    ok(finalized(*cure.split()[1:], stdin="fuel 28%"))
    ok(finalized("complete", "--window", "W0-20"))
    assert "It is finalized." in finalized("decision-card", "--window", "W0-20").stdout
    ok(finalized(*delete, "before"))
    assert f"Run `{reopen}`." in finalized("decision-card", "--window", "W0-20").stdout
    ok(finalized(*reopen.split()[1:]))


def test_churn_of_nothing_says_how_to_measure_what_was_committed_later(
    toys: Run, work: Any, tmp_path: Path, text_of: Any
) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 28%"))
    work.commit("the work", **{"file.py": text_of(7)})
    for provider in ((), ("--provider", "toy")):
        done = toys("churn", "--window", "W1", *provider)
        assert "files=0" in ok(done)
        cure = re.search(
            r"the end that the AFTER capture names\. If you committed later, run `tracker (.*?)`", done.stderr
        )
        assert cure is not None, done.stderr
        assert "files=1, +7/-0" in ok(toys(*cure[1].split()))
    assert (
        "Churn is measured (4 rows, the newest of each provider counts)."
        in toys("decision-card", "--window", "W1").stdout
    )
    ok(toys("churn", "--window", "W1"))
    ok(toys("churn", "--window", "W1", "--provider", "toy"))
    assert (
        "(6 rows, the newest of each provider counts, no file changed)."
        in toys("decision-card", "--window", "W1").stdout
    )


def test_the_cure_of_a_card_works_in_the_lane_that_the_window_is_open_in(toys: Run) -> None:
    ok(toys("start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    card = ok(toys("decision-card", "--window", "W1", AGENT_ID="a"))
    [cure] = re.findall("Run `tracker (end .*?)`", card)
    ok(toys(*shlex.split(cure), stdin="fuel 28%", AGENT_ID="a"))
    assert [one["open"] for one in json.loads(ok(toys("status", "--json")))["lanes"]] == [False]


def test_the_cure_of_a_churn_repeats_what_was_asked(toys: Run, work: Any, tmp_path: Path, text_of: Any) -> None:
    asked = ("--methodology", "by hand", "--paths", "*.py", "--exclude", "b.py", "--features", "0", "--notes", "it's")
    missing = toys("churn", "--window", "W1", *asked).stderr
    [cure] = re.findall(r"Run `tracker (churn .*) --commit-start COMMIT(.*)`,", missing)
    assert ["--window", "W1", *asked] == shlex.split(" ".join(cure))[1:]
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%"))
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 28%"))
    work.commit("the work", **{"a.py": text_of(7), "b.py": text_of(1), "c.txt": text_of(2)})
    said = toys("churn", "--window", "W1", *asked).stderr
    [cure] = re.findall(r"If you committed later, run `tracker (.*?)`\n", said)
    assert "files=1, +7/-0" in ok(toys(*shlex.split(cure)))
    last = records(tmp_path, "churn")[-1]
    assert (last["methodology"], last["paths"], last["exclude"]) == ("by hand", ["*.py"], ["b.py"])
    assert (last["features"], last["notes"]) == (0, "it's")


def test_a_pair_that_is_open_in_a_finalized_window_is_ended_first(finalized: Run) -> None:
    ok(finalized("start", "tally", "--stdin", "--window", "W0-20", stdin="3"))
    for expected in ("It was finalized without tally, whose pair is not complete.", "Captures of tally changed "):
        card = ok(finalized("decision-card", "--window", "W0-20"))
        assert "Verdict: NO-GO" in card
        [cure] = re.findall(rf"failed  {re.escape(expected)}.*Run `tracker (.*)`\.", card)
        ok(finalized(*cure.split(), stdin="8"))
    assert "It is finalized." in ok(finalized("decision-card", "--window", "W0-20"))


def test_churn_of_captures_that_no_plugin_reads_is_refused_and_says_why(finalized: Run, tmp_path: Path) -> None:
    for name in ("snapshots", "windows"):
        path = tmp_path / "data" / f"{name}.jsonl"
        path.write_text(path.read_text().replace('"toy"', '"gone"'))
    why = "gone: recorded here, but no plugin for it is installed. To read it, install the plugin that declares gone"
    assert f"No start commit is known for W0-20: {why}" in refused(finalized("churn", "--window", "W0-20"))
    assert not (tmp_path / "data" / "churn.jsonl").exists()
    assert f"No churn is measured: {why}" in ok(finalized("decision-card", "--window", "W0-20"))
    done = finalized("churn", "--window", "W0-20", "--commit-start", "HEAD~1", "--commit-end", "HEAD")
    assert "files=6" in ok(done)
    assert "note: gone: recorded here, but no plugin for it is installed; it is left out\n" in done.stderr
