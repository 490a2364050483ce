"""A machine of the test's own: a home, a PATH with nothing but what the test puts there, the installed plugins.

And a worker: a repository, and session files in a home.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tracker.cli.main import main

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


class Worker:
    """A repository, a home with Codex's session files, and the program in between."""

    def __init__(self, folder: Path, noon: datetime) -> None:
        self.noon, self.week_end = noon, noon + timedelta(days=3)
        self.repository, self.home = folder / "acme", folder / "home"
        self.repository.mkdir()
        self.home.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, at: datetime | None = None, environment: dict[str, str] | None = None) -> None:
        made = (at or self.noon).isoformat()
        when = {"GIT_AUTHOR_DATE": made, "GIT_COMMITTER_DATE": made, "HOME": str(self.home)}
        who = {
            f"GIT_{role}_{part}": "dev@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
        }
        command = ["git", "-c", "commit.gpgsign=false", *arguments]
        given = {**os.environ, **when, **who, **(environment or {})}
        subprocess.run(command, cwd=self.repository, env=given, check=True, capture_output=True)

    def commit(self, minute: float, *message: str) -> None:
        texts = [word for text in message for word in ("-m", text)]
        self.git("commit", "--allow-empty", "--quiet", *texts, at=self.noon + timedelta(minutes=minute))

    def codex(self, *turns: tuple[float, float | None], cwd: Path | None = None, name: str = "a") -> None:
        """A session file: minutes and the weekly meter after each turn, of 1,000 tokens and 500 cache reads.

        Before `week_end` it is that of the week which ends then. None: the client wrote no reading.
        """
        folder = cwd or self.repository
        meta = {"id": name, "cwd": str(folder), "cli_version": "0.160.0", "git": {"branch": "topic"}}
        rows = [("session_meta", meta), ("turn_context", {"model": "gpt-5", "cwd": str(folder)})]
        path = self.home / ".codex" / "sessions" / "2026" / "11" / "22" / f"rollout-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [self.line(turns[0][0], kind, payload) for kind, payload in rows]
        for count, (minute, weekly) in enumerate(turns, 1):
            last = {"input_tokens": 1400, "cached_input_tokens": 500, "output_tokens": 100, "total_tokens": 1500}
            total = {key: value * count for key, value in last.items()}
            info = {"total_token_usage": total, "last_token_usage": last}
            lines.append(self.line(minute, "event_msg", self.count(minute, weekly, info)))
        path.write_text("".join(lines))

    def claude(self, *minutes: float) -> None:
        """A session file of Claude Code: a request in each of these minutes, and no reading."""
        path = self.home / ".claude" / "projects" / "-acme" / "s.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"type": "assistant", "sessionId": "s", "cwd": str(self.repository)}
        usage = {"input_tokens": 5, "output_tokens": 5}
        lines = []
        for minute in minutes:
            message = {
                "id": f"m{minute}",
                "role": "assistant",
                "model": "claude-opus-4-5",
                "content": [],
                "usage": usage,
            }
            own = {"requestId": f"r{minute}", "uuid": f"u{minute}", "message": message | {"usage": usage}}
            stamp = (self.noon + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
            lines.append(json.dumps(row | own | {"timestamp": stamp}) + "\n")
        path.write_text("".join(lines))

    def reading(self, minute: float, weekly: float) -> None:
        """A session file with a reading, and no request."""
        path = self.home / ".codex" / "sessions" / f"rollout-reading{minute}.jsonl"
        path.write_text(self.line(minute, "event_msg", self.count(minute, weekly, None)))

    def count(self, minute: float, weekly: float | None, info: Any) -> dict[str, Any]:
        at = self.noon + timedelta(minutes=minute)
        end = self.week_end if at < self.week_end else self.week_end + timedelta(days=7)
        limit = {"used_percent": weekly, "window_minutes": 10080, "resets_at": int(end.timestamp())}
        limits = {"limit_id": "codex", "primary": limit, "secondary": None}
        return {"type": "token_count", "info": info, "rate_limits": None if weekly is None else limits}

    def __call__(self, *arguments: str) -> Any:
        unset = dict.fromkeys(("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "AGENT_ID"))
        given = {"HOME": str(self.home), "TRACKER_DATA_DIR": str(self.home / "data"), "TZ": "UTC"}
        done = CliRunner().invoke(main, list(arguments), env={**unset, **given})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def ok(self, *arguments: str) -> str:
        done = self(*arguments)
        assert done.exit_code == 0, done.stderr
        return str(done.stdout)

    def proposed(self) -> Any:
        return json.loads(self.ok("--json", "windows", "propose"))

    def line(self, minute: float, kind: str, payload: dict[str, Any]) -> str:
        stamp = (self.noon + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
        return json.dumps({"timestamp": stamp, "type": kind, "payload": payload}) + "\n"


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
    made = Worker(tmp_path, noon)
    monkeypatch.chdir(made.repository)
    return made
