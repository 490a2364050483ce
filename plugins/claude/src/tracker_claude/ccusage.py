"""The source `claude-ccusage`: ccusage's reports of Claude Code, a second count of tokens and cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tracker.api import Block, PreviewContext, Reading, Row, Source, count, hookimpl, instant
from tracker_claude.origins import CCUSAGE

SOURCE = Source(
    contract="1.1",
    name="claude-ccusage",
    title="ccusage of Claude Code",
    kind="report",
    stream="claude_ccusage",
    prefix="acc",
    scopes=("session", "daily", "weekly", "monthly", "blocks"),
    place=31,
    tags={
        "invalid-json": "invalid JSON; run ccusage with --json and pipe nothing else",
        "invalid-report": "not a report of ccusage; capture what `ccusage claude daily --json` prints",
        "other-agent": "the report does not count Claude Code; for Codex's use `tracker ingest codex-ccusage`",
        "agents-mixed": "the report adds up several agents; capture what `ccusage claude daily --json` prints",
        "scope-mismatch": "--scope does not match the report in the text; leave it out, or capture that report",
        "scope-unknown": "the text does not say which report it is; name it with --scope",
        "section-missing": "the figure is there but unreadable; it is left empty",
        "unpriced": "ccusage has no price for a model; the cost is left empty",
    },
    origins=(CCUSAGE,),
)

# A row of the block per scope: how it reads, and the record's field behind each of its figures.
PERIODS = ("latest={latest} tokens={tokens}", {"latest": "latest", "tokens": "tokens"})
COUNTED = (
    "count={count} tokens={tokens} latest={latest}",
    {"count": "rows", "tokens": "total_tokens", "latest": "latest"},
)
ROWS = {"weekly": PERIODS, "daily": PERIODS, "session": COUNTED, "monthly": PERIODS, "blocks": COUNTED}
NEVER = datetime.min.replace(tzinfo=UTC)


@hookimpl
def source_info() -> Source:
    return SOURCE


@hookimpl
def parse_status(text: str, scope: str | None) -> Reading:
    from tracker_claude.ccusage_report import read_report

    return read_report(text, scope)


@hookimpl
def render_preview_block(context: PreviewContext) -> Block | None:
    """The newest report of each scope; of two with one instant, the later record."""
    newest: dict[str, Mapping[str, Any]] = {}
    for record in sorted(context.records, key=lambda record: instant(record.get("captured_at")) or NEVER):
        parsed = record.get("parsed")
        fields = parsed if isinstance(parsed, Mapping) else {}
        newest[str(fields.get("scope"))] = fields
    rows = tuple(_row(scope, newest[scope]) for scope in ROWS if scope in newest)
    return Block(title=SOURCE.title, rows=rows) if rows else None


def _row(scope: str, fields: Mapping[str, Any]) -> Row:
    from tracker_claude.ccusage_report import shown_time

    text, figures = ROWS[scope]
    values = {
        shown: shown_time(fields.get(name)) if name == "latest" else count(fields.get(name))
        for shown, name in figures.items()
    }
    return Row(label=scope, text=text, values=values)
