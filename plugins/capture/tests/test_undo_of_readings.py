"""What `tracker undo` takes back of the meter history, and what it puts back."""

from __future__ import annotations

from typing import Any

import pytest
from outcomes import ok, refused

from tracker.kernel import Session
from tracker_capture.outline import SMALL, VALUE, outline
from tracker_capture.readings import history


@pytest.mark.parametrize("times", [(2, 1), (1, 2)])
def test_a_reading_goes_with_its_capture_and_no_other_does(program: Any, times: tuple[int, int]) -> None:
    """Also among equal readings, and if the later one was stored first: nothing of it makes the other one newer."""

    def runs() -> list[tuple[object, ...]]:
        session = Session()
        session.data_dir = program.root
        return [(run.at, run.until) for run in history(session, "toy")]

    def start(hours: int) -> None:
        pane = ("--stdin", "--captured-at", f"2026-11-22T1{hours}:00:00Z", "--window", f"W{hours}", "--force")
        program("alias", "start", "toy", *pane, stdin="fuel 10%").ok()

    for hours in times:
        start(hours)
    both = runs()
    assert len(both) == 2
    said = program("undo", "--yes").ok()
    assert f"toy record of readings.jsonl (captured_at=2026-11-22T1{times[1]}:00:00Z)" in said
    assert runs() == [both[times[0] == 2]]
    # taken back once, by the command that it came with
    assert [row.get("reason") for row in program.rows("readings")] == [None, None, "undo"]
    start(times[1])
    assert runs() == both
    program("alias", "delete", "toy", "--phase", "before", "--window", f"W{times[0]}", "--yes").ok()
    assert runs() == [both[times[0] == 1]]


@pytest.mark.parametrize("small", [SMALL, -1])
def test_a_capture_that_is_put_back_is_in_the_outline_again(
    program: Any, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # with -1 it is kept on the disk
    monkeypatch.setattr("tracker_capture.outline.SMALL", small)

    def peaks() -> list[float]:
        session = Session()
        session.data_dir = program.root
        return [peak[VALUE] for own in outline(session).peaks.values() for peak in own]

    program("alias", "start", "toy", "--stdin", "--captured-at", "-2h", stdin="fuel 10%").ok()
    assert peaks() == [10]
    program("alias", "delete", "toy", "--yes").ok()
    assert peaks() == []
    program("undo", "--yes").ok()
    assert peaks() == [10]


def test_a_pane_that_is_ingested_is_in_the_history(program: Any) -> None:
    program("ingest", "toy", "--phase", "before", "--window", "W1", "--stdin", stdin="fuel 10%").ok()
    [row], [capture] = program.rows("readings"), program.rows("snapshots")
    assert (row["capture"], row["parsed"]["fuel_used"]) == (capture["record_id"], 10)


def test_readings_of_a_sync_that_was_taken_back_are_read_again(machine: Any, event: Any) -> None:
    """What said that the history is empty named `tracker sync`, which held the files for read."""
    machine.rollout("a", event(64))
    assert "1 row added" in ok(machine("sync"))
    again = "the next `tracker sync` rereads all session files that still exist\n"
    # nothing is forgotten before somebody is sure
    assert again in machine("undo", "--dry-run").stderr
    assert (machine.folder / "data" / ".index" / "readings.json").exists()
    assert ok(machine("undo", "--yes")).endswith(again)
    assert "Fill it with `tracker sync`" in refused(machine("meters"))
    assert "1 row added" in ok(machine("sync"))
    assert "64%" in ok(machine("meters", "--meter", "weekly"))
