"""However files grow, go and come back, commands end or are killed, and the index goes: the figures are right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tracker.journal.journal import Journal
from tracker.kernel import TrackerError
from tracker_telemetry.sessions import store

Make = Callable[..., str]
STEPS = ("request 0", "request 1", "grow 0", "grow 1", "go 0", "back 0", "go 1", "back 1", "no index", "killed", "busy")


class Logs:
    """Two files of one session and day, in two projects, and what they ever held."""

    def __init__(self, home: Any, message: Make) -> None:
        self.home, self.message, self.minute = home, message, 0
        self.outputs: dict[str, int] = {}
        for place in (home.data, *home.projects.glob("*"), home.folder / "away"):
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        (home.folder / "away").mkdir()

    def step(self, step: str) -> None:
        kind, _, name = step.rpartition(" ")
        here, away = self.home.projects / f"{name}.jsonl", self.home.folder / "away" / name
        if kind == "request" and not away.exists():
            self.write(here, f"{name}-{self.minute}", 50)
        elif kind == "grow" and here.exists():
            # a message that grew while the index was away, on a day that lost something, is not told from what is lost
            self.check()
            known = [one for one in self.outputs if one.startswith(name)]
            self.write(here, known[-1], self.outputs[known[-1]] + 7)
            self.check()
        elif kind == "go" and here.exists():
            self.check()
            here.rename(away)
        elif kind == "back" and away.exists():
            away.rename(here)
        elif step == "no index":
            shutil.rmtree(self.home.data / ".index", ignore_errors=True)
        elif step == "killed":
            with mock.patch.object(store.Store, "_keep", killed(store.Store._keep)):
                assert isinstance(self.home.run("usage").exception, ZeroDivisionError)
        elif step == "busy":
            with mock.patch.object(Journal, "append", side_effect=TrackerError("The lock is busy.")):
                self.check()

    def write(self, path: Path, name: str, output: int) -> None:
        self.minute += 1
        where = f"/home/dev/code/{path.stem}"
        with path.open("a") as file:
            file.write(self.message(name, output, self.minute % 60, cwd=where))
        self.outputs[name] = output

    def check(self) -> None:
        true = len(self.outputs), 100 * len(self.outputs), sum(self.outputs.values())
        assert self.home.total() == true
        assert self.home.total("window") == true


def killed(keep: Callable[..., None]) -> Callable[..., None]:
    """The journal has it, and the index does not: it is rolled back as if the process had been killed."""

    def die(self: store.Store, source: Any, prices: str) -> None:
        keep(self, source, prices)
        if source.stream == "claude_sessions":
            raise ZeroDivisionError

    return die


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=12))
@example(["request 0", "request 1", "request 1", "go 1", "no index", "request 0", "request 0", "no index", "back 1"])
@example(["request 0", "request 1", "go 1", "no index", "request 0", "busy", "killed", "grow 0", "request 0"])
def test_the_figures_are_those_of_all_requests(home: Any, message: Make, steps: list[str]) -> None:
    logs = Logs(home, message)
    for step in steps:
        logs.step(step)
    for _ in range(2):
        logs.check()
        logs.step("no index")
