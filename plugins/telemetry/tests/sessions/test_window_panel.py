"""The tokens and the money of windows in a preview's text, which are kept as long as nothing changes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker_telemetry import prices
from tracker_telemetry.sessions import window_cells, window_panel

PANE = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
WORDS = "--stdin", "--force", "--window"
HEAD = "Tokens and money:\n"
OWN = '[[model]]\nname = "claude-opus-4-6"\ninput = 1.0\noutput = 100.0\ncache_read = 0.1\ncache_write = 1.0\n'


def capture(home: Any, phase: str, minute: int, used: int, window: str = "W1") -> None:
    at = f"2026-11-20T10:{minute:02}:00Z"
    done = home.run("alias", phase, "claude", *WORDS, window, "--captured-at", at, stdin=PANE.format(used))
    assert done.exit_code == 0, done.output


@pytest.fixture
def worked(home: Any, message: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A finalized window with two requests, whose preview was shown twice."""
    own = home.folder / "own" / "prices.toml"
    own.parent.mkdir()
    monkeypatch.setattr(prices, "user_file", lambda: own)
    capture(home, "start", 0, 10)
    capture(home, "end", 30, 20)
    home.run("complete", "--window", "W1", "--claude-features", "2")
    (home.projects / "s1.jsonl").write_text(message("a", minute=5) + message("b", minute=6))
    # the first one reads the logs, so that only the second one finds all as it was
    assert [shown(home), shown(home)] == [
        "  - W1 claude: 300 tokens, 2 requests, $0.0035; 150 tokens and $0.0018 per feature\n"
    ] * 2
    return home


def shown(home: Any, *more: str) -> str:
    done = home.run("preview", *more)
    assert done.exit_code == 0, done.output
    return str(done.stdout.partition(HEAD)[2])


def fail(*_given: object) -> Any:
    raise AssertionError("it was asked again")


def test_what_did_not_change_is_not_asked_again(worked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(worked)
    monkeypatch.setattr(window_cells, "cells", fail)
    assert shown(worked) == before != ""
    capture(worked, "end", 30, 20)  # once more: the times of no window change
    assert shown(worked) == before


def test_a_start_that_finds_it_kept_imports_no_database(worked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import sys
from tracker.cli.main import main
try:
    main(["preview"])
except SystemExit:
    print(sorted({"tracker_telemetry.sessions.store", "duckdb", "genai_prices", "platformdirs"} & set(sys.modules)))
"""
    for name, value in (("HOME", worked.folder), ("TRACKER_DATA_DIR", worked.data), ("TZ", "UTC")):
        monkeypatch.setenv(name, str(value))
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def imported() -> str:
        return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    # another place of the user's prices than in this process
    first, again = imported(), imported()
    assert HEAD in first
    assert first.replace(first.splitlines()[-1], "[]") == again


def append(home: Any, message: Callable[..., str]) -> None:
    with (home.projects / "s1.jsonl").open("a") as file:
        file.write(message("c", minute=7))


def delete(home: Any, _message: Callable[..., str]) -> None:
    (home.projects / "s1.jsonl").unlink()


def begin_later(home: Any, _message: Callable[..., str]) -> None:
    capture(home, "start", 6, 10)


def count_features(home: Any, _message: Callable[..., str]) -> None:
    home.run("complete", "--window", "W1", "--claude-features", "4")


def change_prices(home: Any, _message: Callable[..., str]) -> None:
    (home.folder / "own" / "prices.toml").write_text(OWN)


def overlap(home: Any, _message: Callable[..., str]) -> None:
    for phase, minute in (("start", 5), ("end", 20)):
        done = home.run(
            "--agent",
            "b",
            "alias",
            phase,
            "claude",
            *WORDS,
            "W2",
            "--captured-at",
            f"2026-11-20T10:{minute:02}:00Z",
            stdin=PANE.format(30 + minute),
        )
        assert done.exit_code == 0, done.output


CHANGES = [append, delete, begin_later, count_features, change_prices, overlap]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_it_is_seen(worked: Any, message: Callable[..., str], change: Callable[..., None]) -> None:
    before = shown(worked)
    change(worked, message)
    after = [shown(worked) for _ in range(3)]
    (worked.data / ".index" / window_panel.FILE).unlink()
    assert after == [shown(worked)] * 3
    # a deleted file's requests stay counted
    assert (after[0] == before) == (change is delete)


def test_a_spoilt_answer_is_made_anew(worked: Any) -> None:
    path, before = worked.data / ".index" / window_panel.FILE, shown(worked)
    kept = json.loads(path.read_text())
    for spoilt in (path.read_text().replace("300 tokens", "900 tokens"), "{", "[]", json.dumps({**kept, "prices": 5})):
        path.write_text(spoilt)
        assert shown(worked) == before
    assert "300 tokens" in path.read_text()


def test_what_was_warned_of_is_said_again(worked: Any) -> None:
    own: Path = worked.folder / "own" / "prices.toml"
    own.write_text("[[model]\n")
    said = [worked.run("preview") for _ in range(3)]
    assert [one.exit_code for one in said] == [0, 0, 0]
    assert all(str(own) in one.stderr for one in said), said[-1].stderr
    own.unlink()
    assert "$0.0035" in shown(worked)


def test_a_long_history_names_the_command_that_has_it(worked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_panel, "MOST_WINDOWS", 0)
    assert shown(worked) == "  - not shown for more than 0 windows: `tracker windows` lists them\n"
    assert "300" in worked.run("windows").stdout


def test_without_requests_there_is_no_heading(home: Any) -> None:
    capture(home, "start", 0, 10)
    assert "Tokens" not in home.run("preview").stdout


def test_what_could_not_be_read_is_said_and_looked_at_again(
    worked: Any, message: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens of a window looked exact without the files that nobody could read."""
    zstandard = pytest.importorskip("zstandard")
    path = worked.projects / "s2.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(message("c", minute=7).encode()))
    said = "windows may have used more: some session logs could not be read. `tracker usage` lists them."
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "zstandard", None)
        assert ["300 tokens" in shown(worked) for _ in range(3)] == [True] * 3
        for command in ("preview", "windows", "scoreboard", "handoff"):
            assert worked.run(command).stderr.count(said) == 1, command
        # before the window began
        os.utime(path, (0, 0))
        assert [said in worked.run(command).stderr for command in ("preview", "windows")] == [False, False]
    assert "450 tokens" in shown(worked)
    assert said not in worked.run("windows").stderr
