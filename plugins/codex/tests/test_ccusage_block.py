"""The rows that ccusage's reports give the preview, and what the source declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from tracker.api import PreviewContext
from tracker_codex import ccusage
from tracker_kit import shown
from tracker_kit.cases import together

Object = dict[str, Any]


def fields(report: Any) -> Mapping[str, Any]:
    return ccusage.parse_status(text=json.dumps(report), scope=None).fields


def preview(*records: Any) -> list[str]:
    block = ccusage.render_preview_block(PreviewContext(windows=("W0-20",), records=records))
    assert block is not None
    assert block.title == "ccusage"
    return shown(block)


def record(report: Any, captured_at: str = "2025-10-19T16:30:00Z", **more: Any) -> Object:
    return {
        "record_id": "x",
        "captured_at": captured_at,
        "parsed": dict(fields(report)),
        **more,
    }


WEEK = {
    "view": "weekly",
    "resetAt": "2025-10-25T21:11:00Z",
    "currentWeek": {"startDate": "2025-10-18", "percentUsed": 9.2, "tokensUsed": 987654321},
}
DAYS = {
    "resetAt": "2025-10-20T21:11:00Z",
    "days": [{"date": "2025-10-19", "totalTokens": 123456, "percentUsed": 12.5, "costUSD": 0.06}],
}
SESSIONS = {
    "sessions": [
        {"sessionId": str(index), "lastActivity": f"2025-10-19T16:22:{index:02}.026Z", "totalTokens": 144563201}
        for index in range(51)
    ],
    "totals": {"totalTokens": 7372723263},
}


def test_the_block_has_a_row_per_scope_in_order() -> None:
    months = {"monthly": [{"month": "2025-10", "totalTokens": 7}]}
    blocks = {"blocks": [{"startTime": "2025-10-19T15:00:00.000Z", "totalTokens": 8}]}
    assert preview(*map(record, (blocks, months, SESSIONS, DAYS, WEEK))) == [
        "weekly: percent_used=9.2% tokens=987654321 reset=2025-10-25T21:11:00Z",
        "daily: latest=2025-10-19 tokens=123456 percent=12.5% reset=2025-10-20T21:11:00Z",
        "session: count=51 tokens=7372723263 latest=2025-10-19T16:22:50.026Z",
        "monthly: latest=2025-10 tokens=7",
        "blocks: count=1 tokens=8 latest=2025-10-19T15:00:00.000Z",
    ]


def test_figures_that_a_report_lacks_are_not_available() -> None:
    daily = {"daily": [{"date": "Oct 19, 2025", "totalTokens": 5, "costUSD": 1}]}
    weekly = {"weekly": [{"week": "2025-10-12", "totalTokens": 6}]}
    assert preview(record(daily), record(weekly)) == [
        "weekly: percent_used=n/a tokens=6 reset=n/a",
        "daily: latest=2025-10-19 tokens=5 percent=n/a reset=n/a",
    ]
    assert preview(record({"daily": []})) == ["daily: latest=n/a tokens=n/a percent=n/a reset=n/a"]
    assert preview(record({"sessions": []})) == ["session: count=0 tokens=0 latest=n/a"]


def test_the_newest_report_of_a_scope_is_the_one_captured_last() -> None:
    def week(percent: float) -> Object:
        return {"currentWeek": {"percentUsed": percent}}

    late = record(week(3), "2025-10-19T18:00:00+01:00")  # 17:00 UTC
    early = record(week(1), "2025-10-19T16:59:00.500Z")
    assert preview(late, early) == ["weekly: percent_used=3% tokens=n/a reset=n/a"]
    again = record(week(4), "2025-10-19T17:00:00Z")
    assert preview(late, again) == ["weekly: percent_used=4% tokens=n/a reset=n/a"]


def test_records_of_schema_1_0_0_are_read_leniently() -> None:
    old = {"captured_at": "2025-10-19T16:30:00Z", "parsed": {"scope": "weekly", "percent_used": 9.2}}
    assert preview(old) == ["weekly: percent_used=9.2% tokens=n/a reset=n/a"]
    assert preview(old | {"raw_text": json.dumps(WEEK)}) == [
        "weekly: percent_used=9.2% tokens=987654321 reset=2025-10-25T21:11:00Z"
    ]
    assert preview({"raw_text": json.dumps(DAYS)})[0].startswith("daily: latest=2025-10-19 tokens=123456")
    odd = {"scope": "weekly", "percent_used": "9.2", "tokens": -1, "reset": "\x1b[2J"}
    assert preview({"parsed": odd}) == ["weekly: percent_used=n/a tokens=n/a reset=n/a"]


@together("parsed", [None, [], {}, {"scope": 5}, {"scope": ["weekly"]}, {"errors": ["invalid-json"]}])
def test_records_without_a_report_make_no_block(parsed: Any) -> None:
    context = PreviewContext(windows=(), records=({"parsed": parsed, "captured_at": 5},))
    assert ccusage.render_preview_block(context) is None
    assert ccusage.render_preview_block(PreviewContext(windows=())) is None


def test_a_refused_report_stays_refused_in_the_preview() -> None:
    refused = {"record_id": "x", "parsed": {"errors": ["scope-mismatch"]}, "raw_text": json.dumps(WEEK)}
    assert ccusage.render_preview_block(PreviewContext(windows=(), records=(refused,))) is None


# --- the declaration


def test_what_the_source_declares() -> None:
    source = ccusage.source_info()
    assert (source.name, source.title, source.kind, source.stream) == (
        "codex-ccusage",
        "ccusage",
        "report",
        "codex_ccusage",
    )
    assert (source.prefix, source.place) == ("occ", 30)
    assert source.scopes == ("session", "daily", "weekly", "monthly", "blocks")
    [comparison] = source.comparisons
    assert fields(WEEK)[comparison.figure] == 9.2


def test_every_demo_capture_is_a_report_without_errors() -> None:
    demo = ccusage.source_info().demo
    assert demo is not None
    for step in demo.steps:
        assert step.capture is not None
        found = ccusage.parse_status(text=(files("tracker_codex") / step.capture).read_text(), scope=None)
        assert (found.errors, found.fields["percent_used"] is None) == ((), False)
