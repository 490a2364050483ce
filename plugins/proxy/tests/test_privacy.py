"""Nothing private is stored: canaries in every place of every form, and what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Rejected
from tracker_kit.cases import together
from tracker_proxy import ingest_line, values

SAMPLES = Path(__file__).parent / "samples"
STREAMS = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in SAMPLES.glob("*.jsonl")}
STREAMS["plain"] = [
    {
        "ts": "2025-10-19T16:22:41Z",
        "rid": "F-1",
        "lane": "glm",
        "model": "glm-4.6",
        "status": "ok",
        "reason": "routed",
        "prompt": "hi",
        "headers": {"authorization": "x"},
        "latency_ms": 5,
    }
]
STREAMS["gen_ai"] = [
    {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "vm"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "library"},
                        "spans": [
                            {
                                "traceId": "5b8efff798038103d269b633813fc60c",
                                "name": "chat m",
                                "status": {"code": 2, "message": "boom"},
                                "events": [{"name": "exception", "attributes": []}],
                                "attributes": [
                                    {"key": key, "value": {"stringValue": "x"}}
                                    for key in (
                                        "gen_ai.system",
                                        "gen_ai.request.model",
                                        "gen_ai.response.id",
                                        "gen_ai.prompt",
                                        "gen_ai.input.messages",
                                        "gen_ai.system_instructions",
                                        "user.email",
                                    )
                                ],
                            }
                        ],
                    }
                ],
            }
        ]
    }
]

# Private wherever it stands, also where a name is expected.
SECRETS = [
    "canary@example.com",
    "by canary.dev@mail.example.co.uk today",
    "sk-ant-api03-canarycanary",
    "Bearer canary",
    "authorization: canary",
    "api_key=canary",
    "ghp_canarycanarycanary",
    "eyJcanarycanary.eyJcanary.x",
    "0123456789abcdef0123456789abcdef.canarycanary",
    "AIza" + "canary" * 6,
    "Traceback (most recent call last):\n  File canary",
    "canary, please write a story of a bird that warns miners; " * 5,
]
# A text that may be the name of something, so it only must not come from where texts are free.
WORD = "canary"
# The names that an event is there to hold: their values are stored where they are names.
NAMES = {
    "plain": {"rid", "lane", "model", "status", "reason"},
    "gen_ai": {"traceId", "gen_ai.system", "gen_ai.request.model", "gen_ai.response.id"},
    "litellm_standard_logging": {
        "trace_id",
        "litellm_call_id",
        "request_tags",
        "model_group",
        "model",
        "status",
        "error_class",
    },
    "ccr_v2.0.0_server_log": {"reqId", "pid", "requestUrl", "body"},
    "claude_otlp_2.0.76_ok": {"service.name", "session.id", "model"},
    "claude_otlp_2.0.76_err": {"service.name", "session.id", "model"},
}


def with_canary(value: Any, canary: str, names: set[str], key: str = "") -> Any:
    """The record with a canary behind every text, but not in those that tell its form or stand under one of `names`."""
    if key in names:
        return value
    if isinstance(value, dict):
        name = value["key"] if set(value) == {"key", "value"} else ""
        if name in names:
            return value
        return {key: one if key == "key" else with_canary(one, canary, names, key) for key, one in value.items()}
    if isinstance(value, list):
        return [with_canary(one, canary, names, key) for one in value]
    return f"{value}{canary}" if isinstance(value, str) else canary if value is None else value


TELLING = {"msg", "event.name", "path"}  # without these a line is another's, and nothing would be tested
BODY = "body"  # of a log record: the event's name


def stream(lines: list[Any], canary: str, names: set[str]) -> tuple[int, str]:
    """How many events came out, and all that did, the reasons of rejection included."""
    scratch: dict[str, Any] = {}
    count, out = 0, ""
    for line in lines:
        log_bodies = {BODY} if "resourceLogs" in json.dumps(line) else set()
        changed = with_canary(line.get("body", line), canary, names | TELLING | log_bodies)
        try:
            events = ingest_line(json.dumps(changed).encode(), scratch)
        except Rejected as reason:
            out += str(reason)
        else:
            count += len(events)
            out += json.dumps(events)
    return count, out


@together("form", STREAMS)
def test_a_word_in_free_text_never_comes_out(form: str) -> None:
    count, out = stream(STREAMS[form], WORD, NAMES[form])
    assert count == stream(STREAMS[form], "", NAMES[form])[0] > 0
    assert WORD not in out


@together("secret", SECRETS, ids=lambda secret: secret[:12])
@together("form", STREAMS)
def test_a_secret_never_comes_out_even_of_a_name(form: str, secret: str) -> None:
    _, out = stream(STREAMS[form], f" {secret}", set())
    assert "canary" not in out


@together("secret", SECRETS, ids=lambda secret: secret[:12])
@together("field", ["rid", "lane", "model", "status", "reason", "ts"])
def test_a_secret_alone_in_a_plain_field_is_dropped_and_tagged(field: str, secret: str) -> None:
    [event] = ingest_line(json.dumps({"rid": "F-1", "lane": "a", "input_tokens": 1, field: secret}).encode(), {})
    assert "canary" not in json.dumps(event)
    assert event["tags"] == [f"{field}:invalid"]


def test_secrets_in_the_body_and_the_address_of_a_routed_request() -> None:
    """The router's body is JSON as text, where the canaries above do not reach."""
    body = {"model": "glm-4.6", "messages": [{"content": WORD}], "metadata": {"user_id": WORD}, "system": WORD}
    request = {"body": json.dumps(body), "headers": {"x-api-key": WORD}}
    url = f"https://{WORD}:{WORD}@api.z.ai/{WORD}?key={WORD}#{WORD}"
    final = {"pid": 1, "reqId": "r", "msg": "final request", "request": request, "requestUrl": url}
    scratch: dict[str, Any] = {}
    assert ingest_line(json.dumps(final).encode(), scratch) == []
    [event] = ingest_line(b'{"pid": 1, "reqId": "r", "msg": "request completed"}', scratch)
    assert (event["lane"], event["model"]) == ("api.z.ai", "glm-4.6")
    assert WORD not in json.dumps(event)


@together(
    "line",
    [
        f'{{"rid": "{WORD}"',
        f'"{WORD}"',
        f'{{"{WORD}": 1}}',
        f'{{"resourceLogs": "{WORD}"}}',
        f'{{"reqId": ["{WORD}"]}}',
    ],
)
def test_a_rejection_never_quotes_the_line(line: str) -> None:
    with pytest.raises(Rejected) as caught:
        ingest_line(line.encode(), {})
    assert WORD not in repr(caught.value)
    assert WORD not in repr(caught.value.__cause__)


@together(
    "name",
    [
        "F-101",
        "SK-12",
        "sk-12",
        "task-manager-overhaul-2025",
        "sk-translation",
        "claude-sonnet-4-5@20250929",
        "8:req-1",
        "src/app.py:10",
        "a=b",
    ],
)
def test_ordinary_names_are_kept(name: str) -> None:
    assert values.identifier(name) == name
