"""OTLP lines beyond the table: many events a line, ways to write a number, other programs' records, broken ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracker.api import Rejected
from tracker_kit.cases import together
from tracker_proxy import ingest_line


def read(line: object) -> Any:
    return ingest_line(json.dumps(line).encode(), {})


def record(name: str = "claude_code.api_request", /, **attributes: Any) -> dict[str, Any]:
    whole = {"output_tokens": {"intValue": 1}} | attributes
    wrapped = [{"key": key.replace("__", "."), "value": value} for key, value in whole.items()]
    return {"body": {"stringValue": name}, "attributes": wrapped}


def logs(*records: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def span(*attributes: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return fields | {"attributes": [{"key": key, "value": value} for key, value in attributes]}


def spans(*found: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(found)}]}]}


def text(value: str) -> dict[str, str]:
    return {"stringValue": value}


@together(
    ("value", "kept", "tags"),
    [
        ({"stringValue": "45"}, 45, None),
        ({"stringValue": "45.5"}, 45.5, None),
        ({"intValue": 45}, 45, None),
        ({"intValue": "45"}, 45, None),
        ({"doubleValue": 45.5}, 45.5, None),
        ({"doubleValue": 45}, 45, None),
        ({"doubleValue": "4.55e1"}, 45.5, None),
        ({}, None, None),
        (None, None, None),
        ({"doubleValue": "NaN"}, None, ["latency:invalid"]),
        ({"doubleValue": "1e999"}, None, ["latency:invalid"]),
        ({"intValue": "-45"}, None, ["latency:invalid"]),
        ({"intValue": "9" * 30}, None, ["latency:invalid"]),
        ({"intValue": "٤٥"}, None, ["latency:invalid"]),
        ({"intValue": True}, None, ["latency:invalid"]),
        ({"stringValue": "1_000"}, None, ["latency:invalid"]),
        ({"stringValue": " 45"}, None, ["latency:invalid"]),
        ({"stringValue": ""}, None, ["latency:invalid"]),
        ({"stringValue": 45}, None, ["latency:invalid"]),
        ({"boolValue": True}, None, ["latency:invalid"]),
        ({"arrayValue": {"values": [{"intValue": 45}]}}, None, ["latency:invalid"]),
        ("45", None, ["latency:invalid"]),
    ],
)
def test_ways_to_write_a_number(value: Any, kept: float | None, tags: list[str] | None) -> None:
    [event] = read(logs(record(duration_ms=value)))
    assert (event["latency_ms"], event.get("tags")) == (kept, tags)


@together("value", [{"stringValue": "12"}, {"intValue": "12"}, {"intValue": 12}, {"doubleValue": 12.0}])
def test_tokens_are_whole_numbers_however_written(value: Any) -> None:
    [event] = read(logs(record(input_tokens=value)))
    assert event["input_tokens"] == 12
    assert type(event["input_tokens"]) is int


def test_one_line_holds_many_events_in_order() -> None:
    first = logs(record(request_id=text("a")), record("claude_code.tool_result"), record(request_id=text("b")))
    second = logs(record(request_id=text("c")))
    line = {"resourceLogs": first["resourceLogs"] + second["resourceLogs"]}
    assert [event["rid"] for event in read(line)] == ["a", "b", "c"]


def test_logs_and_spans_may_share_a_line() -> None:
    line = logs(record(request_id=text("a"))) | spans(span(("gen_ai.response.id", text("b"))))
    assert [event["rid"] for event in read(line)] == ["a", "b"]


@together("envelope", [{}, {"path": "/v1/logs"}, {"ts": 5, "path": "/v1/logs", "headers": {}}])
def test_an_export_may_be_wrapped(envelope: dict[str, Any]) -> None:
    assert len(read(envelope | {"body": logs(record())})) == 1


@together(
    "line",
    [
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "claude_code.token.usage"}]}]}]},
        {"resourceLogs": []},
        {"resourceLogs": None},
        {"resourceLogs": [{}]},
        {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}}]}]},
        {"path": "/v1/metrics", "body": {}},
        logs(record("claude_code.user_prompt", event__name=text("user_prompt"))),
        logs(record("claude_code.api_request_body")),
        logs(record("claude_code.api_retries_exhausted")),
        logs(record("claude_code.user_prompt", event__name=text("api_request"))),
        logs(record("codex.api_request", event__name=text("codex.api_request"))),
        logs(record("gemini_cli.api_request")),
        logs({}),
        logs({"body": {"kvlistValue": {}}}),
        spans(span(("http.request.method", text("POST")))),
        spans({}),
        spans(span(("gen_ai.operation.name", text("execute_tool")), ("gen_ai.system", text("x")))),
        spans(span(("gen_ai.operation.name", text("invoke_agent")), ("gen_ai.usage.input_tokens", {"intValue": 5}))),
        spans(span(("gen_ai.tool.name", text("bash")))),
    ],
)
def test_what_is_no_request_gives_no_event(line: dict[str, Any]) -> None:
    assert read(line) == []


@together("name", ["api_request", "claude_code.api_request"])
def test_the_event_name_tells_where_the_body_does_not(name: str) -> None:
    named = record("", event__name=text(name))
    assert len(read(logs(named, {key: value for key, value in named.items() if key != "body"}))) == 2


def test_the_record_time_stands_in_for_a_missing_stamp() -> None:
    [event] = read(logs(record() | {"timeUnixNano": "1795331318500000000"}))
    assert event["ts"] == 1795331318.5
    [event] = read(logs(record() | {"timeUnixNano": "0"}))
    assert event["ts"] is None
    [event] = read(logs(record(event__timestamp=text("soon")) | {"timeUnixNano": "1795331318500000000"}))
    assert (event["ts"], event["tags"]) == (None, ["ts:invalid"])


def test_an_unreadable_sequence_makes_no_id() -> None:
    [event] = read(logs(record(session__id=text("s"), event__sequence=text("x"))))
    assert (event["rid"], event["tags"]) == (None, ["rid:invalid"])
    [event] = read(logs(record(event__sequence={"intValue": 3})))
    assert event["rid"] is None


def test_spans_of_older_conventions() -> None:
    [event] = read(
        spans(
            span(
                ("gen_ai.system", text("z.ai")),
                ("gen_ai.request.model", text("m")),
                ("gen_ai.usage.prompt_tokens", {"intValue": "3"}),
                ("gen_ai.usage.completion_tokens", {"intValue": 4}),
                startTimeUnixNano=1795331318000000000,
                endTimeUnixNano=1795331318000000000,
            )
        )
    )
    assert (event["lane"], event["routed"], event["model"]) == ("z.ai", True, "m")
    assert (event["input_tokens"], event["output_tokens"], event["latency_ms"]) == (3, 4, 0)


def test_a_span_without_a_usable_time_keeps_its_event() -> None:
    known = ("gen_ai.request.model", text("m")), ("gen_ai.usage.output_tokens", {"intValue": 1})
    [event] = read(spans(span(*known, startTimeUnixNano="1795331318000000000")))
    assert (event["latency_ms"], event.get("tags")) == (None, None)
    [event] = read(spans(span(*known, startTimeUnixNano="2", endTimeUnixNano="1")))
    assert (event["latency_ms"], event["tags"]) == (None, ["latency:invalid"])
    [event] = read(spans(span(*known, startTimeUnixNano=[], endTimeUnixNano="1")))
    assert (event["ts"], event["tags"]) == (None, ["ts:invalid", "latency:invalid"])


@together(
    ("line", "reason"),
    [
        ({"resourceLogs": {}}, "otlp: resourceLogs is not a list of objects"),
        ({"resourceLogs": [5]}, "otlp: resourceLogs is not a list of objects"),
        ({"resourceLogs": [{"scopeLogs": "x"}]}, "otlp: scopeLogs is not a list of objects"),
        ({"resourceLogs": [{"resource": []}]}, "otlp: a resource is not an object"),
        (logs(5), "otlp: logRecords is not a list of objects"),
        (logs({"attributes": {"model": "x"}}), "otlp: attributes is not a list of objects"),
        (logs({"attributes": [{"value": {}}]}), "otlp: an attribute has no key"),
        (spans(5), "otlp: spans is not a list of objects"),
        (spans(span(("gen_ai.system", text("x")), status=2)), "otlp: a span's status is not an object"),
        ({"path": "/v1/logs", "body": "text"}, "otlp: the body is not an object"),
    ],
)
def test_a_broken_structure_is_rejected_whole(line: dict[str, Any], reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(line)
    assert str(caught.value) == reason
