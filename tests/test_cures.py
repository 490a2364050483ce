"""Commands that the program tells somebody to type work: each is typed as it is printed, on records like those."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

Run = Callable[..., Any]
PRINTED = re.compile(r"`tracker ([^`]+)`|^ *(?:[Nn]ext:|.*cure:)? *tracker ((?:[\w-]+|'[^']*')(?: .+)?)$", re.M)
SCREENS = (
    "home",
    "status",
    "windows",
    "preview",
    "plan",
    "gate toy",
    "scoreboard",
    "doctor",
    "meters",
    "handoff",
    "undo --list",
    *(f"decision-card --window {window}" for window in ("W1", "W2", "W3", "W4", "W5")),
    *(f"window-audit --window {window}" for window in ("W1", "W2", "W3", "W4", "W5")),
    "complete --window W3",
    "complete --window W4",
    "compare",
    "churn --window W1",
)
# what a person fills in
BLANKS = {"N": "1", "Q": "1", "WORD": "pass", "PROVIDER": "toy", "W": "W1", "...": "", "TIME": "1d"}


@pytest.fixture
def records(toys: Run, tmp_path: Path) -> Path:
    """A window that is finalized, one that changed since, one that is closed, one that fell, and an open one."""
    hour = 8
    for window, panes in {
        "W1": ("fuel 10%", "fuel 12%"),
        "W2": ("fuel 12%", "fuel 15%"),
        "W3": ("fuel 15%", "fuel 20%"),
        "W4": ("fuel 30%", "fuel 20%"),
        "W5": ("fuel 20%",),
    }.items():
        for word, pane in zip(("start", "end"), panes, strict=False):
            at = ("--captured-at", f"2026-01-10T{hour:02}:00:00Z")
            ok(toys(word, "toy", "--stdin", "--window", window, *at, stdin=pane, AGENT_ID="sub1"))
            hour += 1
        if window in ("W1", "W2"):
            ok(toys("complete", "--window", window, "--toy-features", "2"))
    ok(toys("alias", "delete", "toy", "--window", "W2", "--phase", "after", "--yes"))
    return tmp_path


def test_every_command_that_is_printed_is_one(records: Path, toys: Run, tmp_path_factory: Any) -> None:
    typed: dict[str, str] = {}
    for screen in SCREENS:
        done = toys(*screen.split())
        files = [path.read_text() for path in records.rglob("SESSION_HANDOFF.md")]
        for found in PRINTED.finditer("\n".join((done.stdout, done.stderr, *files))):
            command = (found[1] or found[2]).strip()
            # programs of the project, which this process does not start, and commits, which there are none of
            if not command.startswith("uat ") and "COMMIT" not in command:
                typed.setdefault(command, screen)
    assert len(typed) > 20
    wrong = []
    for command, screen in typed.items():
        words = [BLANKS.get(word, word) for word in shlex.split(command)]
        kept = tmp_path_factory.mktemp("kept") / "data"
        shutil.copytree(records / "data", kept)
        done = toys("--data-dir", str(kept), *filter(None, words), stdin="fuel 25%")
        if done.returncode not in (0, 3, 4):
            wrong.append(f"{screen}: tracker {command}: {done.stderr}")
    assert not wrong


def test_a_command_is_printed_with_the_data_directory_that_was_given(records: Path, toys: Run) -> None:
    (records / "data").rename(records / "a b")
    printed = []
    more = ("start toy --stdin --window Z9-77 --agent other", "end toy --stdin --window W3")
    for screen in (*SCREENS, *more):
        done = toys("--data-dir", "a b", *screen.split(), stdin="fuel 5%")
        has_cures = screen.split()[0] in ("home", "status", "doctor", "decision-card", "window-audit", "plan", "gate")
        text = f"{done.stdout if has_cures else ''}\n{done.stderr}"
        printed += [found[1] or found[2] for found in PRINTED.finditer(text)]
    assert len(printed) > 10
    assert not [one for one in printed if not one.startswith("--data-dir 'a b' ")]


def test_what_somebody_wrote_is_printed_as_it_stands(toys: Run) -> None:
    place, wrote = ("--data-dir", "a b"), "next: tracker end toy, or `tracker cross toy`"
    for word in ("start", "end"):
        ok(toys(*place, word, "toy", "--stdin", "--window", "W1", "--notes", wrote, stdin="fuel 5%"))
    assert f"notes={wrote})" in ok(toys(*place, "preview"))


def test_undo_is_printed_with_the_lane_that_was_given(toys: Run) -> None:
    given = ("--stdin", "--window")
    ok(toys("start", "toy", *given, "W1", "--agent", "sub1", stdin="fuel 5%"))
    ok(toys("start", "toy", *given, "W2", stdin="fuel 5%"))
    said = toys("end", "toy", *given, "W1", "--agent", "sub2", stdin="fuel 9%").stderr
    [typed] = [found for found in PRINTED.findall(said) if found[0].startswith("undo")]
    assert typed[0] == "undo --agent sub2"
    assert "undid `tracker end toy" in ok(toys(*typed[0].split(), "--yes"))
