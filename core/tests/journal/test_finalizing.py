"""What `complete` says of pairs that cannot count, of those that do, and of the row that it replaces."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest


def take(program: Any, verb: str, pane: str, hour: int, lane: str = "") -> None:
    time = f"2026-01-10T{hour:02}:00:00Z"
    done = program("alias", verb, "toy", "--stdin", "--window", "W1", "--captured-at", time, stdin=pane, lane=lane)
    assert done.status == 0, done.err


def test_a_before_behind_its_after_is_named_with_a_cure_that_works(program: Any) -> None:
    words = ["ingest", "toy", "--window", "W1", "--phase", "after", "--stdin", "--captured-at", "2026-01-10T11:00:00Z"]
    program(*words, stdin="fuel 20%").ok()
    take(program, "start", "fuel 20%", 12)
    assert program("complete", "--window", "W1").refused() == (
        "error: W1 cannot be finalized: missing toy BEFORE (the one captured is later than the AFTER of toy)."
        " Capture a new AFTER with `tracker end toy --stdin --window W1`."
    )
    take(program, "end", "fuel 30%", 13)
    program("complete", "--window", "W1", "--toy-features", "1").ok()


@pytest.mark.parametrize("place", [0, 1])
def test_an_after_without_a_before_is_taken_out_or_gets_one(program: Any, place: int) -> None:
    take(program, "start", "fuel 20%", 6)
    take(program, "end", "fuel 30%", 7)
    words = [
        "ingest",
        "tally",
        "--window",
        "W1",
        "--phase",
        "after",
        "--stdin",
        "--captured-at",
        "2026-01-10T11:00:00Z",
    ]
    program(*words, stdin="5").ok()
    refused = program("complete", "--window", "W1", "--toy-features", "1").refused()
    assert refused == (
        "error: W1 cannot be finalized: missing tally BEFORE. Take its AFTER out with"
        " `tracker alias delete tally --phase after --window W1`, or store an older pane, from time T:"
        " `tracker start tally --stdin --window W1 --captured-at T`."
    )
    cure = shlex.split(refused.split("`")[1::2][place])[1:]
    program(*("2026-01-10T10:00:00Z" if word == "T" else word for word in cure), stdin="3").ok()
    said = program("complete", "--window", "W1", "--toy-features", "1").ok()
    assert ("tally: features=n/a, capacity=2 calls" in said) == bool(place)


@pytest.mark.parametrize("lane", ["main", ""])
def test_the_cure_of_a_fallen_meter_works_in_the_lane_of_its_captures(program: Any, lane: str) -> None:
    take(program, "start", "fuel 30%", 6, lane)
    take(program, "end", "fuel 20%", 7, lane)
    refused = program("complete", "--window", "W1").refused()
    again, delete = refused.split("`")[1::2]
    assert (again.endswith(" --agent main"), delete.endswith(" --agent main")) == (bool(lane), bool(lane))
    program(*shlex.split(again)[1:], stdin="fuel 40%").ok()
    program("complete", "--window", "W1", "--toy-features", "1").ok()


def test_a_second_row_keeps_what_it_does_not_name(program: Any) -> None:
    take(program, "start", "fuel 20%", 6)
    take(program, "end", "fuel 30%", 7)
    first = ["--toy-features", "3", "--quality", "0.8", "--methodology", "m1", "--feature-id", "F-1", "--spec-id", "S"]
    assert program("complete", "--window", "W1", *first, "--notes", "well").err == ""
    done = program("complete", "--window", "W1", "--outcome", "pass")
    kept = "toy features 3, quality 0.8, notes, methodology m1, spec id S, feature ids"
    assert done.err == f"note: kept from the earlier row of W1: {kept}\n"
    shown = program("preview", "--window", "W1").ok()
    assert "features=3, capacity=10 pp, efficiency=0.30" in shown
    assert "Outcome: quality=0.8, outcome=pass\nNotes: well\n" in shown


def test_a_field_is_cleared_and_a_window_reopened(program: Any) -> None:
    take(program, "start", "fuel 20%", 6)
    take(program, "end", "fuel 30%", 7)
    program("complete", "--window", "W1", "--toy-features", "3", "--quality", "0.8", "--outcome", "pass").ok()
    program("complete", "--window", "W1", "--clear", "quality", "--clear", "toy-features").ok()
    shown = program("preview", "--window", "W1").ok()
    assert "features-missing" in shown
    assert "quality=n/a, outcome=pass" in shown
    message = program("complete", "--window", "W1", "--clear", "colour").refused()
    assert message.startswith("error: Unknown field 'colour'. Expected one of commit-end,")
    # of every provider, also of one that the earlier row does not name
    assert "tally-features, toy-features" in message
    assert program("complete", "--window", "W1", "--reopen").ok() == "reopened W1 (2 finalize rows taken back)\n"
    assert "(open)" in program("preview", "--window", "W1").ok()
    assert "is not finalized" in program("complete", "--window", "W1", "--reopen").refused()


def test_quality_and_outcome_that_are_none_need_force(program: Any) -> None:
    take(program, "start", "fuel 20%", 6)
    take(program, "end", "fuel 30%", 7)
    message = program("complete", "--window", "W1", "--quality", "7").refused(2)
    assert "Invalid quality 7. Expected a number from 0 to 1, or --force." in message
    message = program("complete", "--window", "W1", "--outcome", "great").refused(2)
    assert "Invalid outcome 'great'. Expected pass, partial, fail, or --force." in message
    assert program.rows("windows") == []
    program("complete", "--window", "W1", "--quality", "7", "--outcome", "great", "--force").ok()


def test_features_of_a_provider_that_was_not_captured_are_taken_out_as_it_says(program: Any) -> None:
    program("start", "toy", "--window", "W1", "--stdin", stdin="fuel 10%").ok()
    program("end", "toy", "--window", "W1", "--stdin", stdin="fuel 20%").ok()
    done = program("complete", "--window", "W1", "--toy-features", "1", "--tally-features", "2")
    done.ok()
    assert "tally has 2 features in W1 but was not captured there; " in done.err
    assert "tally has 1 feature in W1 but" in program("complete", "--window", "W1", "--tally-features", "1").err
    [cure] = re.findall(r"`tracker (complete .*?)`", done.err)
    said = program(*cure.split())
    said.ok()
    assert "not captured" not in said.err
