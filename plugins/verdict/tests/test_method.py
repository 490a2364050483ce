"""Calibration and forecast: when they refuse, what bounds their figures, weeks in which clocks change."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.api import Meter, MeterReading
from tracker_verdict import weeks as of_weeks
from tracker_verdict.current_meters import CurrentMeter
from tracker_verdict.pieces import Ledger, Piece, segments
from tracker_verdict.prospect import Prospect, prospect
from tracker_verdict.rates import Rates, rates
from tracker_verdict.stats.calibration import ticks
from tracker_verdict.stats.forecast import course, left_over, runout
from tracker_verdict.stats.room import fits
from tracker_verdict.weeks import HOURS, PRIOR, WEEK, current, is_reset, phase_of, weeks

START = datetime(2026, 11, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def reading(at: datetime, used: float, reset: datetime | None = START + WEEK, **more: Any) -> MeterReading:
    return MeterReading("codex", "weekly", None, "rollout", at, at, used, reset, **more)


# --- when calibration refuses


def pieces(days: int = 14, each: int = 3, rate: Callable[[int], float] = lambda _day: 0.2, **more: Any) -> list[Piece]:
    """Pieces of about 2 points, a tenth of their dollars cache reads."""
    chance, found = random.Random(3), []
    for day in range(days):
        for place in range(each):
            start = (START + day * DAY + (9 + place) * HOUR).timestamp()
            dollars = chance.uniform(9, 11)
            own = {
                "points": rate(day) * dollars * chance.uniform(0.98, 1.02),
                "fresh": 0.9 * dollars,
                "cached": 0.1 * dollars,
                "awake": 1.0,
                "step": 1.0,
            }
            on = date(2026, 11, 2) + day * DAY
            found.append(Piece(start=start, end=start + 3000, day=on, **{**own, **more}))
    return found


def calibrated(found: list[Piece], **more: Any) -> Rates:
    own: dict[str, Any] = {"readings": [reading(START, 0)], "elsewhere": 0.0, "unpriced": 0.0}
    ledger: Any = SimpleNamespace(
        source=SimpleNamespace(name="codex"), meter="weekly", account=None, origin="rollout", events=[], local=UTC,
        silences=(), pieces=found, is_named=False, unseen=0, **{**own, **more},
    )  # fmt: skip
    known: Ledger = ledger
    return rates(known)


def test_a_steady_rate_is_found_within_its_interval() -> None:
    found = calibrated(pieces())
    assert found.why == ()
    middle, low, high = found.points(9, 1)
    assert low < 2.0 < high
    assert middle == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(
    ("found", "more", "why"),
    [
        (pieces(6, 1), {}, "11.78 points so far; 20 are needed"),
        (pieces(5, 6), {}, "5 days so far; 6 are needed"),
        (pieces(6, 1, lambda _day: 0.5), {}, "6 rises of 2 or more points so far; 8 are needed"),
        (pieces(), {"elsewhere": 0.3}, "30% of its rise came while no request was logged here; the limit is 25%"),
        (pieces(step=3.0), {}, "most readings are over 2 points apart"),
        (pieces(), {"readings": [reading(START, 0, None)]}, "no reading shows a reset time"),
        (pieces(), {"unpriced": 0.2}, "20% of the tokens have no list price"),
        (pieces(6, 3, lambda day: 0.02 if day % 2 else 0.6), {}, "the interval is wider than a factor of 1.5"),
        (pieces(7, 6, lambda day: 0.2 if day < 4 else 0.3), {}, "the two halves of the time differ by"),
        (pieces(20, 3, lambda day: 0.2 if day < 17 else 0.5), {}, "what a point buys changed on 2026-11-19"),
    ],
)
def test_it_refuses_with_the_reason(found: list[Piece], more: Any, why: str) -> None:
    known = calibrated(found, **more)
    assert any(one.startswith(why) for one in known.why), known.why


def test_an_older_change_leaves_the_days_since_then() -> None:
    found = calibrated(pieces(18, 3, lambda day: 0.2 if day < 9 else 0.4))
    assert found.change is not None
    assert (found.why, found.change.day) == ((), date(2026, 11, 11))
    assert found.points(9, 1)[0] == pytest.approx(4.0, rel=0.03)


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), max_size=60))
def test_ticks_count_no_point_twice_and_none_across_a_reset(values: list[int]) -> None:
    """A fall is a reset: what lies on both of its sides is in no piece."""
    found = ticks(list(enumerate(values)))
    rises = sum(max(b - a, 0) for a, b in pairwise(values))
    assert sum(points for _, _, points in found) <= rises
    for (start, end, points), (later, _, _) in pairwise([*found, (math.inf, 0, 0)]):
        assert points >= 2
        assert start < end <= later
        inside = values[start : end + 1]
        assert inside == sorted(inside)
        assert points == inside[-1] - inside[0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.integers(1, 30))
def test_a_change_of_the_reset_splits_the_readings(values: list[int], every: int) -> None:
    found = [
        reading(START + at * HOUR, used, START + ((at // every) + 1) * every * HOUR) for at, used in enumerate(values)
    ]
    parts = list(segments(found))
    assert sum(map(len, parts)) == len(found)
    borders = [b for a, b in pairwise(found) if is_reset(a, b)]
    assert len(parts) == len(borders) + 1


def test_runs_of_two_machines_that_overlap_are_in_the_order_of_time() -> None:
    """Rises between them ended before they began, and held no request."""
    one, other = (reading(START + at * HOUR, 5)._replace(until=START + (at + 2) * HOUR) for at in (0, 1))
    [found] = segments([one, other, reading(START + 4 * HOUR, 6)])
    assert [(at - START.timestamp()) / 3600 for at, _ in found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("first", "is_told"), [(10, True), (0, False)])
def test_an_early_reset_splits_the_readings_although_the_meter_rose(first: float, is_told: bool) -> None:
    found = [reading(START, first), reading(START + 12 * HOUR, 15, START + 2 * HOUR + WEEK)]
    assert len(list(segments(found, WEEK))) == 1 + is_told


def test_a_full_reading_of_long_before_its_week_hides_that_week() -> None:
    """A clock that was wrong, or a vendor's odd date: it ended `plan` in a traceback."""
    first, later = reading(START, 100, START + 16 * DAY), reading(START + 14 * DAY, 20, START + 20 * DAY)
    found = list(weeks([reading(START - DAY, 0, START), first, later], UTC))
    assert [set(one.rises) for one in found[1:]] == [{None}, {0.0, 20.0}]


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        # a point behind, and over a point behind for once
        ([3, 4, 3, 4, 5], [3, 4, 4, 5]),
        ([25, 20, 25, 26], [25, 25, 26]),
        ([25, 20, 20, 26], [25, 26]),
        # given back by the vendor
        ([25, 20, 21, 22], [25, 20, 21, 22]),
        ([25, 20], [25, 20]),
    ],
)
def test_a_reading_that_is_behind_says_nothing(shown: list[float], kept: list[float]) -> None:
    """A tick is the first reading of a value: the second one of a value that came and went would be late."""
    found = [reading(START + hour * HOUR, used) for hour, used in enumerate(shown)]
    assert [one.used for one in current(found, WEEK)] == kept


def test_a_reading_of_the_next_period_is_never_behind() -> None:
    found = [
        reading(START, 2),
        reading(START + WEEK, 1, START + 2 * WEEK),
        reading(START + WEEK + HOUR, 2, START + 2 * WEEK),
    ]
    assert current(found, WEEK) == found


@pytest.mark.parametrize("every", [DAY, timedelta(hours=3)])
def test_a_meter_that_waits_for_its_first_use_is_no_week(every: timedelta) -> None:
    """Its reset is a week from each reading: 21 idle days, read once a day, were as many weeks of history."""
    used = [reading(START + hour * HOUR, hour // 3, START + WEEK) for hour in range(168)]
    idle = [
        reading(at, 0, at + WEEK) for step in range(21 * DAY // every) for at in [START + WEEK + HOUR + step * every]
    ]
    begin = START + WEEK + 21 * DAY + 12 * HOUR
    now = [reading(begin + hour * HOUR, 1 + hour, begin + WEEK) for hour in range(20)]
    assert [sum(one or 0 for one in week.rises) for week in weeks([*used, *idle, *now], UTC)] == [55, 20]


def test_a_whole_week_without_use_is_one_of_history() -> None:
    used = [reading(START + k * WEEK + day * DAY, use * day, START + (k + 1) * WEEK)
            for k, use in enumerate((5, 0, 5)) for day in range(7)]  # fmt: skip
    assert [sum(one or 0 for one in week.rises) for week in weeks(used, UTC)] == [30, 0, 30]


# --- what bounds a forecast

week = st.lists(st.floats(0, 4), min_size=HOURS, max_size=HOURS)


def test_what_goes_unused_is_the_mean_over_the_distribution() -> None:
    rest, spread, df, room = 15.9, 0.4408, 10.0, 15.0
    drawn = np.random.default_rng(1).standard_t(df, 400_000)
    to_come = np.maximum((rest + 5) * np.exp(spread * drawn) - 5, 0)
    assert left_over(rest, spread, df, room) == pytest.approx(np.maximum(room - to_come, 0).mean(), abs=0.02)
    assert left_over(rest, spread, df, room) > 2
    assert left_over(rest, spread, df, 0.0) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(week, max_size=4), st.integers(6, HOURS - 1), st.floats(0, 120), st.integers(0, HOURS - 1))
def test_a_forecast_is_a_probability_and_its_range_holds_its_middle(
    past: list[list[float]], gone: int, used: float, now: int
) -> None:
    rest, spread, _, full, low, high = runout(past, gone, used, PRIOR, [now] * len(past), now)
    assert 0 <= full <= 1
    assert 0 <= low <= rest + 1e-9 <= high + 1e-6
    assert spread > 0
    assert (full == 1) if used >= 100 else True
    left = course(past, gone, rest, PRIOR, [now] * len(past), now)
    assert len(left) == HOURS - gone
    assert sum(left) == pytest.approx(rest) or not any(left)


@settings(max_examples=30, deadline=None)
@given(st.floats(6.01, 167), st.floats(0, 99), st.floats(0, 3))
def test_no_forecast_points_beyond_the_reset(gone: float, used: float, rate: float) -> None:
    at = START + gone * HOUR
    past = [reading(START - WEEK + hour * HOUR, min(rate * hour, 100), START) for hour in range(0, HOURS, 3)]
    current = CurrentMeter(account=None, at=at, taken_at=at, used=used, reset_at=START + WEEK)
    meter = Meter(key="weekly", title="7 d", window=WEEK)
    found = prospect(past, current, meter, at, UTC)
    assert found is not None
    assert found.probability is not None
    assert found.full_at is None or at <= found.full_at <= START + WEEK
    assert found.linear == pytest.approx(used / (gone / HOURS))


def test_points_that_were_given_back_make_no_quiet_week() -> None:
    """This week went as the one before it, until the bar fell from 44 to 11: as much is to come as without."""
    at = START + 96 * HOUR
    past = [reading(START - WEEK + hour * HOUR, 0.5 * hour, START) for hour in range(HOURS)]
    own = [reading(START + hour * HOUR, 0.5 * hour, START + WEEK) for hour in range(89)]
    back = [reading(START + hour * HOUR, 0.5 * hour - 33, START + WEEK) for hour in (88.001, *range(89, 97))]
    meter = Meter(key="weekly", title="7 d", window=WEEK)

    def found(readings: Sequence[MeterReading], used: float) -> Prospect:
        current = CurrentMeter(account=None, at=at, taken_at=at, used=used, reset_at=START + WEEK)
        shown = prospect([*past, *readings], current, meter, at, UTC)
        assert shown is not None
        return shown

    without = found([*own, *(one._replace(used=one.used + 33) for one in back)], 48)
    given = found([*own, *back], 15)
    assert without.rest is not None
    assert given.rest == pytest.approx(without.rest, rel=1e-3)
    assert without.unused is not None
    assert given.unused is not None
    # a point of room more leaves a point more, unless it is used
    assert 0 < given.unused - without.unused < 33
    assert given.linear == pytest.approx(48 / (96 / HOURS) - 33, rel=1e-3)
    # an older answer gives nothing back
    stale = [*own, reading(START + 88.5 * HOUR, 11, START + WEEK), reading(at, 48, START + WEEK)]
    assert found(stale, 48).rest == pytest.approx(without.rest)


def test_what_follows_an_older_answer_is_looked_at_once() -> None:
    """Each of its readings looked at all behind it."""
    shown = [80, *(10 + at / 10 for at in range(100)), 85]
    readings = [reading(START + at * HOUR, used) for at, used in enumerate(shown)]
    with patch.object(of_weeks, "_is_given_back", wraps=of_weeks._is_given_back) as asked:
        [week] = weeks(readings, UTC)
    assert (sum(filter(None, week.rises)), week.given, asked.call_count) == (85, 0, 1)


@pytest.mark.parametrize("window", [timedelta(hours=5), "month", timedelta(days=30), None])
def test_only_weeks_are_forecast(window: Any) -> None:
    meter = Meter(key="other", title="other", window=window)
    current = CurrentMeter(account=None, at=START + DAY, taken_at=START + DAY, used=50, reset_at=START + WEEK)
    assert prospect([], current, meter, START + DAY, UTC) is None


@pytest.mark.parametrize(("name", "days"), [("Europe/Berlin", 1), ("Europe/Berlin", 9), ("Australia/Lord_Howe", 3)])
def test_a_change_of_clocks_moves_no_point(name: str, days: int) -> None:
    """A week has 168 hours whatever the clocks do; its first hour is that of the wall clock where it begins."""
    local = ZoneInfo(name)
    # clocks go back on 2026-10-25 in Berlin, forward on 2026-10-04 on Lord Howe
    change = datetime(2026, 10, 25, 1, tzinfo=UTC) if "Berlin" in name else datetime(2026, 10, 3, 15, 30, tzinfo=UTC)
    begin = change - days * DAY
    used = [min(hour // 4, 100) for hour in range(2 * HOURS)]
    hours = range(2 * HOURS)
    shown = [reading(begin + hour * HOUR, used[hour % HOURS], begin + (hour // HOURS + 1) * WEEK) for hour in hours]
    found = weeks(shown, local)
    assert [one.reset_at for one in found] == [begin + WEEK, begin + 2 * WEEK]
    for one in found:
        assert len(one.rises) == HOURS
        assert sum(rise or 0 for rise in one.rises) == used[HOURS - 1]
        assert one.phase == phase_of(one.start, local)
        assert one.phase == one.start.astimezone(local).weekday() * 24 + one.start.astimezone(local).hour


@pytest.mark.parametrize("used", [0.0, 100.0])
@pytest.mark.parametrize("count", [1, 2])
def test_weeks_that_hide_all_but_their_first_night_leave_a_forecast(used: float, count: int) -> None:
    """A meter that was full, or reset again, three hours after midnight: no waking hour of such a week is known."""
    hidden = [used, 0.0, 0.0, *[None] * (HOURS - 3)]
    found = runout([hidden] * count, 30, 20.0, PRIOR, [0] * count)
    assert all(math.isfinite(one) for one in found)
    assert 0 < found[3] < 1
    assert sum(course([hidden] * count, 30, found[0], PRIOR, [0] * count)) == pytest.approx(found[0])


def test_an_early_reset_hides_the_hours_after_it() -> None:
    found = weeks(
        [reading(START + hour * HOUR, hour, START + WEEK) for hour in range(48)]
        + [reading(START + 48 * HOUR, 0, START + 48 * HOUR + WEEK)],
        UTC,
    )
    first = found[0]
    assert sum(rise or 0 for rise in first.rises) == 47
    assert first.rises[49:] == [None] * (HOURS - 49)


# --- windows that fit

costs = st.lists(st.floats(0.1, 60), min_size=1, max_size=8)


@settings(deadline=None)
@given(costs, st.integers(1, 9), st.floats(0, 100), st.floats(0.01, 100))
def test_more_room_fits_more_likely_and_units_do_not_matter(
    known: list[float], count: int, room: float, scale: float
) -> None:
    chance = fits(known, count, room)
    assert 0 <= chance <= 1
    assert fits(known, count, room + 5) >= chance - 1e-12
    assert fits([one * scale for one in known], count, room * scale) == pytest.approx(chance, abs=1e-6)
