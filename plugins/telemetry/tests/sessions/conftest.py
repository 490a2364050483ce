"""A home with session logs, and what `tracker usage` says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tracker.cli.main import main

AT = "2026-11-20T10:{:02}:00Z"


class Home:
    """The client's folders below a home, and the program that reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder / "home", folder / "data"
        self.projects = self.folder / ".claude" / "projects" / "-w"
        self.sessions = self.folder / ".codex" / "sessions" / "2026" / "11" / "20"
        self.projects.mkdir(parents=True)
        self.sessions.mkdir(parents=True)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Any:
        """A command in this process."""
        given = {"HOME": str(self.folder), "TRACKER_DATA_DIR": str(self.data), "TZ": "UTC", **environment}
        unset = dict.fromkeys(("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"))
        return CliRunner().invoke(main, list(arguments), input=stdin, env={**unset, **given})

    def usage(self, *arguments: str, **environment: str) -> Any:
        """The document that `usage --json` prints."""
        done = self.run("--json", "usage", *arguments, **environment)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def total(self, *arguments: str, **environment: str) -> tuple[int, int, int]:
        """Requests, input and output in all."""
        found = self.usage(*arguments, **environment)["totals"]
        return found["requests"], found["input_tokens"], found["output_tokens"]

    def missing(self) -> dict[str, int]:
        return {one["kind"]: one["count"] for one in self.usage()["missing"]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path)


@pytest.fixture
def message() -> Callable[..., str]:
    """A row of Claude Code's."""

    def make(name: str | None, output: int = 50, minute: int = 0, **more: Any) -> str:
        usage = {"input_tokens": 100, "output_tokens": output, **more.pop("usage", {})}
        model = more.pop("model", "claude-opus-4-6")
        found = {
            "type": "assistant", "timestamp": AT.format(minute), "sessionId": "s1", "requestId": f"r-{name}",
            "cwd": "/home/dev/code/acme", "gitBranch": "main", "isSidechain": False,
            "message": {"id": name, "model": model, "content": "canary", "usage": usage},
        }  # fmt: skip
        return json.dumps(found | more) + "\n"

    return make


@pytest.fixture
def state() -> Callable[..., str]:
    """A row with Claude's own totals."""

    def make(inputs: int, output: int, session: str = "s1", start: int = 1) -> str:
        used = {"inputTokens": inputs, "outputTokens": output, "costUSD": 0.1}
        found = {"type": "cost-state", "sessionId": session, "startTime": start}
        return json.dumps({**found, "modelUsage": {"claude-opus-4-6": used}}) + "\n"

    return make
