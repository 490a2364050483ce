"""Lines that stand in several windows: some of them are looked up, evenly spread."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tracker_telemetry import overlap
from tracker_telemetry.lines import Splitter
from tracker_telemetry.overlap import Sample, elsewhere, overlap_note


def lines(start: int, stop: int) -> bytes:
    events = ({"rid": f"r{at}", "ts": f"2026-01-10T08:00:{at:02}Z"} for at in range(start, stop))
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_sample_is_spread_evenly_however_the_stream_comes(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "MOST", 10)
    sample, numbers = Sample(), [str(number).encode() for number in range(100)]
    for start in range(0, len(numbers), size):
        sample.add(numbers[start : start + size])
    assert sample.lines == numbers[::16]
    assert sample.stride == 16


def test_of_a_long_line_nothing_is_held() -> None:
    sample = Sample()
    sample.add([*Splitter().feed(b"x" * (overlap.LONGEST + 1) + b"\n" + b"y" * (2 << 20) + b"\na\n\n")])
    assert sample.lines == [b"a"]


@pytest.mark.usefixtures("scale")
def test_where_lines_are_stored_too(intake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "MOST", 20)
    for window, start, stop in (("W1", 0, 8), ("W2", 4, 12), ("W3", 40, 50)):
        intake(window).give(lines(start, stop) + b"no json\n").end()
    run, text = intake("W4"), lines(0, 12) + b"no json\n"
    run.give(text).end()
    sample = Sample()
    sample.add(text.splitlines())
    assert elsewhere(run.reader, sample) == {"W2": 8, "W1": 8}
    monkeypatch.setattr(overlap, "WINDOWS", 1)
    assert elsewhere(run.reader, sample) == {"W2": 8}
    monkeypatch.setattr(overlap, "MOST", 10)
    sample.add([b"a"])
    assert elsewhere(run.reader, sample) == {"W2": 4}
    assert overlap_note(sample, "W2", 4).startswith("note: of 7 lines that were looked up, 4 are stored in W2, too; ")
