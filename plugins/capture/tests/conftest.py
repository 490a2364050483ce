"""A machine of the test's own: a home, a PATH with nothing but what the test puts there, the installed plugins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCREENS = Path(__file__).parents[3] / "plugins"


class Machine:
    """Runs the command line on it, and makes the programs and files that it finds there."""

    def __init__(
        self, folder: Path, cli: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self._cli, self._monkeypatch = folder, cli, monkeypatch
        self.home, self.bin = folder / "home", folder / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        self.environment = {"HOME": str(self.home), "PATH": str(self.bin), "CODEX_HOME": "", "AGENT_ID": ""}

    def __call__(self, *arguments: str, stdin: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        done = self._cli(*arguments, stdin=stdin, **(self.environment | extra))
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def process(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """The command line as a process that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "tracker.cli", "--data-dir", "data", *arguments],
            cwd=self.folder,
            env=os.environ | self.environment,
            **options,
        )

    def settings(self, text: str) -> None:
        """A `tracker.toml` that its owner read and trusts."""
        (self.folder / "tracker.toml").write_text(text)
        done = self("config", "trust")
        assert done.returncode == 0, done.stderr

    def ask(self, provider: str, origin: str, **extra: str) -> Any:
        """What one origin answers, asked in this process; an `OriginError` says why not."""
        from tracker.session import Session
        from tracker_capture.origins import ask

        self.enter(**extra)
        session = Session()
        source = session.source(provider)
        [found] = [one for one in source.origins if one.name == origin]
        return ask(session, source, found)

    def enter(self, **extra: str) -> None:
        """Make this process one on the machine."""
        for name, value in (self.environment | extra).items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.chdir(self.folder)

    def why_not(self, provider: str, origin: str, **extra: str) -> str:
        """Why an origin gives no reading."""
        from tracker_capture.origins.answer import OriginError

        with pytest.raises(OriginError) as failed:
            self.ask(provider, origin, **extra)
        assert "\n" not in str(failed.value)
        return str(failed.value)

    def program(self, name: str, code: str) -> Path:
        """A program of that name on the PATH; its code is Python, with `sys`, `os`, `json` and `time` at hand."""
        path = self.bin / name
        path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{code}")
        path.chmod(0o755)
        return path

    def screen(self, plugin: str, name: str) -> Path:
        """A capture of the real program, from a plugin's tests."""
        return SCREENS / plugin / "tests" / "screens" / f"{name}.txt"

    def printed(self) -> str:
        """What `claude -p "/usage"` prints, with resets that are still to come."""
        text = self.screen("claude", "print_v2.1.330_base_max_110col").read_text()
        coming = iter(time.gmtime(time.time() + hours * 3600) for hours in (2, 48, 48))
        return re.sub(
            r"resets [^\n]*", lambda _: time.strftime("resets %b %d, %Y, %I:%M%p (UTC)", next(coming)).lower(), text
        )

    def rows(self, stream: str = "snapshots") -> list[dict[str, Any]]:
        path = self.folder / "data" / f"{stream}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def rollout(self, name: str, *lines: str, changed: float | None = None) -> Path:
        """A session file of Codex; `changed` is the time of its last change."""
        path = self.home / ".codex" / "sessions" / "2026" / "11" / "22" / f"rollout-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        if changed is not None:
            os.utime(path, (changed, changed))
        return path


def event(
    weekly: float,
    age: float = 0,
    *,
    bucket: str | None = None,
    resets_in: float | None = None,
    now: float | None = None,
) -> str:
    """An event of a session file as Codex 0.169 writes it, `age` seconds old."""
    now = time.time() if now is None else now
    reset = now - age + 4 * 3600 if resets_in is None else now + resets_in
    limits = {
        "limit_id": bucket or "codex",
        "limit_name": bucket,
        "primary": {"used_percent": 11.0, "window_minutes": 300, "resets_at": int(reset)},
        "secondary": {"used_percent": weekly, "window_minutes": 10080, "resets_at": int(now + 3 * 86_400)},
        "credits": None,
        "plan_type": "pro",
    }
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - age)) + ".250Z"
    return json.dumps(
        {
            "timestamp": stamp,
            "type": "event_msg",
            "payload": {"type": "token_count", "info": None, "rate_limits": limits},
        }
    )


@pytest.fixture
def machine(
    tmp_path: Path,
    tracker_inside: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Machine:
    """Commands run in this process."""
    return Machine(tmp_path, tracker_inside, monkeypatch)


@pytest.fixture
def machine_of_processes(
    tmp_path: Path,
    tracker_cli: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Machine:
    """Each command is a process of its own: for pipes, and for plugins on a path."""
    for name in [name for name in os.environ if name.startswith("TRACKER_")]:
        monkeypatch.delenv(name)
    return Machine(tmp_path, tracker_cli, monkeypatch)


@pytest.fixture(name="event")
def _event() -> Callable[..., str]:
    return event
