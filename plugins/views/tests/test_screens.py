"""Golden screens: what a terminal shows of each command that prints rows, at several widths, at a fixed instant.

`TRACKER_RECORD=1 pytest plugins/views/tests/test_screens.py -n 0` records them anew. Look at the difference.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from rich.cells import cell_len

SCREENS = Path(__file__).parent / "screens"
DATA = Path(__file__).parents[3] / "docs" / "pictures"
NOW = datetime(2026, 3, 12, 14, 30, tzinfo=UTC)
RECORDED = (80, 120)
WIDTHS = (40, *RECORDED, 160) if os.environ.get("TRACKER_SOAK") == "1" else (40, *RECORDED)
IS_RECORDING = bool(os.environ.get("TRACKER_RECORD"))
# what others record: they list all that is installed
UNRECORDED = {"help", "plugins", "plugin"}
COMMANDS = {
    "home": "home",
    "status": "status",
    "windows": "windows --last 4",
    "scoreboard": "scoreboard",
    "scoreboard-by-provider": "scoreboard --last 6",
    "preview": "preview --last 4",
    "plan": "plan",
    "compare": "compare",
    "meters": "meters --rows 4",
    "calibrate": "meters calibrate",
    "drift": "meters drift",
    "reconcile": "meters reconcile",
    "gate": "gate codex",
    "usage": "usage weekly",
    "usage-projects": "usage project",
    "usage-models": "usage --since 3d",
    "cost-compare": "cost-compare",
    "cost-compare-models": "cost-compare --by model",
    "window-audit": "window-audit --window W4-01",
    "evidence": "evidence add --window W3-14 --capability quota-meters --result pass --runner pytest",
    "decision-card": "decision-card --window W3-14",
    "doctor": "doctor",
    "undo": "undo --list",
    "plugins": "plugins list",
    "plugin": "plugins info codex",
    "config": "config list",
    "help": "--help",
    "empty-status": "--data-dir nothing status",
    "empty-home": "--data-dir nothing home",
}


NOTES = "支払い画面をなおした \N{ROCKET} and nothing else was changed in this window, says the reviewer"
PROJECT = "/home/dev/支払い-\N{ROCKET}"
SETTINGS = '[prices]\ncodex = "200/mo:4.3bars"\nclaude = "100/mo:4.3bars"\n'


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of invented records, notes in wide characters, and a proxy's stream."""
    from click.testing import CliRunner

    from tracker.cli.main import main

    sys.path.insert(0, str(DATA))
    from data import fill

    folder = tmp_path_factory.mktemp("screens")
    fill(folder, 28, NOW)
    (folder / "tracker.toml").write_text(SETTINGS)
    log = next((folder / ".claude" / "projects" / "shop-api").glob("2*.jsonl"))
    log.write_text(log.read_text().replace("/home/dev/shop-api", PROJECT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracker.session.Session.now", NOW)
        patch.setenv("HOME", str(folder))
        patch.setenv("TRACKER_DATA_DIR", "data")
        patch.setattr("time.time_ns", lambda: int(NOW.timestamp()) * 10**9)
        patch.chdir(folder)
        for arguments in (
            ("ingest", "proxy-telemetry", "--window", "W4-01", "--file", "proxy.jsonl"),
            ("complete", "--window", "W3-14", "--claude-features", "4", "--outcome", "pass", "--notes", NOTES),
            ("usage",),
        ):
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def shown(records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker_inside: Any) -> Any:
    """A command's screen; the records are a copy, and the session logs, which nothing writes to, stay where they are.

    A log in another place would be read and priced anew.
    """
    folder = tmp_path / "here"
    copytree(records, folder, ignore=lambda *_: [".claude", ".codex"])
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tracker.session.Session.now", NOW)
    monkeypatch.setenv("HOME", str(records))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(command: str, columns: int, **extra: str) -> str:
        own = {"TRACKER_DATA_DIR": "data", "COLUMNS": str(columns), "LINES": "40", "FORCE_COLOR": "1", "TERM": "dumb"}
        done = tracker_inside(*command.split(), **(own | extra))
        assert done.returncode in (0, 3, 4), done.stderr
        return str(done.stdout).replace(str(folder), "~")

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_a_screen_is_as_recorded_and_fits(shown: Any, name: str) -> None:
    problems = []
    # click folds no help below 50 columns
    for columns in WIDTHS[name == "help" :]:
        text = shown(COMMANDS[name], columns)
        # a command stays in one line, so that it can be copied
        lines = [line for line in text.splitlines() if not re.match(r"(?: +`?|Begin: )tracker ", line)]
        problems += [f"{columns}: {line}" for line in lines if cell_len(line) > columns]
        path = SCREENS / f"{name}-{columns}.txt"
        if columns not in RECORDED or name in UNRECORDED:
            continue
        if IS_RECORDING:
            path.write_text(text, encoding="utf-8")
        else:
            assert text == path.read_text(encoding="utf-8")
    assert not problems


@pytest.mark.parametrize("by", ["daily", "session", "project", "model"])
def test_a_phone_keeps_what_usage_is_asked_for(shown: Any, by: str) -> None:
    head, *rows = re.sub(r"\x1b\[[\d;]*m", "", shown(f"usage {by} --last 3", 40)).splitlines()
    assert head.split()[:1] == ["Period" if by == "daily" else by.capitalize()]
    assert {"Model", "Cost,", "Tokens"} <= set(head.split())
    [total] = [row for row in rows if row.startswith("total")]
    assert re.search(r"\$[\d.,]+ .* [\d.]+[MG]$", total)


def test_a_stale_figure_is_named_at_every_width(shown: Any) -> None:
    shown("alias delete claude --yes --phase after --window W3-14", 80)
    for columns in (45, 80, 130):
        said = " ".join(shown("preview", columns).split())
        assert (
            "claude W3-14 is stale: its captures changed after finalizing. `tracker decision-card --window W3-14`"
            in said
        )


@pytest.mark.parametrize("size", [(80, 24), (120, 34)])
def test_the_board_is_as_recorded(shown: Any, size: tuple[int, int]) -> None:
    from tracker.kernel import Session
    from tracker_views.board import Board

    session = Session()
    session.data_dir = Path("data")
    board = Board(session, "7d")

    async def text() -> str:
        async with board.run_test(size=size) as pilot:
            await board.workers.wait_for_complete()
            await pilot.wait_for_scheduled_animations()
            strips = board.screen._compositor.render_strips()
            return "".join(f"{strip.text.rstrip()}\n" for strip in strips)

    found = asyncio.run(text())
    assert all(cell_len(line) <= size[0] for line in found.splitlines())
    path = SCREENS / f"board-{size[0]}.txt"
    if IS_RECORDING:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_a_phone_shows_the_figures_that_matter(shown: Any) -> None:
    heads = {
        "windows --last 4": "Window Provider State Features Per unit",
        "scoreboard": "Group Provider Features Efficiency",
        "home": "Meter Used Reset in",
        "status": "Meter Used Reset in",
        "plan": "Meter Used 1 more fits Verdict",
        "compare": "Provider Features Per feature Per unit",
    }
    for command, head in heads.items():
        assert head in [" ".join(line.split()) for line in shown(command, 45).splitlines()], command


COLOUR = re.compile(r"\x1b\[[\d;]*m")
SETTING = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)[0-8](?=[;m])")


@pytest.mark.parametrize("command", ["home", "status", "plan", "meters"])
def test_colour_is_a_wish_and_says_nothing_alone(shown: Any, command: str) -> None:
    plain = shown(command, 80)  # on a dumb terminal
    assert not SETTING.search(plain)
    for arguments, extra, has_colour in (("", {}, True), ("--no-color ", {}, False), ("", {"NO_COLOR": "1"}, False)):
        text = shown(arguments + command, 80, **({"TERM": "xterm-256color"} | extra))
        assert bool(SETTING.search(text)) is has_colour
        assert COLOUR.sub("", text) == plain


def test_a_pipe_gets_no_table(shown: Any) -> None:
    for command in ("home", "status", "plan", "compare", "cost-compare", "undo --list", "plugins list", "doctor"):
        assert shown(command, 30, FORCE_COLOR="") == shown(command, 200, FORCE_COLOR="")
