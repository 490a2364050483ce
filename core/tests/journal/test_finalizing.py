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
        "error: W1 cannot be finalized: missing toy BEFORE: that of 2026-01-10T12:00:00Z is later than the AFTER of"
        " 2026-01-10T11:00:00Z and does not count; take the one whose time is wrong back with"
        " `tracker alias delete toy --phase before --window W1` or"
        " `tracker alias delete toy --phase after --window W1`, and capture it again"
    )
    program("alias", "delete", "toy", "--phase", "before", "--window", "W1").ok()
    take(program, "start", "fuel 20%", 10)
    program("complete", "--window", "W1", "--toy-features", "1").ok()


def test_a_second_row_says_what_it_does_not_repeat(program: Any) -> None:
    take(program, "start", "fuel 20%", 6)
    take(program, "end", "fuel 30%", 7)
    first = [
        "--toy-features",
        "2",
        "--quality",
        "0.8",
        "--outcome",
        "pass",
        "--methodology",
        "m1",
        "--feature-id",
        "F-1",
        "--spec-id",
        "S",
    ]
    done = program("complete", "--window", "W1", *first, "--notes", "well")
    assert "finalized before" not in done.err
    done = program("complete", "--window", "W1", *first, "--notes", "better")
    assert done.err == ""
    done = program("complete", "--window", "W1", "--outcome", "fail")
    assert (
        "note: W1 was finalized before and the latest row counts; not given again: quality 0.8, methodology m1,"
        " spec id S, notes, feature ids, toy features 2\n"
    ) in done.err
    assert "not given again" not in program("complete", "--window", "W1", "--outcome", "pass").err


def test_of_several_lanes_pairs_the_one_that_counts_is_named(program: Any) -> None:
    for lane, hour in (("main", 6), ("sub1", 7), ("", 5)):
        take(program, "start", f"fuel {hour}%", hour, lane)
        take(program, "end", f"fuel {hour + 10}%", hour + 3, lane)
    take(program, "start", "fuel 1%", 6, "sub2")  # no pair
    done = program("complete", "--window", "W1", "--toy-features", "1")
    assert done.err == (
        "note: toy: the pair of lane sub1 counts (2026-01-10T07:00:00Z to 2026-01-10T10:00:00Z); what the lane without"
        " a name, lane main measured is in `tracker window-audit --window W1`\n"
    )
