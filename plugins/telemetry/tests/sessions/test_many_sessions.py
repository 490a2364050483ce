"""Questions take as many steps of the database as there are requests, not as sessions times requests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugins.telemetry.tests.sessions.conftest import Home
from tracker_telemetry.sessions import store

FEW, MANY = 40, 160
PANE = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What grows with every hundredth step."""
    found = [0]
    connect = store._connect

    def step() -> None:
        found[0] += 1

    def counted(*given: Any) -> sqlite3.Connection:
        database = connect(*given)
        database.set_progress_handler(step, 100)
        return database

    monkeypatch.setattr(store, "_connect", counted)
    return found


@pytest.mark.parametrize("with_states", [False, True], ids=["requests", "client's totals"])
@pytest.mark.parametrize("command", [("usage",), ("usage", "window"), ("windows",), ("preview",), ("meters", "drift")])
def test_the_steps_grow_as_the_sessions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    message: Callable[..., str],
    state: Callable[..., str],
    steps: list[int],
    command: tuple[str, ...],
    with_states: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    taken = []
    for count in (FEW, MANY):
        home = Home(tmp_path / str(count))
        for phase, minute in (("start", 0), ("end", 50)):
            words = ("--stdin", "--force", "--window", "W1", "--captured-at", f"2026-11-20T10:{minute:02}:00Z")
            home.run("alias", phase, "claude", *words, stdin=PANE.format(10 + minute // 5))
        for number in range(count):
            name = f"s{number}"
            rows = [message(f"{name}-{at}", minute=1 + at, sessionId=name) for at in range(10)]
            own = [state(2000, 600, session=name, start=number)] if with_states else []
            (home.projects / f"{name}.jsonl").write_text("".join([*rows, *own]))
        assert home.total() == (10 * count, 1000 * count, 500 * count)
        steps[0] = 0
        assert home.run(*command).exit_code == 0
        taken.append(steps[0])
    assert 0 < taken[1] < 2 * MANY / FEW * taken[0], taken
