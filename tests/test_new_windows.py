"""A window id that no record knows is asked about on a terminal: a slip is found before it is stored."""

from __future__ import annotations

import json
import os
import pty
import select
import time
from pathlib import Path

import pytest
from warm import started

PANE = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      [##] 90% left\n  Weekly limit:  [##] 80% left\n"


def answered(folder: Path, arguments: list[str], answer: str, **environment: str) -> tuple[int, str]:
    """The status and the words of a command on a terminal, whose question is answered."""
    outer, inner = pty.openpty()
    given = {**os.environ, "TRACKER_DATA_DIR": str(folder / "data"), "TERM": "dumb", **environment}
    process = started(arguments, (inner, inner, inner), folder, given)
    os.close(inner)
    said, end = "", time.monotonic() + 60
    has_answered = False
    while time.monotonic() < end:
        if select.select([outer], [], [], 1)[0]:
            try:
                said += os.read(outer, 65536).decode()
            except OSError:  # how Linux says that the other end was closed
                break
        if ("[Y/n]" in said or "[y/N]" in said) and not has_answered:
            os.write(outer, answer.encode())
            has_answered = True
    os.close(outer)
    return process.wait(10), said


@pytest.mark.parametrize(
    ("answer", "stored"), [("n\n", ["W0-01"]), ("y\n", ["W0-01", "W7-01"]), ("\n", ["W0-01", "W7-01"])]
)
def test_it_is_asked_about(tmp_path: Path, answer: str, stored: list[str]) -> None:
    (tmp_path / "pane.txt").write_text(PANE)
    words = ["start", "codex", "pane.txt", "--window"]
    # a pane that follows on nothing is the first one: nobody is asked
    status, said = answered(tmp_path, [*words, "W0-01"], "")
    assert (status, "[Y/n]" in said) == (0, False)
    status, said = answered(tmp_path, [*words, "W7-01"], answer)
    assert "W7-01 is a new window. Go on? [Y/n]" in said
    assert (status, "error: Nothing was stored." in said) == ((1, True) if answer == "n\n" else (0, False))
    rows = (tmp_path / "data" / "snapshots.jsonl").read_text().splitlines()
    assert [json.loads(row)["window"] for row in rows] == stored


@pytest.mark.parametrize(("answer", "stored"), [("\n", ["W0-01"]), ("y\n", ["W0-01", "W0-O1"])])
def test_a_likely_slip_is_not_taken_by_a_mere_return(tmp_path: Path, answer: str, stored: list[str]) -> None:
    (tmp_path / "pane.txt").write_text(PANE)
    words = ["start", "codex", "pane.txt", "--window"]
    answered(tmp_path, [*words, "W0-01"], "")
    _, said = answered(tmp_path, [*words, "W0-O1"], answer)
    assert "W0-O1 is a new window. Did you mean W0-01? Go on? [y/N]" in said
    rows = (tmp_path / "data" / "snapshots.jsonl").read_text().splitlines()
    assert [json.loads(row)["window"] for row in rows] == stored
