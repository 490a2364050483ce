"""The requests of a made-up session file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tracker.api import Rejected
from tracker_kit import TelemetryConformance

from tracker_gemini_sessions import ingest_line

HEADER = {
    "sessionId": "s-1",
    "projectHash": "ab",
    "startTime": "2026-11-20T10:00:00Z",
    "directories": ["/home/dev/shop"],
}


class TestGeminiSessions(TelemetryConformance):
    source = "gemini-sessions"
    lines = Path(__file__).parent / "lines.jsonl"


def message(name: str, **tokens: int) -> dict[str, Any]:
    about = {"id": name, "timestamp": "2026-11-20T10:00:05.250Z", "type": "gemini", "content": "canary"}
    return {**about, "model": "gemini-3-pro-preview", "tokens": tokens}


def events(*records: object) -> list[dict[str, Any]]:
    scratch: dict[str, Any] = {}
    return [dict(event) for one in records for event in ingest_line(json.dumps(one).encode(), scratch)]


def test_a_request_has_its_tokens_by_kind() -> None:
    [event] = events(HEADER, message("m-1", input=1000, output=50, cached=400, thoughts=20, tool=5, total=1075))
    assert event == {
        "ts": 1795168805.25, "key": "m-1", "model": "gemini-3-pro-preview", "session": "s-1", "project": "/home/dev/shop",
        "input_tokens": 605, "cache_read_tokens": 400, "output_tokens": 70, "reasoning_tokens": 20,
    }  # fmt: skip


def test_what_is_written_again_has_its_key() -> None:
    small, whole = message("m-1", input=9, output=1), message("m-1", input=9, output=7)
    found = events(
        HEADER, small, whole, {"$set": {"messages": [whole]}}, {"$rewindTo": "m-1"}, {"$set": {"summary": ""}}
    )
    assert [(event["key"], event["output_tokens"]) for event in found] == [("m-1", 1), ("m-1", 7), ("m-1", 7)]


def test_other_lines_are_no_requests() -> None:
    assert events(HEADER, {"id": "u", "type": "user", "content": "canary"}, {"id": "e", "type": "error"}) == []
    senseless = message("m-2", input=-4) | {"timestamp": "noon", "model": 3}
    [event] = events(senseless)
    assert (event["input_tokens"], event["ts"], event["model"], event["session"]) == (0, None, None, None)


@pytest.mark.parametrize("line", [b"{", b"[]", b"7"])
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(Rejected):
        ingest_line(line, {})
