"""Each cell of the table in FORMATS.md, section 7, on its own."""

from __future__ import annotations

import json
from typing import Any

from tracker_kit.cases import together
from tracker_proxy import ingest_line


def only(*lines: dict[str, Any]) -> dict[str, Any]:
    """The single event of some lines."""
    scratch: dict[str, Any] = {}
    [event] = [event for line in lines for event in ingest_line(json.dumps(line).encode(), scratch)]
    return dict(event)


LITELLM = {
    "litellm_call_id": "call-1",
    "trace_id": "trace-1",
    "startTime": 1795331470.25,
    "endTime": 1795331470.5,
    "model": "claude-sonnet-4-5",
    "model_group": "group-a",
    "request_tags": ["User-Agent: x", "lane:baseline", "lane:other"],
    "status": "success",
    "prompt_tokens": 10,
    "completion_tokens": 20,
}


@together(
    ("change", "field", "expected"),
    [
        ({}, "ts", 1795331470.25),
        ({}, "rid", "trace-1"),
        ({"trace_id": None}, "rid", "call-1"),
        ({"trace_id": ""}, "rid", "call-1"),
        ({}, "lane", "baseline"),
        ({"request_tags": []}, "lane", "group-a"),
        ({"request_tags": None}, "lane", "group-a"),
        ({"request_tags": ["lane:"], "model_group": ""}, "lane", None),
        ({}, "model", "claude-sonnet-4-5"),
        ({}, "status", "success"),
        ({}, "ok", True),
        ({"status": "failure"}, "ok", False),
        ({"status": "failure", "error_information": {"error_class": "RateLimitError"}}, "reason", "RateLimitError"),
        ({}, "input_tokens", 10),
        ({}, "output_tokens", 20),
        ({}, "latency_ms", 250.0),
        ({"request_tags": ["lane:glm"]}, "routed", True),
        ({"model": "zai/GLM-4.6"}, "routed", True),
        ({}, "routed", False),
    ],
)
def test_litellm(change: dict[str, Any], field: str, expected: object) -> None:
    assert only(LITELLM | change)[field] == expected


def wrapped(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items() if value is not None]


def claude(change: dict[str, Any]) -> dict[str, Any]:
    kind = change.pop("kind", "api_request")
    resource = {"service.name": "claude-code", "lane": change.pop("lane", None)}
    attributes = {
        "event.name": kind,
        "event.timestamp": "2026-11-22T07:08:38.674Z",
        "session.id": "session-1",
        "model": "claude-sonnet-4-5",
        "input_tokens": "120",
        "output_tokens": "42",
        "cache_read_tokens": "1000",
        "cache_creation_tokens": "30",
        "duration_ms": "45",
    } | change
    record = {"body": {"stringValue": f"claude_code.{kind}"}, "attributes": wrapped(attributes)}
    return {
        "resourceLogs": [
            {"resource": {"attributes": wrapped(resource)}, "scopeLogs": [{"logRecords": [record]}]},
        ]
    }


@together(
    ("change", "field", "expected"),
    [
        ({}, "ts", "2026-11-22T07:08:38.674Z"),
        ({"request_id": "req_1"}, "rid", "req_1"),
        ({"event.sequence": "7"}, "rid", "session-1:7"),
        ({}, "rid", "session-1"),
        ({"lane": "sub1"}, "lane", "sub1"),
        ({}, "lane", "claude-code"),
        ({}, "model", "claude-sonnet-4-5"),
        ({}, "status", "ok"),
        ({}, "ok", True),
        ({"kind": "api_error", "status_code": "429"}, "status", 429),
        ({"kind": "api_error", "status_code": "429"}, "ok", False),
        ({"kind": "api_error", "status_code": "undefined"}, "status", "error"),
        ({"kind": "api_error", "status_code": "200"}, "ok", False),
        ({"kind": "api_error"}, "ok", False),
        ({}, "input_tokens", 120),
        ({}, "output_tokens", 42),
        ({}, "cache_read_tokens", 1000),
        ({}, "cache_write_tokens", 30),
        ({}, "latency_ms", 45),
        ({"model": "glm-4.6"}, "routed", True),
    ],
)
def test_claude_code_log_record(change: dict[str, Any], field: str, expected: object) -> None:
    assert only(claude(dict(change)))[field] == expected


SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "startTimeUnixNano": "1795331318000000000",
    "endTimeUnixNano": "1795331318045500000",
}


def gen_ai(change: dict[str, Any]) -> dict[str, Any]:
    own = {key: change.pop(key) for key in list(change) if not key.startswith("gen_ai.")}
    attributes = {
        "gen_ai.response.id": "resp-1",
        "gen_ai.provider.name": "zai",
        "gen_ai.system": "openai",
        "gen_ai.response.model": "answered",
        "gen_ai.request.model": "asked",
        "gen_ai.usage.input_tokens": "5",
        "gen_ai.usage.output_tokens": "6",
    } | change
    span = SPAN | own | {"attributes": wrapped(attributes)}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


@together(
    ("change", "field", "expected"),
    [
        ({}, "ts", 1795331318.0),
        ({}, "rid", "resp-1"),
        ({"gen_ai.response.id": None}, "rid", "5b8efff798038103d269b633813fc60c"),
        ({}, "lane", "zai"),
        ({}, "routed", True),
        ({"gen_ai.provider.name": None}, "lane", "openai"),
        ({"gen_ai.provider.name": None}, "routed", False),
        ({}, "model", "answered"),
        ({"gen_ai.response.model": None}, "model", "asked"),
        ({}, "ok", True),
        ({"status": {}}, "ok", True),
        ({"status": {"code": 1}}, "ok", True),
        ({"status": {"code": 2, "message": "boom"}}, "ok", False),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "status", "error"),
        ({}, "input_tokens", 5),
        ({}, "output_tokens", 6),
        ({}, "latency_ms", 45.5),
    ],
)
def test_gen_ai_span(change: dict[str, Any], field: str, expected: object) -> None:
    assert only(gen_ai(dict(change)))[field] == expected


def router(number: int, **more: Any) -> dict[str, Any]:
    return {"level": 30, "time": 1795331414790 + number, "pid": 8, "hostname": "vm", "reqId": "req-1"} | more


def routed_request(url: str = "https://api.z.ai/api/anthropic/v1/messages", code: int = 200) -> list[dict[str, Any]]:
    body = json.dumps({"model": "glm-4.6", "messages": [{"role": "user", "content": "hi"}]})
    return [
        router(0, req={"method": "POST", "url": "/v1/messages"}, msg="incoming request"),
        router(1, data={"model": "claude-sonnet-4-5"}, type="request body"),
        router(2, request={"body": body}, requestUrl=url, msg="final request"),
        router(3, response={"usage": {"prompt_tokens": 100, "completion_tokens": 7}}, msg="Original OpenAI response"),
        router(9, res={"statusCode": code}, responseTime=27.5, msg="request completed"),
    ]


@together(
    ("field", "expected"),
    [
        ("ts", 1795331414.79),
        ("rid", "8:req-1"),
        ("lane", "api.z.ai"),
        ("model", "glm-4.6"),
        ("routed", True),
        ("status", 200),
        ("ok", True),
        ("input_tokens", 100),
        ("output_tokens", 7),
        ("latency_ms", 27.5),
    ],
)
def test_router_log(field: str, expected: object) -> None:
    assert only(*routed_request())[field] == expected


def test_router_log_of_a_failed_request() -> None:
    event = only(*routed_request(code=502))
    assert (event["status"], event["ok"]) == (502, False)
