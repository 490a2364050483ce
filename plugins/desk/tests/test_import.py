"""`tracker import`: records of another machine come in."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.journal.journal import Journal

T1 = "2026-01-10T09:00:00Z"  # of the AFTER that counts


def audit(program: Any, root: Path | None = None) -> Any:
    return [json.loads(program("--json", "window-audit", "--window", one, root=root).ok()) for one in ("W1", "W2")]


def preview(program: Any, root: Path | None = None) -> str:
    text: str = program("preview", root=root).ok()
    return text


def test_an_export_is_a_data_directory_that_can_be_imported(filled: Any, tmp_path: Path) -> None:
    program, out, other = filled, tmp_path / "out", tmp_path / "other"
    assert program("export", "--format", "jsonl", "--out", str(out)).ok().startswith("exported ")
    files = program.files()
    assert {path.name: path.read_bytes() for path in out.glob("*.jsonl")} == files
    done = program("import", str(out), root=other)
    assert done.ok().startswith("imported ")
    assert (audit(program, other), preview(program, other)) == (audit(program), preview(program))
    own = ("commands.jsonl", "imports.jsonl")
    there = {path.name: path.read_bytes() for path in other.glob("*.jsonl") if path.name not in own}
    assert there == {name: data for name, data in files.items() if name not in own}
    states = {path.relative_to(program.root): path.read_bytes() for path in program.root.glob("state/**/*.json")}
    states = {name: data for name, data in states.items() if json.loads(data)["window"]}
    assert {path.relative_to(other): path.read_bytes() for path in other.glob("state/**/*.json")} == states
    again = program("import", str(out), root=other)
    assert again.ok().startswith("imported 0 records; ")
    assert {path.name: path.read_bytes() for path in other.glob("*.jsonl") if path.name not in own} == there


def test_an_export_does_not_take_standard_output_for_a_folder(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in ((), ("--last", "1"), ("--dry-run",)):
        done = filled("export", "--format", "csv", "--out", "-", *words)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(
            "error: An export is several files, so it cannot go to standard output. Name a folder"
        )
    assert not (tmp_path / "-").exists()


def test_ledgers_are_named_only_if_rows_of_them_came(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "note: " not in filled("import", str(filled.root), root=tmp_path / "other").err
    # an earlier version kept no records of them
    (filled.root.parent / "docs" / "Ledgers").mkdir(parents=True)
    assert (
        "note: an import leaves out the evidence that decision"
        in filled("import", str(filled.root), root=tmp_path / "another").err
    )
    monkeypatch.chdir(filled.root.parent)
    assert "note: " not in filled("import", str(filled.root), root=tmp_path / "a third").err


def test_two_machines_become_one(filled: Any, tmp_path: Path) -> None:
    """Records of both, tombstones and anomalies come along; what both have is there once."""
    program, other = filled, tmp_path / "other"
    program("import", str(program.root), root=other).ok()
    program("alias", "end", "toy", "--stdin", stdin="fuel 9%", lane="sub1", root=other).ok()
    program("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W1", "--index", "1", root=other).ok()
    program("ingest", "toy-stream", "--window", "W1", "--file", "events", root=other).ok()
    before = program.files()
    found = json.loads(program("--json", "import", str(other)).ok())["streams"]
    derived = {"commands", "readings"}
    assert {name: one["new"] for name, one in found.items() if one["new"] and name not in derived} == {"snapshots": 2}
    assert all(program.files()[name].startswith(data) for name, data in before.items())
    here, there = audit(program), audit(program, other)
    assert here == there
    assert here[0]["providers"]["toy"]["canonical"]["after"]["captured_at"] == T1
    assert here[0]["providers"]["toy"]["stale"] is True
    assert program.state("toy", "sub1")["open"] is False


def test_import_copes_with_what_it_finds(filled: Any, tmp_path: Path) -> None:
    program, other = filled, tmp_path / "other"
    other.mkdir()
    assert "contains no tracker records (*.jsonl)" in program("import", str(other)).refused()
    assert "There is no directory" in program("import", str(tmp_path / "nowhere")).refused()
    assert "is the data directory itself" in program("import", str(program.root)).refused()
    assert "is not a directory. Name the directory that holds it." in program("import", "events").refused()
    assert f"Did you mean {program.root}?" in program("import", str(program.root.parent), root=other / "own").refused()
    (other / "usage.jsonl").write_text('{"rid": "r1", "prompt": "secret"}\n')
    assert "contains no tracker records (*.jsonl)" in program("import", str(other)).refused()
    rows = program.rows("snapshots")
    changed = json.dumps(rows[0] | {"notes": "forged"}).encode()
    new = json.dumps(rows[1] | {"record_id": "e" * 32, "window": "W3"}).encode()
    (other / "snapshots.jsonl").write_bytes(changed + b"\nnonsense\n" + new + b'\n{"torn')
    before = program.files()
    done = program("import", str(other))
    assert done.ok() == "imported 1 record (snapshots 1); 1 were here already\n"
    assert (
        "kept what is here for 1 record of snapshots whose id came in with other content, such as"
        f" {rows[0]['record_id']}. One of the two was changed by hand." in done.err
    )
    assert "snapshots.jsonl holds lines that are not records" in done.err
    assert f"{other / 'usage.jsonl'} holds no tracker records and was left out" in done.err
    assert "usage.jsonl" not in program.files()
    assert program.files()["snapshots.jsonl"] == before["snapshots.jsonl"] + new + b"\n"
    assert (other / "snapshots.jsonl").read_bytes().endswith(b'{"torn'), "the other directory is only read"
    assert not (other / "snapshots.jsonl.torn").exists()


def test_windows_of_one_id_are_not_made_one_unasked(filled: Any, tmp_path: Path) -> None:
    program, other = filled, tmp_path / "other"
    for words, pane in (("alias start toy --stdin --window W1", "fuel 10%"), ("alias end toy --stdin", "fuel 20%")):
        program(*words.split(), stdin=pane, root=other).ok()
    program("complete", "--window", "W1", "--toy-features", "7", "--outcome", "fail", root=other).ok()
    before, shown = program.files(), preview(program)
    for words in (["import", str(other)], ["import", str(other), "--dry-run"]):
        message = program(*words).refused()
        assert message.startswith(f"error: W1 is used for different work here and in {other}: each side has rec")
    assert (program.files(), preview(program)) == (before, shown)
    # what it names keeps both
    both, copy = tmp_path / "both", tmp_path / "copy"
    shutil.copytree(program.root, both)
    shutil.copytree(other, copy)
    assert "export" not in message  # there is no other window
    add, delete = re.findall("`tracker ([^`]* --[^`]*)`", message)
    times = iter(json.loads(one)["captured_at"] for one in (copy / "snapshots.jsonl").read_text().splitlines())
    words = re.sub("TIME", lambda _: next(times), add.replace("ID", "OWN")).split()
    program(*words, "--provider", "toy", root=copy).ok()
    program("complete", "--window", "W1", "--reopen", root=copy).ok()
    for _ in range(2):
        program(*delete.replace("PROVIDER", "toy").split(), "--yes", root=copy).ok()
    program("complete", "--window", "OWN", "--toy-features", "7", root=copy).ok()
    program("import", str(copy), root=both).ok()
    assert {"toy: features=7, capacity=10 pp", "toy: features=2, capacity=10.5 pp"} <= {
        part.strip(" -").partition(", efficiency")[0]
        for window in ("OWN", "W1")
        for part in program("preview", "--window", window, root=both).ok().splitlines()
    }
    program("import", str(other), "--force").ok()
    assert "features=7" in preview(program)
    # what was made one has records in common from now on
    assert program("import", str(other)).ok().startswith("imported 0 records; ")


def test_what_a_window_kept_without_captures_is_not_taken_for_that_of_another(filled: Any, tmp_path: Path) -> None:
    """Churn and events stay under the id, and would count in the window of the other machine."""
    program, other, out = filled, tmp_path / "other", tmp_path / "out"
    for window in ("W1", "OWN"):
        for phase in ("start", "end"):
            program("alias", phase, "toy", "--stdin", "--window", window, stdin="fuel 10%", root=other).ok()
    program("ingest", "toy-report", "--window", "W1", "--stdin", stdin="60", root=other).ok()
    for _ in range(2):
        program("alias", "delete", "toy", "--window", "W1", "--keep-readings", "--yes", root=other).ok()
    before, shown = program.files(), audit(program)
    said = program("import", str(other)).refused()
    assert said.startswith(f"error: W1 is used for different work here and in {other}: one side took its capt")
    assert "used for different work" in program("import", str(program.root), root=other).refused()
    assert program.files() == before
    [export] = re.findall("`tracker (--data-dir [^`]*)`", said)
    program(*export.replace("OUT", str(out)).split()).ok()
    program("import", str(out)).ok()
    assert audit(program) == shown
    assert "OWN" in preview(program)


def test_work_that_went_on_in_two_places_is_not_made_one_unasked(filled: Any, tmp_path: Path) -> None:
    """Both have the BEFORE; each ends and finalizes the window, or one of them does."""
    program, other, third = filled, tmp_path / "other", tmp_path / "third"
    program(*["alias", "start", "toy", "--stdin", "--window", "W9"], stdin="fuel 10%").ok()
    for root in (other, third):
        program("import", str(program.root), root=root).ok()
    for root, pane, features in ((program.root, "fuel 20%", "5"), (other, "fuel 40%", "1")):
        program(*["alias", "end", "toy", "--stdin", "--window", "W9"], stdin=pane, root=root).ok()
        program("complete", "--window", "W9", "--toy-features", features, root=root).ok()
    before = program.files()
    message = program("import", str(other)).refused()
    assert message.startswith(f"error: W9 began as the same work here and in {other}, and each side captured its")
    assert program.files() == before
    # what it names keeps one of the ends, on both
    left, right = tmp_path / "left", tmp_path / "right"
    shutil.copytree(program.root, left)
    shutil.copytree(other, right)
    reopen, delete = re.findall("`tracker ([^`]* --[^`]*)`", message)
    for words in (reopen, f"{delete} --yes"):
        program(*words.replace("PROVIDER", "toy").split(), root=right).ok()
    assert "made here" not in program("import", str(right), root=left).ok()
    program("import", str(left), root=right).ok()
    for root in (left, right):
        assert "toy: features=5, capacity=10 pp" in program("preview", "--window", "W9", root=root).ok()
    # where nothing else was done, it follows: a correction, too
    program("import", str(program.root), root=third).ok()
    program(*["alias", "delete", "toy", "--window", "W9", "--phase", "after", "--yes"], root=third).ok()
    program(*["alias", "end", "toy", "--stdin", "--window", "W9"], stdin="fuel 30%", root=third).ok()
    program("complete", "--window", "W9", "--toy-features", "6", root=third).ok()
    said = program("import", str(third))
    assert "note: W9 lost its after capture of toy, made here: an imported record takes it back." in said.notes
    assert "made here" not in program("import", str(program.root), root=third).notes
    assert "toy: features=6, capacity=20 pp" in program("preview", "--window", "W9").ok()


def test_corrections_of_one_window_on_both_sides_are_no_different_work(filled: Any, tmp_path: Path) -> None:
    """Each has what the other has not, but both had it finalized, or captured: the later `complete` counts."""
    program, other = filled, tmp_path / "other"
    program("start", "toy", "--stdin", "--window", "W3", stdin="fuel 10%").ok()
    program("end", "toy", "--stdin", "--window", "W3", stdin="fuel 20%").ok()
    program("import", str(program.root), root=other).ok()
    program("complete", "--window", "W1", "--quality", "0.5").ok()
    program("complete", "--window", "W3", "--toy-features", "1").ok()
    program("alias", "delete", "toy", "--window", "W1", "--phase", "after", "--yes", root=other).ok()
    program("alias", "end", "toy", "--stdin", "--window", "W1", "--captured-at", T1, stdin="fuel 41%", root=other).ok()
    program("complete", "--window", "W1", "--toy-features", "6", root=other).ok()
    program("complete", "--window", "W3", "--toy-features", "2", root=other).ok()
    # another one of one id, which is of different work
    for root in (program.root, other):
        for words in ("start toy", "end toy"):
            program(*words.split(), "--stdin", "--window", "W8", stdin="fuel 30%", root=root).ok()
    assert program("import", str(other)).refused().startswith("error: W8 is used for different work here and in ")
    program("undo", "--yes", root=other).ok()
    program("undo", "--yes", root=other).ok()
    done = program("import", str(other))
    done.ok()
    assert f"note: W1, W3 changed both here and in {other} since they last agreed: the later `tracker comp" in done.err
    program("import", str(program.root), root=other).ok()
    assert [one["providers"] for one in audit(program)] == [one["providers"] for one in audit(program, other)]
    assert preview(program) == preview(program, other)
    assert "toy: features=2, capacity=10 pp" in program("preview", "--window", "W3").ok()
    assert "stale" not in preview(program)
    assert "changed both here and in" not in program("import", str(other)).err


def test_a_dry_import_says_what_would_come(filled: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    found = json.loads(filled("import", str(filled.root), "--dry-run", root=other).ok())
    assert found["streams"]["snapshots"] == {"new": 4, "known": 0, "conflicts": []}
    assert not other.exists()


def test_an_import_that_was_stopped_goes_on(filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker.errors import TrackerError
    from tracker.journal.journal import Journal

    program, other, appended = filled, tmp_path / "other", []
    real = Journal.append_all

    def failing(self: Journal, new: Any) -> None:
        appended.extend(name for name in new if name != "imports")
        if "toy_report" in new:
            raise TrackerError("no space")
        real(self, new)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append_all", failing)
        assert program("import", str(program.root), root=other).refused() == "error: no space"
    assert appended[0] == "anomalies"
    assert "snapshots" in appended
    program("import", str(program.root), root=other).ok()
    assert (audit(program, other), preview(program, other)) == (audit(program), preview(program))


def test_undo_leaves_what_came_by_import(program: Any, tmp_path: Path) -> None:
    """Whichever command of either directory is newer; also after the records went back and forth."""
    other = tmp_path / "other"

    def start(window: str, root: Path | None = None) -> None:
        program(*["start", "toy", "--stdin", "--window", window], stdin="fuel 10%", root=root).ok()

    start("W1")
    start("W2", other)
    program("undo", "--yes", root=other).ok()
    start("W3", other)
    program("import", str(other)).ok()
    assert {one["directory"] for one in program.rows("imports")} == {os.path.relpath(other, program.root)}
    program("import", str(program.root), root=other).ok()
    program("import", str(other)).ok()
    for root, own in ((None, "W1"), (other, "W3")):
        [listed] = json.loads(program("undo", "--list", "--json", root=root).ok())
        assert {one["window"] for one in listed["records"]} - {None} == {own}
        refused = program("undo", "--yes", root=root).refused()
        assert refused.startswith("error: The last command cannot be taken back. Add --past ")
        done = program("undo", "--yes", "--past", root=root)
        assert f"took back toy before snapshot for {own}" in done.ok()
        assert "tracker import" in done.err
        assert "There is nothing to take back" in program("undo", "--yes", "--past", root=root).refused()
    program("import", str(other)).ok()
    start("W4")
    assert "took back toy before snapshot for W4" in program("undo", "--yes").ok()


def test_an_export_of_windows_tells_of_no_other_import(program: Any, tmp_path: Path) -> None:
    """It named the directories of all machines whose records had come in."""
    for name in ("one", "two"):
        program("start", "toy", "--stdin", "--window", name, stdin="fuel 10%", root=tmp_path / name).ok()
        program("import", str(tmp_path / name)).ok()
    made = {one["window"]: one["command_id"] for one in program.rows("snapshots")}
    program("start", "toy", "--stdin", "--window", "own", stdin="fuel 10%").ok()
    for window, streams in (("one", {"imports", "snapshots"}), ("own", {"snapshots"})):
        out = tmp_path / f"{window}-out"
        program("export", "--format", "jsonl", "--window", window, "--out", str(out)).ok()
        assert {path.stem for path in out.iterdir()} == streams
    rows = [json.loads(one) for one in (tmp_path / "one-out" / "imports.jsonl").read_text().splitlines()]
    assert {(*one["imported"], one["directory"]) for one in rows} == {(made["one"], None)}
    assert "its own id" not in program("doctor", root=tmp_path / "one-out").out


def test_an_import_names_a_clock_that_is_ahead(program: Any, tmp_path: Path) -> None:
    """By the times of two clocks windows overlap that did not, of which none counts."""
    other = tmp_path / "other"
    for ahead, is_named in ((2, False), (40, True)):
        at = (datetime.now(UTC) + timedelta(minutes=ahead)).isoformat()
        words = ("start", "toy", "--stdin", "--force", "--window", f"W{ahead}", "--captured-at", at)
        program(*words, stdin="fuel 10%", root=other).ok()
        for more in (("--dry-run",), ()):
            said = program("import", str(other), *more).err
            assert (
                bool(re.search(r"the newest capture there is \d\d min ahead of the clock here, so ", said)) == is_named
            )


def test_captures_that_come_into_a_finalized_window_are_told(filled: Any, tmp_path: Path) -> None:
    """A first `start` of another provider behind an import joined a teammate's window, which was stale then."""
    program, other = filled, tmp_path / "other"
    program("start", "toy", "--stdin", "--window", "ADA-05", "--captured-at", "-3h", stdin="fuel 10%").ok()
    program("import", str(program.root), root=other).ok()
    for words, pane in (("start tally --captured-at -2h", "3"), ("end tally --captured-at -1h", "5")):
        program(*words.split(), "--stdin", "--window", "ADA-05", stdin=pane, root=other).ok()
    program("end", "toy", "--stdin", "--window", "ADA-05", stdin="fuel 20%").ok()
    program("complete", "--window", "ADA-05", "--toy-features", "1").ok()
    said = program("import", str(other)).notes
    assert (
        "note: the import added captures of tally to ADA-05, which was finalized here without them. If they belong"
        in said
    )
    delete, complete = (one for one in re.findall("`tracker ([^`]*)`", said) if "ADA-05" in one)
    copy = tmp_path / "copy"
    shutil.copytree(program.root, copy)
    program(*complete.split(), root=copy).ok()
    for _ in range(2):
        program(*delete.split(), "--yes", root=other).ok()
    assert "the import added" not in program("import", str(other)).notes
    for root in (copy, program.root):
        assert "stale" not in program("windows", root=root).notes
