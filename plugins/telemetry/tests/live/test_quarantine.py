"""Lines that cannot be read: kept with number and reason, without anything from prompts, headers or keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tracker_telemetry.quarantine import redact_line

Start = Callable[..., Any]
CANARY = "canary7f3"
SECRETS = {
    "messages": [{"role": "user", "content": f'please \\ "{CANARY}" and {{more}} [of] it: {CANARY}\n{CANARY}'}],
    "response": {"choices": [{"message": {"content": f"{CANARY}, certainly"}}]},
    "headers": {"authorization": f"Bearer {CANARY}abcdef", "x-api-key": f"sk-{CANARY}abcdef", "cookie": f"s={CANARY}"},
    "error_str": f'Traceback (most recent call last):\n  File "{CANARY}.py", line 3, in {CANARY}\nValueError: {CANARY}',
}
ATTRIBUTES = [{"key": name, "value": {"stringValue": json.dumps(value)}} for name, value in SECRETS.items()]
FORMATS: dict[str, Any] = {
    "plain": {"ts": "2026-01-10T08:00:00Z", "rid": "F-1", "lane": "glm", "status": "ok", "latency_ms": 5, **SECRETS},
    "litellm": {
        "litellm_call_id": "c", "trace_id": "t", "call_type": "completion", "status": "success", "startTime": 1.0,
        "endTime": 2.0, "model": "glm-4.6", "prompt_tokens": 1, "completion_tokens": 1, **SECRETS,
    },
    "otlp log": {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"body": {"stringValue": "claude_code.api_request"}, "attributes": ATTRIBUTES}]}]}],
    },
    "otlp span": {
        "resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": "t", "attributes": [{"key": "gen_ai.system", "value": {"stringValue": "x"}}, *ATTRIBUTES]}]}]}],
    },
    "router": {"level": 30, "time": 1795331409088, "pid": 8, "reqId": "req-1", "msg": "final request",
               "request": {"body": json.dumps({"model": "glm-4.6", **SECRETS}), "headers": SECRETS["headers"]}},
}  # fmt: skip


def pieces(text: str) -> list[str]:
    """A line cut off at its end, or begun in its middle, as a torn log has it."""
    cuts = range(0, len(text), 5)
    return [text, *(text[:cut] for cut in cuts), *(text[cut:] for cut in cuts), *(text[cut : cut + 90] for cut in cuts)]


@pytest.mark.parametrize("name", FORMATS)
def test_no_secret_reaches_the_disk_whole_or_torn(ingest: Start, data: Any, name: str) -> None:
    forms = (json.dumps(FORMATS[name]), json.dumps(FORMATS[name], separators=(",", ":")), str(FORMATS[name]))
    lines = [piece for form in forms for piece in pieces(form)]
    run = ingest("--stdin")
    run.write("\n".join(lines).encode())
    status, out, err = run.end()
    assert (status, "rejected=0" in out) == (0, False), err
    everything = [path for path in data.folder.rglob("*") if path.is_file()]
    assert any(path.name == "proxy_telemetry.rejected.jsonl" for path in everything)
    assert [path for path in everything if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in out + err


def test_a_rejected_line_is_kept_once_with_its_number_and_reason(ingest: Start, data: Any, line: Start) -> None:
    text = (
        line("a") + b"\n" + b'{"rid": "b", "status": "ok", "latency_ms": 12, "x": "' + b"\n" + line("c") + b"nonsense\n"
    )
    for new in (2, 0):
        run = ingest("--stdin")
        run.write(text)
        status, out, err = run.end()
        assert (status, f"(events=2, new={new}, duplicates={2 - new}, rejected=2, " in out) == (0, True)
        assert "note: 2 lines could not be read; kept with line numbers and reasons in " in err
    first, second = data.rows("proxy_telemetry.rejected")
    assert (first["line_number"], first["rejected"], first["window"]) == (3, "not JSON", "W0-CHN")
    assert first["line"] == '{"rid": "b", "status": "ok", "latency_ms": 12, "x": "***"'
    assert (second["line_number"], second["line"], second["length"]) == (5, "nonsense", 8)


def test_a_request_with_a_long_prompt_is_an_event(ingest: Start, data: Any) -> None:
    """As LiteLLM logs it, and the router, whose lines quote the prompt within a text."""
    prompt = [{"role": "user", "content": 'a "word" ' * 200_000}]
    litellm = FORMATS["litellm"] | {"messages": prompt}
    router = {"level": 30, "time": 1795331409088, "pid": 8, "reqId": "req-1"}
    final = {"request": {"body": json.dumps({"model": "glm-4.6", "messages": prompt})}, "msg": "final request"}
    lines = [litellm, router | final, router | {"res": {"statusCode": 200}, "msg": "request completed"}]
    assert min(len(json.dumps(line)) for line in lines[:2]) > 1 << 20
    run = ingest("--stdin")
    run.write("\n".join(map(json.dumps, lines)).encode())
    assert "(events=2, new=2, duplicates=0, rejected=0, routed=100%)" in run.end()[1]
    assert {row["model"] for row in data.rows()} == {"glm-4.6"}


def test_strict_says_so_at_the_end_and_stores_the_rest(ingest: Start, data: Any, line: Start) -> None:
    run = ingest("--stdin", "--strict")
    run.write(b"nonsense\n" + line("a"))
    status, out, err = run.end()
    assert (status, "(events=1, new=1, " in out) == (1, True)
    assert "error: 1 line was rejected with --strict. The others are stored." in err
    assert data.rids() == ["a"]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('{"rid": "F-1", "lane": "glm", "n": 1.5e3, "b": [true, null]}', None),
        ('{"rid": "F-1 and more", "prompt": "text"}', '{"rid": "***", "prompt": "***"}'),
        ('{"a long name that is none": 1, "n": nan}', '{"***": 1, "n": *}'),
        ('{"a": "b\\', '{"a": "***"'),
        ("{'rid': 'F-1'}", "{*: *}"),
        ('ompt", "rid": "F-1"}', "***"),
        ("[1, 2", None),
        ("not json", None),
        ("x-api-key: abc", "x-api-key: ***"),
        ("> Authorization: Basic Zm9v", "Authorization: ***"),
        ('  File "main.py", line 3', "***"),
        ("    raise ValueError", "***"),
        ("mail dev@example.com", "***"),
        ("w" * 41, "***"),
        ("one two three four", None),
        ("one two three four five", "***"),
    ],
)
def test_what_is_kept_of_a_line(line: str, kept: str | None) -> None:
    assert redact_line(line.encode()) == (line if kept is None else kept)
