"""A reading that `tracker undo` takes back leaves the one that it extended."""

from __future__ import annotations

from typing import Any

from tracker.kernel import Session
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
    program("undo", "--yes").ok()
    assert runs() == first
