"""The source `claude-sessions`: the session files that Claude Code writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tracker.api import Event, LogOrigin, TelemetrySource, hookimpl

# a line without one of these tells nothing here; the first one finds newer names such as `token_usage`, too
WORDS = ('usage"', '"cost-state"', '"session-owner"')
SOURCE = TelemetrySource(
    contract="1.2",
    name="claude-sessions",
    title="Claude Code sessions",
    stream="claude_sessions",
    models=("claude",),
    tags={"model:unknown": "The message names no model, so it has no price."},
    origins=(
        LogOrigin(
            name="config",
            title="Claude Code's projects",
            variable="CLAUDE_CONFIG_DIR",
            folder="~/.claude",
            pattern="projects/**/*.jsonl",
            words=WORDS,
        ),
        LogOrigin(
            name="xdg",
            title="Claude Code's projects below the configuration folder",
            variable="XDG_CONFIG_HOME",
            folder="~/.config",
            pattern="claude/projects/**/*.jsonl",
            words=WORDS,
        ),
    ),
)


@hookimpl
def source_info() -> TelemetrySource:
    return SOURCE


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """The requests that a row reports."""
    return _requests()(line, scratch)


@cache
def _requests() -> Callable[[bytes, dict[str, Any]], list[Event]]:
    """Imported late: msgspec takes 40 ms."""
    from tracker_claude.session_requests import requests

    return requests
