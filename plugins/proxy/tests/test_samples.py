"""The captured streams of each program, against the events that were checked by eye."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tracker_kit.cases import together
from tracker_proxy import ingest_line

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.jsonl"))


def read(path: Path) -> dict[str, list[Any]]:
    """Per line number the events that the line completes; lines without any are left out."""
    scratch: dict[str, Any] = {}
    numbered = enumerate(path.read_bytes().splitlines(), 1)
    found = {str(number): ingest_line(line, scratch) for number, line in numbered}
    return {number: [dict(event) for event in events] for number, events in found.items() if events}


@together("sample", SAMPLES, ids=lambda path: path.stem)
def test_each_line_gives_the_recorded_events(sample: Path) -> None:
    assert read(sample) == json.loads(sample.with_suffix(".events.json").read_text())


def test_every_sample_is_there() -> None:
    assert len(SAMPLES) == 4


def test_programs_may_take_turns_in_one_stream() -> None:
    streams = [path.read_bytes().splitlines() for path in SAMPLES]
    plain = b'{"ts":1,"rid":"a","lane":"glm","model":"glm-4.6","status":"ok"}'
    scratch: dict[str, Any] = {}
    mixed: list[Any] = []
    for turn in range(max(map(len, streams))):
        for stream in streams:
            mixed += ingest_line(stream[turn], scratch) if turn < len(stream) else []
        assert [event["rid"] for event in ingest_line(plain, scratch)] == ["a"]
    apart = [event for path in SAMPLES for events in read(path).values() for event in events]

    def order(event: Any) -> str:
        return json.dumps(event, sort_keys=True)

    assert sorted(mixed, key=order) == sorted(apart, key=order)
