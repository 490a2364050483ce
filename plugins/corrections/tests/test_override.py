"""Meter values that a person read: what is no time is refused, what is odd is said."""

from __future__ import annotations

from typing import Any

import pytest

AT = ("--captured-at", "2026-01-10T06:00:00Z")
OVERRIDE = ("override", "toy", "--window", "W1", "--phase", "before")


def test_the_newest_window_is_named_where_one_is_missing(program: Any) -> None:
    missing, example = "error: Missing option '--window'.", "tracker complete --window W0-01 --tally-features 2"
    assert program("complete").refused(2) == f"{missing} Example: `{example} --outcome pass`."
    program(*OVERRIDE, "--fuel-pct", "1", "--captured-at", "2026-01-10T08:00:00Z").ok()
    program("override", "toy", "--window", "W0-7", *OVERRIDE[4:], "--fuel-pct", "1").ok()
    for command in (
        ["complete"],
        ["override", "toy"],
        ["churn"],
        ["window-audit"],
        ["decision-card"],
        ["ingest", "toy"],
    ):
        assert program(*command).refused(2) == f"{missing} Expected one such as W0-7."


def test_an_override_of_another_lane_says_so(program: Any) -> None:
    """One pair counts, and that of an AFTER may be another lane's BEFORE."""
    said = "note: the toy captures of W1 belong to lane main, this one to {}: only one pair counts."
    cure = " If it belongs to lane main, type `tracker undo`, then store it with --agent main\n"
    at = ("--captured-at", "2026-01-10T08:00:00Z")
    program("start", "toy", "--stdin", "--window", "W1", *at, stdin="fuel 1%", lane="main").ok()
    later = ("--captured-at", "2026-01-10T09:00:00Z")
    done = program(*OVERRIDE[:5], "after", "--fuel-pct", "2", *later)
    assert said.format("the lane without a name") + cure in done.err
    assert "note: manual-override (a person typed it)\n" in done.err
    program("undo", "--yes").ok()
    assert "one pair counts" not in program(*OVERRIDE[:5], "after", "--fuel-pct", "2", *later, "--agent", "main").err
    ended = program("end", "toy", "--stdin", "--window", "W1", *later, stdin="fuel 3%", lane="sub")
    assert said.format("lane sub") + cure in ended.err
    assert "belong to lane sub, this one to lane sub2" in program(*OVERRIDE, "--fuel-pct", "1", *at, lane="sub2").err


@pytest.mark.parametrize("text", ["nonsense", "14:06", ""])
def test_a_reset_that_is_no_time_is_refused(program: Any, text: str) -> None:
    refused = program(*OVERRIDE, "--fuel-pct", "1", "--fuel-resets", text).refused(2)
    wanted = f"Invalid time '{text}'. Expected ISO 8601, such as 2026-11-22T06:30:00Z."
    assert refused == f"error: Invalid value for --fuel-resets: {wanted}"
    assert program.rows("snapshots") == []


def test_a_reset_is_kept_as_an_instant(program: Any) -> None:
    program(*OVERRIDE, "--fuel-pct", "1", "--fuel-resets", "2026-01-10T08:30:00+02:00", *AT).ok()
    [record] = program.rows("snapshots")
    assert record["parsed"]["fuel_reset_at"] == "2026-01-10T06:30:00Z"


def test_a_count_may_be_over_a_hundred(program: Any) -> None:
    done = program("override", "tally", "--window", "W1", "--phase", "before", "--calls-used", "400")
    assert done.ok() == "stored tally before snapshot for W1 (awaiting end)\n"


@pytest.mark.parametrize(
    ("used", "resets", "said", "tag", "is_kept"),
    [
        (
            "1",
            "2027-02-14T06:00:00Z",
            "after the reading. Expected a time up to 2027-01-10T06:00:00Z",
            "implausible",
            False,
        ),
        ("1", "2026-01-08T06:00:00Z", "had passed 2 d 0 h before the reading. Expected a later time, no", "over", True),
        (
            "0",
            "2026-01-08T06:00:00Z",
            "had passed 2 d 0 h before the reading. Expected a later time, no",
            "over",
            False,
        ),
    ],
)
def test_a_reset_that_cannot_be_is_refused_or_tagged_as_that_of_a_pane(
    program: Any, used: str, resets: str, said: str, tag: str, is_kept: bool
) -> None:
    words = (*OVERRIDE, *AT, "--fuel-pct", used, "--fuel-resets")
    refused = program(*words, resets).refused(2)
    assert f"error: Invalid value for --fuel-resets: Invalid time '{resets}'. It " in refused
    assert said in refused
    assert program.rows("snapshots") == []
    forced = program(*words, resets, "--force")
    forced.ok()
    assert f"note: reset-{tag}:fuel (this reset " in forced.err
    [record] = program.rows("snapshots")
    assert record["parsed"]["fuel_reset_at"] == (resets if is_kept else None)


@pytest.mark.parametrize("resets", ["2027-01-10T06:09:00Z", "2026-01-10T05:56:00Z"])
def test_what_clocks_and_lagging_panes_differ_by_is_no_doubt(program: Any, resets: str) -> None:
    program(*OVERRIDE, *AT, "--fuel-pct", "1", "--fuel-resets", resets).ok()
