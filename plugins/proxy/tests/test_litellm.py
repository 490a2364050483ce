"""LiteLLM lines beyond the table: what is missing, wrong, or was never meant to be kept."""

from __future__ import annotations

import json
from typing import Any

from tracker_kit.cases import together
from tracker_proxy import ingest_line

LINE = {"litellm_call_id": "call-1", "startTime": 1795331470.25, "endTime": 1795331470.5, "model": "glm-4.6"} | {
    "completion_tokens": 1
}


def read(line: object) -> Any:
    [event] = ingest_line(json.dumps(line).encode(), {})
    return event


@together(
    ("change", "field", "kept", "tags"),
    [
        ({"endTime": 1795331470.0}, "latency_ms", None, ["latency:invalid"]),
        ({"endTime": "2026-11-22"}, "latency_ms", None, ["latency:invalid"]),
        ({"endTime": None}, "latency_ms", None, None),
        ({"startTime": "2026-11-22"}, "ts", None, ["ts:invalid", "latency:invalid"]),
        ({"startTime": None}, "latency_ms", None, None),
        ({"request_tags": "lane:glm"}, "lane", None, ["lane:invalid"]),
        ({"request_tags": [None, 5, "lane:b"]}, "lane", "b", None),
        ({"prompt_tokens": "12"}, "input_tokens", None, ["tokens:invalid"]),
        ({"error_information": "boom"}, "reason", None, None),
        ({"error_information": {"error_class": "a b"}}, "reason", None, ["reason:invalid"]),
        ({"status": {"a": 1}}, "ok", False, ["status:invalid"]),
        ({"trace_id": {"a": 1}}, "rid", None, ["rid:invalid"]),
    ],
)
def test_values_that_are_missing_or_wrong(
    change: dict[str, Any], field: str, kept: object, tags: list[str] | None
) -> None:
    event = read(LINE | change)
    assert (event[field], event.get("tags")) == (kept, tags)


@together("known", ["litellm_call_id", "startTime", "prompt_tokens", "request_tags", "model_group"])
def test_a_line_is_known_by_any_of_its_own_names(known: str) -> None:
    assert read({"model": "glm-4.6", known: None, "completion_tokens": 7})["output_tokens"] == 7


def test_a_plain_line_may_hold_such_names_beside_its_own() -> None:
    assert read({"rid": "F-1", "input_tokens": 3, "trace_id": "t", "startTime": 5, "prompt_tokens": 9}) == {
        **dict.fromkeys(["ts", "lane", "model", "status", "output_tokens", "reason", "latency_ms"]),
        "rid": "F-1",
        "input_tokens": 3,
        "routed": False,
        "ok": True,
    }
