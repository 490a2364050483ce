"""Undo takes back any sequence of commands: every view says what it said before, down to an empty directory."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.kernel import Session

Clock = Callable[[int], None]

START = datetime(2026, 1, 10, 8, tzinfo=UTC)
WINDOW = ("--window", "W0-01")
# what is typed, and what is piped to it
COMMANDS: dict[str, tuple[str, str]] = {
    "start": ("start toy --stdin", "fuel 10%"),
    "start high": ("start toy --stdin --window W0-02", "fuel 70%\nheat 5%"),
    "start a count": ("start tally --stdin --window W0-01", "3"),
    "end": ("end toy --stdin", "fuel 30%"),
    "end low": ("end toy --stdin", "fuel 4%"),
    "end by force": ("end toy --stdin --window W0-01 --force", "fuel 55%"),
    "end a count": ("end tally --stdin", "9"),
    "cross": ("cross toy --stdin", "fuel 40%"),
    "complete": ("complete --window W0-01 --toy-features 2 --outcome pass --force", ""),
    "complete more": ("complete --window W0-01 --quality 0.5 --notes again --force", ""),
    "reopen": ("complete --window W0-01 --reopen", ""),
    "delete": ("alias delete toy --yes", ""),
    "delete before": ("alias delete toy --phase before --window W0-01 --yes", ""),
    "override": ("override toy --window W0-01 --phase before --fuel-used-pct 20", ""),
    "report": ("ingest toy-report --window W0-01 --stdin", "12"),
    "pass": ("evidence add --window W0-01 --capability quota --result pass", ""),
    "fail": ("evidence add --window W0-01 --capability quota --result fail", ""),
    "reserve": ("feature reserve --window W0-01", ""),
    "log": ("feature log --id F-001 --window W0-01 --provider toy --lines-added 5", ""),
    "churn": ("churn --window W0-01 --provider toy --commit-start HEAD", ""),
}
# what is in a handoff beside the state: files that are there
FILES = ("artifacts", "read_first", "data", "home")
VIEWS = (
    "status",
    "windows",
    "preview",
    "scoreboard",
    "meters",
    "decision-card --window W0-01",
    "compare",
    "handoff --dry-run",
    "feature reserve --dry-run",
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the minute that it is."""
    at = [START]
    monkeypatch.setattr(Session, "now", property(lambda _session: at[0]))

    def put(minute: int) -> None:
        at[0] = START + timedelta(minutes=minute)

    return put


def shown(program: Any, clock: Clock) -> dict[str, str]:
    """What every view says at one moment."""
    clock(600)
    found = {}
    for view in VIEWS:
        done = program("--json", *view.split())
        assert done.error is None, (view, done.error)
        text = done.out + "".join(line for line in done.err.splitlines(True) if line.startswith("error: "))
        if view.startswith("handoff") and not done.status:
            brief = json.loads(done.out)
            text = json.dumps({name: value for name, value in brief.items() if name not in FILES})
        found[view] = text
    return found


def repository(folder: Path) -> Path:
    """A git repository with a commit after its first."""
    author = ("-c", "user.name=dev", "-c", "user.email=dev@example.com")
    folder.mkdir()
    for words in (
        ("init", "-q"),
        ("commit", "-qm", "begin", "--allow-empty"),
        ("commit", "-qm", "go", "--allow-empty"),
    ):
        subprocess.run(["git", *author, *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def folders(program: Any, quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Makes data directories, each in a repository of its own."""
    first = repository(quick_path / "first")

    def made() -> Any:
        folder = Path(tempfile.mkdtemp(dir=quick_path))
        shutil.copytree(first, folder, dirs_exist_ok=True)
        monkeypatch.chdir(folder)
        return evolve(program, root=folder / "data")

    return made


def test_every_view_is_as_before(folders: Callable[[], Any], clock: Clock, often: Callable[[int, int], int]) -> None:
    @given(names=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=8))
    @settings(max_examples=often(5, 400), deadline=None)
    def check(names: list[str]) -> None:
        program = folders()
        before = [shown(program, clock)]
        done = []
        for minute, name in enumerate(names):
            clock(7 * minute)
            words, stdin = COMMANDS[name]
            ran = program(*words.split(), stdin=stdin)
            assert ran.error is None
            if ran.status == 0:
                done.append(name)
                before.append(shown(program, clock))
        while len(before) > 1:
            before.pop()
            clock(100 - len(before))
            program("undo", "--yes").ok()
            assert shown(program, clock) == before[-1], (done, done[len(before) - 1])
        assert "There is nothing to take back" in program("undo", "--yes").refused()

    check()
