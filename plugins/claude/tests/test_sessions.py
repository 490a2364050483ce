"""Requests are counted once over all files that show them, exactly as the backend served them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Rejected
from tracker_claude.sessions import SOURCE, ingest_line

LOGS = Path(__file__).parent / "session_logs"
TRUTH: dict[str, Any] = json.loads((LOGS / "truth.json").read_text())
ORDINARY = ("input_tokens", "output_tokens", "cache_read_tokens")
WRITTEN = ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


def requests(home: Path) -> list[Any]:
    """The requests of all files: of each key the one with the largest total."""
    found: dict[str, Any] = {}
    for path in sorted(home.rglob("*.jsonl")):
        scratch: dict[str, Any] = {}
        for line in path.read_bytes().splitlines():
            for event in ingest_line(line, scratch):
                total = sum(event.get(name) or 0 for name in (*ORDINARY, *WRITTEN))
                if "session-total" not in event.get("tags", ()):
                    found[event["key"]] = max(
                        found.get(event["key"], (0, None)), (total, event), key=lambda one: one[0]
                    )
            json.dumps(scratch)  # the state of a file can be kept
    events = [event for _, event in found.values()]
    known = {f"if-session:{event['session']}" for event in events}
    return [event for event in events if known.issuperset(t for t in event.get("tags", ()) if t.startswith("if-"))]


@pytest.mark.parametrize("case", TRUTH)
def test_every_case_gives_the_truth(case: str) -> None:
    found = requests(LOGS / case)
    models: dict[str, Counter[str]] = defaultdict(Counter)
    for event in found:
        models[event["model"]].update(
            input=event["input_tokens"],
            cache_read=event["cache_read_tokens"],
            cache_write=sum(event.get(name) or 0 for name in WRITTEN),
            output=event["output_tokens"],
        )
    assert (len(found), {name: dict(one) for name, one in models.items()}) == (
        TRUTH[case]["requests"],
        TRUTH[case]["by_model"],
    )
    sessions = Counter(event["session"] for event in found)
    assert dict(sessions) == TRUTH[case].get("sessions", dict(sessions))


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
    assert keys(row("m", 5, model="<synthetic>")) == []


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


def test_nothing_but_figures_and_names_is_kept() -> None:
    scratch: dict[str, Any] = {}
    events = ingest_line(row("m", 5, cwd="/home/dev/acme", gitBranch="main"), scratch)
    assert "canary" not in json.dumps([scratch, events])
