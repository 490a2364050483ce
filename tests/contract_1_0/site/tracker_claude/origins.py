"""Where Claude Code tells its meters, and the command that prints claude-monitor's figures."""

from __future__ import annotations

from tracker.api import CommandOrigin, StatusLineOrigin

ORIGINS = (
    CommandOrigin(
        name="print",
        title='claude -p "/usage"',
        argv=("claude", "-p", "/usage"),
        cure="install Claude Code 2.1.200 or later, or add it to the PATH",
        seconds=60,
    ),
    StatusLineOrigin(
        name="statusline",
        title="what Claude Code hands its status line",
        cure="set `tracker statusline` as the statusLine command in Claude Code's settings",
    ),
)
MONITOR = CommandOrigin(
    name="run",
    title="claude-monitor",
    argv=("claude-monitor", "--once", "--output", "json"),
    cure="install it with `uv tool install claude-monitor`",
    seconds=60,
)
