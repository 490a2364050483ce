"""`tracker alias delete`: what a removed capture had superseded, whose it was, and what its window needs then."""

from __future__ import annotations

import json
from typing import Any

T = [f"2026-01-10T{hour:02}:00:00Z" for hour in range(24)]
HISTORY = "note: its 1 reading also left the meter history; `tracker undo` brings both back\n"


def capture(program: Any, verb: str, hour: int, fuel: float, lane: str = "") -> Any:
    words = ("alias", verb, "toy", "--stdin", "--window", "W1", "--captured-at", T[hour])
    return program(*words, stdin=f"fuel {fuel}%", lane=lane)


def delete(program: Any, *words: str, lane: str = "") -> Any:
    return program("alias", "delete", "toy", "--window", "W1", *words, lane=lane)


def is_open(program: Any) -> list[bool]:
    return [one["open"] for one in json.loads(program("--json", "window-audit", "--window", "W1").ok())["anomalies"]]


def test_an_anomaly_stays_closed_while_another_capture_supersedes_its_own(program: Any) -> None:
    for verb, hour, fuel in (("start", 8, 30), ("end", 9, 17), ("end", 10, 35), ("end", 11, 36)):
        capture(program, verb, hour, fuel).ok()
    program("complete", "--window", "W1", "--toy-features", "2", "--outcome", "pass").ok()
    done = delete(program, "--phase", "after", "--index", "2", "--yes")
    assert (done.ok(), done.err) == (f"removed toy after snapshot for W1 (captured_at={T[10]})\n", HISTORY)
    assert is_open(program) == [False]
    assert "capacity=6 pp" in program("complete", "--window", "W1").ok()
    # the pair that fell counts again: no finalizing helps
    known = program("--json", "meters").ok()
    done = delete(program, "--phase", "after", "--yes")
    assert "is stale: in the toy captures that count now, fuel fell from 30 to 17. `tracker undo --yes`" in done.err
    assert "`tracker end toy --stdin --window W1` captures it again" in done.err
    assert is_open(program) == [True]
    # the reading leaves the history, and comes back, as the note says
    assert HISTORY in done.err
    assert program("--json", "meters").ok() != known
    program("undo", "--yes").ok()
    assert is_open(program) == [False]
    assert program("--json", "meters").ok() == known


def test_a_before_that_superseded_is_superseded_itself(program: Any) -> None:
    for verb, hour, fuel in (("start", 7, 30), ("end", 10, 17), ("start", 8, 10), ("start", 9, 12)):
        capture(program, verb, hour, fuel).ok()
    delete(program, "--phase", "before", "--index", "2").ok()
    assert is_open(program) == [False]
    delete(program, "--phase", "before").ok()
    assert is_open(program) == [True]


def test_an_undo_opens_no_anomaly_of_captures_that_do_not_count(program: Any) -> None:
    for verb, hour, fuel in (("start", 8, 30), ("end", 9, 17), ("end", 10, 35)):
        capture(program, verb, hour, fuel, lane="a").ok()
    capture(program, "start", 8, 30, lane="b").ok()
    capture(program, "end", 11, 36, lane="b").ok()
    assert "took back toy after snapshot" in program("undo", "--yes", lane="a").ok()
    assert is_open(program) == [False]
    program("undo", "--yes", lane="b").ok()
    assert is_open(program) == [True]


def test_a_capture_of_another_lane_is_asked_about(program: Any) -> None:
    capture(program, "start", 8, 10, lane="a").ok()
    capture(program, "end", 9, 20, lane="a").ok()
    refused = delete(program, "--phase", "after", lane="b").refused()
    assert (
        f"This would remove the toy after of {T[9]} in W1, and it belongs to lane a. Use --yes to remove it." in refused
    )
    done = delete(program, "--phase", "after", "--yes", lane="b")
    assert done.ok()
    assert done.notes == f"note: it belonged to lane a\n{HISTORY}"
    delete(program, "--phase", "before", lane="a").ok()


def test_the_cure_of_another_lane_s_anomaly_takes_no_capture_of_this_one(program: Any) -> None:
    capture(program, "start", 8, 30).ok()
    fell = capture(program, "end", 10, 20)
    capture(program, "start", 8, 10, lane="b").ok()
    capture(program, "end", 9, 20, lane="b").ok()
    cure = fell.err.partition(", or tracker ")[2].partition(" (")[0].split()
    why = "the open anomaly of W1 is about captures of the lane without a name (--agent '' selects it). Use --yes"
    assert why in program(*cure, lane="b").refused()
    assert "captured_at=2026-01-10T10" in program(*cure, "--agent", "", lane="b").ok()
    assert is_open(program) == [False]
    delete(program, "--phase", "after", lane="b").ok()


def test_a_removal_takes_this_lanes_own_where_lanes_share_a_window(program: Any) -> None:
    capture(program, "start", 8, 10).ok()
    capture(program, "end", 10, 20).ok()
    capture(program, "start", 8, 10, lane="b").ok()
    capture(program, "end", 9, 20, lane="b").ok()
    done = delete(program, "--phase", "after", lane="b")
    assert done.notes == HISTORY
    assert "captured_at=2026-01-10T10" in delete(program, "--phase", "after", "--agent", "", lane="b").ok()


def test_the_cure_of_a_fall_names_the_lane_of_the_after(program: Any) -> None:
    """Not that of whoever made it count by taking another capture back."""
    capture(program, "start", 7, 30, lane="a").ok()
    capture(program, "start", 8, 10, lane="a").ok()
    capture(program, "end", 9, 20, lane="a").ok()
    done = delete(program, "--phase", "before", "--yes", lane="b")
    assert "or tracker alias delete toy --phase after --window W1 --agent a (" in done.err


def test_a_reading_may_stay_without_its_capture(program: Any) -> None:
    """A window across a reset measures nothing, and both of its panes are right."""
    capture(program, "start", 8, 90).ok()
    capture(program, "end", 9, 4).ok()
    for _ in range(2):
        assert HISTORY not in delete(program, "--keep-readings").notes
    assert "2 readings" in program("meters").ok()
    # it goes with its capture as before, if that is put back
    program("undo", "--yes").ok()
    assert HISTORY in delete(program).notes
    assert "1 reading," in program("meters").ok()
