"""Where `tracker undo` reverses a row: in the file that has it, whatever file and folder the command was typed for."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok, refused

from tracker.errors import TrackerError
from tracker.journal.journal import Journal
from tracker.kernel import Session
from tracker_ledgers import ledgers, reversal, window_facts

Run = Callable[..., Any]
CLOSE = ("checkpoint", "--window", "W0-20", "--provider", "toy", "--task", "t", "--plan", "5", "--actual", "25")
FIGURES = {"Churn_Ledger.csv": "net", "Token_Churn_Ledger.csv": "tokens_actual"}


@pytest.fixture
def at(finalized: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in a folder, with the records of W0-20 beside the repository that it was finalized in."""

    def run(folder: Path | str, *words: str, **more: str) -> Any:
        with monkeypatch.context() as here:
            here.chdir(tmp_path / folder)
            return finalized("--data-dir", str(tmp_path / "data"), *words, **more)

    return run


@pytest.fixture
def other(tmp_path: Path, make_repository: Any) -> Path:
    """A second repository."""
    folder = tmp_path / "other"
    make_repository(folder).commit("first")
    return folder


def sums(folder: Path) -> dict[str, float]:
    """The sum over each ledger's figure, as a spreadsheet makes it."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            found[path.name] = sum(float(row[FIGURES.get(path.name, "net")]) for row in csv.DictReader(file))
    return found


def test_a_row_of_another_file_is_reversed_there(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20", "--ledger-path", "own.csv"))
    assert sums(tmp_path) == {"own.csv": 4}
    assert f"reversed a row of W0-20 in {tmp_path / 'own.csv'}\n" in ok(finalized("undo", "--yes"))
    assert sums(tmp_path) == {"own.csv": 0}
    assert not (tmp_path / "docs").exists()


def test_the_question_and_a_dry_run_tell_of_rows(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20"))
    row = "would reverse a row of W0-20 in Churn_Ledger.csv"
    assert f", and {row}. Nothing was changed." in refused(finalized("undo"))
    assert f"note: {row}\n" in finalized("undo", "--dry-run").stderr
    assert sums(tmp_path / "docs" / "Ledgers") == {"Churn_Ledger.csv": 4}


def test_another_repository_keeps_its_ledgers(at: Run, tmp_path: Path, other: Path) -> None:
    ok(at(".", *CLOSE))
    books = tmp_path / "docs" / "Ledgers"
    assert sums(books) == {"Churn_Ledger.csv": 4, "Token_Churn_Ledger.csv": 25}
    done = ok(at(other, "undo", "--yes"))
    assert f"reversed a row of W0-20 in {books / 'Churn_Ledger.csv'}\n" in done
    assert sums(books) == {"Churn_Ledger.csv": 0, "Token_Churn_Ledger.csv": 0}
    assert not (other / "docs").exists()


def test_a_ledger_that_is_not_there_is_named_and_nothing_is_taken_back(at: Run, tmp_path: Path, other: Path) -> None:
    ok(at(".", *CLOSE))
    (tmp_path / "docs").rename(other / "docs")
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").glob("*.jsonl")}
    for words in (("--yes",), ("--dry-run",)):
        error = refused(at(".", "undo", *words))
        assert "Churn_Ledger.csv, which does not exist. Move it back." in error
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").glob("*.jsonl")} == before
    # what it says to do works: there, the row is found in the usual ledger
    ok(at(other, "undo", "--dry-run"))
    assert sums(other / "docs" / "Ledgers") == {"Churn_Ledger.csv": 4, "Token_Churn_Ledger.csv": 25}
    assert "reversed a row of W0-20 in Churn_Ledger.csv\n" in ok(at(other, "undo", "--yes"))
    assert sums(other / "docs" / "Ledgers") == {"Churn_Ledger.csv": 0, "Token_Churn_Ledger.csv": 0}


def test_a_ledger_that_is_gone_for_good_is_begun_anew(at: Run, tmp_path: Path) -> None:
    ok(at(".", "churn", "--window", "W0-20", "--ledger-path", "my books/own.csv"))
    (tmp_path / "my books" / "own.csv").unlink()
    (tmp_path / "my books").rmdir()
    said = refused(at(".", "undo", "--yes"))
    # no folder's usual ledger is looked at for it
    assert "own.csv, which does not exist. Move it back. If it is gone for good, " in said
    cure = re.search(r"If it is gone for good, `(.*?)` creates a new one\.", said)
    assert cure is not None
    subprocess.run(["sh", "-c", cure[1]], check=True)
    assert f"{tmp_path}/my books/own.csv has no row of W0-20 to reverse\n" in ok(at(".", "undo", "--yes"))
    assert (tmp_path / "my books" / "own.csv").read_bytes() == b""


def test_a_record_that_names_no_file_is_of_the_usual_ledger(at: Run, tmp_path: Path, other: Path) -> None:
    ok(at(".", *CLOSE))
    for name in ("churn", "ledger_rows"):
        stream = tmp_path / "data" / f"{name}.jsonl"
        rows = [json.loads(line) for line in stream.read_text().splitlines()]
        assert rows[-1].pop("ledger_path").startswith("../docs/Ledgers/")
        stream.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    error = refused(at(other, "undo", "--yes"))
    assert f"{other}/docs/Ledgers/Churn_Ledger.csv, which does not exist." in error
    assert not (other / "docs").exists()
    assert "reversed a row of W0-20 in Token_Churn_Ledger.csv\n" in ok(at(".", "undo", "--yes"))
    assert sums(tmp_path / "docs" / "Ledgers") == {"Churn_Ledger.csv": 0, "Token_Churn_Ledger.csv": 0}


def test_a_row_that_was_edited_is_not_reversed(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20"))
    ledger = tmp_path / "docs" / "Ledgers" / "Churn_Ledger.csv"
    ledger.write_text(ledger.read_text().replace("W0-20", "W0-21"))
    before = ledger.read_text()
    # who is asked knows: it may stand on another branch, which is to be checked out first
    assert ", and Churn_Ledger.csv has no row of W0-20 to reverse. Nothing was changed." in refused(finalized("undo"))
    assert "Churn_Ledger.csv has no row of W0-20 to reverse\n" in ok(finalized("undo", "--yes"))
    assert ledger.read_text() == before


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A context in which no record can be stored."""

    @contextmanager
    def broken() -> Iterator[None]:
        def full(*_given: Any) -> None:
            raise TrackerError("No space left on device.")

        with monkeypatch.context() as here:
            here.setattr(Journal, "append_all", full)
            yield

    return broken


def test_an_undo_that_failed_behind_the_ledger_reverses_once(finalized: Run, tmp_path: Path, full_disk: Any) -> None:
    ok(finalized("churn", "--window", "W0-20"))
    with full_disk():
        assert "No space left" in refused(finalized("undo", "--yes"))
    assert sums(tmp_path / "docs" / "Ledgers") == {"Churn_Ledger.csv": 0}
    assert "tombstone" not in (tmp_path / "data" / "churn.jsonl").read_text()
    assert "Churn_Ledger.csv has no row of W0-20 to reverse\n" in ok(finalized("undo", "--yes"))
    assert sums(tmp_path / "docs" / "Ledgers") == {"Churn_Ledger.csv": 0}


def test_an_undo_that_failed_leaves_the_equal_row_of_another_command(
    finalized: Run, tmp_path: Path, full_disk: Any
) -> None:
    add = ("evidence", "add", "--window", "W0-20", "--capability", "c", "--result", "pass")
    for first, second in ((add, add), (("churn", "--window", "W0-20", "--provider", "toy"), CLOSE)):
        ok(finalized(*first))
        ok(finalized(*second))
        ledger = tmp_path / "docs" / "Ledgers" / ("Acceptance_Evidence.csv" if first is add else "Churn_Ledger.csv")
        with full_disk():
            assert "No space left" in refused(finalized("undo", "--yes"))
        once = ledger.read_text()
        assert once.count("reversed by tracker undo") == 1
        assert f"{ledger.name} has no row of W0-20 to reverse\n" in ok(finalized("undo", "--yes"))
        assert ledger.read_text() == once
        # the row of the command that stays is reversed by its own undo
        assert f"reversed a row of W0-20 in {ledger.name}\n" in ok(finalized("undo", "--yes"))
        assert ledger.read_text().count("reversed by tracker undo") == 2


def test_equal_rows_in_two_files_do_not_count_for_each_other(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20", "--ledger-path", "own.csv"))
    ok(finalized("churn", "--window", "W0-20"))
    ok(finalized("undo", "--yes"))
    assert (sums(tmp_path), sums(tmp_path / "docs" / "Ledgers")) == ({"own.csv": 4}, {"Churn_Ledger.csv": 0})


def test_churn_without_its_record_leaves_no_row_that_counts(finalized: Run, tmp_path: Path, full_disk: Any) -> None:
    with full_disk():
        assert "No space left" in refused(finalized("churn", "--window", "W0-20"))
    assert sums(tmp_path / "docs" / "Ledgers") == {"Churn_Ledger.csv": 0}
    text = (tmp_path / "docs" / "Ledgers" / "Churn_Ledger.csv").read_text()
    assert (text.count("reversed because its record could not be stored"), text.count("undo")) == (1, 0)
    ok(finalized("churn", "--window", "W0-20"))
    assert sums(tmp_path / "docs" / "Ledgers") == {"Churn_Ledger.csv": 4}


def test_a_damaged_ledger_is_refused_before_anything_is_taken_back(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20"))
    ledger = tmp_path / "docs" / "Ledgers" / "Churn_Ledger.csv"
    ledger.write_text(ledger.read_text().replace("net,", "", 1))
    assert "it lacks net" in refused(finalized("undo", "--yes"))
    assert "tombstone" not in (tmp_path / "data" / "churn.jsonl").read_text()


def test_what_was_taken_back_stays_so_in_a_sorted_file(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "login", "--result", "pass"))
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "export", "--result", "fail"))
    ok(finalized("undo", "--yes"))
    card = ok(finalized("decision-card", "--window", "W0-20"))
    ledger = next(tmp_path.rglob("*vidence*.csv"))
    header, *rows = ledger.read_text().splitlines(keepends=True)
    ledger.write_text(header + "".join(reversed(rows)))
    assert ok(finalized("decision-card", "--window", "W0-20")) == card


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda text: text.replace(",", ";"), "The header of"),
        (lambda text: text.replace("login,", 'login,"open ', 1), "opens a quote that is never closed"),
        (lambda text: f"{text}<<<<<<< HEAD\n", "holds git conflict markers from line 4 on"),
    ],
)
def test_evidence_that_cannot_be_read_makes_no_verdict_better(
    finalized: Run, tmp_path: Path, spoil: Callable[[str], str], problem: str
) -> None:
    for capability, result in (("login", "pass"), ("export", "fail")):
        ok(finalized("evidence", "add", "--window", "W0-20", "--capability", capability, "--result", result))
    ledger = next(tmp_path.rglob("*vidence*.csv"))
    ledger.write_text(spoil(ledger.read_text()))
    card = ok(finalized("decision-card", "--window", "W0-20"))
    assert "Verdict: NO-GO" in card
    assert f"The evidence cannot be read and may hold a failure. {ledger}" in card.replace("The header of ", "", 1)
    assert problem in card
    assert problem in finalized("doctor").stdout


def test_an_id_that_another_worktree_reserved_is_taken(finalized: Run, at: Run, tmp_path: Path, other: Path) -> None:
    assert ok(finalized("feature", "reserve", "--window", "W0-20")) == "F-001\n"
    assert ok(at(other, "feature", "reserve", "--window", "W0-20")) == "F-002\n"
    ok(at(other, "undo", "--yes"))
    assert ok(finalized("feature", "reserve", "--window", "W0-20")) == "F-002\n"


def test_a_reservation_is_not_built_until_it_is_logged(finalized: Run) -> None:
    """Notes of a person may begin with the same word; what is logged is of the window that it was reserved for."""
    whose = ("--window", "W0-20", "--provider", "toy")

    def built() -> int:
        [found] = json.loads(ok(finalized("windows", "--json")))
        return int(found["providers"]["toy"]["features_logged"])

    ok(finalized("feature", "reserve", *whose, "--notes", "a plan"))
    ok(finalized("feature", "log", "--id", "F-9", *whose, "--notes", "reserved seats can be booked"))
    assert built() == 1
    assert ok(finalized("feature", "log", "--id", "F-001")) == "logged F-001 for W0-20\n"
    assert built() == 2


def test_evidence_of_another_folder_is_named(finalized: Run, at: Run, tmp_path: Path, other: Path) -> None:
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "export", "--result", "fail"))
    assert "Verdict: NO-GO" in ok(finalized("decision-card", "--window", "W0-20"))
    there = ok(at(other, "decision-card", "--window", "W0-20"))
    ledger = next(tmp_path.rglob("*vidence*.csv"))
    assert f"lacks export, which failed: this was recorded in {ledger}." in there
    assert "Verdict: NO-GO" in there
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "export", "--result", "pass"))
    there = ok(at(other, "decision-card", "--window", "W0-20"))
    assert f"has nothing on this window: its evidence is in {ledger}." in there
    assert f"`cd {ledger.parent} && tracker decision-card --window W0-20`" in there


def test_evidence_of_another_machine_is_in_no_file_of_this_one(finalized: Run, tmp_path: Path) -> None:
    """Two machines that lie alike have their ledgers at the same place as seen from the data."""
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "export", "--result", "fail"))
    ledger = next(tmp_path.rglob("*vidence*.csv"))
    there = tmp_path / "there"
    (tmp_path / "data").rename(there)
    ledger.write_text(ledger.read_text().splitlines(keepends=True)[0])
    ok(finalized("import", str(there)))
    said = ok(finalized("decision-card", "--window", "W0-20"))
    assert f"lacks export, which failed: this was recorded on another machine, whose {ledger.name} has it." in said
    assert "Run `tracker evidence add --window-id W0-20 --capability export --result pass`" in said
    assert "that commands wrote" not in finalized("doctor").stdout


def test_evidence_that_another_program_saved_over_still_fails(finalized: Run, tmp_path: Path) -> None:
    add = ("evidence", "add", "--window", "W0-20", "--capability", "export", "--result")
    ok(finalized(*add, "pass"))
    ledger = next(tmp_path.rglob("*vidence*.csv"))
    old = ledger.read_text()
    ok(finalized(*add, "fail"))
    ledger.write_text(old)
    card = ok(finalized("decision-card", "--window", "W0-20"))
    assert f"lacks export, which failed: this was recorded in {ledger}. Repeat it, and record the result" in card
    assert "lacks 1 row that commands wrote" in finalized("doctor").stdout
    [cure] = re.findall(r"Run `tracker (evidence .+?)`", card)
    ok(finalized(*cure.split()))
    assert "Evidence passed" in ok(finalized("decision-card", "--window", "W0-20"))
    ok(finalized("undo", "--yes"))
    # undo takes the record back, with the row that is not there
    ok(finalized("undo", "--yes"))
    assert "Evidence passed" in ok(finalized("decision-card", "--window", "W0-20"))
    assert "that commands wrote" not in finalized("doctor").stdout


def test_the_places_of_rows_are_found_without_reading_all_for_each(
    session: Session, repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision card of 300 windows looked up the places of all; in a folder that was moved it read all for each."""
    made = [{"window_id": f"W{at}", "capability_id": "c", "result": "fail"} for at in range(9)]
    reversal.record(session, ledgers.EVIDENCE, made)
    with monkeypatch.context() as counted:
        looked = counting(counted, reversal, "_path")
        [one] = reversal.written(session, ledgers.EVIDENCE, "W3")
        assert (one.row["window_id"], len(looked)) == ("W3", 1)
        assert reversal.written(session, ledgers.FEATURES) == []
        assert len(looked) == 1
    stream = session.journal.path("ledger_rows")
    stream.write_text(stream.read_text().replace('"ledger_path":"', '"ledger_path":"gone/'))
    moved = Session()
    moved.data_dir = tmp_path / "data"
    read = counting(monkeypatch, ledgers, "split")
    found = [one.path for one in reversal.written(moved, ledgers.EVIDENCE)]
    usual = ledgers.path_of(session, ledgers.EVIDENCE).resolve()
    assert (found, len(read)) == ([usual] * len(made), 1)


def counting(patch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """The calls of a function, which goes on as before."""
    calls, function = list[Any](), getattr(module, name)
    patch.setattr(module, name, lambda *given: (calls.append(given), function(*given))[1])
    return calls


def test_a_failure_that_an_import_brought_behind_a_later_pass_is_over(session: Session, repository: Any) -> None:
    """Its file was not brought: the row is in none that is read here."""
    row = {"window_id": "W1", "capability_id": "login"}
    for result in ("fail", "pass"):
        reversal.record(session, ledgers.EVIDENCE, [row | {"result": result}])
    stream, file = session.journal.path("ledger_rows"), ledgers.path_of(session, ledgers.EVIDENCE)
    stream.write_text("".join(reversed(stream.read_text().splitlines(keepends=True))))
    file.write_text("".join(one for one in file.read_text().splitlines(keepends=True) if "fail" not in one))
    here = Session()
    here.data_dir = session.root
    assert window_facts.evidence(here, "W1").state == "ok"
