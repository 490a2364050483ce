"""The JSON forms: the OAuth usage answer, and what Claude Code passes its status-line command."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracker.api import Reading
from tracker_claude import usage
from tracker_kit.cases import together

TRUTH = {entry["file"]: entry for entry in json.loads((Path(__file__).parent / "usage_truth.json").read_text())}
BASE = TRUTH["v2.1.330_base_max_110col.txt"]["backend_usage"]
CAPTURED = datetime.fromisoformat("2026-11-22T06:45:00Z")


def read(payload: Any) -> Reading:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return usage.parse_status(text=text, captured_at=CAPTURED, timezone=UTC)


def used(payload: Any) -> dict[str, float | None]:
    return {gauge.meter: gauge.used for gauge in read(payload).gauges}


@together("indent", [None, 2])
def test_reads_the_usage_answer(indent: int | None) -> None:
    reading = read(json.dumps(BASE, indent=indent))
    session, week = BASE["five_hour"]["resets_at"], BASE["seven_day"]["resets_at"]
    assert {gauge.meter: (gauge.used, gauge.resets) for gauge in reading.gauges} == {
        "session": (1.9, session),
        "all_models": (90, week),
        "opus": (0, None),
        "sonnet": (33, week),
    }
    assert reading.gauges[0].reset_at == datetime(2026, 11, 22, 9, 7, 49, 123456, UTC)
    assert reading.fields == {"extra": {"enabled": True, "used_pct": 24.68, "spent": 12.34, "limit": 50}}
    assert (reading.errors, reading.as_of) == ((), None)


@together(
    ("name", "extra"),
    [
        ("v2.1.330_edges_max_110col.txt", {"enabled": False}),
        ("v2.1.330_weeklyonly_pro_110col.txt", {"enabled": True, "spent": 5, "unlimited": True}),
    ],
)
def test_reads_the_extra_usage_of_the_answer(name: str, extra: dict[str, Any]) -> None:
    assert read(TRUTH[name]["backend_usage"]).fields == {"extra": extra}


def test_a_window_that_is_null_does_not_exist() -> None:
    assert used(TRUTH["v2.1.330_weeklyonly_pro_110col.txt"]["backend_usage"]) == {"all_models": 90}


def entry(kind: Any, percent: float, scope: Any = None) -> dict[str, Any]:
    return {"kind": kind, "percent": percent, "resets_at": "2026-11-25T09:46:28+00:00", "scope": scope}


def model(name: Any) -> dict[str, Any]:
    return {"model": {"id": None, "display_name": name}, "surface": None}


def test_reads_the_list_of_limits() -> None:
    limits = [
        entry("session", 1),
        entry("weekly_all", 90),
        entry("weekly_scoped", 71, model("Fable")),
        entry("weekly_scoped", 33, model("Sonnet")),
    ]
    assert used({"limits": limits}) == {"session": 1, "all_models": 90, "fable": 71, "sonnet": 33}
    assert used(BASE | {"limits": limits}) == {"session": 1.9, "all_models": 90, "opus": 0, "sonnet": 33, "fable": 71}
    [fable] = [gauge for gauge in read({"limits": limits}).gauges if gauge.meter == "fable"]
    assert fable.reset_at == datetime(2026, 11, 25, 9, 46, 28, tzinfo=UTC)


def test_of_two_values_of_one_limit_none_counts() -> None:
    reading = read(BASE | {"limits": [entry("weekly_all", 70)]})
    assert used(BASE | {"limits": [entry("weekly_all", 70)]})["all_models"] is None
    assert reading.errors == ("limit-ambiguous:all_models",)
    # what has no value under one name may have it under the other
    payload = {"seven_day": {"utilization": None, "resets_at": None}, "limits": [entry("weekly_all", 70)]}
    assert (used(payload), read(payload).errors) == ({"all_models": 70}, ())


def test_a_reset_that_is_no_time_is_kept_and_tagged() -> None:
    reading = read({"seven_day": {"utilization": 40, "resets_at": 1795700000000}})
    assert [(one.used, one.resets, one.reset_at) for one in reading.gauges] == [(40, "1795700000000", None)]
    assert reading.errors == ("reset-unread:all_models",)


@together(
    "limit",
    [
        entry("monthly", 71),
        entry("weekly_all", 71, {"surface": "cowork"}),
        entry("weekly_all", 71, {"model": None}),
        entry("session", 71, model("Fable")),
        entry("monthly_scoped", 71, model("Opus")),
        entry("weekly_scoped", 71, model(None)),
        entry(["session"], 71),
        entry(None, 71),
        "session",
        None,
    ],
)
def test_takes_no_unknown_limit_for_a_known_one(limit: Any) -> None:
    assert (used({"limits": [limit]}), read({"limits": [limit]}).errors) == ({}, ("insufficient-data",))
    assert (used(BASE | {"limits": [limit]}), read(BASE | {"limits": [limit]}).errors) == (used(BASE), ())


def test_reads_the_status_line() -> None:
    windows = {
        "five_hour": {"used_percentage": 23.5, "resets_at": 1795341600},
        "seven_day": {"used_percentage": 41, "resets_at": 1795600000},
    }
    reading = read({"session_id": "x", "model": {"display_name": "Opus"}, "rate_limits": windows})
    assert {gauge.meter: gauge.used for gauge in reading.gauges} == {"session": 23.5, "all_models": 41}
    assert reading.gauges[0].reset_at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert (reading.gauges[0].resets, reading.errors) == (None, ())


@together("value", [1795341600, 1000, 1e308, -1, True, "23", None, [23]])
def test_nonsense_is_no_percentage(value: Any) -> None:
    windows = {"five_hour": {"used_percentage": value, "resets_at": 1795341600}, "seven_day": {"used_percentage": 110}}
    reading = read({"rate_limits": windows})
    assert {gauge.meter: gauge.used for gauge in reading.gauges} == {"session": None, "all_models": 110}
    assert reading.errors == ("section-missing:session",)


@together("value", ["soon", "", 1e300, -1e18, True, None, {}, "0001-01-01T00:00:00+14:00"])
def test_nonsense_is_no_reset(value: Any) -> None:
    [gauge] = read({"five_hour": {"utilization": 5, "resets_at": value}}).gauges
    assert (gauge.used, gauge.reset_at) == (5, None)


NOTHING = {
    "{}": "insufficient-data",
    '{"session_id": "x", "model": {}, "cost": {}}': "insufficient-data",
    '{"rate_limits": null}': "insufficient-data",
    '{"rate_limits": {"five_hour": null, "seven_day": null}}': "insufficient-data",
    '{"limits": {"five_hour": {"used_percentage": 6.2}}}': "insufficient-data",  # claude-monitor's
    '{"five_hour": {"utilization": 1.9': "insufficient-data",
    '{"five_hour": {"utilization": NaN}}': "insufficient-data",
    '[{"five_hour": {"utilization": 1.9}}]': "insufficient-data",
    '{"error": {"type": "rate_limit_error", "message": "Rate limited."}}': "usage-not-loaded",
    '{"type": "error", "error": {"type": "authentication_error"}}': "usage-not-loaded",
    "{" * 100_000: "insufficient-data",
    '{"a":' * 100_000: "insufficient-data",
    '{"five_hour": "\ud800"}': "insufficient-data",
}


@together(("text", "tag"), NOTHING.items(), ids=[ascii(text[:40]) for text in NOTHING])
def test_says_why_there_is_nothing(text: str, tag: str) -> None:
    assert (read(text).gauges, read(text).errors) == ((), (tag,))


def test_finds_the_answer_between_prompts() -> None:
    answer = json.dumps(BASE)
    for text in (f"dev@host:~$ curl ...\n{answer}dev@host:~$ ", f"\r\n{answer}\r\n", f"> /usage\n{answer}\n"):
        assert used(text)["all_models"] == 90
    failed = f"❯ /usage\n Error: Failed to load usage data\n{answer}\n"
    assert (used(failed)["all_models"], read(failed).errors) == (90, ())


def test_the_last_of_several_counts() -> None:
    first, last = json.dumps({"five_hour": {"utilization": 5}}), json.dumps({"five_hour": {"utilization": 6}}, indent=1)
    reading = read(f"{first}\n{last}\n")
    assert (used(f"{first}\n{last}\n"), reading.errors) == ({"session": 6}, ("multi-pane-trimmed",))
