"""ccusage's reports: the samples as recorded and recomputed, single rules, and the rows of the preview."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Reading
from tracker_codex import ccusage
from tracker_kit import ReportConformance
from tracker_kit.cases import together

SAMPLES = Path(__file__).parent / "ccusage"


class TestCcusage(ReportConformance):
    source = "codex-ccusage"
    screens = SAMPLES


def read(report: Any, scope: str | None = None) -> Reading:
    return ccusage.parse_status(text=json.dumps(report), scope=scope)


def fields(report: Any, scope: str | None = None) -> Mapping[str, Any]:
    return read(report, scope).fields


# --- the real samples, counted a second time

Object = dict[str, Any]


def is_usage(found: Object) -> bool:
    return not found.get("isGap")


def fresh_v18(found: Object) -> int:
    return int(found["inputTokens"] - found["cachedInputTokens"])


def fresh(found: Object) -> int:
    return int(found.get("tokenCounts", found)["inputTokens"])


def named_day(found: Object) -> datetime:
    return datetime.strptime(found["date"], "%b %d, %Y").replace(tzinfo=UTC)


def by(key: str) -> Callable[[Object], datetime]:
    return lambda found: datetime.fromisoformat(found[key] if len(found[key]) > 7 else found[key] + "-01")


@together(
    ("sample", "key", "scope", "time", "fresh_input"),
    [
        ("v18-codex-daily", "daily", "daily", named_day, fresh_v18),
        ("v18-codex-session", "sessions", "session", by("lastActivity"), fresh_v18),
        ("v20-codex-daily", "daily", "daily", by("date"), fresh),
        ("v20-codex-monthly", "monthly", "monthly", by("month"), fresh),
        ("v20-codex-session", "sessions", "session", by("lastActivity"), fresh),
    ],
)
def test_figures_are_those_of_a_second_count(
    sample: str,
    key: str,
    scope: str,
    time: Callable[[Object], datetime],
    fresh_input: Callable[[Object], int],
) -> None:
    text = (SAMPLES / f"{sample}.txt").read_text()
    rows = [found for found in json.loads(text)[key] if is_usage(found)]
    newest = sorted(rows, key=time)[-1]
    found = ccusage.parse_status(text=text, scope=None).fields
    assert found["scope"] == scope
    assert found["rows"] == len(rows)
    assert found["tokens"] == newest["totalTokens"]
    assert found["input_tokens"] == fresh_input(newest)
    assert found["total_tokens"] == sum(one["totalTokens"] for one in rows)
    assert found["total_cost_usd"] == pytest.approx(sum(one.get("costUSD", one.get("totalCost")) for one in rows))
    parts: Object = {**found, "cache_write_tokens": found["cache_write_tokens"] or 0}  # not reported up to 18
    kinds = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    assert found["tokens"] == sum(parts[kind] for kind in kinds)  # so input has no cached tokens in any version
    assert str(found["latest"]).startswith(f"{time(newest):%Y-%m}")


# --- the scope


@together("scope", [None, "weekly"])
def test_a_report_that_is_the_asked_one_is_read(scope: str | None) -> None:
    assert fields({"weekly": [{"week": "2025-10-12", "totalTokens": 5}]}, scope)["tokens"] == 5


@together("scope", ["daily", "session", "monthly", "blocks"])
def test_a_contradicting_scope_gives_no_figures(scope: str) -> None:
    assert read({"weekly": [{"week": "2025-10-12", "totalTokens": 5}]}, scope) == Reading(errors=("scope-mismatch",))


def test_of_several_reports_in_one_the_scope_decides() -> None:
    both = {"daily": [{"date": "2025-10-19", "totalTokens": 1}], "monthly": [{"month": "2025-10", "totalTokens": 2}]}
    assert read(both).errors == ("scope-unknown",)
    assert fields(both, "daily")["tokens"] == 1
    assert fields(both, "monthly")["tokens"] == 2
    assert read(both, "weekly").errors == ("scope-mismatch",)


def test_an_empty_list_is_an_empty_report_of_the_asked_scope() -> None:
    assert read([]).errors == ("scope-unknown",)
    assert fields([], "blocks") == fields({"blocks": []})
    assert fields({"daily": [], "totals": None})["total_tokens"] == 0


def test_a_view_that_names_another_report_is_refused() -> None:
    week = {"percentUsed": 9.2}
    assert fields({"view": "weekly", "currentWeek": week})["percent_used"] == 9.2
    assert read({"view": "daily", "currentWeek": week}).errors == ("invalid-report",)


# --- the newest row


@together(
    ("days", "latest"),
    [
        (["Sep 30, 2025", "Oct 05, 2025"], "2025-10-05"),
        (["Oct 05, 2025", "Sep 30, 2025"], "2025-10-05"),
        (["Dec 31, 2025", "Jan 01, 2026"], "2026-01-01"),
        (["Oct 9, 2025", "Oct 10, 2025"], "2025-10-10"),
        (["2025-10-09", "2025-09-30", "2025-10-10"], "2025-10-10"),
        (["May 09, 2026", "2026-05-10"], "2026-05-10"),
    ],
)
def test_the_latest_day_is_found_by_date(days: list[str], latest: str) -> None:
    report = {"daily": [{"date": day, "totalTokens": index} for index, day in enumerate(days)]}
    found = fields(report)
    assert found["latest"] == latest
    assert datetime.fromisoformat(latest).day == int(days[found["tokens"]].split(",")[0][-2:])


@together("day", ["Okt 05, 2025", "2025-02-30", "05/10/2025", "Oct 05 2025", "2025-10", "oct 05, 2025"])
def test_an_unreadable_day_among_others_leaves_the_newest_unknown(day: str) -> None:
    report = {"daily": [{"date": day, "totalTokens": 1}, {"date": "2025-10-04", "totalTokens": 2}]}
    found = read(report)
    if day == "2025-10":  # a month: older than any of its later days
        assert found.fields["latest"] == "2025-10-04"
        return
    assert (found.fields["latest"], found.fields["tokens"]) == (None, None)
    assert found.fields["total_tokens"] == 3
    assert found.errors == ("section-missing:latest",)


def test_the_only_row_is_the_newest_whatever_its_day() -> None:
    found = read({"daily": [{"date": "5. Okt. 2025", "totalTokens": 1}]})
    assert (found.fields["latest"], found.fields["tokens"]) == (None, 1)
    assert found.errors == ("section-missing:latest",)


def test_instants_of_other_zones_are_compared_as_instants() -> None:
    sessions = [
        {"sessionId": "a", "lastActivity": "2025-10-19T23:30:00-05:00", "totalTokens": 1},
        {"sessionId": "b", "lastActivity": "2025-10-20T03:00:00Z", "totalTokens": 2},
    ]
    found = fields({"sessions": sessions})
    assert (found["latest"], found["tokens"]) == ("2025-10-19T23:30:00-05:00", 1)


def test_sessions_without_any_time_are_still_counted() -> None:
    found = read({"session": [{"sessionId": "a", "totalTokens": 1}, {"sessionId": "b", "totalTokens": 2}]})
    assert (found.fields["rows"], found.fields["total_tokens"], found.fields["latest"]) == (2, 3, None)
    assert found.errors == ()


def test_rows_of_one_day_are_added_up() -> None:
    rows = [
        {"period": "2026-05-02", "agent": "codex", "totalTokens": 30, "totalCost": 0.5},
        {"period": "2026-05-02", "agent": "codex", "totalTokens": 12, "totalCost": 0.25},
    ]
    found = fields({"daily": rows})
    assert (found["tokens"], found["cost_usd"], found["total_tokens"]) == (42, 0.75, 42)


def test_percentages_of_one_day_do_not_add_up() -> None:
    found = fields({"days": [{"date": "2025-10-19", "percentUsed": 30, "totalTokens": 5}] * 2})
    assert (found["percent_used"], found["tokens"]) == (None, 10)


# --- reports of other agents


def unified(*days: Any, **more: Any) -> Any:
    return {"daily": [{"period": "2026-05-02", **day} for day in days], **more}


CLAUDE, CODEX, ALL = (
    {"agent": name, "totalTokens": size} for name, size in (("claude", 30), ("codex", 12), ("all", 42))
)
BOTH = {"metadata": {"agents": ["claude", "codex"]}}


@together(
    "report",
    [
        unified(CLAUDE, CODEX, ALL),
        unified(ALL | {"agents": [CLAUDE, CODEX]}),
        unified(ALL | BOTH | {"agents": [CLAUDE, CODEX]}, totals={"totalTokens": 42}),
        unified(CODEX, ALL | {"agents": [CLAUDE, CODEX]}),
        unified(
            CODEX | {"agent": "all", "metadata": {"agents": ["codex"]}}, ALL | {"metadata": {"agents": ["claude"]}}
        ),
    ],
)
def test_of_a_unified_report_the_own_rows_count(report: Any) -> None:
    found = fields(report)
    assert (found["rows"], found["tokens"], found["total_tokens"]) == (1, 12, 12)


@together(
    ("report", "tag"),
    [
        (unified(ALL | BOTH), "agents-mixed"),
        (unified(ALL), "agents-mixed"),
        (unified(CLAUDE), "other-agent"),
        (unified(ALL | {"agents": [CLAUDE]}), "other-agent"),
        ({"daily": [{"date": "2026-05-02", "totalTokens": 1, "modelsUsed": ["claude-opus-4-6"]}]}, "other-agent"),
        ({"daily": [], "totals": {"totalCost": -0.0, "totalTokens": 0}}, "other-agent"),
        ({"blocks": [{"startTime": "2026-05-02T10:00:00Z", "tokenCounts": {"inputTokens": 1}}]}, "other-agent"),
    ],
)
def test_a_report_of_others_gives_no_figures(report: Any, tag: str) -> None:
    assert read(report) == Reading(errors=(tag,))


def test_a_part_that_lacks_a_figure_does_not_take_it_from_the_whole() -> None:
    found = fields(unified(ALL | {"inputTokens": 40, "agents": [CODEX]}))
    assert (found["tokens"], found["input_tokens"]) == (12, None)


def test_a_cost_without_a_price_is_unknown() -> None:
    models = {"gpt-9": {"missingPricing": True}, "gpt-5": {"missingPricing": False}}
    row = {"date": "2026-05-02", "totalTokens": 1, "costUSD": 0, "models": models}
    found = read({"daily": [row], "totals": {"costUSD": 0, "unpricedModels": ["gpt-9"]}})
    assert (found.fields["tokens"], found.fields["cost_usd"], found.fields["total_cost_usd"]) == (1, None, None)
    assert found.errors == ("unpriced",)


# --- values


@together(
    ("value", "cost", "tags"),
    [
        (3, 3, ()),
        (3.25, 3.25, ()),
        (0, 0, ()),
        (-0.0, 0, ()),
        (None, None, ()),
        (-1, None, ("section-missing:cost_usd", "section-missing:total_cost_usd")),
        ("3", None, ("section-missing:cost_usd", "section-missing:total_cost_usd")),
        (True, None, ("section-missing:cost_usd", "section-missing:total_cost_usd")),
        (1e300, None, ("section-missing:cost_usd", "section-missing:total_cost_usd")),
    ],
)
def test_costs(value: Any, cost: float | None, tags: tuple[str, ...]) -> None:
    found = read({"daily": [{"date": "2025-10-19", "totalTokens": 1, "costUSD": value}]})
    assert repr(found.fields["cost_usd"]) == repr(cost)
    assert found.errors == tags


@together("value", ["7", 7.5, -7, True, [], {}, 10**15, 10**30])
def test_tokens_that_are_no_count_are_left_empty(value: Any) -> None:
    found = read({"daily": [{"date": "2025-10-19", "totalTokens": value}]})
    assert found.fields["tokens"] is None
    assert found.fields["total_tokens"] is None
    assert found.errors == ("section-missing:tokens", "section-missing:total_tokens")


def test_a_sum_stays_within_what_a_record_can_hold() -> None:
    rows = [{"date": f"2025-10-{day:02}", "totalTokens": 10**15 - 1} for day in range(1, 32)]
    assert fields({"daily": rows})["total_tokens"] is None


def test_the_reports_own_totals_come_first() -> None:
    rows = [{"sessionId": "a", "lastActivity": "2025-10-19", "totalTokens": 1}]
    assert fields({"sessions": rows, "totals": {"totalTokens": 9}})["total_tokens"] == 9
    assert fields({"sessions": rows, "totals": {}})["total_tokens"] == 1
    bad = read({"sessions": rows, "totals": {"totalTokens": "9"}})
    assert (bad.fields["total_tokens"], bad.errors) == (1, ("section-missing:total_tokens",))


@together(
    ("row", "input_tokens", "cached"),
    [
        ({"inputTokens": 500, "cachedInputTokens": 450}, 50, 450),
        ({"inputTokens": 500, "cacheReadTokens": 450}, 500, 450),
        ({"inputTokens": 50, "cachedInputTokens": 450, "cacheReadTokens": 450}, 50, 450),
        ({"inputTokens": 500}, 500, None),
        ({"inputTokens": 500, "cachedInputTokens": 501}, None, 501),
        ({"inputTokens": 500, "cachedInputTokens": "450"}, None, None),
    ],
)
def test_input_is_without_what_was_cached(row: Object, input_tokens: int | None, cached: int | None) -> None:
    found = read({"daily": [{"date": "2025-10-19", **row}]})
    assert (found.fields["input_tokens"], found.fields["cache_read_tokens"]) == (input_tokens, cached)
    assert ("section-missing:input_tokens" in found.errors) is (input_tokens is None)


@together("value", [110, 0, 99.5])
def test_percentages_may_be_over_100(value: float) -> None:
    assert fields({"currentWeek": {"percentUsed": value}})["percent_used"] == value


@together("value", ["9.2%", -1, 1001, False])
def test_what_is_no_percentage_is_left_empty(value: Any) -> None:
    found = read({"currentWeek": {"percentUsed": value, "tokensUsed": 5}})
    assert (found.fields["percent_used"], found.fields["tokens"]) == (None, 5)
    assert found.errors == ("section-missing:percent_used",)


@together("reset", ["soon", "2025-13-01T00:00:00Z", "2025-10-25\x1b21:11:00Z", 1761426660, ["x"]])
def test_a_reset_that_is_no_instant_is_left_empty(reset: Any) -> None:
    found = read({"resetAt": reset, "currentWeek": {"percentUsed": 1}})
    assert (found.fields["reset"], found.errors) == (None, ("section-missing:reset",))


def test_when_a_summary_was_made_is_when_it_is_from() -> None:
    made = read({"generated_at": "2025-10-19T18:25:00+02:00", "currentWeek": {"percentUsed": 1}})
    assert made.as_of == datetime(2025, 10, 19, 16, 25, tzinfo=UTC)
    for odd in ("soon", 5, None, "0001-01-01T00:00:00+23:00"):
        assert read({"generated_at": odd, "currentWeek": {"percentUsed": 1}}).as_of is None


@together(
    "payload",
    [
        {},
        {"weekly": {}},
        {"daily": None},
        {"daily": [5]},
        {"daily": [{}]},
        {"daily": [{"sessionId": "a"}]},
        {"currentWeek": []},
        {"currentWeek": {}},
        {"blocks": [{"window_id": "G-1", "prompts_used": 118}]},
        {"limits": []},
        5,
        None,
        "daily",
        [[]],
    ],
)
def test_other_payloads_give_no_figures(payload: Any) -> None:
    assert read(payload) == Reading(errors=("invalid-report",))


@together(
    "text",
    [
        "",
        " ",
        "daily",
        "{",
        '{"daily": [',
        '{"daily": []} {}',
        '{"daily": [], "x": NaN}',
        '{"daily": [], "x": 1e400}',
        '{"daily": [], "x": "\\ud800"}',
        "\ud800",
        "[" * 100_000,
        '{"daily":' * 2000,
        "9" * 100_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_texts_that_are_no_json_give_no_figures(text: str) -> None:
    assert ccusage.parse_status(text=text, scope=None) == Reading(errors=("invalid-json",))


def test_a_byte_order_mark_is_no_part_of_the_report() -> None:
    assert ccusage.parse_status(text='\ufeff{"daily": []}', scope=None).errors == ()


def test_gaps_between_blocks_are_no_blocks() -> None:
    work = [{"startTime": f"2025-10-19T0{hour}:00:00Z", "totalTokens": hour, "isGap": False} for hour in (1, 7)]
    gap = {"startTime": "2025-10-19T12:00:00Z", "totalTokens": 0, "isGap": True}
    found = fields({"blocks": [*work, gap]})
    assert (found["rows"], found["tokens"], found["latest"]) == (2, 7, "2025-10-19T07:00:00Z")
