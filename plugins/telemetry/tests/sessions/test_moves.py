"""How far a meter moved: of the last month each reading counts, of older times the highest of each hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from tracker.api import MeterReading
from tracker_telemetry.sessions import moves as of_meters
from tracker_telemetry.sessions.moves import moves

NOW = datetime(2026, 11, 29, 17, tzinfo=UTC)


def moved(readings: Sequence[tuple[Any, ...]], zone: str = "UTC") -> dict[str, float]:
    """What moved on each day, if a feature keeps these readings: when, how much, the reset and the origin, if any."""
    every = []
    for at, used, *more in readings:
        reset, origin = (*more, *(None, "rollout")[len(more) :])
        every.append(MeterReading("codex", "weekly", None, origin, at, at, used, reset))

    class Source:
        class capacity_meter:
            key, unit, window = "weekly", "pp", timedelta(days=7)

    class Session:
        now = NOW

        class registry:
            providers: ClassVar = {"codex": Source}

            @staticmethod
            def first(_hook: str, *, since: datetime | None, hourly: bool, **_given: Any) -> list[MeterReading]:
                hours = {f"{one.at:%F %H}": one for one in sorted(every, key=lambda one: one.used)}
                return [one for one in (hours.values() if hourly else every) if since is None or one.until >= since]

    found = moves(cast("Any", Session), "codex", lambda at: str(at.astimezone(ZoneInfo(zone)).date()))
    return dict(found[0].periods) if found else {}


def test_a_rise_within_an_hour_counts() -> None:
    start = NOW - timedelta(days=1)
    assert moved([(start, 10.0), (start + timedelta(minutes=30), 20.0)]) == {"2026-11-28": 10.0}


def test_midnight_within_an_hour() -> None:
    """In Kathmandu it is at a quarter past 18 o'clock UTC."""
    midnight = datetime(2026, 11, 27, 18, 15, tzinfo=UTC)
    readings = [(midnight + timedelta(minutes=at), used) for at, used in ((-90, 10.0), (-5, 14.0), (5, 15.0))]
    assert moved(readings, "Asia/Kathmandu") == {"2026-11-27": 4.0, "2026-11-28": 1.0}


@pytest.mark.parametrize("minutes", [0, 30])
def test_older_readings_go_on_in_newer_ones(minutes: int) -> None:
    start = NOW - timedelta(days=33) + timedelta(minutes=minutes)
    days = [(start + timedelta(days=day), 10.0 + day) for day in range(5)]
    assert sum(moved(days).values()) == 4


@pytest.mark.parametrize(
    ("used", "hours", "rise"),
    [
        ((10.0, 15.0), 75, 15.0),  # its week began between the readings
        ((10.0, 15.0), 0.9, 5.0),  # a reset that a pane names by the hour
        ((0.0, 15.0), 75, 15.0),  # an unused meter begins with its first use
        ((10.0, 15.0), 200, 5.0),  # no week can have begun by then
    ],
)
def test_an_early_reset_is_known_by_when_the_later_period_began(
    used: tuple[float, float], hours: float, rise: float
) -> None:
    start, before = NOW - timedelta(days=5), NOW + timedelta(days=1)
    readings = [(start, used[0], before), (NOW, used[1], before + timedelta(hours=hours))]
    assert moved(readings) == {"2026-11-29": rise}


@pytest.mark.parametrize(
    ("shown", "total"),
    [
        # two panes around the work, and what a log has in between
        ([(5, 0, "alias"), (15, 0, "log"), (24, 0, "log"), (31, 0, "log"), (40, 0, "alias")], 35),
        # a pane rounds, and names the reset by the hour
        ([(20, 0, "alias"), (19.6, 0.4, "log"), (20, 0, "alias"), (20.4, 0.4, "log")], 0.4),
        # one origin still shows the period that the vendor ended
        ([(70, 0, "log"), (80, 0, "log"), (2, 60, "alias"), (80, 0, "log"), (3, 60, "alias"), (4, 60, "log")], 14),
        # an older pane that names no reset, between two readings of one period
        ([(30, 0, "log"), (34, 0, "log"), (31, None, "alias"), (36, 0, "log")], 6),
        # behind the reset, one origin names none
        ([(30, -50, "log"), (2, None, "alias"), (3, 100, "log")], 3),
    ],
)
def test_readings_of_several_origins_count_once(shown: Sequence[tuple[float, float | None, str]], total: float) -> None:
    start = datetime(2026, 11, 29, 8, tzinfo=UTC)
    readings = [
        (start + timedelta(hours=hour), used, None if later is None else NOW + timedelta(hours=40 + later), origin)
        for hour, (used, later, origin) in enumerate(shown)
    ]
    assert moved(readings) == {"2026-11-29": pytest.approx(total)}


@pytest.mark.parametrize(
    ("shown", "total"),
    [
        # the vendor gave back what it had shown by mistake
        ([28, 40, 41, 43, 10, 11], 16),
        ([43, 10], 0),
        ([43, 10, 11, 20, 35, 50], 40),
        # answers of parallel sessions are older
        ([22, 21, 22], 0),
        ([40, 30, 45], 5),
        ([40, 30, 32, 45], 5),
        ([40, 30], 0),
        # another terminal's pane
        ([20, 60, 20, 21], 1),
    ],
)
def test_no_move_is_negative(shown: Sequence[float], total: float) -> None:
    start = datetime(2026, 11, 29, 8, tzinfo=UTC)
    readings = [(start + timedelta(minutes=20 * at), used, NOW + timedelta(days=2)) for at, used in enumerate(shown)]
    found = moved(readings)
    assert sum(found.values()) == total
    # a time that was read and in which nothing moved is said, too
    assert all(one >= 0 for one in found.values())
    assert found


def test_what_follows_an_older_answer_is_looked_at_once() -> None:
    """Each of its readings looked at all behind it."""
    start = datetime(2026, 11, 29, 8, tzinfo=UTC)
    shown = [80, *(10 + at / 10 for at in range(100)), 85]
    readings = [(start + timedelta(minutes=at), used, NOW + timedelta(days=2)) for at, used in enumerate(shown)]
    with patch.object(of_meters, "_is_given_back", wraps=of_meters._is_given_back) as asked:
        assert sum(moved(readings).values()) == 5
    assert asked.call_count == 1


def test_two_accounts_without_names_move_by_themselves() -> None:
    """Each by 4 points a day, in turn. What the other one stood at is neither a rise nor what a reset leaves."""
    start, ends = (
        datetime(2026, 11, 23, 8, tzinfo=UTC),
        (datetime(2026, 11, 27, 6, tzinfo=UTC), NOW + timedelta(days=1)),
    )
    readings, used = [], [10.0, 50.0]
    for day in range(6):
        for hour in range(0, 8, 2):
            place = hour // 2 % 2
            at, end = start + timedelta(days=day, hours=hour), ends[place]
            # of the first account a new week began
            if at > end:
                used[0], end = (0.0 if day == 4 and hour == 0 else used[0]), end + timedelta(days=7)
            for minute in (1, 21):
                used[place] += 1
                readings.append((at + timedelta(minutes=minute), used[place], end))
    assert moved(readings) == {"2026-11-23": 6.0} | {f"2026-11-{day}": 8.0 for day in range(24, 29)}


def test_a_reading_of_the_future_moves_nothing() -> None:
    start = NOW - timedelta(days=1)
    readings = [(start, 10.0), (NOW, 20.0), (NOW + timedelta(days=400), 90.0, None, "alias")]
    assert moved(readings) == {"2026-11-29": 10.0}
