"""What `complete` says of pairs that cannot count, of those that do, and of the row that it replaces."""

from __future__ import annotations

from typing import Any


def take(program: Any, verb: str, pane: str, hour: int, lane: str = "") -> None:
    time = f"2026-01-10T{hour:02}:00:00Z"
    done = program("alias", verb, "toy", "--stdin", "--window", "W1", "--captured-at", time, stdin=pane, lane=lane)
    assert done.status == 0, done.err


def test_a_before_behind_its_after_is_named_with_a_cure_that_works(program: Any) -> None:
    take(program, "start", "fuel 20%", 12)
    take(program, "end", "fuel 30%", 11)
    assert program("complete", "--window", "W1").refused() == (
        "error: W1 cannot be finalized: the toy BEFORE of 2026-01-10T12:00:00Z is later than its AFTER of"
        " 2026-01-10T11:00:00Z, so it does not count; take the one whose time is wrong back with"
        " `tracker alias delete toy --phase before --window W1` or"
        " `tracker alias delete toy --phase after --window W1`, and capture it again"
    )
    program("alias", "delete", "toy", "--phase", "before", "--window", "W1").ok()
    take(program, "start", "fuel 20%", 10)
    program("complete", "--window", "W1", "--toy-features", "1").ok()
