"""GLM's prompt counts and quota answers: the screens as recorded, single rules, deltas, hostile texts."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

import tracker_glm
from tracker.api import Change, Delta, Gauge, Reading, account_id
from tracker_kit import StatusConformance, call, stored
from tracker_kit.cases import together
from tracker_kit.hostile import junk, mutated

SCREENS = Path(__file__).parent / "screens"
NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
TEXTS = [path.read_text() for path in sorted(SCREENS.glob("*.txt"))]


class TestGlm(StatusConformance):
    source = "glm"
    screens = SCREENS


def read(payload: Any, captured_at: datetime = NOW, timezone: tzinfo = UTC) -> Reading:
    return tracker_glm.parse_status(text=json.dumps(payload), captured_at=captured_at, timezone=timezone)


def used(reading: Reading) -> dict[str, float | None]:
    return {gauge.meter: gauge.used for gauge in reading.gauges}


def quota(*limits: Any, **data: Any) -> Reading:
    return read({"code": 200, "success": True, "data": {"limits": list(limits), **data}})


def tokens(kind: str = "TOKENS_LIMIT", **limit: Any) -> dict[str, Any]:
    return {"type": kind, **limit}


# --- prompt counts


def test_counts_of_long_ago_say_so() -> None:
    counts = {"generated_at": "2026-11-22T04:50:00Z", "blocks": [{"prompts_used": 1}]}
    assert read(counts).errors == read(counts, NOW + timedelta(hours=23)).errors == ()
    assert read(counts, NOW + timedelta(days=365)).errors == ("counted-long-ago",)


@together("counts", [[118], [118, 7, 0], [12.0, 18], [0]])
def test_prompts_are_the_sum_over_blocks(counts: list[float]) -> None:
    reading = read({"blocks": [{"prompts_used": count} for count in counts]})
    assert used(reading) == {"prompts": sum(counts)}
    assert (reading.fields, reading.errors) == ({"blocks": len(counts)}, ())


@together("payload", [{}, {"blocks": []}, {"blocks": None}, {"account": "dev@example.com"}, [], 5, None, "x"])
def test_payloads_without_blocks(payload: Any) -> None:
    assert read(payload) == Reading(errors=("no-blocks",))


@together("count", ["7", -1, 7.5, True, None, [], 10**15, 10**30])
def test_one_bad_count_leaves_the_sum_unknown(count: Any) -> None:
    assert read({"blocks": [{"prompts_used": 118}, {"prompts_used": count}]}) == Reading(errors=("invalid-blocks",))


@together("blocks", [{}, "x", 5, True, [5], [[]], [{}], [None], [{"prompts_used": 10**15 - 1}] * 2])
def test_blocks_that_are_none(blocks: Any) -> None:
    assert read({"blocks": blocks}) == Reading(errors=("invalid-blocks",))


def test_when_the_counts_were_made_is_when_they_are_from() -> None:
    blocks = [{"prompts_used": 1}]
    made = read({"generated_at": "2026-11-22T06:50:00+02:00", "blocks": blocks})
    assert made.as_of == datetime(2026, 11, 22, 4, 50, tzinfo=UTC)
    local = read({"generated_at": "2026-11-22T12:50:00", "blocks": blocks}, timezone=ZoneInfo("Asia/Shanghai"))
    assert local.as_of == made.as_of
    first = {"generated_at": "0001-01-01T00:00:00", "blocks": blocks}
    assert read(first, timezone=ZoneInfo("Asia/Shanghai")).as_of is None
    for odd in ("soon", 5, None, "2026-11-22", "0001-01-01T00:00:00+23:00"):
        assert read({"generated_at": odd, "blocks": blocks}).as_of is None


def test_the_account_is_not_kept() -> None:
    reading = read({"account": "dev@example.com", "blocks": [{"prompts_used": 1, "notes": "dev@example.com"}]})
    assert "dev" not in repr(reading)


def test_accounts_are_told_apart_by_a_hash() -> None:
    names = ("dev@example.com", " DEV@example.com", "dave@example.com", "team-a", "team-b", "", None, 5)
    found = [read({"account": name, "blocks": [{"prompts_used": 1}]}).fields.get("account") for name in names]
    assert found[0] == found[1] == account_id("dev@example.com")
    assert len(set(found[1:5])) == 4
    assert found[5:] == [None, None, None]


# --- the quota


@together("kind", ["TOKENS_LIMIT", "CREDIT_LIMIT"])
def test_pools_are_told_by_their_length(kind: str) -> None:
    week, five = tokens(kind, unit=6, number=1, percentage=61), tokens(kind, unit=3, number=5, percentage=12)
    assert used(quota(week, five)) == {"fiveh": 12, "weekly": 61}
    assert used(quota(five, week)) == {"fiveh": 12, "weekly": 61}


@together(
    ("limit", "found"),
    [
        ({"unit": 3, "number": 5}, "fiveh"),
        ({"unit": 6, "number": 1}, "weekly"),
        ({"unit": 3, "number": 1}, None),
        ({"unit": 6, "number": 2}, None),
        ({"unit": 5, "number": 1}, None),
        ({"unit": 3}, None),
        ({"unit": "3", "number": "5"}, None),
        ({"unit": 6, "number": True}, None),
        ({"unit": [3], "number": {}}, None),
        ({}, "fiveh"),
        ({"unit": None, "number": 1}, "fiveh"),
    ],
)
def test_a_length_that_is_not_known_is_no_meter(limit: dict[str, Any], found: str | None) -> None:
    reading = quota(tokens(percentage=12, **limit))
    if found:
        assert (used(reading), reading.errors) == ({found: 12}, ())
    else:
        assert reading == Reading(errors=("insufficient-data", "limit-unknown"))


def test_without_unit_only_the_first_token_limit_is_known() -> None:
    tools = tokens("TIME_LIMIT", percentage=2)
    first, second = tokens(percentage=34), tokens(percentage=9)
    reading = quota(tools, first, second)
    assert (used(reading), reading.errors) == ({"fiveh": 34, "mcp_month": 2}, ("limit-unknown",))
    reading = quota(tokens(unit=6, number=1, percentage=61), second)
    assert (used(reading), reading.errors) == ({"weekly": 61}, ("limit-unknown",))


@together("limit", [{"type": "VIDEO_LIMIT"}, {"type": None}, {"type": ["TIME_LIMIT"]}, {}, 5, None, []])
def test_a_type_that_is_not_known_is_no_meter(limit: Any) -> None:
    odd = {**limit, "unit": 3, "number": 5, "percentage": 99} if isinstance(limit, dict) else limit
    reading = quota(odd, tokens(unit=6, number=1, percentage=61))
    assert (used(reading), reading.errors) == ({"weekly": 61}, ("limit-unknown",))


def test_a_meter_that_comes_twice() -> None:
    one, other = tokens(unit=3, number=5, percentage=12), tokens("CREDIT_LIMIT", unit=3, number=5, percentage=13)
    assert used(quota(one, one)) == {"fiveh": 12}
    reading = quota(one, other, tokens("TIME_LIMIT", percentage=1))
    assert (used(reading), reading.errors) == ({"fiveh": None, "mcp_month": 1}, ("limit-ambiguous:fiveh",))
    assert used(quota(one, other, one))["fiveh"] is None


@together(
    ("limit", "percent"),
    [
        ({"percentage": 45, "usage": 4000, "currentValue": 1}, 45),
        ({"percentage": 110}, 110),
        ({"percentage": 0.5}, 0.5),
        ({"percentage": -0.0}, 0),
        ({"usage": 4000, "currentValue": 1828, "remaining": 2172}, 45.7),
        ({"percentage": None, "usage": 3, "currentValue": 1}, 33.333333),
        ({"usage": 100, "currentValue": 120}, 120),
        ({"percentage": "45", "usage": 4000, "currentValue": 1828}, None),
        ({"percentage": True, "usage": 4000, "currentValue": 1828}, None),
        ({"percentage": -1}, None),
        ({"percentage": 5000}, None),
        ({"usage": 0, "currentValue": 0}, None),
        ({"usage": 5e-324, "currentValue": 10**14}, None),
        ({"usage": "4000", "currentValue": 1828}, None),
        ({"usage": 4000, "remaining": 2172}, None),
        ({}, None),
    ],
)
def test_the_used_percentage(limit: dict[str, Any], percent: float | None) -> None:
    reading = quota(tokens("TIME_LIMIT", **limit), tokens(unit=6, number=1, percentage=61))
    assert used(reading) == {"mcp_month": percent, "weekly": 61}
    assert reading.errors == (() if percent is not None else ("section-missing:mcp_month",))


@together(
    ("reset", "instant"),
    [
        (1795337421000, datetime(2026, 11, 22, 8, 50, 21, tzinfo=UTC)),
        (1795337421500.0, datetime(2026, 11, 22, 8, 50, 21, 500_000, tzinfo=UTC)),
        (None, None),
    ],
)
def test_when_a_limit_is_reset(reset: Any, instant: datetime | None) -> None:
    reading = quota(tokens(unit=3, number=5, percentage=1, nextResetTime=reset))
    assert (reading.gauges, reading.errors) == ((Gauge(meter="fiveh", used=1, reset_at=instant),), ())


@together("reset", [1795337421, 0, -1, 10**14, 10**300, "1795337421000", True, [], "2026-11-22T08:50:21Z"])
def test_a_reset_that_is_no_instant(reset: Any) -> None:
    reading = quota(tokens(unit=3, number=5, percentage=1, nextResetTime=reset))
    assert (reading.gauges, reading.errors) == ((Gauge(meter="fiveh", used=1),), ("reset-unreadable:fiveh",))


@together("plan", [{"level": "pro"}, {"planName": "pro"}, {"level": None, "planName": "pro"}])
def test_the_plan_is_kept(plan: dict[str, Any]) -> None:
    assert quota(tokens(percentage=1), **plan).fields == {"plan": "pro"}


@together("plan", [{}, {"level": 5}, {"level": "\x1b[2J"}, {"level": "x" * 100}])
def test_what_is_no_plan_is_not_kept(plan: dict[str, Any]) -> None:
    assert quota(tokens(percentage=1), **plan).fields == {}


DATA = {"limits": [{"type": "TIME_LIMIT", "percentage": 1}]}


@together(
    "payload",
    [
        {"code": 200, "success": False, "data": DATA},
        {"code": 401, "success": True, "data": DATA},
        {"code": 500, "msg": "internal error"},
        {"success": False},
        {"code": "200", "success": True, "data": DATA},
        {"code": 200, "success": "true", "data": DATA},
    ],
)
def test_an_error_of_the_vendor(payload: Any) -> None:
    assert read(payload) == Reading(errors=("usage-not-loaded",))


def test_what_has_blocks_is_a_count_whatever_stands_beside_them() -> None:
    assert used(read({"code": 200, "success": True, "data": DATA, "blocks": [{"prompts_used": 3}]})) == {"prompts": 3}


@together("answer", [{"code": 200}, {"success": True}, {}])
def test_an_answer_that_lacks_one_of_its_two_signs(answer: dict[str, Any]) -> None:
    assert used(read({**answer, "data": DATA})) == {"mcp_month": 1}


@together("data", [None, [], 5, {}, {"limits": None}, {"limits": {}}, {"limits": []}])
def test_an_answer_without_limits(data: Any) -> None:
    assert read({"code": 200, "success": True, "data": data}) == Reading(errors=("insufficient-data",))


@together(
    "text",
    ["", "GLM", "{", '{"blocks": []} {}', '{"blocks": NaN}', '{"x": 1e400}', "[" * 100_000, "9" * 100_000, "\ud800"],
    ids=lambda text: ascii(text[:20]),
)
def test_texts_that_are_no_json(text: str) -> None:
    assert tracker_glm.parse_status(text=text, captured_at=NOW) == Reading(errors=("invalid-json",))


# --- deltas


START, END = datetime(2026, 11, 22, 6, tzinfo=UTC), datetime(2026, 11, 22, 9, tzinfo=UTC)
COUNTS = {"prompts": 12}
MISSING = Change(meter="prompts", delta=None, reason="capacity-missing")


def delta(before: dict[str, float | None], after: dict[str, float | None]) -> Delta:
    readings = [
        Reading(gauges=tuple(Gauge(meter=meter, used=value) for meter, value in values.items()), as_of=at)
        for values, at in ((before, START), (after, END))
    ]
    found = call("glm", "compute_delta", before=readings[0], after=readings[1])
    assert isinstance(found, Delta)
    return found


def test_counts_are_subtracted() -> None:
    assert delta({"prompts": 12}, {"prompts": 30}) == Delta(changes=(Change(meter="prompts", delta=18),))
    [fell] = delta({"prompts": 30}, {"prompts": 12}).changes
    assert (fell.delta, fell.reason) == (None, "negative-delta:prompts")


def test_a_quota_has_no_capacity_but_its_own_deltas() -> None:
    found = delta({"fiveh": 10, "weekly": 5}, {"fiveh": 12.5, "weekly": 5})
    assert found.changes == (MISSING, Change(meter="fiveh", delta=2.5), Change(meter="weekly", delta=0))


@together(
    ("before", "after"),
    [
        ({"prompts": 12}, {"weekly": 5}),
        ({"weekly": 5}, {"prompts": 12}),
        ({"prompts": 12}, {"prompts": None}),
        ({"prompts": None}, {"prompts": 12}),
        ({}, {"prompts": 12}),
        ({}, {}),
    ],
)
def test_units_are_never_mixed(before: dict[str, Any], after: dict[str, Any]) -> None:
    changes = delta(before, after).changes
    assert changes[0] == MISSING
    assert all(change.delta is None for change in changes)
    assert sorted(change.meter for change in changes) == sorted({"prompts", *before, *after})


def test_a_meter_that_was_reset_in_between_has_the_cores_reason() -> None:
    reset = datetime(2026, 11, 22, 8, tzinfo=UTC)
    before = Reading(gauges=(Gauge(meter="fiveh", used=10, reset_at=reset),), as_of=START)
    after = Reading(gauges=(Gauge(meter="fiveh", used=12),), as_of=END)
    found = call("glm", "compute_delta", before=before, after=after)
    assert found.changes == (MISSING, Change(meter="fiveh", delta=None, reason="reset-crossed:fiveh"))


# --- whatever comes


ANYTHING = junk(["TOKENS_LIMIT", "TIME_LIMIT"])


def check(reading: Reading) -> None:
    orjson.dumps(stored("glm", reading))  # a record can hold it
    for gauge in reading.gauges:
        assert gauge.used is None or (math.isfinite(gauge.used) and gauge.used >= 0)
    assert reading.gauges or reading.errors
    assert {tag.partition(":")[0] for tag in reading.errors} <= tracker_glm.SOURCE.tags.keys()


@settings(deadline=None)
@given(st.text(), st.sampled_from(TEXTS), st.data())
def test_any_text_has_an_answer(inserted: str, text: str, data: st.DataObject) -> None:
    check(tracker_glm.parse_status(text=inserted, captured_at=NOW))
    start, end = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
    check(tracker_glm.parse_status(text=text[:start] + inserted + text[end:], captured_at=NOW))


@settings(deadline=None)
@given(mutated([text for text in TEXTS if text.startswith("{")], ANYTHING))
def test_any_mutation_has_an_answer(text: str) -> None:
    check(tracker_glm.parse_status(text=text, captured_at=NOW))


# --- the declaration


def test_what_the_source_declares() -> None:
    source = tracker_glm.source_info().as_source()
    assert (source.name, source.title, source.stream, source.prefix) == ("glm", "GLM", "glm_counts", "z")
    assert source.is_provider
    assert source.capacity_meter is not None
    assert (source.capacity_meter.unit, source.capacity_meter.field_name) == ("prompts", "prompts_used")
    assert [meter.field_name for meter in source.meters[1:]] == ["fiveh_pct", "weekly_pct", "mcp_month_pct"]
    assert source.models == ("glm", "z.ai/")  # what makes a request a routed one for a proxy, too


def test_the_demo_takes_18_prompts_for_one_feature() -> None:
    demo = tracker_glm.source_info().demo
    assert demo is not None
    assert [step.stage for step in demo.steps] == [10, 30]
    texts = [(files("tracker_glm") / str(step.capture)).read_text() for step in demo.steps]
    assert [used(tracker_glm.parse_status(text=text, captured_at=NOW)) for text in texts] == [
        {"prompts": 12},
        {"prompts": 30},
    ]
    assert demo.features == 1


def test_the_demo_s_counts_were_made_when_they_are_captured() -> None:
    for step in tracker_glm.SOURCE.demo.steps:
        captured = datetime.fromisoformat(step.arguments[step.arguments.index("--captured-at") + 1])
        made = read(json.loads(files("tracker_glm").joinpath(step.capture).read_text())).as_of
        assert made is not None
        assert timedelta(0) <= captured - made < timedelta(minutes=5)
