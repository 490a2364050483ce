"""What the preview, the decision card and the doctor call things, and in which order."""

from __future__ import annotations

from typing import Any


def take(program: Any, verb: str, window: str, hour: int) -> None:
    time = f"2026-01-10T{hour:02}:00:00Z"
    program("alias", verb, "toy", "--stdin", "--window", window, "--captured-at", time, stdin=f"fuel {hour}%").ok()


def test_windows_of_snapshots_stand_in_their_natural_order(program: Any) -> None:
    for hour, window in enumerate(("W0-10", "W0-2", "W0-1")):
        take(program, "start", window, hour)
    shown = program("preview").ok()
    labels = [line.split(":")[0] for line in shown.partition("Snapshots:\n")[2].splitlines()]
    assert labels == ["  - toy W0-1", "  - toy W0-2", "  - toy W0-10"]


def test_the_doctor_says_that_there_is_nothing_to_do(program: Any) -> None:
    take(program, "start", "W1", 7)
    take(program, "start", "W2", 6)
    end = "1 record captured before an earlier line; nothing to do: the capture time decides\n"
    assert f"note: snapshots.jsonl: {end}" in program("doctor").ok()
