"""Where Codex keeps its meters, and the command that prints ccusage's reports."""

from __future__ import annotations

from tracker.api import CommandOrigin, ExchangeOrigin, FileOrigin

ORIGINS = (
    FileOrigin(
        name="rollout",
        title="Codex's session files",
        variable="CODEX_HOME",
        folder="~/.codex",
        pattern="sessions/*/*/*/rollout-*.jsonl",
        marker='_percent"',  # in an event's limits whatever its version; not where they are null
        # in the first line, and in the parent's that a fork copied behind it, which tell whose events follow at once
        owner='"session_meta"',
        cure="send Codex a message, which begins a session file",
        seconds=5,
    ),
    ExchangeOrigin(
        name="app-server",
        title="codex app-server",
        argv=("codex", "app-server"),
        messages=(
            {
                "id": 1,
                "method": "initialize",
                "params": {"clientInfo": {"name": "tracker", "title": None, "version": "0.1.0"}},
            },
            {"method": "initialized"},
            {"id": 2, "method": "account/rateLimits/read"},
        ),
        keep=(1, 2),  # the first tells Codex's version
        cure="install Codex, or add it to the PATH",
    ),
)
CCUSAGE = CommandOrigin(
    name="run",
    title="ccusage",
    argv=("ccusage", "codex", "{scope}", "--json", "--offline"),
    scope="daily",
    cure="install it with `npm install --global ccusage`",
    seconds=120,  # it reads every session file
)
