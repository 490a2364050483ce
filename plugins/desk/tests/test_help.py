"""`tracker help`: words, commands, and what is neither."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from tracker.hosting.discovery import commands


def test_a_word_is_explained_in_any_spelling(program: Any) -> None:
    expected = "what a window cost: how far the provider's main meter moved, in percentage points (pp) or a count\n"
    for word in ("capacity", "Capacity"):
        assert program("help", word).ok() == f"capacity: {expected}"
    assert program("help", "pp").ok() == f"pp: {expected}"
    assert program("help", "lanes").ok().startswith("lanes: an agent that works in parallel")
    assert json.loads(program("--json", "help", "power").ok())["meaning"].startswith("the chance that")


def test_a_command_shows_its_help_and_the_word_of_its_name(program: Any) -> None:
    assert program("help", "status").ok() == program("status", "--help").ok()
    assert program("help", "alias", "start").ok() == program("alias", "start", "--help").ok()
    assert program("help").ok().startswith(program("--help").ok())
    both = program("help", "windows").ok()
    assert both.startswith("windows: a measured stretch of work with an id such as `W0-20`\n\nUsage: ")
    assert "A closed one has both but is not finalized yet; `tracker preview` marks both (open)" in " ".join(
        both.split()
    )
    assert both.endswith(program("windows", "--help").ok())


def test_the_words_are_listed(program: Any) -> None:
    words = program("help").ok().partition("\nWords (`tracker help WORD`):\n")[2]
    assert max(map(len, words.splitlines())) <= 80
    assert {"provider", "window", "ledger"} <= set(re.split(r"[,\s]+", words))
    assert program("help", "qqq").refused(2) == "error: No word or command 'qqq'. `tracker help` lists both."


def test_a_near_miss_is_named(program: Any) -> None:
    for wrong, right in (("capacty", "capacity"), ("doctr", "doctor"), ("medger", "ledger")):
        assert program("help", wrong).refused(2) == f"error: No word or command '{wrong}'. Did you mean {right}?"
    assert "Did you mean start?" in program("help", "alias", "strat").refused(2)
    assert "No word or command" in program("help", "\x1b[31m").refused(2)


def test_help_fits_a_narrow_pane(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "45")
    for name in ("", *commands()):
        wide = [line for line in program(*name.split(), "--help").ok().splitlines() if len(line) > 45]
        assert not wide, (name, wide)


def test_no_line_of_a_list_of_commands_ends_within_a_sentence(program: Any) -> None:
    for name in {"", *(name.rpartition(" ")[0] for name in commands()), "config", "plugins"}:
        listed = program(*name.split(), "--help").ok().partition("Commands:\n")[2]
        assert "..." not in listed, name


def test_an_example_that_is_broken_can_be_copied(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "45")
    helped = program("complete", "--help").ok()
    example = helped.partition("Example:\n")[2].partition("\n\n")[0]
    assert shlex.split(example.replace("\\\n", " "))[:4] == ["tracker", "complete", "--window", "W0-01"]


def test_a_meaning_fits_a_narrow_terminal(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = program("help", "capacity").ok()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "45")
    narrow = program("help", "capacity").ok()
    assert max(map(len, narrow.splitlines())) <= 45
    assert narrow.split() == whole.split()


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_an_error_fits_a_narrow_terminal_and_its_command_can_be_copied(program: Any) -> None:
    import pty

    main, side = pty.openpty()
    environment = os.environ | {"COLUMNS": "45", "TRACKER_DATA_DIR": str(program.root)}
    command = [sys.executable, "-m", "tracker.cli", "complete", "--window", "W0-09"]
    done = subprocess.run(command, stderr=side, env=environment, check=False)
    os.close(side)
    text = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 1
    first, *rest = text.splitlines()
    assert first.startswith("error: W0-09 holds no captures.")
    assert any("`tracker start PROVIDER --stdin --window W0-09`" in line for line in rest)
    assert max(len(line) for line in (first, *rest) if "`" not in line) <= 45
