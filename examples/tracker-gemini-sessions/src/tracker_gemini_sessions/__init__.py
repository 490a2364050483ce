"""The source `gemini-sessions`: requests in the session files of Gemini CLI since April 2026 (JSON lines).

A file begins with a header (`sessionId`, `directories`); a message of the model has `type` "gemini", `id`, `model` and
`tokens` {input, output, cached, thoughts, tool, total}. A message is written again as it grows, and a checkpoint
(`$set.messages`) writes all of them again: its id is the key, and the largest total counts. What `$rewindTo` takes
back was used all the same. `input` contains `cached`; `output` does not contain `thoughts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tracker.api import Event, LogOrigin, Rejected, TelemetrySource, epoch, hookimpl

SOURCE = TelemetrySource(
    contract="1.2",
    name="gemini-sessions",
    title="Gemini CLI sessions",
    stream="gemini_sessions",
    origins=(
        LogOrigin(
            name="chats",
            title="Gemini CLI's session files",
            variable="GEMINI_CLI_HOME",
            folder="~",
            pattern=".gemini/tmp/**/*.jsonl",
            words=("sessionId", "tokens"),
        ),
    ),
)


@hookimpl
def source_info() -> TelemetrySource:
    return SOURCE


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """The requests that a line reports; those that it repeats have the keys they had."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise Rejected("not JSON") from None
    if not isinstance(record, dict):
        raise Rejected("not a JSON object")
    if "sessionId" in record and "type" not in record:
        folders = record.get("directories")
        scratch["session"] = _text(record["sessionId"])
        scratch["project"] = _text(folders[0]) if isinstance(folders, list) and folders else None
        return []
    change = record.get("$set")
    messages = change.get("messages") if isinstance(change, dict) else [record]
    if not isinstance(messages, list):
        return []
    return [_event(one, scratch) for one in messages if isinstance(one, dict) and _is_request(one)]


def _is_request(message: Mapping[str, Any]) -> bool:
    return message.get("type") == "gemini" and isinstance(message.get("tokens"), dict) and bool(message.get("id"))


def _event(message: Mapping[str, Any], scratch: Mapping[str, Any]) -> Event:
    tokens = {name: _count(message["tokens"].get(name)) for name in ("input", "output", "cached", "thoughts", "tool")}
    cached = min(tokens["cached"], tokens["input"])
    return {
        "ts": epoch(message.get("timestamp")),
        "key": str(message["id"]),
        "model": _text(message.get("model")),
        "session": scratch.get("session"),
        "project": scratch.get("project"),
        "input_tokens": tokens["input"] - cached + tokens["tool"],
        "cache_read_tokens": cached,
        "output_tokens": tokens["output"] + tokens["thoughts"],
        "reasoning_tokens": tokens["thoughts"],
    }


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
