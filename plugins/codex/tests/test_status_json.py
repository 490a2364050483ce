"""Codex's own JSON as a reading: session files and the answers of `codex app-server`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tracker.api import Reading
from tracker_codex import status
from tracker_kit.cases import together

SCREENS = Path(__file__).parent / "screens"
CAPTURED = datetime(2026, 11, 22, 7, 20, tzinfo=UTC)
AT = "2026-11-22T07:12:01.114Z"


def read(text: str) -> Reading:
    return status.parse_status(text=text, captured_at=CAPTURED, timezone=UTC)


def used(reading: Reading) -> dict[str, float | None]:
    return {gauge.meter: gauge.used for gauge in reading.gauges}


def resets(reading: Reading) -> list[str | None]:
    return [gauge.reset_at.isoformat() if gauge.reset_at else None for gauge in reading.gauges]


def real(name: str) -> str:
    return (SCREENS / f"{name}.txt").read_text()


# -- session files


def event(limits: Any, timestamp: str = AT, **more: Any) -> str:
    payload = {"type": "token_count", "info": None, "rate_limits": limits} | more
    return json.dumps({"timestamp": timestamp, "type": "event_msg", "payload": payload}) + "\n"


def window(percent: Any, minutes: Any, **more: Any) -> dict[str, Any]:
    return {"used_percent": percent, "window_minutes": minutes} | more


OTHER_LINES = (
    '{"type":"session_meta","payload":{"cli_version":"0.169.0"}}\n{"type":"event_msg","payload":{"type":"x"}}\n'
)


def test_the_last_event_counts() -> None:
    text = (
        OTHER_LINES
        + event({"primary": window(1.0, 300)})
        + event({"primary": window(2.0, 300)}, "2026-11-22T07:13:00Z")
    )
    reading = read(text + OTHER_LINES + event(None, "2026-11-22T07:14:00Z"))
    assert used(reading) == {"fiveh": 2}
    assert reading.as_of == datetime(2026, 11, 22, 7, 13, tzinfo=UTC)
    assert reading.errors == ()


def test_only_the_main_buckets_events_count() -> None:
    main = {"limit_id": "codex", "primary": window(11.0, 300)}
    other = {"limit_id": "codex_bengalfox", "limit_name": "GPT-5.3-Codex-Spark", "primary": window(30.0, 300)}
    assert used(read(event(main) + event(other))) == {"fiveh": 11}
    assert used(read(event(main | {"limit_id": None}) + event(other))) == {"fiveh": 11}
    assert read(event(other)).errors == ("insufficient-data",)


def test_the_window_names_the_meter() -> None:
    lengths = {300: "fiveh", 10080: "weekly", 299: "fiveh", 10079: "weekly", 1440: "daily", 43200: "monthly"}
    for minutes, meter in (lengths | {525600: "annual", 60: "usage", 0: "usage"}).items():
        assert used(read(event({"primary": window(5, minutes)}))) == {meter: 5}
    swapped = read(event({"primary": window(64, 10080), "secondary": window(11, 300)}))
    assert used(swapped) == {"weekly": 64, "fiveh": 11}
    assert used(read(event({"primary": window(5, None), "secondary": window(6, 60)}))) == {
        "usage": 5,
        "secondary_usage": 6,
    }


def test_resets_count_from_the_event() -> None:
    limits = {"primary": window(11, 300, resets_in_seconds=7200), "secondary": window(64, 10080, resets_at=1795587740)}
    assert resets(read(event(limits))) == ["2026-11-22T09:12:01+00:00", "2026-11-25T06:22:20+00:00"]
    assert resets(read(event(limits, "yesterday"))) == [None, "2026-11-25T06:22:20+00:00"]


def test_flat_limits_of_0_40() -> None:
    flat = {"primary_used_percent": 11.0, "secondary_used_percent": 64.0, "primary_to_secondary_ratio_percent": 33.0}
    reading = read(event(flat | {"primary_window_minutes": 300, "secondary_window_minutes": 10080}))
    assert used(reading) == {"fiveh": 11, "weekly": 64}


@together(
    ("wrong", "expected"),
    [("11", None), (True, None), (None, None), (-1, None), (1e9, None), ([], None), (0, 0), (110.5, 110.5)],
)
def test_a_percent_is_a_percent(wrong: Any, expected: float | None) -> None:
    reading = read(event({"primary": window(wrong, 300), "secondary": window(64, 10080)}))
    assert used(reading) == {"fiveh": expected, "weekly": 64}
    assert reading.errors == (() if expected is not None else ("section-missing:fiveh",))


@together("wrong", ["1795587740", True, -5, 1e300, None, {}])
def test_a_reset_is_an_instant(wrong: Any) -> None:
    for name in ("resets_at", "resets_in_seconds"):
        assert resets(read(event({"primary": window(1, 300, **{name: wrong})}))) == [None]


def test_lines_that_are_no_json_are_passed_over() -> None:
    text = real("rollout_v0.44.0_base")
    torn = text + text.splitlines()[0][:200]
    assert used(read(torn)) == {"fiveh": 11, "weekly": 64}
    assert used(read(text[100:])) == {"fiveh": 11, "weekly": 64}
    assert used(read(text.replace("\n", "\r\n"))) == {"fiveh": 11, "weekly": 64}


SPAWNED = {"source": {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}, "forked_from_id": None}


@together("second", [0.0, 0.004, 0.9, 1.2, -60.0])
@together("more", [{}, {"history_mode": "paginated"}, {"source": {"subagent": {"other": "guardian"}}}, SPAWNED])
def test_what_a_fork_or_a_subagent_copied_is_no_reading(second: float, more: dict[str, Any]) -> None:
    """It has the time of the file's first line; an answer of its own comes later, and a copy may have its own time."""
    meta = {"id": "f", "forked_from_id": "p", **more}
    begun = (datetime.fromisoformat(AT) - timedelta(seconds=second)).isoformat()
    first = json.dumps({"timestamp": begun, "type": "session_meta", "payload": meta}) + "\n"
    found = read(first + event({"primary": window(7, 300)}))
    assert used(found) == ({} if 0 <= second <= 1 else {"fiveh": 7})


def test_copying_ends_behind_the_first_gap() -> None:
    """A fork of an older client names its parent only by the copied first line, and a long history takes a while."""
    begun = datetime.fromisoformat(AT)

    def at(line: str, second: float) -> str:
        return json.dumps(json.loads(line) | {"timestamp": (begun + timedelta(seconds=second)).isoformat()}) + "\n"

    def of(*percents: tuple[float, float]) -> str:
        return "".join(at(event({"primary": window(percent, 300)}), second) for percent, second in percents)

    meta = [at(json.dumps({"type": "session_meta", "payload": {"id": name}}), 0) for name in ("f", "p")]
    copies = of((7, 0.5), (8, 1.4), (9, 2.3))
    assert used(read("".join(meta) + copies)) == {}
    assert used(read("".join(meta) + copies + of((50, 4)))) == {"fiveh": 50}
    assert used(read(meta[0] + meta[0] + copies)) == {"fiveh": 9}


def test_fields_of_a_session_file() -> None:
    limits = {"primary": window(1, 300), "plan_type": "pro", "credits": {"has_credits": True, "balance": "1234.56"}}
    assert read(event(limits)).fields == {"plan": "pro", "credits": 1234.56}
    assert read(event(limits | {"credits": {"unlimited": True, "balance": None}})).fields["credits"] == "Unlimited"
    wrong: list[Any] = ["0", "0.0", 0, None, "", "nan", "many", True, []]
    for nothing in wrong:
        assert "credits" not in read(event(limits | {"credits": {"balance": nothing}})).fields


# -- the app-server


def answer(result: Any, number: int = 3) -> str:
    return json.dumps({"id": number, "result": result}) + "\n"


def error(message: Any, code: int = -32600) -> str:
    return json.dumps({"error": {"code": code, "message": message}, "id": 3}) + "\n"


def bucket(percent: Any, minutes: Any = 300, **more: Any) -> dict[str, Any]:
    return {"primary": {"usedPercent": percent, "windowDurationMins": minutes, "resetsAt": 1795336063}} | more


NOTIFICATION = (
    '{"method":"account/updated","params":{"authMode":"chatgpt","planType":"pro"},"emittedAtMs":1795329417039}\n'
)


@together("name", ["app_server_v0.169.0_spark", "app_server_v0.169.0_spend"])
def test_a_transcript_its_answers_and_the_one_answer_are_read_alike(name: str) -> None:
    transcript = real(name)
    answers = "".join(line[2:] for line in transcript.splitlines(keepends=True) if line.startswith("< "))
    [only] = [line for line in answers.splitlines() if '"id":3' in line]
    pretty = json.dumps(json.loads(only), indent=1)
    bare = json.dumps(json.loads(only)["result"])
    whole = read(transcript)
    assert used(whole)["fiveh"] == 11
    for text in (answers, only, pretty, bare, f"$ codex app-server\n{answers}"):
        assert read(text).gauges == whole.gauges
    assert read(answers).fields == whole.fields


def test_other_buckets_carry_their_name() -> None:
    limits = {
        "codex": bucket(11, limitId="codex"),
        "codex_x": bucket(30, limitName="GPT-5.3-Codex-Spark"),
        "zeta": bucket(5, 1440, limitName=None),
    }
    result = {"rateLimits": bucket(11, limitId="codex"), "rateLimitsByLimitId": limits}
    expected = {"fiveh": 11, "gpt_5_3_codex_spark_fiveh": 30, "zeta_daily": 5}
    assert used(read(answer(result))) == expected
    assert used(read(answer({"rateLimitsByLimitId": limits}))) == expected
    swapped = result | {"rateLimits": bucket(30, limitId="codex_x", limitName="GPT-5.3-Codex-Spark")}
    assert used(read(answer(swapped))) == expected
    assert used(read(answer({"rateLimits": bucket(30, limitId="codex_x")}))) == {"codex_x_fiveh": 30}


def test_notifications_and_other_answers_stand_between() -> None:
    text = answer({"account": None}, 2) + NOTIFICATION + answer({"rateLimits": bucket(11)}) + NOTIFICATION
    assert used(read(text + error("failed to fetch token usage profile", -32603))) == {"fiveh": 11}
    assert used(read(text + answer({"rateLimits": bucket(12)}, 4))) == {"fiveh": 12}


@together(
    ("message", "tag"),
    [
        ("codex account authentication required to read rate limits", "not-authenticated"),
        ("chatgpt authentication required to read rate limits", "not-authenticated"),
        ("failed to fetch codex rate limits: GET https://localhost/wham/usage failed: 500", "usage-not-loaded"),
        ("Not initialized", "usage-not-loaded"),
        (None, "usage-not-loaded"),
    ],
)
def test_errors_are_tagged(message: Any, tag: str) -> None:
    for text in (error(message), error("something else") + error(message), NOTIFICATION + error(message)):
        reading = read(text)
        assert reading.gauges == ()
        assert reading.errors == (tag,)


def test_the_error_about_limits_decides() -> None:
    text = error("authentication required to read rate limits") + error("failed to fetch token usage profile")
    assert read(text).errors == ("not-authenticated",)


def test_no_limits_in_the_answer() -> None:
    results: list[Any] = [{"rateLimits": None}, {"rateLimits": {"primary": None, "secondary": None}}, {}, None, []]
    for result in results:
        assert read(answer(result)).errors == ("insufficient-data",)


def test_fields_of_the_app_server() -> None:
    fields = read(real("app_server_v0.169.0_spark")).fields
    assert fields == {"version": "0.169.0", "account": "d***@example.com", "plan": "pro", "credits": 38}


def test_the_individual_limit_is_the_monthly_credit() -> None:
    limit = {"limit": "100000", "used": "7761", "remainingPercent": 92, "resetsAt": 1796106463}
    [gauge] = read(answer({"rateLimits": {"individualLimit": limit}})).gauges
    assert (gauge.meter, gauge.used, gauge.resets) == ("monthly_credit", 8, None)
    assert gauge.reset_at == datetime.fromtimestamp(1796106463, UTC)
    [gauge] = read(answer({"rateLimits": {"individualLimit": limit | {"remainingPercent": 101}}})).gauges
    assert gauge.used is None


@together("text", ["{", "{}", '{"id": 3}', "> {}", '< {"result": 5}', '{"a": 1}\n{"b": 2}', "[1]", '{"result": {}}'])
def test_other_json_has_no_value(text: str) -> None:
    assert read(text).gauges == ()
    assert read(text).errors == ("insufficient-data",)


def test_of_two_values_of_one_limit_none_counts() -> None:
    reading = read(event({"primary": window(11, 10080), "secondary": window(64, 10080)}))
    assert (used(reading), reading.errors) == ({"weekly": None}, ("limit-ambiguous:weekly",))
    reading = read(event({"primary": window(None, 10080), "secondary": window(64, 10080)}))
    assert (used(reading), reading.errors) == ({"weekly": 64}, ())


def test_a_reset_that_is_no_time_is_kept_and_tagged() -> None:
    reading = read(event({"primary": window(11, 300, resets_at="2026-11-25T00:00:00Z")}))
    assert [(one.used, one.resets, one.reset_at) for one in reading.gauges] == [(11, "2026-11-25T00:00:00Z", None)]
    assert reading.errors == ("reset-unread:fiveh",)
