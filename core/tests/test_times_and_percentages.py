"""Times and numbers as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tracker.text.clock import moment
from tracker.text.render import number

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-2h", NOW - timedelta(hours=2)),
        ("-4h50m", NOW - timedelta(hours=4, minutes=50)),
        ("1d 2h", NOW - timedelta(hours=26)),
        ("-30m", NOW - timedelta(minutes=30)),
        ("-1d", NOW - timedelta(days=1)),
        ("yesterday 14:00", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("today 7:05", datetime(2026, 11, 22, 6, 5, tzinfo=UTC)),
        ("07:05", datetime(2026, 11, 22, 6, 5, tzinfo=UTC)),
        ("07:05:09", datetime(2026, 11, 22, 6, 5, 9, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 20, 23, tzinfo=UTC)),
        ("Today", datetime(2026, 11, 21, 23, tzinfo=UTC)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-11-20", datetime(2026, 11, 19, 23, tzinfo=UTC)),
        ("2026-11-20T10:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T10:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert moment(text, NOW, lambda: ZoneInfo("Europe/Berlin")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", datetime(2026, 11, 20, 22, 59, 59, 999_999, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 21, 22, 59, 59, 999_999, tzinfo=UTC)),
        # of 25 hours
        ("2026-10-25", datetime(2026, 10, 25, 22, 59, 59, 999_999, tzinfo=UTC)),
        ("2026-11-20T00:00", datetime(2026, 11, 19, 23, tzinfo=UTC)),
        ("20261120T10", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("yesterday 14:00", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("-2h", NOW - timedelta(hours=2)),
    ],
)
def test_a_day_ends_with_its_last_moment(text: str, expected: datetime) -> None:
    assert moment(text, NOW, lambda: ZoneInfo("Europe/Berlin"), is_end=True) == expected


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/Santiago", "2026-04-04", "2026-04-05T03:59:59.999999Z"),  # the last hour is there twice
        ("America/Santiago", "2026-09-05", "2026-09-06T03:59:59.999999Z"),  # the next day begins at 01:00
        ("America/Havana", "2026-10-31", "2026-11-01T03:59:59.999999Z"),  # the next day's first hour is there twice
    ],
)
def test_a_day_ends_where_the_clock_changes_at_midnight(zone: str, day: str, expected: str) -> None:
    found = moment(day, NOW, lambda: ZoneInfo(zone), is_end=True)
    assert found
    assert found.astimezone(UTC) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "2025-11-02 01:50",
            "the clock showed 01:50 twice on 02 Nov 2025: this is read as 2025-11-02T01:50:00-04:00, not"
            " 2025-11-02T01:50:00-05:00",
        ),
        (
            "2026-03-08T02:30",
            "the clock never showed 02:30 on 08 Mar 2026: this is read as 2026-03-08T03:30:00-04:00, not"
            " 2026-03-08T01:30:00-05:00",
        ),
        # who names the offset means one alone
        ("2025-11-02T01:50:00-05:00", ""),
        ("2026-03-08T02:30:00Z", ""),
        ("2025-11-02 02:50", ""),
        ("2025-11-02", ""),
    ],
)
def test_a_time_that_a_clock_shows_twice_or_never_is_told(program: Any, text: str, said: str) -> None:
    program("config", "set", "timezone", "America/New_York").ok()
    done = program("preview", "--since", text)
    assert f"note: {said}\n" in done.notes if said else "the clock" not in done.notes
    assert "the clock" not in program("preview", "--since", text, "-q").notes


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("text", ["yesterday", "today 00:00", "-2h", "14:06", "2026-11-22"])
def test_a_selection_takes_the_same_times(program: Any, option: str, text: str) -> None:
    program("preview", option, text).ok()


def test_the_zone_of_a_time_is_that_of_the_command(program: Any) -> None:
    words = ("--captured-at", "2026-11-22T07:00", "--timezone", "Europe/Berlin")
    program("alias", "start", "toy", "--stdin", *words, stdin="fuel 10%").ok()
    assert program.rows("snapshots")[0]["captured_at"].startswith("2026-11-22T06:00:00")


@pytest.mark.parametrize(
    "text", ["noon", "25:00", "12:60", "-h", "", " ", "-999999w", "tomorrow", "0001-01-01T00:00:00Z"]
)
def test_a_time_that_is_not_one_is_refused(program: Any, text: str) -> None:
    said = program("alias", "start", "toy", "--stdin", "--captured-at", text, stdin="fuel 10%").refused(2)
    assert f"Invalid time {text!r}. Expected ISO 8601, such as 2026-11-22T06:30:00Z" in said
    assert program.rows("snapshots") == []


def test_an_earlier_time_is_stored(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--captured-at", "-2h", stdin="fuel 10%").ok()
    [row] = program.rows("snapshots")
    age = datetime.now(UTC) - datetime.fromisoformat(row["captured_at"])
    assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=5)


def override(program: Any, *words: str) -> Any:
    return program("override", "toy", "--window", "W1", "--phase", "before", *words)


def test_a_percentage_may_have_its_sign(program: Any) -> None:
    override(program, "--fuel-pct", "80%").ok()
    assert program.rows("snapshots")[0]["parsed"]["fuel_pct"] == 80


def test_a_quality_may_be_a_percentage(program: Any) -> None:
    override(program, "--fuel-pct", "80").ok()
    program("override", "toy", "--window", "W1", "--phase", "after", "--fuel-pct", "90").ok()
    words = ("complete", "--window", "W1", "--toy-features", "1", "--quality")
    program(*words, "80%").ok()
    assert program.rows("windows")[-1]["quality"] == 0.8
    for wrong in ("%", "high%", "-5%"):
        assert f"Invalid number '{wrong}'. Expected one from 0 to 1." in program(*words, wrong).refused(2)
    assert "Invalid whole number '3%'" in program(*words[:4], "3%").refused(2)


def test_more_than_all_of_a_meter_needs_force(program: Any) -> None:
    said = override(program, "--fuel-pct", "180").refused(2)
    assert "Invalid percentage 180. Expected a number from 0 to 100, or --force." in said
    assert program.rows("snapshots") == []
    override(program, "--fuel-pct", "180", "--force").ok()
    assert program.rows("snapshots")[0]["parsed"]["fuel_pct"] == 180


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0042, "0.0042"),
        (-0.004, "-0.004"),
        (0.000001, "0.000001"),
        (1e-9, "0"),
        (-1e-9, "0"),
        (0.005, "0.01"),
        (3, "3"),
    ],
)
def test_a_number_that_is_not_nothing_does_not_read_as_0(value: float, shown: str) -> None:
    assert number(value) == shown
