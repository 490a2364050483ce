"""Requests are counted once over all files that show them, exactly as the backend served them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Rejected
from tracker_claude.sessions import SOURCE, ingest_line

LOGS = Path(__file__).parent / "session_logs"
TRUTH: dict[str, Any] = json.loads((LOGS / "truth.json").read_text())
session_truth = pytest.importorskip("session_truth", reason="the workspace adds up the logs of every client")


def test_every_case_gives_the_truth() -> None:
    for case, truth in TRUTH.items():
        session_truth.assert_truth(ingest_line, LOGS / case, truth)


def test_a_line_that_is_torn_is_rejected_and_any_other_is_skipped() -> None:
    word = SOURCE.origins[0].words[0]
    with pytest.raises(Rejected):
        ingest_line(b'{"type": ' + word.encode(), {})
    assert ingest_line(b"nonsense", {}) == []


def row(name: str | None, output: int, request: str | None = "r", **more: Any) -> bytes:
    usage = {"input_tokens": 10, "output_tokens": output, **more.pop("usage", {})}
    message = {"id": name, "model": more.pop("model", "claude-opus-4-6"), "usage": usage, "content": "canary"}
    found = {"type": "assistant", "timestamp": "2026-11-20T10:00:00Z", "sessionId": "s", "requestId": request}
    return json.dumps({**found, "message": message, **more}).encode()


def keys(*lines: bytes) -> list[Any]:
    return [event["key"] for line in lines for event in ingest_line(line, {})]


def test_the_message_is_the_request() -> None:
    assert keys(row("m", 5), row("m", 50)) == ["m/r", "m/r"]
    assert keys(row("m", 5, None), row("m", 5, "other", isSidechain=True)) == ["m/", "m/"]
    assert keys(row(None, 5, None, uuid="u")) == ["u/"]
    assert keys(row(None, 5, "r", isSidechain=True), row(None, 5, "q", isSidechain=True)) == ["/r", "/q"]
    assert keys(row("m", 5, model="<synthetic>")) == []


NAMES = {"model": "m1", "usage": {"speed": "fast"}, "cwd": "/home/dev/acme", "gitBranch": "main"}


@pytest.mark.parametrize("outputs", [(5, 5), (5, 50)])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("is_stored", [False, True])
def test_an_answer_has_the_names_that_any_of_its_rows_has(
    outputs: tuple[int, int], order: int, *, is_stored: bool
) -> None:
    scratch: dict[str, Any] = {}
    shown = []
    for output, names in zip(outputs, ({"model": None}, NAMES)[::order], strict=True):
        shown += ingest_line(row("m", output, timestamp=1e9 + len(shown), **names), scratch)
        scratch = json.loads(json.dumps(scratch)) if is_stored else scratch
    event = shown[-1]
    assert [event[name] for name in ("model", "speed", "project", "branch")] == ["m1", "fast", "/home/dev/acme", "main"]
    assert (event["ts"], event["output_tokens"], event.get("tags")) == (1e9, outputs[1], None)
    # of several models its own, of other names the first
    further: dict[str, Any] = {"model": "m2", "cwd": "/home/dev/other", "timestamp": 1e9 + 9}
    [event] = ingest_line(row("m", 50, **further, usage={"input_tokens": 20}), scratch)
    assert (event["model"], event["project"], event["ts"]) == ("m2", "/home/dev/acme", 1e9)
    [event] = ingest_line(row("n", 50, **further), scratch)
    assert (event["model"], event["project"], event["branch"]) == ("m2", "/home/dev/other", None)


def test_a_subagents_usage_on_a_users_row_is_not_counted() -> None:
    line = json.dumps({"type": "user", "toolUseResult": {"usage": {"input_tokens": 1}}}).encode()
    assert ingest_line(line, {}) == []


def test_what_other_models_did_within_a_request_is_added() -> None:
    iterations = [{"model": "claude-haiku-4-5", "input_tokens": 3, "output_tokens": 2}, {"model": "claude-opus-4-6"}]
    events = ingest_line(row("m", 5, usage={"iterations": iterations}), {})
    assert [(event["model"], event["input_tokens"]) for event in events] == [
        ("claude-opus-4-6", 10),
        ("claude-haiku-4-5", 3),
    ]
    replay = row("m", 5, "other", isSidechain=True, usage={"iterations": iterations})
    assert keys(row("m", 5, usage={"iterations": iterations}), replay) == ["m/r", "m#0/r", "m/", "m#0/"]


@pytest.mark.parametrize(("written", "declined"), [(40, 700), (0, 300)])
def test_a_model_that_took_over_wrote_what_its_whole_says_whatever_the_split_of_the_one_before(
    written: int, declined: int
) -> None:
    split = {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": declined}}
    first = {"type": "message", "model": "claude-fable-5", "cache_creation_input_tokens": declined, **split}
    served = {"type": "fallback_message", "model": "claude-opus-4-6", "cache_creation_input_tokens": written}
    usage = {"cache_creation_input_tokens": written, **split, "iterations": [first, served]}
    events = ingest_line(row("m", 5, usage=usage), {})
    assert [(event["model"], event["cache_write_5m_tokens"], event["cache_write_1h_tokens"]) for event in events] == [
        ("claude-opus-4-6", 0, written),
        ("claude-fable-5", 0, declined),
    ]


@pytest.mark.parametrize("advisor", ["claude-opus-4-6", "claude-opus-4-8", None])
def test_an_advisor_is_added_whatever_its_model_is(advisor: str | None) -> None:
    """Unlike the iterations of the answer itself, which the whole holds."""
    own = {"type": "message", "input_tokens": 4, "output_tokens": 3}
    asked = {"type": "advisor_message", "model": advisor, "input_tokens": 8, "output_tokens": 16}
    events = ingest_line(row("m", 5, usage={"iterations": [own, asked, own | {"model": "claude-opus-4-6"}]}), {})
    assert [(event["key"], event["model"], event["output_tokens"]) for event in events] == [
        ("m/r", "claude-opus-4-6", 5),
        ("m#1/r", advisor or "claude-opus-4-6", 16),
    ]


def test_an_iteration_of_an_unknown_type_is_noted() -> None:
    scratch: dict[str, Any] = {}
    odd = [{"type": kind, "input_tokens": 3} for kind in ("critic", "message", ["list"], None)]
    for name, more in (("m", {}), ("n", {"forkedFrom": {"sessionId": "p"}})):
        [event] = ingest_line(row(name, 5, usage={"iterations": [*odd, {"type": "idle"}]}, **more), scratch)
        assert event["input_tokens"] == 10
    assert scratch["unknown"] == {"iterations of type critic": 1, "iterations of type (odd)": 1}


def test_nothing_but_figures_and_names_is_kept() -> None:
    scratch: dict[str, Any] = {}
    events = ingest_line(row("m", 5, cwd="/home/dev/acme", gitBranch="main"), scratch)
    assert "canary" not in json.dumps([scratch, events])


def test_fields_of_other_types_are_absent_but_a_count_that_is_none_makes_the_line_unreadable() -> None:
    usage = {"output_tokens": 3.0, "cache_creation": "x", "iterations": [{"model": "m2", "input_tokens": 4.0}]}
    [event, other] = ingest_line(row("m", 1, usage=usage, cwd=5, gitBranch=["main"], version="1"), {})
    assert (event["output_tokens"], event["project"], event["branch"], event["client"]) == (3, None, None, "1")
    assert (other["model"], other["input_tokens"]) == ("m2", 4)
    for wrong in (
        {"cache_creation": {"ephemeral_1h_input_tokens": -1}},
        {"iterations": [{"model": "m2", "input_tokens": "4"}]},
    ):
        with pytest.raises(Rejected):
            ingest_line(row("m", 1, usage=wrong), {})
    assert ingest_line(row("m", -1, type="user"), {}) == []


def test_what_a_newer_client_writes_is_noted() -> None:
    scratch: dict[str, Any] = {}
    usage = {"audio_tokens": 7, "image_tokens": 0, "gpu": "x", "cache_deleted_input_tokens": 9}
    [event] = ingest_line(row("m", 5, usage=usage), scratch)
    assert (event["input_tokens"], event["output_tokens"]) == (10, 5)
    assert ingest_line(row("m", 5, type="assistant-turn"), scratch) == []
    assert ingest_line(row("m", 5, type="two words"), scratch) == []
    assert ingest_line(row("m", 5, type=["list"]), scratch) == []
    nested = {"type": "assistant", "message": {"id": "m", "result": {"usage": {"input_tokens": 5}}}}
    assert ingest_line(json.dumps(nested).encode(), scratch) == []
    repeated = {"type": "odd", "toolUseResult": {"usage": {"input_tokens": 5}}, "usage": None}
    assert ingest_line(json.dumps(repeated).encode(), scratch) == []
    for known in ("user", "progress", "api-request"):
        assert ingest_line(row("m", 5, type=known), scratch) == []
    assert ingest_line(row("m", 5, model="<synthetic>"), scratch) == []
    assert scratch.pop("unknown") == {
        "rows with audio_tokens": 1,
        "rows of type assistant-turn": 1,
        "rows of type (odd)": 2,
        "rows of type assistant": 1,
    }
    # a further field without tokens costs the rows behind it nothing
    for at in range(3):
        [event] = ingest_line(row(f"n{at}", 5, usage={"gpu": "x", "iterations": [], "speed": "fast"}), scratch)
        assert event["speed"] == "fast"
    assert "unknown" not in scratch


def test_tokens_of_an_unknown_kind_within_an_object_are_noted() -> None:
    scratch: dict[str, Any] = {}
    written = {"ephemeral_1h_input_tokens": 100, "ephemeral_24h_input_tokens": 500, "ephemeral_9h_input_tokens": 0}
    usage = {"cache_creation_input_tokens": 600, "cache_creation": written, "video": {"frame_tokens": 5}}
    for name in ("m", "n"):
        [event] = ingest_line(row(name, 5, usage=usage), scratch)
        assert (event["cache_write_5m_tokens"], event["cache_write_1h_tokens"]) == (500, 100)
    assert scratch["unknown"] == {"rows with ephemeral_24h_input_tokens": 2, "rows with frame_tokens": 2}
    usage |= {"cache_creation": {"ephemeral_1h_input_tokens": 100, "kept_until": "noon"}, "video": {}}
    scratch = {}
    for name in ("o", "p"):
        [event] = ingest_line(row(name, 5, usage=usage), scratch)
        assert (event["cache_write_5m_tokens"], event["cache_write_1h_tokens"]) == (500, 100)
        assert scratch == {"is_newer": True} | {name: scratch[name] for name in ("last", "request", "ts")}


def test_tokens_of_an_unknown_kind_are_noted_behind_a_row_with_a_further_field_alone() -> None:
    scratch: dict[str, Any] = {}
    for name, more in (("m", {}), ("n", {"audio_tokens": 7}), ("o", {"imageTokens": 7}), ("p", {"audio_tokens": 0})):
        [event] = ingest_line(row(name, 5, usage={"gpu": "x", **more}), scratch)
        assert (event["input_tokens"], event["output_tokens"]) == (10, 5)
    assert scratch["unknown"] == {"rows with audio_tokens": 1, "rows with imageTokens": 1}


def test_a_usage_under_other_names_is_noted() -> None:
    scratch: dict[str, Any] = {}
    camel = {"inputTokens": 10, "outputTokens": 3, "cacheReadInputTokens": 5}
    for name, usage, other in (
        ("m", {"usage": camel}, {}),
        ("n", {"token_usage": {"input_tokens": 9}}, {}),
        ("o", {"usage": {"inputTokens": 0}}, {}),
        ("p", {"usage": camel}, {"forkedFrom": {"sessionId": "q"}}),
    ):
        line = json.dumps({"type": "assistant", "sessionId": "s", "message": {"id": name, **usage}, **other}).encode()
        assert any(word.encode() in line for word in SOURCE.origins[0].words)
        ingest_line(line, scratch)
    assert scratch["unknown"] == {"rows of type assistant without known tokens": 1, "rows of type assistant": 1}


def test_web_searches_are_noted_once_for_a_message() -> None:
    scratch: dict[str, Any] = {}
    for name, output, searches in (("a", 1, 2), ("a", 5, 3), ("a", 5, 3), ("b", 5, 1), ("c", 5, 0), ("d", 5, "9")):
        tools = {"web_search_requests": searches, "web_fetch_requests": 4}
        assert len(ingest_line(row(name, output, usage={"server_tool_use": tools}), scratch)) <= 1
        scratch = json.loads(json.dumps(scratch))
    assert scratch["extras"] == {"web searches": {"a": 3, "b": 1}}


def test_the_surcharge_for_inference_in_the_us_is_noted_once_for_a_message() -> None:
    scratch: dict[str, Any] = {}
    shown = ("a", 1, "us"), ("a", 5, "us"), ("b", 5, "global"), ("c", 5, ""), ("d", 5, "us"), ("a", 5, "us")
    for name, output, geo in shown:  # blocks of one message, with another one between them
        ingest_line(row(name, output, usage={"inference_geo": geo}), scratch)
        scratch = json.loads(json.dumps(scratch))
    assert scratch["extras"] == {"surcharges for inference in the US (10%)": {"a": 1, "d": 1}}


def test_a_refusal_without_output_is_noted_once_for_a_message() -> None:
    scratch: dict[str, Any] = {}
    declined = [{"type": "message", "model": "claude-fable-5", "input_tokens": 9, "output_tokens": 0}]
    for name, output, usage in (("a", 0, {}), ("a", 0, {}), ("b", 3, {}), ("c", 5, {"iterations": declined})):
        line = json.loads(row(name, output, usage=usage))
        line["message"]["stop_reason"] = "end_turn" if name == "c" else "refusal"
        ingest_line(json.dumps(line, separators=(",", ":")).encode(), scratch)
    ingest_line(row("d", 0), scratch)
    assert scratch["extras"] == {"discounts for refusals without output": {"a": 1, "c": 1}}


def test_a_row_that_a_branch_copied_is_noted_where_it_came_from() -> None:
    scratch: dict[str, Any] = {}
    for more in ({}, {"forkedFrom": {"sessionId": "p"}}):
        ingest_line(row("m", 5, usage={"audio_tokens": 7}, **more), scratch)
        ingest_line(row("m", 5, type="assistant-turn", **more), scratch)
    assert scratch["unknown"] == {"rows with audio_tokens": 1, "rows of type assistant-turn": 1}
