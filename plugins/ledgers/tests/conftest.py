"""A real git repository in a folder of the test, and a session that works in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

from tracker.session import Session

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Dev"), ("EMAIL", "dev@example.com"))
}


class Repository:
    """A repository with the few things that a test does in one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        if not (path / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def write(self, name: str, content: str | bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, subject: str = "work", **files: str | bytes) -> str:
        """Commit everything, with these files written first; the commit's id."""
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD")


def lines(count: int, word: str = "line") -> str:
    return "".join(f"{word} {number}\n" for number in range(count))


@pytest.fixture(autouse=True)
def _git_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the machine, no repository that a hook names, no lane."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "AGENT_ID", "TRACKER_"))]:
        monkeypatch.delenv(name)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def make_repository() -> type[Repository]:
    return Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Any) -> Repository:
    """A repository that is the working directory, with one commit."""
    folder = tmp_path / "repo"
    kept(folder, lambda: Repository(folder).commit("first", first="one\n"))
    monkeypatch.chdir(folder)
    return Repository(folder)


@pytest.fixture
def text_of() -> Callable[..., str]:
    """A text of so many lines."""
    return lines


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session whose data lies beside the repository."""
    made = Session()
    made.data_dir = tmp_path / "data"
    return made


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    """The working folder of `toys` as a repository."""
    return begun(tmp_path)


def begun(folder: Path) -> Repository:
    made = Repository(folder)
    made.commit("first", **{".gitignore": "/data/\n/site/\n/docs/\n*.xml\n"})
    return made


@pytest.fixture
def finalized(toys: Any, tmp_path: Path, kept: Any) -> Any:
    """Toys with W0-20 finalized: 6 files changed in it, +51/-47, 3 features."""
    kept(tmp_path, lambda: finalize(toys, begun(tmp_path)))
    return toys


def finalize(toys: Any, work: Repository) -> None:
    work.commit(**{f"file{number}.py": lines(10, "old") for number in range(5)})
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 10%"))
    for number in range(4):
        work.write(f"file{number}.py", lines(10, "new"))
    work.write("file4.py", lines(3, "old"))
    work.commit("the work", **{"file5.py": lines(11)})
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 28%"))
    ok(toys("complete", "--window", "W0-20", "--toy-features", "3", "--quality", "1", "--outcome", "pass"))
