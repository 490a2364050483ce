"""ccusage's reports of Claude Code: samples as recorded and counted a second time, reports of others, hostile texts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.api import PreviewContext, Reading
from tracker_claude import ccusage
from tracker_kit import ReportConformance, shown
from tracker_kit.cases import together
from tracker_kit.hostile import junk, mutated

SAMPLES = Path(__file__).parent / "ccusage"
TEXTS = [path.read_text() for path in sorted(SAMPLES.glob("*.txt"))]
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class TestCcusage(ReportConformance):
    source = "claude-ccusage"
    screens = SAMPLES


def read(report: Any, scope: str | None = None) -> Reading:
    return ccusage.parse_status(text=json.dumps(report), scope=scope)


def row(**more: Any) -> Any:
    return {"date": "2026-05-02", "totalTokens": 30, "totalCost": 0.5, "modelsUsed": [], **more}


@together(
    ("sample", "key", "time"),
    [
        ("v20-claude-weekly", "weekly", "week"),
        ("v20-claude-blocks", "blocks", "startTime"),
        ("v20-all-daily-by-agent", "daily", "period"),
    ],
)
def test_figures_are_those_of_a_second_count(sample: str, key: str, time: str) -> None:
    text = (SAMPLES / f"{sample}.txt").read_text()
    rows = [one for one in json.loads(text)[key] if not one.get("isGap")]
    if "agent" in rows[0]:
        parts = [(one[time], part) for one in rows for part in one["agents"] if part["agent"] == "claude"]
        rows = [part | {time: period} for period, part in parts]
    found = ccusage.parse_status(text=text, scope=None).fields
    newest = max(rows, key=lambda one: str(one[time]))
    assert (found["rows"], found["latest"], found["tokens"]) == (len(rows), newest[time], newest["totalTokens"])
    assert found["total_tokens"] == sum(one["totalTokens"] for one in rows) == 10_925_360  # one history, three reports
    assert found["total_cost_usd"] == pytest.approx(sum(one.get("totalCost", one.get("costUSD")) for one in rows))
    assert found["tokens"] == sum(found[kind] for kind in KINDS)


@together(
    ("report", "tag"),
    [
        ({"daily": [{"date": "2026-05-02", "totalTokens": 1, "costUSD": 1, "models": {}}]}, "other-agent"),
        ({"daily": [{"date": "2026-05-02", "totalTokens": 1}]}, "other-agent"),  # nothing says whose it is
        ({"daily": [row(), {"date": "2026-05-03", "costUSD": 1}]}, "other-agent"),
        ({"daily": [row(modelsUsed=["gpt-9", "gemini-9-pro"])]}, "other-agent"),
        ({"sessions": [row(date=None, sessionId="ses_1", modelsUsed=["claude-9"])]}, "other-agent"),  # OpenCode's
        ({"daily": [row(agent="codex")]}, "other-agent"),
        ({"daily": [row(agent="all")]}, "agents-mixed"),
        ({"daily": [row(agent="all", metadata={"agents": ["claude", "codex"]})]}, "agents-mixed"),
        ({"currentWeek": {"percentUsed": 9.2}}, "invalid-report"),
        ({"daily": [row()], "weekly": []}, "scope-unknown"),
        ({"daily": [5]}, "invalid-report"),
        ({"daily": [{}]}, "invalid-report"),
        ([], "scope-unknown"),
        (5, "invalid-report"),
    ],
)
def test_a_report_of_others_gives_no_figures(report: Any, tag: str) -> None:
    assert read(report) == Reading(errors=(tag,))


def test_a_part_that_lacks_a_figure_does_not_take_it_from_the_whole() -> None:
    whole = {"agent": "all", "period": "2026-05-02", "inputTokens": 40, "totalTokens": 42}
    found = read({"daily": [whole | {"agents": [{"agent": "claude", "totalTokens": 30}]}]}).fields
    assert (found["latest"], found["tokens"], found["input_tokens"]) == ("2026-05-02", 30, None)


def test_only_rows_of_claude_alone_count_where_a_report_has_no_parts() -> None:
    alone, other = ({"agents": [name]} for name in ("claude", "codex"))
    days = [row(agent="all", metadata=alone), row(agent="all", metadata=other, totalTokens=7)]
    assert read({"daily": days}).fields["total_tokens"] == 30


@together(
    ("times", "latest"),
    [
        (["Sep 30, 2025", "Oct 05, 2025"], "2025-10-05"),
        (["Oct 9, 2025", "Oct 10, 2025"], "2025-10-10"),
        (["2026-05-09", "2026-05-10", "2026-04-30"], "2026-05-10"),
        (["2026-05-09", "Okt 05, 2026"], None),
        (["2026-02-30", "2026-02-01"], None),
    ],
)
def test_the_latest_day_is_found_by_date(times: list[str], latest: str | None) -> None:
    found = read({"daily": [row(date=time) for time in times]})
    assert found.fields["latest"] == latest
    assert found.fields["total_tokens"] == 30 * len(times)
    assert found.errors == (() if latest else ("section-missing:latest",))


@together("value", ["7", 7.5, -7, True, [], 10**30])
def test_tokens_that_are_no_count_are_left_empty(value: Any) -> None:
    found = read({"daily": [row(totalTokens=value)]})
    assert (found.fields["tokens"], found.fields["total_tokens"]) == (None, None)
    assert found.errors == ("section-missing:tokens",)


def test_a_cost_without_a_price_is_unknown() -> None:
    models = [{"modelName": "claude-9", "cost": 0.0, "missingPricing": True}]
    found = read({"daily": [row(modelBreakdowns=models), row(date="2026-05-01")]})
    assert (found.fields["cost_usd"], found.fields["total_cost_usd"], found.errors) == (None, None, ("unpriced",))


@together("models", [[], ["claude-9"], ["glm-9", "gpt-9"], ["<synthetic>"], ["zai/GLM-9"], ["anthropic.claude-9-v1:0"]])
def test_what_claude_code_can_call_is_its_own(models: list[str]) -> None:
    assert read({"daily": [row(modelsUsed=models)]}).fields["tokens"] == 30


@together(("tokens", "cost", "known"), [(30, 0, None), (30, 0.5, 0.5), (0, 0, 0), (30, None, None)])
def test_a_block_with_tokens_that_cost_nothing_has_no_price(
    tokens: int, cost: float | None, known: float | None
) -> None:
    block = {"startTime": "2026-05-02T10:00:00Z", "tokenCounts": {}, "totalTokens": tokens, "costUSD": cost}
    found = read({"blocks": [block]})
    assert (found.fields["tokens"], found.fields["cost_usd"], found.fields["total_cost_usd"]) == (tokens, known, known)
    assert found.errors == (("unpriced",) if cost == 0 and tokens else ())


def test_the_newest_report_of_each_scope_is_a_row() -> None:
    reports = [{"weekly": [row(date=None, week="2026-04-26")]}, {"daily": [row()]}, {"daily": [row(totalTokens=31)]}]
    records = [{"captured_at": f"2026-05-02T10:0{n}:00Z", "parsed": read(one).fields} for n, one in enumerate(reports)]
    block = ccusage.render_preview_block(PreviewContext(windows=("W1",), records=tuple(records)))
    assert block is not None
    assert shown(block) == ["weekly: latest=2026-04-26 tokens=30", "daily: latest=2026-05-02 tokens=31"]
    assert ccusage.render_preview_block(PreviewContext(windows=("W1",), records=())) is None


def check(reading: Reading) -> None:
    orjson.dumps(dict(reading.fields))
    for name, value in reading.fields.items():
        assert value is None or isinstance(value, str if name in ("scope", "latest") else int | float)
        assert isinstance(value, str | None) or (not isinstance(value, bool) and math.isfinite(value) and value >= 0)
    assert reading.fields or reading.errors
    assert {tag.partition(":")[0] for tag in reading.errors} <= ccusage.SOURCE.tags.keys()
    ccusage.render_preview_block(PreviewContext(windows=(), records=({"parsed": reading.fields},)))


SCOPES = st.sampled_from([None, *ccusage.SOURCE.scopes])
ANYTHING = junk(["all", "claude", "Oct 19, 2025"])


@settings(deadline=None)
@given(
    st.text() | st.sampled_from(TEXTS).flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end])),
    SCOPES,
)
def test_any_text_has_an_answer(text: str, scope: str | None) -> None:
    check(ccusage.parse_status(text=text, scope=scope))


@settings(deadline=None)
@given(mutated(TEXTS, ANYTHING), SCOPES)
def test_any_mutation_of_a_report_has_an_answer(text: str, scope: str | None) -> None:
    check(ccusage.parse_status(text=text, scope=scope))


@settings(deadline=None)
@given(ANYTHING, ANYTHING)
def test_any_record_has_a_preview(parsed: Any, value: Any) -> None:
    edited = dict.fromkeys(("rows", "latest", "tokens", "total_tokens"), value) | {"scope": "weekly"}
    records = ({"parsed": parsed, "raw_text": parsed, "captured_at": parsed}, {"parsed": edited})
    block = ccusage.render_preview_block(PreviewContext(windows=(), records=records))
    assert block is not None
    assert block.rows[0].label == "weekly"
