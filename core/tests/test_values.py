"""The values of the contract: what is unlikely or half right is None or refused, never another value."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.api import Gauge, Meter, Reading, StatusSource, amount, count, instant, percent
from tracker.contract.events import check_event
from tracker.contract.readings import from_parsed, to_parsed
from tracker.text.render import folded

NONE = [None, True, False, "5", "", [], {}, -1, -0.5, float("nan"), float("inf"), 10**15, 10**400, 1e300]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("value", NONE)
def test_what_is_no_amount_is_none(value: object) -> None:
    assert (amount(value), count(value), percent(value)) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, (0, 0, 0)),
        (-0.0, (0, 0, 0)),
        (12.0, (12, 12, 12)),
        (12.5, (12.5, None, 12.5)),
        (1000, (1000, 1000, 1000)),
        (1000.5, (1000.5, None, None)),
        (10**15 - 1, (10**15 - 1, 10**15 - 1, None)),
    ],
)
def test_an_amount_is_itself_and_a_whole_one_an_integer(value: float, found: tuple[float | None, ...]) -> None:
    given_back = (amount(value), count(value), percent(value))
    assert given_back == found
    assert "." not in json.dumps(given_back[:2]) or value == 12.5 or value == 1000.5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04:05.250+02:00", datetime(2026, 1, 2, 1, 4, 5, 250_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05+0200", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ],
)
def test_an_instant_is_in_utc(text: str, found: datetime) -> None:
    assert instant(text) == found
    assert instant(text).tzinfo is UTC  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "now",
        "2026-01-02",
        "2026-01-02x03:04",
        "2026-13-02T03:04",
        "2026-01-02T3:04",
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_is_no_instant_is_none(value: object) -> None:
    assert instant(value) is None


@given(JSON)
def test_no_value_raises(value: Any) -> None:
    for read in (amount, count, percent, instant):
        read(value)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1)), st.integers(-840, 840))
def test_every_instant_comes_back(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant(aware.isoformat()) == aware
    # a window or a buffer can be added to each: no calendar ends there
    assert instant("0001-01-01T00:00:00Z") is instant("9999-12-31T23:00:00Z") is None


WHOLE: dict[str, Any] = {
    "ts": "2026-01-02T03:04:05Z",
    "rid": "r1",
    "lane": None,
    "status": 200,
    "input_tokens": 5,
    "latency_ms": 3.5,
    "cost_usd": 1,
    "key": "k",
    "cache_write_1h_tokens": None,
    "routed": False,
    "ok": True,
    "tags": ["x"],
}


def test_an_event_with_known_keys_and_types_is_accepted() -> None:
    check_event(WHOLE)
    check_event({})


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ([], "an event is of type list. Expected dict."),
        ({"cost": 1}, "an event has the unknown key 'cost'. Did you mean cost_usd?"),
        ({"record_id": "x"}, "an event has the unknown key 'record_id'"),
        ({7: 1}, "an event has the unknown key 7"),
        ({"routed": 1}, "an event's routed is of type int. Expected bool."),
        ({"input_tokens": True}, "an event's input_tokens is of type bool. Expected None or int."),
        ({"input_tokens": 5.0}, "an event's input_tokens is of type float. Expected None or int."),
        ({"lane": ["a"]}, "an event's lane is of type list. Expected None or str."),
        ({"status": 2.5}, "an event's status is of type float. Expected None or int or str."),
    ],
)
def test_an_event_with_an_unknown_key_or_a_wrong_type_is_refused_by_name(event: object, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        check_event(event)


def test_a_meter_may_be_reset_monthly_and_says_how_it_is_rounded() -> None:
    meter = Meter(key="m", title="M", window="month", rounding="floor")
    assert meter.longest == timedelta(days=31)
    assert (Meter(key="m", title="M", window=timedelta(hours=5)).longest) == timedelta(hours=5)
    assert (Meter(key="m", title="M").longest, Meter(key="m", title="M").rounding) == (None, "exact")
    for wrong in ({"window": "year"}, {"window": 5}, {"rounding": "up"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Meter(key="m", title="M", **wrong)  # type: ignore[arg-type]


def test_a_value_that_cannot_be_is_left_out_of_a_records_reading() -> None:
    source = StatusSource(contract="1.2", name="toy", title="T", meters=(Meter(key="m", title="M"),)).as_source()
    for value in (-5, "7", True, None, 10**15, float("inf")):
        found = from_parsed({"m_pct": value, "errors": ["a", 1, "b\n"]}, source, datetime(2026, 1, 1, tzinfo=UTC))
        assert (found.gauges[0].used, found.errors) == (None, ("a",))


def test_no_field_of_a_reading_becomes_a_meter() -> None:
    """Neither a declared one that is not shown now, nor its limit, nor one that the source may have beside those."""
    meters = (Meter(key="m", title="M"), Meter(key="c", title="C", unit="prompts"))
    for name, is_open in (("c_used", False), ("m_limit", False), ("m_reset_at", False), ("cache_hit_pct", True)):
        source = StatusSource(contract="1.2", name="toy", title="T", meters=meters, open_meters=is_open)
        with pytest.raises(ValueError, match=f"Invalid fields {name}. Expected names that no meter has."):
            to_parsed(Reading(gauges=(Gauge(meter="m", used=1),), fields={"x": 1, name: 2}), source.as_source())
    closed = StatusSource(contract="1.2", name="toy", title="T", meters=meters).as_source()
    assert to_parsed(Reading(fields={"cache_hit_pct": 2, "m_limit": 3}), closed)["cache_hit_pct"] == 2


@pytest.mark.parametrize("name", ["plan", "account"])
def test_what_says_whether_two_readings_are_one_measurement_is_a_text(name: str) -> None:
    """Of another type it meant no plan and no account, without a word."""
    source = StatusSource(contract="1.2", name="toy", title="T", meters=(Meter(key="m", title="M"),)).as_source()
    for known in ("Pro", None):
        assert to_parsed(Reading(fields={name: known}), source)[name] == known
    with pytest.raises(ValueError, match=f"Invalid {name} 5. Expected a text, or None."):
        to_parsed(Reading(fields={name: 5}), source)


def test_a_meter_that_cannot_be_is_left_out_of_a_records_reading() -> None:
    meters = (Meter(key="c", title="C", unit="prompts"),)
    source = StatusSource(contract="1.2", name="toy", title="T", meters=meters, open_meters=True).as_source()
    parsed = {"A b_pct": 1, "c_pct": 2, "c_used": 3, "other_pct": 4}
    found = from_parsed(parsed, source, datetime(2026, 1, 1, tzinfo=UTC))
    assert [(gauge.meter, gauge.used) for gauge in found.gauges] == [("c", 3), ("other", 4)]


def test_a_limit_stands_in_the_record() -> None:
    source = StatusSource(contract="1.2", name="toy", title="T", meters=(Meter(key="m", title="M", unit="prompts"),))
    reading = Reading(gauges=(Gauge(meter="m", used=12, limit=300),), as_of=datetime(2026, 1, 1, tzinfo=UTC))
    parsed = to_parsed(reading, source.as_source())
    assert (parsed["m_used"], parsed["m_limit"]) == (12, 300)
    assert from_parsed(parsed, source.as_source(), datetime(2026, 1, 2, tzinfo=UTC)).gauges == reading.gauges


def test_a_command_behind_a_word_stays_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    command = "tracker complete --window W0-01 --toy-features N"
    for text in (f"Next: {command}", f"    {command}", f"`{command}`"):
        assert folded(text) == text
    assert folded(f"note: {command}").count("\n") == 2
    # a wide character takes two cells
    for word, rows in (("ab", 3), ("表示", 5)):
        assert folded(" ".join([word] * 20)).count("\n") == rows - 1
