"""claude-monitor's output: the samples as recorded and read a second way, single rules, hostile texts, the preview."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.api import PreviewContext, Reading
from tracker_claude import monitor
from tracker_kit import ReportConformance, shown
from tracker_kit.cases import together
from tracker_kit.hostile import junk, mutated

SAMPLES = Path(__file__).parent / "monitor"
TEXTS = {path.stem: path.read_bytes().decode() for path in sorted(SAMPLES.glob("*.txt"))}


class TestMonitor(ReportConformance):
    source = "claude-monitor"
    screens = SAMPLES


def read(text: str) -> Reading:
    return monitor.parse_status(text=text)


def fields(text: str) -> Mapping[str, Any]:
    return read(text).fields


# --- the real samples, read a second way


def test_the_json_output_is_read_as_it_stands() -> None:
    output = json.loads(TEXTS["v4-once-json"])
    limit, local = output["limits"]["five_hour"], output["local"]
    assert fields(TEXTS["v4-once-json"]) == {
        "token_usage_pct": limit["used_percentage"],
        "tokens_used": limit["tokens_used"],
        "token_limit": limit["token_limit"],
        "local_tokens": sum(count for name, count in local["tokens"].items() if name != "total_tokens"),
        "burn_rate_per_min": local["burn_rate_tokens_per_minute"],
        "cost_rate_per_min": pytest.approx(local["burn_rate_cost_per_hour"] / 60),
        "message_count": local["sent_messages"],
        "cost_usd": local["cost_usd"],
        "confidence": "local_estimate",
        "plan": "max20",
        "resets_at": limit["resets_at"],
    }
    assert limit["used_percentage"] == round(100 * limit["tokens_used"] / limit["token_limit"], 1)


def test_lines_and_json_of_one_moment_say_the_same() -> None:
    assert fields(TEXTS["v4-once-lines"]) == fields(TEXTS["v4-once-json"])


def test_paths_of_the_machine_are_not_kept() -> None:
    assert "projects" in TEXTS["v4-once-json"]
    assert "projects" not in json.dumps(dict(fields(TEXTS["v4-once-json"])))


# --- the live screen


@together(
    ("line", "name", "value"),
    [
        ("Token Usage: [####----] 0.0%", "token_usage_pct", 0),
        ("Token Usage: 12%", "token_usage_pct", 12),
        ("│ 📊 Token Usage:   🟢 [██░░] 110.5 %   48,620 / 44,000 │", "token_usage_pct", 110.5),
        ("Token Usage: [####] 35,2%", "token_usage_pct", None),
        ("Token Usage: [####] -1%", "token_usage_pct", None),
        ("Token Usage: [####] 64.8% left", "token_usage_pct", None),
        ("Token Usage: [####] 64.8% übrig", "token_usage_pct", None),
        ("Token Usage: [####] nan%", "token_usage_pct", None),
        ("Token Usage: [####] 5000%", "token_usage_pct", None),
        ("Token Usage: [####] ٣٥%", "token_usage_pct", None),
        ("Tokens: 0 / ~153,378 (0 left)", "token_limit", 153378),
        ("Tokens: 1,153,378 / 2,000,000 (846,622 left)", "tokens_used", 1153378),
        ("Tokens: 1153378/2000000 (846,622 left)", "tokens_used", 1153378),
        ("Tokens: 1.000 / ~153,378 (0 left)", "tokens_used", None),
        ("Tokens: 15,33 / ~153,378 (0 left)", "tokens_used", None),
        ("Tokens: 12.3K / ~44K", "token_limit", None),
        ("Tokens: 12,345 / ~153", "token_limit", None),  # the edge may have cut it
        ("Tokens: 12,345", "tokens_used", None),
        ("Tokens: 12 / 44 messages", "tokens_used", None),
        ("Burn Rate: 1,123.4 tokens/min 🐌", "burn_rate_per_min", 1123.4),
        ("Burn Rate: 60 tokens/hour", "burn_rate_per_min", None),
        ("Burn Rate: 0,123 tokens/min", "burn_rate_per_min", None),
        ("Burn Rate:", "burn_rate_per_min", None),
        ("Cost Rate: $0.0125 $/min", "cost_rate_per_min", 0.0125),
        ("Cost Rate: $0.5/min", "cost_rate_per_min", 0.5),
        ("Cost Rate: $0.5 $/h", "cost_rate_per_min", None),
        ("Cost Rate: 0.5 €/min", "cost_rate_per_min", None),
        ("Sent Messages: 1,012 messages", "message_count", 1012),
        ("Sent Messages: 1 message", "message_count", 1),
        ("Sent Messages: 1.5 messages", "message_count", None),
        ("Sent Messages: 5", "message_count", None),
    ],
)
def test_a_line_of_the_screen(line: str, name: str, value: float | None) -> None:
    other = "Burn Rate: 3 tokens/min" if name == "message_count" else "Sent Messages: 3 messages"
    found = read(f"{line}\n{other}")
    if value is None:
        assert found.fields[name] is None
        assert f"section-missing:{name}" in found.errors
    else:
        assert found.fields[name] == value
        assert found.errors == ()


@together("line", ["Total Tokens: 5 / 9", "Cache Token Usage: 5%", "Messages: 5 messages", "tokens: 5 / 9"])
def test_look_alikes_are_no_labels(line: str) -> None:
    assert read(line) == Reading(errors=("insufficient-data",))


def test_colours_are_no_part_of_the_numbers() -> None:
    bold = "\x1b[1mTokens:\x1b[0m \x1b[32m12,345\x1b[0m / ~\x1b[33m44,000\x1b[0m (31,655 left)\r\n"
    assert (fields(bold)["tokens_used"], fields(bold)["token_limit"]) == (12345, 44000)


def test_two_screens_are_never_mixed() -> None:
    first = "Token Usage: [##] 10.0%\nTokens: 1 / 10 (9 left)\nBurn Rate: 7.0 tokens/min\n"
    found = read(first + "Token Usage: [##] 20.0%\nTokens: 2 / 10 (8 left)\n")
    assert (found.fields["token_usage_pct"], found.fields["tokens_used"]) == (20, 2)
    assert found.fields["burn_rate_per_min"] is None
    assert found.errors == ("multi-pane-trimmed",)


def test_two_outputs_of_lines_are_never_mixed() -> None:
    found = read(TEXTS["v4-once-lines"] + "confidence=unknown\nlimits.five_hour.tokens_used=5\n")
    assert (found.fields["tokens_used"], found.fields["token_usage_pct"]) == (5, None)
    assert found.errors == ("multi-pane-trimmed",)


# --- the one-shot output


@together("value", ["nan", "inf", "1e400", "-3", "6,2", "6.2%", "[]", "yes", "0x10", "True"])
def test_a_line_without_an_honest_number(value: str) -> None:
    found = read(f"limits.five_hour.used_percentage={value}\nlocal.sent_messages=2")
    assert (found.fields["token_usage_pct"], found.fields["message_count"]) == (None, 2)
    assert found.errors == ("section-missing:token_usage_pct",)


@together("value", ["null", "None", ""])
def test_a_line_without_a_value_is_no_error(value: str) -> None:
    found = read(f"limits.five_hour.used_percentage={value}\nlocal.sent_messages=2")
    assert (found.fields["token_usage_pct"], found.errors) == (None, ())


@together(("value", "rate"), [("60", 1), ("5e-05", 5e-05 / 60), ("0.0", 0)])
def test_the_cost_rate_of_an_hour_is_told_by_the_minute(value: str, rate: float) -> None:
    assert fields(f"local.burn_rate_cost_per_hour={value}")["cost_rate_per_min"] == pytest.approx(rate)


@together("value", [True, "6.2", -1, [], {}, 1001, 10**30])
def test_json_without_an_honest_number(value: Any) -> None:
    output = {"limits": {"five_hour": {"used_percentage": value, "tokens_used": 5}}}
    found = read(json.dumps(output))
    assert (found.fields["token_usage_pct"], found.fields["tokens_used"]) == (None, 5)
    assert found.errors == ("section-missing:token_usage_pct",)


@together("limit", [5, [5], "5", True])
def test_json_with_something_else_for_an_object(limit: Any) -> None:
    found = read(json.dumps({"limits": {"five_hour": limit}, "local": {"cost_usd": 1.5}}))
    assert found.fields["cost_usd"] == 1.5
    assert found.fields["tokens_used"] is None
    assert "section-missing:tokens_used" in found.errors


def test_what_the_output_calls_itself_is_kept() -> None:
    output = {
        "confidence": "local_estimate",
        "plan": "max 20\x1b[2J",
        "stale": True,
        "limits": {},
        "local": {"cost_usd": 1},
    }
    found = read(json.dumps(output))
    assert (found.fields["confidence"], found.fields["plan"]) == ("local_estimate", None)
    assert found.errors == ("section-missing:plan", "stale-data")


@together(
    ("text", "tag"),
    [
        ("", "insufficient-data"),
        ("hello", "insufficient-data"),
        ("[" * 100_000, "insufficient-data"),
        ("Tokens: " + "9" * 100_000, "insufficient-data"),
        ('{"limits": {}}', "insufficient-data"),
        ('{"limits": null, "local": {}}', "insufficient-data"),
        ("{", "invalid-json"),
        ('{"limits": {"five_hour": {"tokens_used": NaN}}}', "invalid-json"),
        ('{"limits":' * 2000, "invalid-json"),
        ('{"limits": {}} \ud800', "invalid-json"),
        ("{}", "invalid-report"),
        ('{"limits": []}', "invalid-report"),
        ('{"daily": []}', "invalid-report"),
    ],
    ids=lambda value: ascii(value[:20]),
)
def test_other_texts_give_no_figures(text: str, tag: str) -> None:
    assert read(text) == Reading(errors=(tag,))


# --- whatever comes


ANYTHING = junk(["local_estimate", "max20"])


def check(reading: Reading) -> None:
    orjson.dumps(dict(reading.fields))  # a record can hold it
    for name, value in reading.fields.items():
        if name in ("confidence", "plan", "resets_at"):
            assert value is None or isinstance(value, str)
            continue
        assert value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        assert value is None or (math.isfinite(value) and value >= 0)
    assert reading.fields or reading.errors
    assert {tag.partition(":")[0] for tag in reading.errors} <= monitor.SOURCE.tags.keys()


@settings(deadline=None)
@given(st.text(), st.sampled_from(sorted(TEXTS.values())), st.data())
def test_any_text_has_an_answer(inserted: str, text: str, data: st.DataObject) -> None:
    check(read(inserted))
    start, end = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
    check(read(text[:start] + inserted + text[end:]))


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,%$/~-+eEkKnaif ¼٣²", max_size=30), st.sampled_from(sorted(TEXTS)))
def test_any_number_on_a_screen_has_an_answer(inserted: str, name: str) -> None:
    check(read(re.sub(r"[0-9][0-9.,]*", lambda _: inserted, TEXTS[name])))


@settings(deadline=None)
@given(mutated([TEXTS["v4-once-json"]], ANYTHING))
def test_any_mutation_of_the_json_has_an_answer(text: str) -> None:
    check(read(text))


# --- the preview


def preview(*records: Any) -> list[str]:
    block = monitor.render_preview_block(PreviewContext(windows=("W0-20",), records=records))
    assert block is not None
    assert block.title == "claude-monitor"
    return shown(block)


def test_the_block_is_one_row_of_the_newest_record() -> None:
    late = {"captured_at": "2026-11-22T08:00:00+01:00", "parsed": fields(TEXTS["v4-once-json"])}
    early = {"captured_at": "2026-11-22T06:59:00Z", "parsed": fields(TEXTS["realtime-idle"])}
    assert preview(late, early) == [
        "token_usage=6.2% tokens=13709/220000 burn_rate=4280.2 tokens/min cost_rate=0.0043 $/min messages=12"
        " confidence=local_estimate"
    ]
    assert preview(early) == [
        "token_usage=0% tokens=0/153378 burn_rate=0 tokens/min cost_rate=0 $/min messages=0 confidence=n/a"
    ]
    assert monitor.render_preview_block(PreviewContext(windows=())) is None


def test_records_of_schema_1_0_0_are_read_leniently() -> None:
    missing = "token_usage=n/a tokens=5/n/a burn_rate=n/a cost_rate=n/a messages=n/a confidence=n/a"
    assert preview({"parsed": {"tokens_used": 5, "message_count": "12"}}) == [missing]
    assert preview({"parsed": None, "captured_at": 7}) == [missing.replace("5/", "n/a/")]
    [line] = preview({"parsed": {"tokens_used": 5}, "raw_text": TEXTS["realtime-idle"]})
    assert line.startswith("token_usage=0% tokens=5/153378 ")


@settings(deadline=None)
@given(ANYTHING, st.dictionaries(st.sampled_from(monitor.SHOWN), ANYTHING))
def test_any_record_has_a_preview(parsed: Any, edited: dict[str, Any]) -> None:
    assert len(preview({"parsed": parsed, "raw_text": parsed, "captured_at": parsed}, {"parsed": edited})) == 1


def test_what_the_source_declares() -> None:
    source = monitor.source_info()
    assert (source.name, source.title, source.kind) == ("claude-monitor", "claude-monitor", "report")
    assert (source.stream, source.prefix) == ("claude_monitor", "acm")


def test_every_demo_capture_is_read_without_errors() -> None:
    demo = monitor.source_info().demo
    assert demo is not None
    for step in demo.steps:
        assert step.capture is not None
        found = read((files("tracker_claude") / step.capture).read_text())
        assert (found.errors, found.fields["token_usage_pct"]) == ((), 6.2)
