"""Where Claude Code shows its meters, and the commands of other programs that print figures."""

from __future__ import annotations

from tracker.api import CommandOrigin, FileOrigin, StatusLineOrigin

ORIGINS = (
    CommandOrigin(
        name="usage",
        title='claude -p "/usage" as JSON',
        argv=("claude", "-p", "/usage", "--output-format", "stream-json", "--verbose"),
        cure="install Claude Code 2.1.200 or later, or add it to the PATH",
        seconds=20,
    ),
    CommandOrigin(
        name="print",
        title='claude -p "/usage"',
        argv=("claude", "-p", "/usage"),
        cure="install Claude Code 2.1.200 or later, or add it to the PATH",
        seconds=20,
    ),
    StatusLineOrigin(
        name="statusline",
        title="what Claude Code hands its status line",
        cure="run `tracker setup`, or set `tracker statusline` as the statusLine command in Claude Code's settings",
        variable="CLAUDE_CONFIG_DIR",
        folder="~/.claude",
        settings="settings.json",
    ),
    FileOrigin(
        name="transcript",
        title="Claude Code's transcripts",
        variable="CLAUDE_CONFIG_DIR",
        folder="~/.claude",
        pattern="projects/*/*.jsonl",
        # Of a transcript nothing but the rows that `/usage` left.
        marker='"usageReport"',
        owner='"session-owner"',
        cure="use /usage in Claude Code 2.1.300 or later",
        seconds=5,
    ),
)
MONITOR = CommandOrigin(
    name="run",
    title="claude-monitor",
    argv=("claude-monitor", "--once", "--output", "json"),
    cure="install it with `uv tool install claude-monitor`",
    seconds=60,
)
CCUSAGE = CommandOrigin(
    name="run",
    title="ccusage",
    argv=("ccusage", "claude", "{scope}", "--json", "--offline"),
    scope="daily",
    cure="install it with `npm install --global ccusage`",
    seconds=120,  # it reads every session file
)
