"""The router's log beyond the table: requests that interleave, restart, break off, or ask for no model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracker.api import Rejected
from tracker_kit.cases import together
from tracker_proxy import ingest_line, router


def log(name: str = "req-1", /, *, time: int = 0, pid: int = 8, **more: Any) -> dict[str, Any]:
    return {"level": 30, "time": 1795331414000 + time, "pid": pid, "hostname": "vm", "reqId": name} | more


def incoming(request: str = "req-1", method: str = "POST", url: str = "/v1/messages", **more: Any) -> dict[str, Any]:
    return log(request, req={"method": method, "url": url}, msg="incoming request", **more)


def final(request: str = "req-1", model: str = "glm-4.6", host: str = "api.z.ai", **more: Any) -> dict[str, Any]:
    body = json.dumps({"model": model})
    return log(request, request={"body": body}, requestUrl=f"https://{host}/v1", msg="final request", **more)


def answer(request: str = "req-1", tokens: int = 5, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": tokens, "completion_tokens": 1}
    return log(request, response={"usage": usage}, msg="Original OpenAI response", **more)


def completed(request: str = "req-1", **more: Any) -> dict[str, Any]:
    return log(request, res={"statusCode": 200}, responseTime=20, msg="request completed", **more)


def read(*lines: dict[str, Any], scratch: dict[str, Any] | None = None) -> list[Any]:
    state: dict[str, Any] = {} if scratch is None else scratch
    return [event for line in lines for event in ingest_line(json.dumps(line).encode(), state)]


def test_requests_may_interleave() -> None:
    lines = [incoming("a"), incoming("b"), final("b", "glm-4.6"), final("a", "claude"), answer("b", 2), answer("a", 1)]
    found = read(*lines, completed("b"), completed("a"))
    assert [(event["rid"], event["model"], event["input_tokens"]) for event in found] == [
        ("8:b", "glm-4.6", 2),
        ("8:a", "claude", 1),
    ]


def test_one_request_id_in_two_processes_is_two_requests() -> None:
    found = read(incoming(pid=1), incoming(pid=2), final(pid=1, model="a"), completed(pid=2), completed(pid=1))
    assert [(event["rid"], event["model"]) for event in found] == [("2:req-1", None), ("1:req-1", "a")]


def test_a_restarted_process_starts_its_requests_anew() -> None:
    found = read(incoming(time=0), final(model="old"), answer(tokens=99), incoming(time=5000), completed())
    [event] = found
    assert (event["ts"], event["model"], event["input_tokens"]) == (1795331419.0, None, None)


def test_a_completed_request_leaves_nothing_behind() -> None:
    scratch: dict[str, Any] = {}
    assert len(read(incoming(), final(), completed(), scratch=scratch)) == 1
    assert scratch == {"router": {}}
    [event] = read(completed(), scratch=scratch)
    assert event["model"] is None


def test_open_requests_are_bounded_and_the_oldest_goes() -> None:
    scratch: dict[str, Any] = {}
    for number in range(router.OPEN_REQUESTS + 5):
        read(final(f"r{number}", model=f"m{number}"), scratch=scratch)
    assert len(scratch["router"]) == router.OPEN_REQUESTS
    [event] = read(completed("r4"), scratch=scratch)
    assert event["model"] is None
    [event] = read(completed("r5"), scratch=scratch)
    assert event["model"] == "m5"


def test_what_waits_is_short_and_private_to_nobody() -> None:
    scratch: dict[str, Any] = {}
    long = "please write a poem " * 1000
    usage = {"input_tokens": long, "output_tokens": [long]}
    read(
        incoming(),
        final(model=long, host="me:secret@h"),
        log(result={"usage": usage, "content": long}),
        scratch=scratch,
    )
    assert "poem" not in repr(scratch)
    assert "secret" not in repr(scratch)
    [event] = read(completed(), scratch=scratch)
    assert (event["lane"], event["tags"]) == ("h", ["model:invalid", "tokens:invalid"])


def test_the_messages_usage_tells_cache_tokens_apart() -> None:
    usage = {"input_tokens": 40, "output_tokens": 7, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 3}
    [event] = read(incoming(), answer(tokens=100), log(result={"usage": usage}), completed())
    assert (event["input_tokens"], event["cache_read_tokens"], event["cache_write_tokens"]) == (40, 60, 3)
    hour = usage | {"cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 1}}
    [event] = read(incoming(), log(result={"usage": hour}), completed())
    assert (event["cache_write_tokens"], event["cache_write_1h_tokens"]) == (1, 2)
    [event] = read(incoming(), log(result={"usage": usage}), answer(tokens=100), completed())
    assert event["input_tokens"] == 100
    assert "cache_read_tokens" not in event


def test_the_last_final_request_and_the_last_usage_count() -> None:
    lines = [final(model="a", host="one"), final(model="b", host="two"), answer(tokens=1), answer(tokens=2)]
    [event] = read(incoming(), *lines, log(response={"usage": None}), completed())
    assert (event["model"], event["lane"], event["input_tokens"]) == ("b", "two", 2)


@together(
    ("url", "lane"),
    [
        ("https://api.z.ai/api/x?key=1", "api.z.ai"),
        ("http://127.0.0.1:9100/v1", "127.0.0.1"),
        ("https://[::1]:8080/", "[::1]"),
        ("https://user:pass@host.example#x", "host.example"),
        ("https://z.ai", "z.ai"),
        ("ftp://host", None),
        ("host/path", None),
        ("", None),
        (5, None),
    ],
)
def test_the_lane_is_the_host(url: object, lane: str | None) -> None:
    [event] = read(final() | {"requestUrl": url}, answer(), completed())
    assert event["lane"] == lane
    assert event.get("tags") == (None if lane else ["lane:invalid"])


@together(
    ("request_field", "model", "tags"),
    [
        ({"body": {"model": "glm-4.6"}}, "glm-4.6", None),
        ({"body": '{"model": "glm-4.6"}'}, "glm-4.6", None),
        ({"body": "{}"}, None, None),
        ({}, None, None),
        ({"body": '{"model": "glm-4.6", "mess'}, None, ["model:invalid"]),
        ({"body": "[]"}, None, ["model:invalid"]),
        ({"body": '{"model": 5}'}, None, ["model:invalid"]),
        ("x", None, ["model:invalid"]),
    ],
)
def test_the_model_stands_in_the_body(request_field: object, model: str | None, tags: list[str] | None) -> None:
    [event] = read(final() | {"request": request_field}, answer(), completed())
    assert (event["model"], event.get("tags")) == (model, tags)


def test_the_answer_tells_the_model_where_the_request_does_not() -> None:
    """The request's line may be too long to be read: it holds the prompt."""
    found = answer() | {"response": {"model": "glm-4.6", "usage": {"prompt_tokens": 5, "completion_tokens": 1}}}
    cut = final() | {"request": {"body": '{"model": "glm-4.6", "mess'}}
    for lines in ([found], [cut, found], [found, answer()]):
        [event] = read(incoming(), *lines, completed())
        assert (event["model"], event["routed"], event.get("tags")) == ("glm-4.6", True, None)
    [event] = read(incoming(), final(model="claude"), found, completed())
    assert event["model"] == "claude"
    [event] = read(incoming(), found, final(model="claude"), completed())
    assert event["model"] == "claude"


@together(
    ("method", "url", "count"),
    [
        ("POST", "/v1/messages", 1),
        ("POST", "/v1/messages?beta=true", 1),
        ("POST", "/v1beta/models/m:generateContent", 1),
        ("POST", "/v1/messages/count_tokens?beta=true", 0),
        ("POST", "/api/config", 0),
        ("GET", "/ui/", 0),
        ("GET", "/v1/models", 0),
    ],
)
def test_only_calls_of_a_model_are_events(method: str, url: str, count: int) -> None:
    assert len(read(incoming(method=method, url=url), completed())) == count
    assert len(read(incoming(method=method, url=url), final(), completed())) == 1


@together(
    ("change", "field", "kept", "tags"),
    [
        ({"time": "now"}, "ts", None, ["ts:invalid"]),
        ({"time": None}, "ts", None, None),
        ({"responseTime": "slow"}, "latency_ms", None, ["latency:invalid"]),
        ({"responseTime": None}, "latency_ms", None, None),
        ({"res": None}, "ok", True, None),
        ({"res": {"statusCode": "200"}}, "ok", True, None),
        ({"res": {"statusCode": 201}}, "ok", False, None),
        ({"res": []}, "ok", False, ["status:invalid"]),
        ({"pid": None}, "rid", "req-1", None),
    ],
)
def test_values_that_are_missing_or_wrong(
    change: dict[str, Any], field: str, kept: object, tags: list[str] | None
) -> None:
    [event] = read(completed() | change)
    missing = ["tokens:missing"] if event["ok"] else []
    assert (event[field], event.get("tags", [])) == (kept, [*(tags or []), *missing])


@together("change", [{"reqId": []}, {"reqId": True}, {"pid": {}}, {"reqId": "x" * 300}])
def test_a_line_whose_request_cannot_be_told_is_rejected(change: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=r"^router: the pid or the reqId cannot be read$"):
        read(completed() | change)


def test_lines_of_the_program_itself_are_no_events() -> None:
    started = {"level": 30, "time": 1, "pid": 8, "hostname": "vm", "msg": "Server listening"}
    assert read(started, log(msg="something new"), log(type="request body", data={"model": "m"})) == []
