"""`tracker doctor`: what it says of keys, of providers that have to be pasted, and of what is open."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from inprocess import tracker


def test_a_key_that_was_pasted_with_a_space_is_mended_in_the_shell(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    doctor = shlex.join([sys.executable, "-m", "tracker.cli", "--data-dir", "data", "doctor"])
    cure = 'export TRACKER_GLM_KEY="$(printf %s "$TRACKER_GLM_KEY" | tr -d "[:space:]")"'
    script = f"{doctor}; {cure}; {doctor}"
    environment = os.environ | {"TRACKER_GLM_KEY": "abc def\n"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, text=True, capture_output=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"warning: TRACKER_GLM_KEY: contains white space, and keys never do; {cure}",
        "Verdict: 1 warning. No record is lost.",
        "To correct the findings above, type:",
        f"  {cure}",
        "Verdict: everything is as it should be.",
    ]
    assert "abc" not in done.stdout + done.stderr


def test_the_setup_is_judged_before_there_are_records(tmp_path: Path) -> None:
    (tmp_path / "tracker.toml").write_text("timezon = 'UTC'\n")
    environment = {name: text for name, text in os.environ.items() if name != "TRACKER_DATA_DIR"}
    command = [sys.executable, "-m", "tracker.cli", "doctor", "--fix"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert "note: no records in data/week0/live yet; begin with `tracker start PROVIDER`" in done.stderr
    assert "Unknown setting 'timezon'" in done.stdout
    assert not (tmp_path / "data").exists()


def test_a_provider_that_has_to_be_pasted_is_named_with_the_command(tmp_path: Path) -> None:
    """On a machine with none of the providers' programs and folders."""
    panes = Path(__file__).parents[3] / "docs" / "samples" / "panes"
    environment = {"HOME": str(tmp_path), "PATH": str(tmp_path)}

    def run(*words: str) -> bytes:
        status, out, err = tracker(words, b"", tmp_path, environment)
        assert status == 0, err
        return out

    for name, pane in (("claude", "claude-40-used.txt"), ("codex", "codex-80-left.txt"), ("glm", "glm-12.json")):
        run("start", name, str(panes / pane))
    found = {one["where"]: one for one in json.loads(run("doctor", "--json"))["findings"] if one["check"] == "origin"}
    assert list(found) == ["claude", "codex", "glm"]
    # a start would replace the BEFORE of the window that is open
    assert all(f"`tracker end {name}`" in one["cure"] and one["command"] for name, one in found.items())
    assert found["codex"]["command"] == "tracker end codex"
    text = run("doctor")
    assert b"or paste it: `tracker end codex`" in text
    assert b"To correct the findings" not in text
    run(*found["codex"]["command"].split()[1:], str(panes / "codex-80-left.txt"))
    [closed] = [one for one in tmp_path.rglob("codex.json") if one.parent.name == "state"]
    assert not json.loads(closed.read_text())["open"]
    assert b"or paste it: `tracker start codex`" in run("doctor")


def test_a_data_directory_without_records_has_nothing_that_git_could_track(program: Any) -> None:
    program.root.mkdir()
    subprocess.run(["git", "init", "--quiet", str(program.root.parent)], check=True)
    assert "git repository" not in program("doctor").out
    program("alias", "start", "toy", "--stdin", stdin="fuel 20%").ok()
    (program.root / ".gitignore").unlink()
    assert "is in a git repository that would track your panes" in program("doctor").out


def test_a_tracked_directory_keeps_what_is_derived_out_of_git(program: Any) -> None:
    """The index changes at every look: a branch could not be checked out any more, nor merged."""
    (program.root.parent / "tracker.toml").write_text("[data]\ntrack = true\n")
    subprocess.run(["git", "init", "--quiet", str(program.root.parent)], check=True)
    git = ["git", "-C", str(program.root)]
    program("alias", "start", "toy", "--stdin", stdin="fuel 20%").ok()
    subprocess.run([*git, "add", "--all"], check=True)
    found = [one for one in json.loads(program("--json", "doctor").out)["findings"] if one["check"] == "folder"]
    assert [one["what"].partition(",")[0] for one in found] == ["lets git track derived files"]
    subprocess.run(found[0]["command"], shell=True, check=True)
    listed = subprocess.run([*git, "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    assert [one for one in listed if not one.endswith(".jsonl")] == []
    assert "is derived" not in program("doctor").out


def test_every_error_and_warning_of_the_set_up_has_a_command(program: Any) -> None:
    given = "alias start toy --stdin --window W1 --captured-at 2026-01-10T08:00:00Z"
    program(*given.split(), stdin="fuel 20%").ok()
    *_, verdict, head, command = program("doctor").ok().splitlines()
    assert verdict == "Verdict: 1 warning. No record is lost."
    assert head == "To correct the findings above, type:"
    assert command == "  tracker end toy --stdin"
    other = program("--data-dir", str(program.root), "doctor").ok().splitlines()
    assert other[-1] == f"  tracker --data-dir {program.root} end toy --stdin"


def test_a_capture_of_the_future_that_was_taken_back_is_no_finding(sound: Any) -> None:
    def future() -> list[str]:
        found = json.loads(sound("--json", "doctor").out)["findings"]
        return [one["where"].partition(" ")[0] for one in found if one["check"] == "future"]

    given = ("--window", "W2", "--captured-at", "2999-01-01T00:00:00Z", "--force")
    sound("alias", "start", "toy", "--stdin", *given, stdin="fuel 10%").ok()
    assert future() == ["readings.jsonl", "snapshots.jsonl"]
    sound("alias", "delete", "toy", "--phase", "before", "--window", "W2").ok()
    assert future() == []
