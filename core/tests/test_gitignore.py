"""A new data directory in a git repository: its records stay out of git, unless the user wants them there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start(toys: Run, tmp_path: Path) -> Callable[[], str]:
    """Store a capture; what was said on stderr."""
    (tmp_path / ".git").mkdir()

    def run() -> str:
        done = toys("alias", "start", "toy", "--stdin", stdin="fuel 10%")
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


def test_the_first_write_puts_it_there_once_and_says_so(start: Callable[[], str], tmp_path: Path) -> None:
    assert "/.gitignore keeps the records out of git. To commit them, delete that file." in start()
    path = tmp_path / "data" / ".gitignore"
    assert path.read_text() == "*\n"
    assert path.stat().st_mode & 0o077 == 0
    path.unlink()
    assert ".gitignore" not in start()
    assert not path.exists(), "who deleted it wants it that way"


def test_a_setting_leaves_it_out(start: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "tracker.toml").write_text("[data]\ntrack = true\n")
    assert ".gitignore" not in start()
    assert not (tmp_path / "data" / ".gitignore").exists()


def test_without_a_repository_there_is_none(toys: Run, tmp_path: Path) -> None:
    toys("alias", "start", "toy", "--stdin", stdin="fuel 10%")
    assert not (tmp_path / "data" / ".gitignore").exists()


def test_at_the_root_of_a_repository_only_records_are_left_out(toys: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / ".git").mkdir(parents=True)
    toys("alias", "start", "toy", "--stdin", stdin="fuel 10%")
    assert "*.jsonl" in (tmp_path / "data" / ".gitignore").read_text().split()
    assert "*" not in (tmp_path / "data" / ".gitignore").read_text().split()


@pytest.mark.parametrize(("line", "is_warned"), [("*.o", True), ("*.jsonl", False), ("*", False)])
def test_what_somebody_else_ignores_stays_and_is_looked_at(
    start: Callable[[], str], tmp_path: Path, line: str, is_warned: bool
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".gitignore").write_text(f"{line}\n")
    assert ("git may track your records, which hold panes. Add the line *.jsonl to " in start()) == is_warned
    assert (tmp_path / "data" / ".gitignore").read_text() == f"{line}\n"
