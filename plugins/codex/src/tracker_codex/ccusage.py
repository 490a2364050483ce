"""The source `codex-ccusage`: ccusage's token and cost reports of Codex."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tracker.api import Block, Comparison, Demo, DemoStep, PreviewContext, Reading, Row, Source, hookimpl, instant
from tracker_codex.origins import CCUSAGE

DEMO_TIME = "2026-11-22T08:10:00Z"


def _demo_step(scope: str) -> DemoStep:
    arguments = ("ingest", "codex-ccusage", "--window", "{window}", "--stdin", "--captured-at", DEMO_TIME)
    return DemoStep(stage=20, arguments=arguments, capture=f"demo/ccusage_{scope}.json")


SOURCE = Source(
    contract="1.1",
    name="codex-ccusage",
    title="ccusage",
    kind="report",
    stream="codex_ccusage",
    prefix="occ",
    scopes=("session", "daily", "weekly", "monthly", "blocks"),
    place=30,
    comparisons=(Comparison(scope="weekly", figure="percent_used", provider="codex", meter="weekly"),),
    tags={
        "invalid-json": "invalid JSON; run ccusage with --json and pipe nothing else",
        "invalid-report": "not a known report of ccusage; capture a daily, monthly, ... report",
        "other-agent": "the report does not count Codex; for Claude Code's use `tracker ingest claude-ccusage`",
        "agents-mixed": "the report adds up several agents; capture what `ccusage codex daily --json` prints",
        "scope-mismatch": "--scope does not match the report in the text; leave it out, or capture that report",
        "scope-unknown": "the text does not say which report it is; name it with --scope",
        "section-missing": "the figure is there but unreadable; it is left empty",
        "unpriced": "ccusage has no price for a model; the cost is left empty",
    },
    demo=Demo(steps=(_demo_step("weekly"), _demo_step("daily"))),
    origins=(CCUSAGE,),
)

# A row of the block per scope: how it reads, and the record's field behind each of its figures.
COUNTED = {"count": "rows", "tokens": "total_tokens", "latest": "latest"}
ROWS: dict[str, tuple[str, dict[str, str]]] = {
    "weekly": (
        "percent_used={percent_used:%} tokens={tokens} reset={reset}",
        {"percent_used": "percent_used", "tokens": "tokens", "reset": "reset"},
    ),
    "daily": (
        "latest={latest} tokens={tokens} percent={percent:%} reset={reset}",
        {"latest": "latest", "tokens": "tokens", "percent": "percent_used", "reset": "reset"},
    ),
    "session": ("count={count} tokens={tokens} latest={latest}", COUNTED),
    "monthly": ("latest={latest} tokens={tokens}", {"latest": "latest", "tokens": "tokens"}),
    "blocks": ("count={count} tokens={tokens} latest={latest}", COUNTED),
}
NEVER = datetime.min.replace(tzinfo=UTC)


@hookimpl
def source_info() -> Source:
    return SOURCE


@hookimpl
def parse_status(text: str, scope: str | None) -> Reading:
    from tracker_codex.ccusage_report import read_report

    return read_report(text, scope)


@hookimpl
def render_preview_block(context: PreviewContext) -> Block | None:
    """The newest report of each scope; of two with one instant, the later record."""
    newest: dict[str, Mapping[str, Any]] = {}
    for record in sorted(context.records, key=lambda record: instant(record.get("captured_at")) or NEVER):
        fields = _fields(record)
        newest[str(fields.get("scope"))] = fields
    rows = tuple(_row(scope, newest[scope]) for scope in ROWS if scope in newest)
    return Block(title=SOURCE.title, rows=rows) if rows else None


def _fields(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record's figures; if one of schema 1.0.0 (it has no id) lacks some, they are read from its report, if kept."""
    parsed, text = record.get("parsed"), record.get("raw_text")
    fields = parsed if isinstance(parsed, Mapping) else {}
    if "record_id" in record or not isinstance(text, str):
        return fields
    from tracker_codex.ccusage_report import read_report

    return {**read_report(text, None).fields, **fields}


def _row(scope: str, fields: Mapping[str, Any]) -> Row:
    from tracker_codex.ccusage_report import stored_figure

    text, figures = ROWS[scope]
    values = {shown: stored_figure(name, fields.get(name)) for shown, name in figures.items()}
    return Row(label=scope, text=text, values=values)
