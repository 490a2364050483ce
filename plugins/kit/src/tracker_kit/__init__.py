"""A pytest plugin for plugin authors: subclass the conformance class of the source's kind.

    class TestToy(StatusConformance):
        source = "toy"
        screens = Path(__file__).parent / "screens"

`docs/plugins.md` explains every rule that it checks. pytest loads this package by its entry point, so it imports
nothing heavy until a test needs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tracker
from tracker_kit.conformance import SourceConformance
from tracker_kit.rules import installed
from tracker_kit.screens import Screen, screens
from tracker_kit.streams import TelemetryConformance
from tracker_kit.texts import ReportConformance, StatusConformance

if TYPE_CHECKING:
    from tracker.api import Block, Reading

# the name that suites of contract 1.0 and 1.1 import it by
sys.modules["tracker.testing"] = sys.modules[__name__]
tracker.testing = sys.modules[__name__]  # type: ignore[attr-defined]

__all__ = [
    "ReportConformance",
    "Screen",
    "SourceConformance",
    "StatusConformance",
    "TelemetryConformance",
    "call",
    "screens",
    "shown",
    "stored",
]


def call(source: str, hook: str, **arguments: Any) -> Any:
    """An installed source's answer, with the core's own behind it and its checks, as the commands get it."""
    return installed().call(source, hook, **arguments)


def stored(source: str, reading: Reading) -> dict[str, Any]:
    """What the record of an installed source's reading holds in its field `parsed`."""
    from tracker.kernel import to_parsed

    declared = installed().source(source)
    assert declared is not None
    return to_parsed(reading, declared)


def shown(block: Block | None) -> list[str]:
    """The lines of a preview block as people read them, without the title; none of no block."""
    from tracker.kernel import row

    return [row(one.label, one.text, one.values) for one in block.rows] if block else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-screens", action="store_true", help="rewrite what each screen is expected to say")


@pytest.fixture
def tracker_cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command line in a folder and a data directory of the test's own.

    ``tracker_cli("alias", "start", "toy", "--stdin", stdin=pane, AGENT_ID="sub1")``: arguments, what is piped to it and
    environment variables; gives the completed process, whatever its status.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a test starts the program often: compile it once
    environment |= {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC", "COLUMNS": "120"}

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
