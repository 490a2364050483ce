"""What shells are told to complete, with toys as the only plugins; nothing is written and nothing said beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def complete(toys: Run) -> Callable[..., list[str]]:
    """The words that are offered behind a command line that ends in the word to be completed."""

    def ask(*words: str, **extra: str) -> list[str]:
        line = "\n".join(["tracker", *words])
        done = toys("completion", "bash", "--ask", COMP_WORDS=line, COMP_CWORD=str(len(words)), **extra)
        assert (done.returncode, done.stderr) == (0, "")
        return [offered.removeprefix("plain,") for offered in done.stdout.splitlines() if offered]

    return ask


@pytest.fixture
def captured(toys: Run) -> Run:
    """Toys with windows W0-9 and W0-10, the latter in a lane."""
    for window, lane in (("W0-10", {"AGENT_ID": "sub1"}), ("W0-9", {})):
        done = toys("alias", "start", "toy", "--stdin", "--window", window, stdin="fuel 10%", **lane)
        assert done.returncode == 0, done.stderr
    return toys


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


Complete = Callable[..., "list[str]"]


def test_commands_are_offered_from_the_table(complete: Complete) -> None:
    assert complete("win") == ["windows", "window-audit"]
    assert {"alias", "ingest", "status", "shell-init", "preview"} <= set(complete(""))


def test_commands_of_a_group_and_options(complete: Complete) -> None:
    assert sorted(complete("alias", "")) == ["cross", "delete", "end", "start"]
    assert complete("preview", "--w") == ["--window"]
    assert complete("--ag") == ["--agent"]
    assert complete("complete", "--toy") == ["--toy-features"]
    assert complete("override", "t") == ["tally", "toy"]
    assert complete("override", "toy", "--fu") == ["--fuel-pct", "--fuel-resets"]


def test_providers_and_sources(complete: Complete) -> None:
    assert complete("alias", "start", "") == ["tally", "toy"]
    assert complete("ingest", "") == ["tally", "toy", "toy-report", "toy-stream"]


def test_choices_and_settings(complete: Complete) -> None:
    assert complete("alias", "delete", "toy", "--phase", "") == ["before", "after"]
    assert complete("config", "get", "ledgers.") == ["ledgers.dir"]
    assert complete("shell-init", "") == ["bash", "zsh", "fish"]


def test_windows_of_the_data_directory(captured: Run, complete: Complete, tmp_path: Path) -> None:
    assert complete("preview", "--window", "") == ["W0-10", "W0-9"]
    assert complete("window-audit", "--window", "W0-1") == ["W0-10"]
    assert complete("alias", "end", "toy", "--window", "W0-9") == ["W0-9"]
    assert complete("--data-dir", "elsewhere", "preview", "--window", "") == []


def test_an_option_and_its_value_in_one_word(captured: Run, complete: Complete) -> None:
    assert complete("preview", "--window=W0-9") == ["--window=W0-9"]  # fish and zsh replace the whole word
    assert complete("preview", "--window", "=", "W0-9") == ["W0-9"]  # bash takes it apart


def test_windows_are_known_whatever_the_index_says(captured: Run, complete: Complete, tmp_path: Path) -> None:
    assert captured("preview").returncode == 0
    snapshots = tmp_path / "data" / "snapshots.jsonl"
    lines = snapshots.read_text().splitlines()
    snapshots.write_text("\n".join([*lines, lines[0].replace("W0-10", "W0-11")]) + "\n")
    for file in (tmp_path / "data" / ".index").iterdir():
        file.write_bytes(b"no database")
    assert complete("preview", "--window", "") == ["W0-10", "W0-11", "W0-9"]


def test_files_and_folders_are_left_to_the_shell(complete: Complete) -> None:
    assert complete("ingest", "toy", "--file", "x") == ["file,x"]
    assert complete("alias", "start", "toy", "--state-dir", "x") == ["dir,x"]


def test_a_line_that_makes_no_sense_is_offered_nothing(complete: Complete) -> None:
    assert complete("nonsense", "") == []
    assert complete("alias", "nonsense", "") == []


def test_completing_writes_nothing(captured: Run, complete: Complete, tmp_path: Path) -> None:
    # what Python compiles for the toys is not ours
    complete("ingest", "")
    shutil.rmtree(tmp_path / "data" / ".index")
    before = everything(tmp_path)
    for words in (["preview", "--window", ""], ["alias", "start", ""], ["complete", "--"]):
        assert complete(*words)
    assert everything(tmp_path) == before
    assert not (tmp_path / "data" / ".index").exists()


def test_broken_plugins_and_settings_are_not_complained_about(complete: Complete, tmp_path: Path) -> None:
    info = tmp_path / "broken" / "bad-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracker]\nbad = no_such_module\n")
    path = os.pathsep.join([str(tmp_path / "site"), str(tmp_path / "broken")])
    assert complete("alias", "start", "", PYTHONPATH=path) == ["tally", "toy"]
    (tmp_path / "tracker.toml").write_text("nonsense = 1\n")
    assert complete("alias", "start", "") == ["tally", "toy"]
    assert complete("preview", "--window", "", TRACKER_DATA_DIR="") == []


def test_a_request_without_a_line_is_answered_with_nothing(toys: Run) -> None:
    done = toys("completion", "bash", "--ask")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_completing_a_command_imports_no_plugin_and_no_command(tmp_path: Path) -> None:
    environment = os.environ | {"COMP_WORDS": "tracker ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tracker.cli", "completion", "zsh", "--ask"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        check=True,
    )
    assert "plain\nalias\nCapture a provider's meters: start, end, cross.\n" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "tracker_desk.completion_words" in imported
    assert not imported & {"pluggy", "attrs", "tracker.hosting.registry", "tracker.cli.commands.capture", "orjson"}
