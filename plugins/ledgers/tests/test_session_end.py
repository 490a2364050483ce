"""The end of a session with the real program: churn, features, evidence, checkpoint."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok, records, refused

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Text = Callable[..., str]
LEDGERS = Path("docs/Ledgers")


def rows(folder: Path, ledger: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / LEDGERS / ledger).read_text(), newline="")))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that a command may not touch, apart from the index and git's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".index", ".git", ".lock", "site", "__pycache__"} & set(path.parts)
    }


# --- churn


def test_churn_of_the_captures_commits_as_the_preview_shows_it(finalized: Run, toys_apart: Run, tmp_path: Path) -> None:
    done = finalized("churn", "--window", "W0-20", "--provider", "toy", "--methodology", "session002")
    assert ok(done) == "recorded churn for W0-20: files=6, +51/-47 (net=4), per-feature=1.33\n"
    [record] = records(tmp_path, "churn")
    assert (record["source"], record["provider"], record["features"]) == ("churn", "toy", 3)
    assert record["normalized_churn"] == pytest.approx(4 / 3, abs=1e-6)
    assert record["decision"] is None
    [row] = rows(tmp_path, "Churn_Ledger.csv")
    assert (row["window"], row["files_changed"], row["net"], row["normalized_churn"]) == ("W0-20", "6", "4", "1.333333")
    assert row["date"] == record["captured_at"][:10]
    assert row["commit_start"] == record["commit_start"]
    shown = ok(toys_apart("preview", "--window", "W0-20"))
    assert (
        "Churn:\n  - provider=toy window=W0-20 method=session002: files=6, +51/-47 (net=4), per-feature=1.33\n" in shown
    )


def test_churn_per_feature_follows_what_complete_counts_now(finalized: Run, toys_apart: Run, tmp_path: Path) -> None:
    def shown() -> tuple[Any, ...]:
        text = ok(toys_apart("preview", "--window", "W0-20"))
        [line] = [line for line in text.splitlines() if "per-feature=" in line]
        [row] = json.loads(ok(toys_apart("scoreboard", "--format", "json")))
        [window] = json.loads(ok(toys_apart("--json", "windows")))
        return line.rpartition("=")[2], row["churn_per_feature"], window["providers"]["toy"]["churn"]

    ok(finalized("churn", "--window", "W0-20", "--provider", "toy"))
    assert shown() == ("1.33", pytest.approx(4 / 3, abs=1e-5), 1.333333)
    ok(finalized("complete", "--window", "W0-20", "--toy-features", "8"))
    assert shown() == ("0.50", 0.5, 0.5)
    ok(finalized("complete", "--window", "W0-20", "--clear", "toy-features"))
    assert shown() == ("n/a", None, None)
    # a number that was named at measuring stands
    ok(finalized("churn", "--window", "W0-20", "--provider", "toy", "--features", "2"))
    ok(finalized("complete", "--window", "W0-20", "--toy-features", "8"))
    assert shown() == ("2", 2, 2)
    assert [one["normalized_churn"] for one in records(tmp_path, "churn")] == [1.333333, 2]


def test_the_range_comes_from_options_then_the_finalize_row_then_the_captures(
    finalized: Run, make_repository: Any, tmp_path: Path
) -> None:
    work = make_repository(tmp_path)
    first, last = work.git("rev-list", "--max-parents=0", "HEAD"), work.commit("later", later="x\n")
    ok(
        finalized(
            *("complete", "--window", "W0-20", "--toy-features", "2", "--methodology", "m"),
            *("--commit-start", first, "--commit-end", last),
        )
    )
    ok(finalized("churn", "--window", "W0-20", "--provider", "toy"))
    ok(finalized("churn", "--window", "W0-20", "--commit-start", f"{last}~1", "--features", "4", "--notes", "n"))
    ends = [(record["commit_start"], record["commit_end"]) for record in records(tmp_path, "churn")]
    assert ends == [(first, last), (work.git("rev-parse", "HEAD~1"), last)]
    by_row, by_option = records(tmp_path, "churn")
    assert (by_row["methodology"], by_row["features"], by_row["provider"]) == ("m", 2, "toy")
    assert (by_option["features"], by_option["normalized_churn"], by_option["notes"]) == (4, 0.25, "n")


def test_without_a_start_commit_churn_says_so_and_goes_on(toys: Run, toys_apart: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 10%"))
    done = toys("churn", "--window", "W0-2O", "--notes", "a note")
    assert ok(done) == "recorded churn for W0-2O: decision=missing-commit-range\n"
    assert (
        "warning: No start commit is known for W0-2O, and no record names that window. Did you mean W0-20?"
        in done.stderr
    )
    [record] = records(tmp_path, "churn")
    assert (record["decision"], record["files_changed"]) == ("missing-commit-range", None)
    [row] = rows(tmp_path, "Churn_Ledger.csv")
    assert (row["net"], row["notes"]) == ("", "a note; decision=missing-commit-range")
    assert "  - provider=n/a window=W0-2O method=n/a: decision=missing-commit-range\n" in ok(toys_apart("preview"))


def test_a_commit_of_the_finalize_row_that_is_none_can_be_cleared(finalized: Run) -> None:
    done = finalized("complete", "--window", "W0-20", "--commit-start", "nosuch")
    ok(done)
    assert "warning: nosuch is not a commit of the repository here. It is stored as you typed it.\n" in done.stderr
    error = refused(finalized("churn", "--window", "W0-20"))
    assert "Unknown commit 'nosuch' (the finalize row of W0-20)" in error
    cure = "tracker complete --window W0-20 --clear commit-start"
    assert f"`{cure}` clears it there." in error
    ok(finalized(*cure.split()[1:]))
    assert ok(finalized("churn", "--window", "W0-20")).startswith("recorded churn for W0-20: files=6")


def test_several_paths_in_a_row(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20", "--paths", "file0.py", "file5.py", "--features", "1"))
    ok(finalized("churn", "--paths", "file0.py", "--paths=file5.py", "--exclude", "file0.py", "--window", "W0-20"))
    both, one = records(tmp_path, "churn")
    assert (both["paths"], both["files_changed"]) == (["file0.py", "file5.py"], 2)
    assert (one["exclude"], one["files_changed"]) == (["file0.py"], 1)
    assert "Unexpected argument 'stray'. Example: `tracker churn " in refused(
        finalized("churn", "--window", "W0-20", "stray"), 2
    )


def test_a_ledger_that_is_refused_keeps_the_record_back(finalized: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("date,window\n")
    words = ("churn", "--window", "W0-20", "--ledger-path", "other.csv")
    assert "it lacks provider" in refused(finalized(*words))
    assert "it lacks provider" in refused(finalized(*words, "--dry-run"))
    assert records(tmp_path, "churn") == []
    other.unlink()
    ok(finalized(*words))
    assert other.read_text().startswith("date,window,provider,")
    assert not (tmp_path / LEDGERS).exists()


# --- features and evidence


def test_ids_are_reserved_once(toys: Run, tmp_path: Path) -> None:
    assert ok(toys("feature", "reserve", "--window", "W0-20", "--provider", "toy")) == "F-001\n"
    assert ok(toys("-q", "feature", "reserve")) == "F-002\n"  # the id is what a script asks for
    error = refused(toys("feature", "reserve", "--feature-id", "F-001"))
    assert error == "error: F-001 is taken. The next free id is F-003. Nothing was written."
    assert ok(toys("feature", "reserve", "--feature-id", "API-9")) == "API-9\n"
    assert ok(toys("feature", "reserve")) == "API-10\n"
    assert ok(toys("feature", "reserve", "--prefix", "F-")) == "F-003\n"
    assert "Invalid feature id" in refused(toys("feature", "reserve", "--feature-id", "=1+1"))
    ids = [(row["feature_id"], row["notes"]) for row in rows(tmp_path, "Feature_Log.csv")]
    assert ids == [(name, "reserved") for name in ("F-001", "F-002", "API-9", "API-10", "F-003")]


def test_a_feature_is_logged_with_every_column(toys: Run, tmp_path: Path) -> None:
    given = {
        "date": "2026-01-10",
        "feature_id": "F-001",
        "window": "W0-20",
        "provider": "toy",
        "files_touched": "4",
        "scenario": "=an operator, who pays",
        "commit_id": "c" * 40,
        "baseline_commit": "b" * 40,
        "implementation_commit": "i" * 40,
        "docs_commit": "d" * 40,
        "lines_added": "10",
        "lines_removed": "3",
        "notes": "ask dev@example.com",
    }
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    done = toys("feature", "log", *words, AGENT_ID="sub1")
    assert ok(done) == "logged F-001 for W0-20\n"
    shown = {"scenario": "'=an operator, who pays", "notes": "ask d***@example.com; AGENT_ID=sub1"}
    assert rows(tmp_path, "Feature_Log.csv") == [given | shown]


def test_a_feature_keeps_the_commit_that_a_name_meant(toys: Run, work: Any, tmp_path: Path) -> None:
    commit = work.git("rev-parse", "HEAD")
    for name in ("HEAD", commit[:8], "nosuch", "--all"):
        ok(toys("feature", "log", "--feature-id", "F-1", f"--commit-id={name}"))
    found = [row["commit_id"] for row in rows(tmp_path, "Feature_Log.csv")]
    assert found == [commit, commit[:8], "nosuch", "'--all"]


def test_evidence_hashes_its_artifact(toys: Run, tmp_path: Path) -> None:
    artifact = tmp_path / "report.xml"
    artifact.write_bytes(b"x" * 100_000)
    digest = hashlib.sha256(b"x" * 100_000).hexdigest()
    ok(
        toys(
            *("evidence", "add", "--window", "W0-20", "--capability-id", "C1", "--test-run-id", "r7"),
            *("--runner", "pytest", "--result", "pass", "--artifacts-path", "report.xml", "--notes", "-n"),
        )
    )
    ok(
        toys(
            "evidence",
            "add",
            "--window",
            "W0-20",
            "--capability",
            "C1",
            "--result",
            "pass",
            "--artifact",
            str(artifact),
        )
    )
    first, second = rows(tmp_path, "Acceptance_Evidence.csv")
    assert list(first.values()) == ["W0-20", "C1", "r7", "pytest", "pass", "report.xml", digest, "'-n"]
    assert second["artifacts_path"] == "report.xml", "it is that in every clone"
    words = ("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass", "--artifact")
    assert "No such file" in refused(toys(*words, "nothing.xml"))
    assert "the file changed. Nothing was written." in refused(toys(*words, "report.xml", "--artifact-hash", "0" * 64))
    assert "is not a SHA-256" in refused(toys(*words, "report.xml", "--artifact-hash", "abc"))
    ok(toys(*words, "report.xml", "--artifact-hash", digest.upper()))
    assert len(rows(tmp_path, "Acceptance_Evidence.csv")) == 3


# --- checkpoint

CLOSE = ("checkpoint", "--window", "W0-20", "--provider", "toy", "--task", "end_of_session", "--plan", "200000")


def test_a_checkpoint_books_everything(finalized: Run, tmp_path: Path) -> None:
    jobs = tmp_path / "docs" / "System" / "scheduler" / "standing_jobs.md"
    jobs.parent.mkdir(parents=True)
    jobs.write_bytes(
        b"# Jobs\r\n\r\n## Backup\r\nlast run: never\r\n\r\n## Ledger checkpoint\r\n* **Last run:** never\r\n"
    )
    done = finalized(*CLOSE, "--actual", "168000", "--notes", "session002 close")
    assert ok(done).splitlines() == [
        "booked 168000 tokens for W0-20 (delta=-32000)",
        "recorded churn for W0-20: files=6, +51/-47 (net=4), per-feature=1.33",
        f"wrote the handoff of W0-20 to {tmp_path / 'docs' / 'SESSION_HANDOFF.md'}",
    ]
    [row] = rows(tmp_path, "Token_Churn_Ledger.csv")
    assert list(row.values())[1:] == [
        *("W0-20", "end_of_session", "200000", "168000", "-32000", "1", "51", "47", "3", "", "session002 close")
    ]
    assert len(rows(tmp_path, "Churn_Ledger.csv")) == len(records(tmp_path, "churn")) == 1
    text = jobs.read_bytes().decode()
    assert text.startswith(
        "# Jobs\r\n\r\n## Backup\r\nlast run: never\r\n\r\n## Ledger checkpoint\r\n* **Last run:** 20"
    )
    assert text.endswith("Z checkpoint W0-20 toy end_of_session\r\n")


def test_a_checkpoint_measures_what_the_last_churn_was_told_to(
    finalized: Run, toys_apart: Run, make_repository: Any, tmp_path: Path
) -> None:
    make_repository(tmp_path).commit("later", **{"later.py": "x\n", "left/out.py": "y\n"})
    words = ("--commit-start", "HEAD~1", "--commit-end", "HEAD", "--paths", "later.py", "--features", "2")
    ok(finalized("churn", "--window", "W0-20", "--provider", "toy", "--methodology", "m", *words))
    closed = finalized(*CLOSE, "--actual", "1")
    assert "recorded churn for W0-20: files=1, +1/-0 (net=1), per-feature=0.50\n" in ok(closed)
    assert "note: churn is measured as in the window's last row: --commit-start " in closed.stderr
    first, second = records(tmp_path, "churn")
    figures, named = ("features", "features_from", "net"), ("commit_start", "commit_end", "paths", "exclude", "given")
    same = (*figures, *named, "methodology")
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    [row] = rows(tmp_path, "Token_Churn_Ledger.csv")
    assert (row["lines_added"], row["features_added"]) == ("1", "2")
    assert ok(toys_apart("preview")).count("method=m") == 1
    assert "method=n/a" not in ok(toys_apart("preview"))


@pytest.mark.parametrize(("used", "is_shared"), [("7", True), ("5", False)])
def test_a_checkpoint_books_the_churn_of_a_shared_window_to_nobody(
    finalized: Run, tmp_path: Path, used: str, is_shared: bool
) -> None:
    """Git does not say whose lines are whose; a provider that used nothing wrote none. Its features are its own."""
    [before, after] = (one["captured_at"] for one in records(tmp_path, "snapshots"))
    capture = ("alias", "start", "tally", "--stdin", "--window", "W0-20", "--captured-at")
    ok(finalized(*capture, before, stdin="5"))
    ok(finalized("alias", "end", *capture[2:], after, stdin=used))
    ok(finalized("complete", "--window", "W0-20", "--tally-features", "1"))
    done = finalized(*CLOSE, "--actual", "7")
    ok(done)
    [record], [row] = records(tmp_path, "churn"), rows(tmp_path, "Token_Churn_Ledger.csv")
    assert (record["provider"], record["features"]) == ((None, 4) if is_shared else ("toy", 3))
    assert row["features_added"] == "3"
    said = "note: toy and tally worked in W0-20 at the same time: churn is recorded as the window's."
    assert (said in done.stderr) == is_shared
    counted = finalized("churn", "--window", "W0-20", "--provider", "toy")
    ok(counted)
    assert ("all lines count as toy's." in counted.stderr) == is_shared
    # once a row says whose lines they are, a checkpoint keeps to it
    ok(finalized(*CLOSE, "--actual", "8"))
    assert [one["provider"] for one in records(tmp_path, "churn")][1:] == ["toy", "toy"]
    if is_shared:
        assert (
            "To count them as the window's instead, run `tracker undo`, then `tracker churn --window W0-20`"
            in counted.stderr
        )
        ok(finalized("churn", "--window", "W0-20")), ok(finalized(*CLOSE, "--actual", "9"))
        assert [one["provider"] for one in records(tmp_path, "churn")][3:] == [None, None]


def test_a_checkpoint_says_that_its_provider_was_not_captured(finalized: Run, tmp_path: Path) -> None:
    """Its churn is the window's; nobody else worked there at the same time. The cure leaves nothing behind."""
    missing = "warning: tally was not captured in W0-20, only toy"
    words = ("--provider", "tally", "--actual", "7")
    done = finalized(*CLOSE, *words)
    assert f"{missing}: churn is recorded as the window's. If you meant another provider, run `tracker undo`" in (
        done.stderr
    )
    assert "at the same time" not in done.stderr
    assert "files=6, +51/-47 (net=4), per-feature=1.33" in ok(done)
    assert [one["provider"] for one in records(tmp_path, "churn")] == [None]
    ok(finalized("undo", "--yes"))
    done = finalized(*CLOSE, "--actual", "7")
    assert "not captured" not in done.stderr
    assert sum(int(row["tokens_actual"]) for row in rows(tmp_path, "Token_Churn_Ledger.csv")) == 7
    # who names the provider to `churn` has decided whose lines they are
    named = finalized("churn", "--window", "W0-20", "--provider", "tally", "--commit-start", "HEAD~1")
    ok(named)
    assert missing in named.stderr
    assert "all lines count" not in named.stderr
    ok(finalized(*CLOSE, *words))
    assert [one["provider"] for one in records(tmp_path, "churn")][-2:] == ["tally", "tally"]


def test_a_checkpoint_shows_the_decision_card(finalized: Run, tmp_path: Path) -> None:
    said = ok(finalized(*CLOSE, "--actual", "1", "--decision-card"))
    card = ok(finalized("decision-card", "--window", "W0-20"))
    assert "Verdict: SOFT GO\n" in card
    assert said.endswith(card)
    assert card in (tmp_path / "docs" / "SESSION_HANDOFF.md").read_text()
    assert ok(finalized("handoff")).endswith("is up to date\n")


def test_a_checkpoint_goes_on_where_git_cannot_measure(toys: Run, work: Any, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 10%"))
    record = records(tmp_path, "snapshots")[0]
    gone = json.dumps(record).replace(record["git_head"], "0" * 40)
    (tmp_path / "data" / "snapshots.jsonl").write_text(gone + "\n")
    done = toys(*CLOSE, "--actual", "1")
    assert f"warning: churn is left out: Unknown commit '{'0' * 40}' (the BEFORE capture)" in done.stderr
    assert "no churn was recorded" in ok(done)
    assert rows(tmp_path, "Token_Churn_Ledger.csv")[0]["lines_added"] == ""


@pytest.mark.parametrize("broken", ["docs/Ledgers/Churn_Ledger.csv", "docs/SESSION_HANDOFF.md"])
def test_a_checkpoint_that_is_refused_writes_nothing(finalized: Run, tmp_path: Path, broken: str) -> None:
    (tmp_path / broken).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / broken).write_text("window\n<!-- tracker handoff: end -->\n")
    before = tree(tmp_path)
    error = refused(finalized(*CLOSE, "--actual", "1"))
    assert "its header" in error or "header of" in error or "marker lines" in error
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "words",
    [
        ("churn", "--window", "W0-20"),
        ("feature", "reserve", "--window", "W0-20"),
        ("feature", "log", "--feature-id", "F-7"),
        ("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass", "--artifact", "file0.py"),
        (*CLOSE, "--actual", "1"),
        ("handoff",),
        ("uat", "--window", "W0-20", "--record"),
    ],
    ids=lambda words: words[0],
)
def test_a_dry_run_writes_nothing(finalized: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    before = tree(tmp_path)
    assert ok(finalized(*words, "--dry-run"))
    assert tree(tmp_path) == before


def test_rows_that_stand_already_are_named_and_written_again(finalized: Run, tmp_path: Path) -> None:
    """`checkpoint` measures the churn once more; the ledgers stay append-only."""
    first = finalized("churn", "--window", "W0-20", "--provider", "toy")
    ok(first)
    close = ["checkpoint", "--window", "W0-20", "--provider", "toy", "--task", "end", "--plan", "5", "--actual", "7"]
    once, twice = finalized(*close), finalized(*close, "--notes", "again")
    ok(once), ok(twice)
    equal = "note: line 2 of Token_Churn_Ledger.csv equals this row; a sum counts both\n"
    assert equal not in once.stderr
    assert equal in twice.stderr
    assert equal not in finalized(*close[:-1], "8", "--quiet").stderr
    assert (len(rows(tmp_path, "Token_Churn_Ledger.csv")), len(rows(tmp_path, "Churn_Ledger.csv"))) == (3, 4)


def test_what_comes_next_is_a_pane_of_a_provider_that_was_captured_here(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20"))
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass"))
    assert re.findall("tracker start ([a-z]+) --stdin", ok(finalized("handoff", "--dry-run"))) == ["toy"]
