"""What `tracker undo` takes back of the meter history, and what it puts back."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.kernel import Session
from tracker_capture.outline import SMALL, VALUE, outline
from tracker_capture.readings import history


def test_the_run_that_was_extended_counts_again(program: Any) -> None:
    def runs() -> list[str | None]:
        session = Session()
        session.data_dir = program.root
        return [run.record_id for run in history(session, "toy")]

    program("alias", "start", "toy", "--stdin", "--captured-at", "-2h", stdin="fuel 10%").ok()
    first = runs()
    assert len(first) == 1
    program("alias", "end", "toy", "--stdin", "--captured-at", "-1h", stdin="fuel 10%").ok()
    extended = runs()
    assert len(extended) == 1
    assert extended != first
    [after] = [row["captured_at"] for row in program.rows("snapshots") if row["phase"] == "after"]
    said = program("undo", "--yes").ok()
    assert f"toy record of readings.jsonl (captured_at={after})" in said
    assert runs() == first


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
