"""A pytest plugin for plugin authors: subclass `SourceConformance` and point it at a folder of captured screens.

A screen is a text `NAME.txt` with `NAME.json` beside it: `{"captured_at", "timezone", "scope", "origin", "parsed"}`,
where `parsed` is what the record of that capture holds. pytest loads this module by its entry point, so it imports
nothing heavy until a test needs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

if TYPE_CHECKING:
    from tracker.models import Reading, Source


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


class Screen:
    """One captured text and what it is expected to say."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        self.text = path.read_bytes().decode()
        self.expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
        self.captured_at = datetime.fromisoformat(self.expected["captured_at"])
        self.timezone = ZoneInfo(self.expected.get("timezone") or "UTC")

    @property
    def arguments(self) -> dict[str, Any]:
        """What `parse_status` is given beside the text."""
        return {
            "captured_at": self.captured_at,
            "timezone": self.timezone,
            "scope": self.expected.get("scope"),
            "origin": self.expected.get("origin"),
        }

    def record(self, parsed: dict[str, Any]) -> None:
        """Rewrite what is expected; the change shows in the diff."""
        expected = self.expected | {"parsed": parsed}
        self.path.with_suffix(".json").write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n")


def screens(folder: Path) -> list[Screen]:
    """The screens of a folder, by name."""
    return [Screen(path) for path in sorted(folder.glob("*.txt"))]


class SourceConformance:
    """What every source must do. A subclass sets `source` and, where it parses texts, `screens`."""

    source: ClassVar[str]
    screens: ClassVar[Path]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "screen" in metafunc.fixturenames:
            found = screens(self.screens)
            metafunc.parametrize("screen", found, ids=[screen.name for screen in found])

    @pytest.fixture(scope="class")
    @classmethod
    def registry(cls) -> Any:
        from tracker.registry import discover

        return discover()

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, registry: Any) -> Source:
        failure = next((failure for failure in registry.failures if failure.plugin == cls.source), None)
        assert failure is None, str(failure)
        assert cls.source in registry.sources, f"{cls.source} is no installed entry point of group 'tracker'"
        return registry.sources[cls.source]  # type: ignore[no-any-return]

    def parse(self, registry: Any, text: str, **arguments: Any) -> Reading | None:
        return registry.call(self.source, "parse_status", text=text, **arguments)  # type: ignore[no-any-return]

    def test_reads_each_screen_as_recorded(
        self, registry: Any, info: Source, screen: Screen, request: pytest.FixtureRequest
    ) -> None:
        from tracker.parsed import to_parsed

        reading = self.parse(registry, screen.text, **screen.arguments)
        parsed = None if reading is None else to_parsed(reading, info)
        if request.config.getoption("--update-screens"):
            screen.record(parsed or {})
        assert parsed == screen.expected["parsed"]
