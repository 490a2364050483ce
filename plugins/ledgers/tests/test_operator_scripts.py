"""The operator's scripts: thin, and the same as the commands that they stand for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CHECKPOINT = ROOT / "scripts" / "automation" / "ledger_checkpoint.sh"
COMPARE = ROOT / "scripts" / "tools" / "proxy_cost_compare.py"


def run(words: list[str | Path], folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    return subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env=environment | {"PATH": path, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def active() -> str:
    """The PATH with this Python's environment active."""
    return f"{Path(sys.executable).parent}:/usr/bin:/bin"


def test_the_checkpoint_script_passes_everything_on(tmp_path: Path, active: str) -> None:
    words = [
        "--window",
        "W0-20",
        "--provider",
        "codex",
        "--task",
        "two words",
        "--plan",
        "200000",
        "--actual",
        "168000",
    ]
    done = run([CHECKPOINT, *words, "--notes", "it's *"], tmp_path, active)
    assert done.returncode == 0, done.stderr
    ledger = (tmp_path / "docs" / "Ledgers" / "Token_Churn_Ledger.csv").read_text().splitlines()
    assert ledger[1].endswith(",W0-20,two words,200000,168000,-32000,,,,,,it's *")
    refused = run([CHECKPOINT, "--window", "W0-20"], tmp_path, active)
    assert refused.returncode == 2
    assert "Missing option" in refused.stderr


def test_the_checkpoint_script_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "bash").symlink_to("/bin/bash")
    (tmp_path / "env").symlink_to("/usr/bin/env")
    done = run([CHECKPOINT], tmp_path, str(tmp_path))
    assert (done.returncode, done.stderr) == (
        1,
        "error: no tracker in the active environment; activate it and run this again\n",
    )


def test_the_compare_script_is_the_command(tmp_path: Path, active: str) -> None:
    script = run([sys.executable, COMPARE, "--help"], tmp_path, active)
    command = run([sys.executable, "-m", "tracker.cli", "cost-compare", "--help"], tmp_path, active)
    assert script.returncode == command.returncode
    assert script.stdout.partition("\n")[2] == command.stdout.partition("\n")[2]


def test_the_scripts_can_be_run() -> None:
    assert all(os.access(script, os.X_OK) for script in (CHECKPOINT, COMPARE))
