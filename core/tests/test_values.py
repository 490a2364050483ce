"""What plugins read single JSON values with: an unlikely or half-right value is None, never another value."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.api import amount, count, instant, percent

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
