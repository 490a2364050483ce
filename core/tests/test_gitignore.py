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
    assert "/.gitignore. To commit them, delete that file." in start()
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
