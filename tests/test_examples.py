"""Help pages: every command has one example, which runs; its own options come first and `--help` last."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from shared import Demo

from tracker.cli.main import main

ROOT = Path(__file__).parents[1]
PANES = ROOT / "docs" / "samples"
# test_readme.py runs the demo, test_documents.py the checks of a handoff, which need real standard streams
ELSEWHERE = {"tracker demo", "tracker uat --window W0-01 --record"}


def commands(group: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command and group, with the words that call it."""
    if context.parent:
        yield context.command_path, group, context
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, click.Context(command, parent=context, info_name=name))


ALL = list(commands(main, click.Context(main, info_name="tracker")))


def page(command: click.Command, context: click.Context) -> str:
    """The help, its example in one line."""
    return command.get_help(context).replace(" \\\n    ", " ")


def test_a_help_page_says_what_for_shows_an_example_and_ends_with_help() -> None:
    assert len(ALL) > 50
    wrong = []
    for name, command, context in ALL:
        text = page(command, context)
        options = text.partition("Options:\n")[2] or text.partition("Global options:\n")[2]
        flags = re.findall(r"^  (?:-\w, )?(-[-\w]+)", options, re.M)
        if empty := re.findall(r"^  \S.*\n(?=  \S|\n)", options, re.M):
            wrong += [f"{name}: nothing is said of {one}" for one in empty if not re.search(r"\S  +\S", one)]
        lines = [line.strip() for line in text.partition("\n\nExample:\n")[2].partition("\n\n")[0].splitlines()]
        if flags[-1] != "--help":
            wrong.append(f"{name}: {flags[-1]} is the last option")
        if len(lines) != 1 or "tracker" not in lines[0]:
            wrong.append(f"{name}: {lines}")
        if not (command.help or "").partition("\n\n")[0].rstrip().endswith("."):
            wrong.append(f"{name}: {command.help!r}")
    assert not wrong, "\n".join(wrong)


def test_each_command_has_one_line_in_the_help() -> None:
    shown = CliRunner().invoke(main, ["--help"], env={"COLUMNS": "80"}).output.partition("Daily:\n")[2]
    assert len(shown.splitlines()) > 40
    assert [line for line in shown.splitlines() if line.startswith("    ")] == []
    first = [one.split()[:2] for one in re.findall(r"^\w+:\n.+", f"Daily:\n{shown}", re.M)]
    # what a group is named after, and what a day begins with
    names = [
        ["Daily:", "start"],
        ["Results:", "meters"],
        ["Records:", "alias"],
        ["Setup:", "setup"],
        ["Plugins:", "plugins"],
    ]
    assert first == names


def session_file(home: Path, folder: Path, ago: timedelta) -> None:
    """A session of Codex in a folder: a reading, and two turns with their tokens and limits."""
    end = datetime.now(UTC).replace(microsecond=0) - ago
    lines = []

    def add(at: datetime, kind: str, payload: dict[str, Any]) -> None:
        lines.append(json.dumps({"timestamp": at.isoformat().replace("+00:00", "Z"), "type": kind, "payload": payload}))

    add(end - timedelta(minutes=40), "session_meta", {"id": "a", "cwd": str(folder), "cli_version": "0.160.0"})
    add(end - timedelta(minutes=40), "turn_context", {"model": "gpt-5", "cwd": str(folder)})
    # the first one shows where the meter stood before the work
    for count, (minutes, used) in enumerate(((200, 9), (40, 10), (0, 14))):
        last = {"input_tokens": 1400, "cached_input_tokens": 500, "output_tokens": 100, "total_tokens": 1500}
        total = {key: value * count for key, value in last.items()}
        limit = {"used_percent": used, "window_minutes": 10080, "resets_at": int(end.timestamp()) + 260000}
        info = {"total_token_usage": total, "last_token_usage": last} if count else None
        limits = {"limit_id": "codex", "primary": limit, "secondary": None}
        payload = {"type": "token_count", "info": info, "rate_limits": limits}
        add(end - timedelta(minutes=minutes), "event_msg", payload)
    path = home / ".codex" / "sessions" / f"{end:%Y}" / f"{end:%m}" / f"{end:%d}" / "rollout-a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, demo: Demo) -> Path:
    """A project with the demo's records, a home with a session file of now, and the files that examples name."""
    folder = tmp_path_factory.mktemp("examples")
    ours = ("TRACKER_", "AGENT_ID", "GIT_", "XDG_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {"HOME": str(folder / "home")}
    made = folder / "project"
    shutil.copytree(demo.data, made / "data" / "week0" / "live")
    shutil.copytree(demo.data, folder / "elsewhere" / "data" / "week0" / "live")
    shutil.copytree(PANES, made, dirs_exist_ok=True)
    (made / "pane.txt").write_text((PANES / "panes" / "claude-52-used.txt").read_text())
    (made / "report.txt").write_text("12 passed\n")
    (made / "status.json").write_text("{}\n")
    author = ["-c", "user.name=dev", "-c", "user.email=dev@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "--all"], [*author, "commit", "-q", "-m", "F-1 begin"]):
        subprocess.run(["git", *words], cwd=made, env=environment, check=True, capture_output=True)
    return folder


# what has to be there before the example
FIRST = {
    "end": ["start claude panes/claude-40-used.txt --window W0-20"],
    "cross": ["start claude panes/claude-40-used.txt --window W0-20"],
    "log": ["feature reserve --prefix F-"],
    "trust": ["init --yes"],
    "gate": ["capture codex --phase before --window W0-20"],
    "accept": ["sync"],
    # the demo's history may be too old by now
    "calibrate": ["sync"],
    "reconcile": ["sync"],
    "drift": ["sync"],
}


def run(name: str, example: str, project: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Run an example in a copy of the project; what went wrong."""
    shutil.copytree(project / "project", copy / "project", symlinks=True)
    # a proposal is accepted once the work is over; anything else wants a fresh reading
    ago = timedelta(hours=3) if name == "tracker windows accept" else timedelta(seconds=30)
    session_file(copy / "home", copy / "project", ago)
    (copy / "elsewhere").symlink_to(project / "elsewhere")
    monkeypatch.chdir(copy / "project")
    monkeypatch.setenv("HOME", str(copy / "home"))
    for words in FIRST.get(name.split()[-1], ()):
        first = CliRunner().invoke(main, words.split())
        assert first.exit_code == 0, (words, first.output)
    words, _, source = re.sub(r'^eval "\$\((.*)\)"$', r"\1", example).partition(" < ")
    if "windows accept" in words:
        [proposed] = json.loads(CliRunner().invoke(main, ["--json", "windows", "propose"]).stdout)
        words = f"tracker windows accept {proposed['window']}"
    done = CliRunner().invoke(main, shlex.split(words)[1:], input=Path(source).read_text() if source else "")
    # `gate` answers with its status
    if done.exit_code == 0 or (name == "tracker gate" and done.exit_code == 3):
        return None
    return f"{example}: {done.exit_code} {done.output[-300:]!r} {done.exception!r}"


def test_every_example_runs(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TRACKER_", "AGENT_ID", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_")):
            monkeypatch.delenv(name)
    wrong = []
    for number, (name, command, context) in enumerate(ALL):
        example = re.findall(r"\n\nExample:\n  (.*)\n", page(command, context) + "\n")[0]
        if example in ELSEWHERE:
            continue
        if name == "tracker watch":
            # it ends when the user stops it, and starts no program from then on
            monkeypatch.setattr("tracker_capture.origins.process_tree._is_over", threading.Event())
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
            signal.setitimer(signal.ITIMER_REAL, 1.0)
        wrong.append(run(name, example, project, tmp_path / str(number), monkeypatch))
    assert not any(wrong), "\n".join(one for one in wrong if one)
