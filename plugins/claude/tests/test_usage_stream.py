"""Claude Code's stream of JSON rows, as real clients wrote it against a backend whose values are known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Reading, account_id
from tracker_claude.usage import parse_status

FOLDER = Path(__file__).parent / "stream_json"
TRUTH: dict[str, Any] = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
KEYS = {
    "session": "session",
    "weekly_all": "all_models",
    "week (all models)": "all_models",
    "week (Sonnet only)": "sonnet",
    "five_hour": "session",
    "seven_day": "all_models",
}
NOW = datetime(2026, 11, 28, 5, tzinfo=UTC)


def read(text: str) -> Reading:
    return parse_status(text, NOW, UTC)


def key_of(name: str) -> str:
    return KEYS.get(name) or name.removeprefix("weekly_scoped:").removeprefix("week (").rstrip(")").lower()


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_every_meter_of_the_file_is_read_as_exactly_as_it_stands_there(name: str) -> None:
    truth = TRUTH[name]
    reading = read((FOLDER / name).read_text(encoding="utf-8"))
    exact = {key_of(one): (found["percent"], found["resets_at"]) for one, found in (truth["meters"] or {}).items()}
    floors = {key_of(one): value for one, value in (truth["text_meters"] or {}).items()}
    unified = truth["unified_windows"] or {}
    shares = {key: unified[one]["utilization"] * 100 for one, key in KEYS.items() if one in unified}
    found = {gauge.meter: gauge for gauge in reading.gauges}
    assert found.keys() == exact.keys() | floors.keys() | shares.keys()
    for key, (percent, resets_at) in exact.items():
        assert found[key].used == percent
        assert found[key].reset_at == (resets_at and datetime.fromisoformat(resets_at))
    for key in floors.keys() - exact.keys():
        assert found[key].used == floors[key]
    for key, share in shares.items():
        assert found[key].used == pytest.approx(share, abs=1e-9)
    assert reading.fields["version"] == truth["version"]
    assert bool(reading.errors) == (not found)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.usage.json")))
def test_the_form_of_one_object_has_the_text_alone(name: str, indent: int | None) -> None:
    """Which 2.1.250 does not mark as a command's."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    floors = TRUTH[name.replace(".json", ".stream.jsonl")]["text_meters"] or {}
    rows = (f"$ claude -p /usage\n{text}\n$ ", f"{text}\n$ ", f"{text}\nWarning: {{x}}\n")
    for pasted in (json.dumps(json.loads(text), indent=indent), *rows):
        reading = read(pasted)
        assert {gauge.meter: gauge.used for gauge in reading.gauges} == {
            key_of(one): value for one, value in floors.items()
        }
        assert all(gauge.reset_at for gauge in reading.gauges)
        assert reading.errors == (() if floors else ("usage-not-loaded",))


def test_an_answer_of_the_model_is_no_report() -> None:
    answer = "It printed: Current session: 1% used · resets Nov 22, 9:10am (UTC)"
    reading = read(json.dumps({"type": "result", "subtype": "success", "result": answer}))
    assert (reading.gauges, reading.errors) == ((), ("insufficient-data",))


def test_an_error_of_the_vendor_is_no_zero() -> None:
    for case in ("e429", "empty"):
        reading = read((FOLDER / f"v2.1.332_{case}.usage.stream.jsonl").read_text(encoding="utf-8"))
        assert (reading.gauges, reading.errors) == ((), ("usage-not-loaded",))


def test_the_report_s_own_time_is_the_reading_s() -> None:
    reading = read((FOLDER / "v2.1.332_scoped.transcript.jsonl").read_text(encoding="utf-8"))
    assert reading.as_of == datetime(2026, 11, 28, 4, 27, 11, 387000, tzinfo=UTC)


def test_a_line_that_is_still_being_written_is_left_out() -> None:
    text = (FOLDER / "v2.1.300_fresh.usage.stream.jsonl").read_text(encoding="utf-8")
    assert read(text + text.splitlines()[1][:90]) == read(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "assistant", "usage_report": []}',
        '{"type": "assistant", "usage_report": {"rate_limits": {"limits": [{"kind": "session", "percent": "x"}]}}}',
        '{"type": "rate_limit_event", "rate_limit_info": {"unifiedWindows": {"five_hour": {"utilization": 1e9}}}}',
        '{"type": "x", "rate_limit_info": {"unifiedWindows": {"seven_day_overage_included": {"utilization": 0.5}}}}',
    ],
)
def test_nonsense_gives_no_value(text: str) -> None:
    reading = read(text)
    assert all(gauge.used is None for gauge in reading.gauges)
    assert "insufficient-data" in reading.errors


def test_a_transcript_names_its_account_and_a_turn_does_not() -> None:
    owner = '{"type":"session-owner","accountUuid":"3f0e6b1c-52a7-4d19-8f6e-0000de000001"}\n'
    transcript = read(owner + (FOLDER / "v2.1.332_scoped.transcript.jsonl").read_text(encoding="utf-8"))
    assert transcript.fields["account"] == account_id("3f0e6b1c-52a7-4d19-8f6e-0000de000001")
    for kind in ("turn", "usage"):
        assert "account" not in read((FOLDER / f"v2.1.332_scoped.{kind}.stream.jsonl").read_text()).fields
