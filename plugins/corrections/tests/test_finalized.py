"""What a finalized window lost is said, and the command that is named mends it."""

from __future__ import annotations

from typing import Any

T = [f"2026-01-10T{hour:02}:00:00Z" for hour in range(24)]


def take(program: Any, verb: str, hour: int, fuel: int, *more: str) -> Any:
    done = program(verb, "toy", "--stdin", "--captured-at", T[hour], *more, stdin=f"fuel {fuel}%")
    done.ok()
    return done


def test_undo_says_what_a_finalized_window_lost(program: Any) -> None:
    """It was finalized from another lane: the AFTER left it without a word."""
    take(program, "start", 8, 20)
    take(program, "end", 9, 27)
    program("complete", "--window", "W0-01", "--toy-features", "3", lane="b").ok()
    done = program("undo", "--yes")
    done.ok()
    assert done.err == (
        "note: W0-01 was finalized with this capture and is stale: its toy AFTER is missing. `tracker end toy --stdin"
        " --window W0-01` captures it again, or `tracker complete --reopen --window W0-01` reopens the window\n"
    )
    text = program("handoff", "--dry-run").ok()
    steps = text.partition("## Next command")[2].partition("\n## ")[0]
    assert steps.count("tracker end toy --stdin --window W0-01") == 1


def test_the_card_says_that_features_cost_nothing(program: Any) -> None:
    for window, verb, hour in (
        ("W0-01", "start", 8),
        ("W0-01", "end", 9),
        ("W0-02", "start", 10),
        ("W0-02", "end", 11),
    ):
        take(program, verb, hour, 27 if window == "W0-02" else 10 + hour, "--window", window)
    for window in ("W0-01", "W0-02"):
        program("complete", "--window", window, "--toy-features", "2").ok()
    card = program("decision-card", "--window", "W0-02").out
    assert "It is finalized. The capacity meter of toy did not move, so these features cost nothing." in card
    assert "cost nothing" not in program("decision-card", "--window", "W0-01").out
