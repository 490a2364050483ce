"""What a command does to a window that was finalized is said, and the command that is named mends it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

T = [f"2026-01-10T{hour:02}:00:00Z" for hour in range(24)]


def take(program: Any, verb: str, hour: int, fuel: int, *more: str) -> Any:
    done = program(verb, "toy", "--stdin", "--captured-at", T[hour], *more, stdin=f"fuel {fuel}%")
    done.ok()
    return done


@pytest.fixture
def finished(program: Any) -> Any:
    take(program, "start", 8, 20)
    take(program, "end", 9, 27)
    program("complete", "--window", "W0-01", "--toy-features", "3").ok()
    return program


def test_a_before_in_a_finalized_window_names_its_figures_and_the_window_that_was_meant(finished: Any) -> None:
    said = (
        "note: W0-01 is finalized (toy: features=3, capacity=7 pp). If you meant {}, `tracker undo` takes this BEFORE"
    )
    assert said.format("W0-02, the next window") in take(finished, "start", 10, 27, "--window", "W0-01").err
    finished("undo", "--yes").ok()
    assert "is finalized" not in take(finished, "start", 10, 27).err
    assert "is finalized" not in take(finished, "end", 11, 28).err
    take(finished, "start", 12, 28)
    assert said.format("W0-03, which is open") in take(finished, "start", 13, 28, "--window", "W0-01").err
    # other commands of the provider opened nothing, nor did an AFTER of before that BEFORE, nor what is not stored
    assert "If you meant" not in finished("churn", "--window", "W0-01", "--provider", "toy").err
    assert "If you meant" not in take(finished, "end", 9, 27, "--window", "W0-01").err
    assert "If you meant" not in take(finished, "start", 14, 28, "--window", "W0-01", "--dry-run").err


def test_what_a_later_row_replaces_is_said(finished: Any) -> None:
    said = "note: this replaces toy: features=3, capacity=7 pp\n"
    again = ("complete", "--window", "W0-01")
    assert "replaces" not in finished(*again, "--outcome", "pass").err
    assert said in finished(*again, "--toy-features", "1").err
    assert "replaces" not in finished(*again, "--toy-features", "3", "--dry-run").err
    finished("undo", "--yes").ok()
    take(finished, "end", 10, 30, "--window", "W0-01")
    assert said in finished(*again).err
    finished(*again, "--reopen").ok()
    assert "replaces" not in finished(*again, "--toy-features", "3").err


def test_undo_says_what_a_finalized_window_lost(program: Any) -> None:
    """It was finalized from another lane: the AFTER left it without a word."""
    take(program, "start", 8, 20)
    take(program, "end", 9, 27)
    program("complete", "--window", "W0-01", "--toy-features", "3", lane="b").ok()
    done = program("undo", "--yes")
    done.ok()
    assert done.err == (
        "note: W0-01 was finalized with it and is stale: its toy AFTER is missing. `tracker end toy --stdin --window"
        " W0-01` captures it again, or `tracker complete --reopen --window W0-01` opens the window\n"
    )
    text = program("handoff", "--dry-run").ok()
    steps = text.partition("## Next command")[2].partition("\n## ")[0]
    assert steps.count("tracker end toy --stdin --window W0-01") == 1


def test_features_that_cost_nothing_are_said(finished: Any) -> None:
    take(finished, "start", 10, 27)
    take(finished, "end", 11, 27)
    done = finished("complete", "--window", "W0-02", "--toy-features", "2")
    assert "note: toy: fuel did not move from BEFORE to AFTER, so 2 features cost nothing\n" in done.err
    card = finished("decision-card", "--window", "W0-02").out
    assert "It is finalized. The capacity meter of toy did not move: its features cost nothing." in card
    assert "cost nothing" not in finished("decision-card", "--window", "W0-01").out
    assert "did not move" not in finished("complete", "--window", "W0-02", "--toy-features", "0").err


def test_a_before_that_was_replaced_can_be_made_to_count(finished: Any) -> None:
    """`start` was typed for `end`, and then `end`: the window held no work."""
    for verb, hour, fuel in (("start", 10, 27), ("start", 12, 30), ("end", 13, 30)):
        take(finished, verb, hour, fuel)
    words = ("complete", "--window", "W0-02", "--toy-features", "2")
    note = finished(*words).err.rpartition("cost nothing. If the work began at the BEFORE of ")[2]
    assert "10:00, `tracker alias delete toy --phase before --window W0-02 --yes` lets that count" in note
    finished(*shlex.split(note.split("`")[1])[1:]).ok()
    done = finished(*words)
    assert "capacity=3 pp" in done.ok()
    assert "cost nothing" not in done.err
