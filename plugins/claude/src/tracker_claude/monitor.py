"""The source `claude-monitor`: its live screen and its one-shot output, both estimates made from local logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tracker.api import Block, Demo, DemoStep, PreviewContext, Reading, Row, Source, hookimpl, instant
from tracker_claude.origins import MONITOR

DEMO_STEP = DemoStep(
    stage=20,
    arguments=("ingest", "claude-monitor", "--window", "{window}", "--stdin", "--captured-at", "2026-11-22T08:10:00Z"),
    capture="demo/monitor.txt",
)

SOURCE = Source(
    contract="1.1",
    name="claude-monitor",
    title="claude-monitor",
    kind="report",
    stream="claude_monitor",
    prefix="acm",
    tags={
        "invalid-json": "invalid JSON; capture the whole output and nothing else",
        "invalid-report": "the JSON is not claude-monitor's",
        "insufficient-data": "the text holds no figure; capture again once claude-monitor shows its numbers",
        "section-missing": "the figure is there but unreadable; it is left empty",
        "multi-pane-trimmed": "the text holds several screens; only the last was read",
        "stale-data": "claude-monitor itself says that its numbers are old; capture again",
    },
    demo=Demo(steps=(DEMO_STEP,)),
    origins=(MONITOR,),
)

TEXT = (
    "token_usage={token_usage_pct:%} tokens={tokens_used}/{token_limit} burn_rate={burn_rate_per_min:.1 tokens/min}"
    " cost_rate={cost_rate_per_min:.4 $/min} messages={message_count} confidence={confidence}"
)
SHOWN = re.findall(r"{(\w+)", TEXT)  # the figures that the text names
NEVER = datetime.min.replace(tzinfo=UTC)


@hookimpl
def source_info() -> Source:
    return SOURCE


@hookimpl
def parse_status(text: str) -> Reading:
    from tracker_claude.monitor_output import read_output

    return read_output(text)


@hookimpl
def render_preview_block(context: PreviewContext) -> Block | None:
    """The newest record, in one row; of two with one instant, the later one."""
    if not context.records:
        return None
    from tracker_claude.monitor_output import FIGURES

    fields = _fields(sorted(context.records, key=lambda record: instant(record.get("captured_at")) or NEVER)[-1])
    values = {name: FIGURES[name].honest(fields.get(name)) for name in SHOWN}
    return Block(title=SOURCE.title, rows=(Row(values=values, text=TEXT),))


def _fields(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record's figures; if one of schema 1.0.0 (it has no id) lacks some, they are read from its output, if kept."""
    parsed, text = record.get("parsed"), record.get("raw_text")
    fields = parsed if isinstance(parsed, Mapping) else {}
    if "record_id" in record or not isinstance(text, str):
        return fields
    from tracker_claude.monitor_output import read_output

    return {**read_output(text).fields, **fields}
