"""What pytest loads by its entry point: the option that records screens anew, and the command line as a fixture.

It also gives the kit its older name `tracker.testing`, which suites of plugins for contract 1.0 and 1.1 import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tracker
import tracker_kit

sys.modules["tracker.testing"] = tracker_kit
tracker.testing = tracker_kit  # type: ignore[attr-defined]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-screens", action="store_true", help="record what each screen gives now as its expected reading"
    )


@pytest.fixture
def tracker_cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command line in a folder and a data directory of the test's own.

    ``tracker_cli("alias", "start", "toy", "--stdin", stdin=pane, AGENT_ID="sub1")``: arguments, what is piped to it and
    environment variables; gives the completed process, whatever its status.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a test starts the program often: compile it once
    # the developer's own session logs must not reach the tests
    environment |= {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC", "COLUMNS": "120", "HOME": str(tmp_path)}

    def run(*arguments: str, stdin: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "tracker.cli", *arguments],
            input=data,
            capture_output=True,
            cwd=tmp_path,
            env=environment | extra,
            timeout=120,
            check=False,
        )
        return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
