"""The way of a pane, from its text to the stored record: few modules, few functions, one lock, streams opened once."""

from __future__ import annotations

import fcntl
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tracker

# at most
MODULES, FUNCTIONS = 10, 60
# where it is installed: from a checkout, or from a copy, as with pip
CORE = str(Path(tracker.__file__).parent) + "/"
RESETS = f"{datetime.now(UTC) + timedelta(days=3):resets 14:02 on %-d %b}"
PANE = f">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      [##] {{}}% left\n  Weekly limit:  [##] {{}}% left ({RESETS})\n"


def is_import(frame: FrameType | None) -> bool:
    """Whether a function is called by an import."""
    while frame is not None and "importlib" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


class Trace:
    """The functions of the kernel that are called between two moments; inner ones count with their function."""

    def __init__(self) -> None:
        # in the order of their first call
        self.functions: dict[tuple[str, str], None] = {}

    def start(self) -> None:
        sys.setprofile(self._called)

    def stop(self) -> None:
        sys.setprofile(None)

    @property
    def modules(self) -> dict[str, list[str]]:
        """The functions of each module."""
        found: dict[str, list[str]] = {}
        for module, function in self.functions:
            found.setdefault(module, []).append(function)
        return found

    def __str__(self) -> str:
        """The path as `pytest -s` shows it."""
        rows = [f"{module:24} {' '.join(functions)}" for module, functions in self.modules.items()]
        return "\n".join([f"{len(rows)} modules, {len(self.functions)} functions", *rows])

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(CORE) or code.co_name.startswith("<"):
            return
        if not is_import(frame):
            name = code.co_filename.removeprefix(CORE), code.co_qualname.partition(".<locals>")[0]
            self.functions.setdefault(name)


COUNTED: Counter[str] | None = None


def count(event: str, arguments: tuple[Any, ...]) -> None:
    if COUNTED is None:
        return
    if event == "open" and str(arguments[0]).endswith(".jsonl"):
        COUNTED[Path(str(arguments[0])).name] += 1
    elif event == "fcntl.flock" and arguments[1] & fcntl.LOCK_EX:
        COUNTED["lock"] += 1


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each stream is opened, and a lock is taken."""
    global COUNTED
    COUNTED = found = Counter()
    sys.addaudithook(count)  # for the life of the process, every later test of which it slows down: so not before
    try:
        yield found
    finally:
        COUNTED = None


def test_from_the_text_to_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from tracker.cli.commands import capture
    from tracker.cli.main import main
    from tracker.journal.journal import Journal

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("AGENT_ID", raising=False)

    def run(verb: str, pane: str) -> None:
        done = CliRunner().invoke(main, ["alias", verb, "codex", "--stdin"], input=pane)
        assert done.exit_code == 0, done.output

    run("start", PANE.format(90, 80))
    trace, appended = Trace(), Counter[str]()
    take_text, append_all = capture.take_text, Journal.append_all

    def take(*given: Any) -> str:
        text = take_text(*given)
        trace.start()
        return text

    def append(journal: Journal, records: Any) -> Any:
        places = append_all(journal, records)
        appended.update(list(records))
        if "snapshots" in records:
            trace.stop()
        return places

    monkeypatch.setattr(capture, "take_text", take)
    monkeypatch.setattr(Journal, "append_all", append)
    with counted() as found:
        try:
            run("end", PANE.format(70, 62))
        finally:
            trace.stop()
    assert found.pop("lock") == 1
    assert max(found.values()) <= 2, found
    assert appended["snapshots"] == max(appended.values()) == 1
    assert ("windows/window.py", "store") in trace.functions
    # the pane shows a reset, as those of vendors do
    assert ("contract/readings.py", "Meter.longest") in trace.functions
    print(f"\n{trace}")
    assert (len(trace.modules) <= MODULES, len(trace.functions) <= FUNCTIONS) == (True, True), str(trace)
