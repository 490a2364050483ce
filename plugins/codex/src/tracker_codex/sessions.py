"""The source `codex-sessions`: the session files that Codex writes, live ones and archived ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tracker.api import Event, LogOrigin, TelemetrySource, hookimpl

# A line without one of these tells nothing here. They stand in it whatever its spacing; the first one finds
# `token_usage_record`, `token_count` and newer types.
LATEST = '"latest_token_usage_record"'
WORDS = ('"token_', LATEST, '"session_meta"', '"turn_context"', '"thread_settings_applied"')
SOURCE = TelemetrySource(
    contract="1.2",
    name="codex-sessions",
    title="Codex sessions",
    stream="codex_sessions",
    models=("gpt", "codex", "o3", "o4-mini"),
    tags={"model:unknown": "No line before the request names its model, so it has no price."},
    origins=tuple(
        LogOrigin(
            name=name.replace("_", "-"),
            title=f"Codex's {name.replace('_', ' ')}",
            variable="CODEX_HOME",
            folder="~/.codex",
            pattern=f"{name}/**/rollout-*.jsonl",
            words=WORDS,
        )
        for name in ("sessions", "archived_sessions")
    ),
)


@hookimpl
def source_info() -> TelemetrySource:
    return SOURCE


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """The request that the line reports, if it is the first to report it in this file."""
    return _requests()(line, scratch)


@cache
def _requests() -> Callable[[bytes, dict[str, Any]], list[Event]]:
    """Imported late: msgspec takes 40 ms."""
    from tracker_codex.session_requests import requests

    return requests
