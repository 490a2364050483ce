"""`tracker uat` on small projects that pass, fail, or have nothing to run."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
NESTED = os.environ.get("TRACKER_NESTED") == "1"  # read before the tests' environment is cleaned
pytestmark = [
    pytest.mark.skipif(NESTED, reason="TRACKER_NESTED=1: it starts pytest and behave"),
    pytest.mark.usefixtures("plain_pytest"),
]
GOOD = """
import os

def test_environment():
    assert os.environ["TRACKER_NESTED"] == "1"
    assert "TRACKER_DATA_DIR" not in os.environ and "AGENT_ID" not in os.environ
"""
FEATURE = "Feature: a day\n  Scenario: one\n    Given a step\n\n  Scenario: two\n    Given a step\n"
STEPS = "from behave import given\n\n@given('a step')\ndef step(context):\n    pass\n"


@pytest.fixture
def project(toys_apart: Run, tmp_path: Path) -> Run:
    """A project that passes, with W0-20 open."""
    (tmp_path / "tracker.toml").write_text("")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(GOOD)
    (tmp_path / "features" / "steps").mkdir(parents=True)
    (tmp_path / "features" / "day.feature").write_text(FEATURE)
    (tmp_path / "features" / "steps" / "steps.py").write_text(STEPS)
    done = toys_apart("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 10%")
    assert done.returncode == 0, done.stderr
    return toys_apart


def evidence(folder: Path) -> list[dict[str, str]]:
    with (folder / "docs" / "Ledgers" / "Acceptance_Evidence.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_runs_the_checks_then_the_preview(project: Run, tmp_path: Path) -> None:
    done = project("uat", "--window", "W0-20", AGENT_ID="sub1")
    assert done.returncode == 0, done.stderr
    shown = project("preview", "--window", "W0-20").stdout
    assert done.stdout == shown + (
        "Checks:\n  - pytest: pass (1 passed)\n  - behave: pass (2 passed)\n  - preview: pass (0 open anomalies)\n"
    )
    assert "1 passed" in done.stderr
    assert not (tmp_path / "docs").exists()
    assert not (tmp_path / "data" / "uat").exists()


def test_a_link_in_the_place_of_the_folder_is_refused(project: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "uat").symlink_to(tmp_path / "elsewhere")
    done = project("uat", "--window", "W0-20", "--record")
    assert done.returncode == 1
    assert "is a symbolic link, which tracker does not follow. Remove the link." in done.stderr
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_it_records_what_it_ran(project: Run, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    done = project("uat", "--window", "W0-20", "--record", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = evidence(tmp_path)
    assert [(row["window_id"], row["runner"], row["result"], row["notes"]) for row in rows] == [
        ("W0-20", "pytest", "pass", "1 passed"),
        ("W0-20", "behave", "pass", "2 passed"),
        ("W0-20", "preview", "pass", "0 open anomalies"),
    ]
    assert {row["test_run_id"] for row in rows} == {found["test_run_id"]}
    for row in rows:
        artifact = tmp_path / row["artifacts_path"]
        assert hashlib.sha256(artifact.read_bytes()).hexdigest() == row["artifact_hash"]
    kept = [tmp_path / "data" / "uat", *(tmp_path / "data" / "uat").rglob("*")]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in kept} == {
        "uat": "0o700", found["test_run_id"]: "0o700",
        "pytest.xml": "0o600", "behave.json": "0o600", "preview.txt": "0o600",
    }  # fmt: skip
    assert '"command":"tracker uat --window W0-20' in (tmp_path / "data" / "commands.jsonl").read_text()


def test_reports_outside_of_the_repository_are_named_by_their_whole_path(
    project: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = {"TRACKER_DATA_DIR": str(tmp_path_factory.mktemp("elsewhere") / "data")}
    done = project("uat", "--window", "W0-20", "--record", "--quiet", **data)
    assert done.returncode == 0, done.stderr
    names = [row["artifacts_path"] for row in evidence(tmp_path)]
    assert names[2] == ""
    for path in map(Path, names[:2]):
        assert path.is_absolute()
        assert path.is_file()
    # they are known to undo
    done = project("undo", "--yes", **data)
    assert done.stdout.count("reversed a row of W0-20 in Acceptance_Evidence.csv\n") == 3


def test_what_fails_is_named_recorded_and_ends_with_status_1(project: Run, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_a():\n    assert 0\n\ndef test_b():\n    pass\n")
    (tmp_path / "features" / "more.feature").write_text("Feature: x\n  Scenario: y\n    Given no such step\n")
    done = project("uat", "--window", "W0-20", "--record", "--quiet")
    assert done.returncode == 1
    assert done.stderr == (
        "error: The acceptance run of W0-20 failed: pytest (1 passed, 1 failed), behave (2 passed, 1 failed).\n"
    )
    assert [row["result"] for row in evidence(tmp_path)] == ["fail", "fail", "pass"]


def test_a_runner_that_breaks_has_failed(project: Run, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import os\nos._exit(0)\n")
    (tmp_path / "features" / "steps" / "steps.py").write_text("import nothing_of_that_name\n")
    done = project("uat", "--window", "W0-20", "--quiet")
    assert done.returncode == 1
    assert "pytest (no report, exit status 0), behave (no report, exit status 1)" in done.stderr


def test_a_runner_that_hangs_is_stopped(project: Run, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import time\ntime.sleep(100)\n")
    (tmp_path / "features" / "day.feature").unlink()
    (tmp_path / "features" / "steps" / "steps.py").unlink()
    (tmp_path / "features" / "steps").rmdir()
    (tmp_path / "features").rmdir()
    done = project("uat", "--window", "W0-20", "--timeout", "0.5")
    assert done.returncode == 1
    assert "  - behave: skip (there is no folder features/)\n" in done.stdout
    assert "failed: pytest (stopped after 0.5 s)" in done.stderr


def test_what_a_runner_started_is_stopped_with_it(project: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pytest"
    program.write_text("#!/bin/sh\nsleep 99 &\necho $! > child\nwait\n")
    program.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = project("uat", "--window", "W0-20", "--timeout", "2", "--quiet", PATH=path)
    assert "pytest (stopped after 2 s)" in done.stderr
    number, until = int((tmp_path / "child").read_text()), time.monotonic() + 10
    while is_running(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(number)


def is_running(number: int) -> bool:
    """Whether a process is there, other than as one that nobody has waited for."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)
    return found.stdout.strip()[:1] not in ("", "Z")


def test_a_window_without_records_and_a_project_without_tests(project: Run, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").unlink()
    done = project("uat", "--window", "W0-21")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "Checks:\n  - pytest: skip (nothing ran)\n  - behave: pass (2 passed)\n"
        "  - preview: skip (there are no records of W0-21 yet)\n"
    )


def test_a_run_that_checks_nothing_fails_and_records_nothing(project: Run, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").unlink()
    shutil.rmtree(tmp_path / "features")
    done = project("uat", "--window", "W0-02", "--record")
    assert done.returncode == 1
    assert (
        "error: Nothing was checked, and nothing was recorded: pytest (nothing ran), behave (there is no" in done.stderr
    )
    assert "Unknown window 'W0-02'. Did you mean W0-20?" in done.stderr
    assert not (tmp_path / "docs" / "Ledgers").exists()


def test_it_runs_the_programs_of_the_path(project: Run, tmp_path: Path) -> None:
    """Not those of the Python that tracker runs in."""
    (tmp_path / "bin").mkdir()
    own = tmp_path / "bin" / "pytest"
    own.write_text("#!/bin/sh\necho own pytest; exit 3\n")
    own.chmod(0o755)
    done = project("uat", "--window", "W0-20", PATH=f"{own.parent}:{os.environ['PATH']}")
    assert "own pytest" in done.stderr
    assert "  - pytest: fail (no report, exit status 3)\n" in done.stdout


def test_commands_of_the_settings_need_consent(project: Run, tmp_path: Path) -> None:
    (tmp_path / "tracker.toml").write_text('[uat]\ncommands = ["true", "sh -c \'exit 4\'"]\n')
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = project("uat", "--window", "W0-20", **environment)
    assert done.returncode == 1
    assert "uat.commands needs your consent" in done.stderr
    assert project("config", "trust", **environment).returncode == 0
    done = project("uat", "--window", "W0-20", **environment)
    assert "  - true: pass (exit status 0)\n  - sh -c 'exit 4': fail (exit status 4)\n" in done.stdout
