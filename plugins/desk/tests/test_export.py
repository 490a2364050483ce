"""`tracker export`: records go to other machines and other programs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tracker.journal.journal import Journal
from tracker_desk import parquet
from tracker_desk.export import ENDING


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(), newline="")))


def test_csv_holds_what_stands(filled: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    filled("export", "--format", "csv", "--out", str(out)).ok()
    rows = table(out / "snapshots.csv")
    assert [(row["window"], row["phase"], row["parsed.fuel_pct"]) for row in rows] == [
        ("W1", "before", "10"),
        ("W1", "after", "5"),
        ("W1", "after", "20.5"),
        ("W2", "before", "1"),
    ]
    assert list(rows[0])[:5] == ["record_id", "window", "provider", "phase", "captured_at"]
    assert "raw_text" not in rows[0], "a pane holds whatever stood around it"
    assert rows[3]["notes"] == "AGENT_ID=sub1"
    assert table(out / "tally_counts.csv") == [], "it was taken back"
    [report] = table(out / "toy_report.csv")
    assert report["notes"] == "'+1+cmd", "no cell runs in a spreadsheet"
    events = table(out / "toy_stream.csv")
    assert len(events) == 11
    assert events[0]["routed"] == "false"
    [finalized] = table(out / "windows.csv")
    assert finalized["providers.toy.delta.fuel_pct"] == "10.5"
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}


def test_an_export_overwrites_nothing_unasked(filled: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["export", "--format", "csv", "--out", str(out)]
    filled(*words).ok()
    before = (out / "snapshots.csv").read_bytes()
    assert "is not empty" in filled(*words).refused()
    assert "not from this export" not in filled(*words, "--force").err
    (out / "earlier.csv").write_text("of another data directory\n")
    # a link to nothing is passed over, and so is what is further below than an export writes
    (out / "gone.csv").symlink_to(out / "nothing")
    (deep := out / "a" / "b").mkdir(parents=True)
    (deep / "own.csv").write_text("somebody's\n")
    assert f"{out} also holds files that are not from this export: earlier.csv\n" in filled(*words, "--force").err
    assert (out / "snapshots.csv").read_bytes() == before
    assert "is the data directory itself" in filled(*words[:-1], str(filled.root), "--force").refused()
    (tmp_path / "file").write_text("")
    assert "is not a directory" in filled(*words[:-1], str(tmp_path / "file")).refused()
    assert json.loads(filled(*words[:-1], str(tmp_path / "new"), "--dry-run").ok())["format"] == "csv"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_interrupted_export_leaves_whole_files_and_says_what_lacks(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    out = tmp_path / "out"
    streams = sorted(name.removesuffix(".jsonl") for name in filled.files())
    records = Journal.records

    def interrupted(self: Journal, stream: str, *given: Any) -> Any:
        for at, one in enumerate(records(self, stream, *given)):
            if stream == "snapshots" and at == 2 and list(out.glob(f".snapshots.{form}.*.part")):
                raise KeyboardInterrupt
            yield one

    monkeypatch.setattr(Journal, "records", interrupted)
    error = filled("export", "--format", form, "--out", str(out)).refused(130)
    lacking = ", ".join(streams[streams.index("snapshots") :])
    assert error == f"error: interrupted: the export to {out} is not complete. It lacks {lacking}"
    assert {path.name for path in out.iterdir()} == {f"{name}.{form}" for name in streams if name < "snapshots"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_export_that_is_ended_leaves_no_temporary_file(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    out, elsewhere, put = tmp_path / "out", tmp_path / "elsewhere", parquet._put
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    seen = []

    def ended(rows: Path, records: Any) -> int:
        # what a kill would leave
        seen.append(rows.is_relative_to(out))
        assert not list(elsewhere.iterdir())
        if len(seen) == 2:
            os.kill(os.getpid(), number)
        return put(rows, records)

    monkeypatch.setattr(parquet, "_put", ended)
    handlers = [signal.getsignal(one) for one in ENDING]
    said = filled("export", "--format", "parquet", "--out", str(out)).refused(128 + number)
    assert said.startswith(f"error: interrupted: the export to {out} is not complete. It lacks ")
    assert seen == [True, True]
    assert [signal.getsignal(one) for one in ENDING] == handlers
    assert not [*elsewhere.iterdir(), *out.glob(".*")]


def test_ledgers_that_are_not_there_do_not_stay_behind(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("export", "--format", "jsonl", "--force", "--out", str(tmp_path / "out"))
    assert "ledgers" not in filled(*words).err
    (tmp_path / "docs" / "Ledgers").mkdir(parents=True)
    assert "the export leaves out the ledgers" in filled(*words).err


def test_nothing_to_export(program: Any, tmp_path: Path) -> None:
    assert (
        "holds no records to export. " in program("export", "--format", "csv", "--out", str(tmp_path / "x")).refused()
    )


def test_parquet_without_duckdb_says_what_brings_it(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker_desk.export.find_spec", lambda name: None)
    error = filled("export", "--format", "parquet", "--out", str(tmp_path / "out")).refused()
    assert error.startswith("error: Unknown format parquet. Expected csv, jsonl. Parquet needs `")
    assert error.endswith(" duckdb`.")


def test_a_text_that_no_cell_takes_is_cut_and_said(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker_desk.export.CELL", 7)
    done = filled("export", "--format", "csv", "--out", str(tmp_path / "out"))
    done.ok()
    assert (
        "texts of snapshots at 7 characters, the most a cell holds; jsonl and parquet keep the whole text" in done.err
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "snapshots.csv").read_text())))
    assert {row["notes"] for row in rows} == {"", "AGENT_…"}


@pytest.mark.parametrize("command", ["export --format jsonl", "export --format csv", "import", "doctor"])
def test_long_work_says_how_far_it_is(filled: Any, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("tracker_telemetry.progress.PIPE_SECONDS", 0.0)
    program, last = filled, []
    for place, quiet in enumerate(((), ("--quiet",))):
        target = {"export": ("--out", f"out-{place}"), "import": (str(program.root),)}.get(command.split()[0], ())
        root = program.root.with_name(f"other-{place}") if command == "import" else None
        done = program(*quiet, *command.split(), *target, root=root)
        done.ok()
        last = [line for line in done.err.splitlines() if re.search(r"\d+% .* records, [\d,]+/s, \d+:\d\d left", line)]
        assert bool(last) is not bool(quiet)
        if not quiet:
            assert any("100%" in line or " 9" in line for line in last)


def test_a_copy_that_broke_off_is_warned_about_and_one_that_lacks_its_last_end_is_whole(
    filled: Any, tmp_path: Path
) -> None:
    lines = (filled.root / "snapshots.jsonl").read_bytes().splitlines(keepends=True)
    for name, end in (("broken", lines[-1][:-200]), ("edited", lines[-1].rstrip())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "snapshots.jsonl").write_bytes(lines[0] + end)
        done = filled("import", str(tmp_path / name), root=tmp_path / "new")
        assert done.ok().startswith("imported 1 record ")
        assert (f"snapshots.jsonl ends in a torn line of {len(end)} bytes, which was not" in done.err) is (
            name == "broken"
        )
    assert len((tmp_path / "new" / "snapshots.jsonl").read_bytes().splitlines()) == 2
