"""What a point buys, on ledgers whose truth is known: cache reads, changes, and what other devices use."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from attrs import evolve

from tracker.api import MeterReading, Source
from tracker_verdict.drift import drift
from tracker_verdict.pieces import Ledger, Piece, scheduled
from tracker_verdict.rates import rates
from tracker_verdict.residuals import residuals
from tracker_verdict.shares import lines
from tracker_verdict.silence import Silence, heard, silences
from tracker_verdict.stats import calibrate
from tracker_verdict.unseen import Unseen

START = datetime(2026, 1, 1, tzinfo=UTC)
CODEX = Source(name="codex", title="Codex", contract="1.2", prefix="c", stream="snapshots")


def heard_in(readings: Any, taken: Any, times: Any, awake: set[int]) -> Silence:
    return heard(readings, [*silences(taken, times, None)], awake, UTC, None, Unseen())


def ledger(
    days: int,
    points: Callable[[int, float, float], float],
    cached: Callable[[int], float] = lambda _day: 0.3,
    rises: int = 1,
) -> Ledger:
    """Pieces of each day, of some dollars. cached: the share of cache reads; points: what fresh and cached took."""
    chance, pieces = random.Random(3), []
    for day in (day for day in range(days) for _ in range(rises)):
        dollars, share = chance.uniform(5, 12) / rises, cached(day) * chance.uniform(0.5, 1.5)
        fresh, read = dollars * (1 - share), dollars * share
        moved: dict[str, Any] = {"points": points(day, fresh, read) + chance.uniform(-0.1, 0.1)}
        moved |= {"fresh": fresh, "cached": read, "awake": 0.0, "step": 1.0}
        pieces.append(Piece(start=float(day), end=day + 0.5, day=date(2026, 1, 1) + timedelta(days=day), **moved))
    return Ledger(
        source=CODEX,
        meter="weekly",
        origin="rollout",
        readings=[MeterReading("codex", "weekly", None, "rollout", START, START, 10.0, START)],
        events=[],
        pieces=pieces,
        elsewhere=None,
        unpriced=0.0,
        local=UTC,
    )


def test_a_rate_below_zero_is_refused() -> None:
    why = rates(ledger(24, lambda _day, fresh, cached: 0.6 * fresh - 0.4 * cached)).why
    assert why[0].startswith("cache reads would cost less than nothing (-0.4")


def test_cache_reads_of_one_day_alone_have_no_rate_of_their_own() -> None:
    """A fit that leaves that day out has none of them: it ended in a traceback."""
    found = rates(ledger(24, lambda _day, fresh, cached: 0.6 * (fresh + cached), lambda day: 0.3 * (day == 4)))
    assert found.columns == ("dollars",)
    assert not found.why


def test_less_of_cheap_cache_reads_is_no_change_of_the_meter() -> None:
    """A dollar of them takes a fifth of a point; their share falls from 60 to 35 % of the money."""
    known = ledger(28, lambda _day, fresh, cached: fresh + 0.2 * cached, lambda day: 0.6 if day < 14 else 0.35)
    assert drift(known).change is None
    found = rates(known)
    assert not found.why
    assert found.alpha is not None
    assert found.alpha[0] == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("before", "after", "shares"), [(1.0, 2.0, (0.6, 0.35)), (2.0, 1.0, (0.35, 0.6))])
def test_a_change_is_told_although_the_share_of_cache_reads_changes_with_it(
    before: float, after: float, shares: tuple[float, float]
) -> None:
    """Over both sides a point that costs twice as much looks like cache reads that cost nothing."""
    known = ledger(
        28,
        lambda day, fresh, cached: (before if day < 14 else after) * (fresh + cached),
        lambda day: shares[day >= 14],
    )
    change = drift(known).change
    assert change is not None
    assert change.day == date(2026, 1, 15)


def test_where_the_days_do_not_tell_what_cache_reads_count_a_change_is_in_doubt() -> None:
    """Their share is the same on each day of a side, so that a change of the meter and one of the work look alike."""
    known = ledger(24, lambda _day, fresh, cached: fresh + 0.2 * cached)
    alike = [
        evolve(piece, fresh=piece.dollars * (1 - share), cached=piece.dollars * share,
               points=piece.dollars * (1 - share + 0.2 * share) + 0.01 * place)
        for place, piece in enumerate(known.pieces)
        for share in [0.6 if place < 12 else 0.3]
    ]  # fmt: skip
    found = evolve(known, pieces=alike)
    assert drift(found).why == (
        "around 2026-01-13 the share of cache reads changed as well; more rises a day (sample more often:"
        " `tracker schedule print`) or more weeks will tell the two apart"
    )
    assert rates(found).why == (f"it is not known whether a point buys more or less than before: {drift(found).why}",)


def noisy(seed: int, rate: float, cached: float, rises: int = 1) -> Ledger:
    """28 days of which the last 14 take `rate` times as much; cached: what a dollar of cache reads takes."""
    chance = random.Random(seed)
    noise = [chance.gauss(1, 0.1) for _ in range(28)]
    return ledger(
        28,
        lambda day, fresh, read: noise[day] * (1 if day < 14 else rate) * (fresh + cached * read),
        lambda day: 0.6 if day < 14 else 0.35,
        rises,
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cached", [0.2, 0.0])
def test_work_with_less_of_cheap_cache_reads_is_no_change_of_the_meter(seed: int, cached: float) -> None:
    """Their share varies from day to day, which tells what they count."""
    found = drift(noisy(seed, 1.0, cached))
    assert (found.change, found.why) == (None, None)


@pytest.mark.parametrize("seed", range(4))
def test_a_change_of_the_meter_is_told_or_in_doubt_where_the_share_of_cache_reads_changes_with_it(seed: int) -> None:
    """It is never denied, and the day is right."""
    found = drift(noisy(seed, 2.0, 1.0))
    if found.change is not None:
        assert found.change.day == date(2026, 1, 15)
    else:
        assert found.why is not None
        assert found.why.startswith("around 2026-01-15 the share of cache reads changed as well; more rises a day")


@pytest.mark.parametrize("seed", range(2))
def test_more_rises_a_day_tell_a_change_of_the_meter(seed: int) -> None:
    """As drift promises where it cannot tell yet."""
    assert drift(noisy(seed, 2.0, 1.0)).change is None
    assert drift(noisy(seed, 2.0, 1.0, rises=2)).change is not None


@pytest.mark.parametrize(("first", "new"), [(12, ["plan max"]), (13, ["plan max"]), (11, [])])
def test_a_plan_of_the_day_before_is_new_with_the_change(first: int, new: list[str]) -> None:
    """It changed in the middle of that day: the scan finds the first whole one."""
    known = ledger(28, lambda day, fresh, cached: (1 if day < 13 else 2) * (fresh + cached))
    at = [START + timedelta(days=day, hours=12) for day in range(28)]
    named = ["max" if day >= first else "pro" for day in range(28)]
    readings = [
        MeterReading("codex", "weekly", None, "rollout", one, one, 10.0, START, plan=plan)
        for one, plan in zip(at, named, strict=True)
    ]
    found = drift(evolve(known, readings=readings))
    assert (found.change and found.change.day, list(found.new)) == (date(2026, 1, 14), new)


def test_requests_that_are_all_alike_have_one_rate() -> None:
    """The columns of fresh and cached dollars are multiples of each other: it ended in a traceback."""
    known = ledger(20, lambda _day, fresh, cached: fresh + cached)
    alike = [evolve(piece, fresh=piece.dollars / 2, cached=piece.dollars / 2) for piece in known.pieces]
    found = evolve(known, pieces=alike)
    assert drift(found).change is None
    assert rates(found).columns == ("dollars",)


@pytest.mark.parametrize(("days", "is_told"), [(10, False), (12, True)])
def test_a_change_needs_as_many_days_as_make_one_sure(days: int, is_told: bool) -> None:
    """Of ten days three of the 200 orders that are tried part them alike, however large the change."""
    known = drift(ledger(days, lambda day, fresh, cached: (0.4 if day < days // 2 else 2.0) * (fresh + cached)))
    assert known.why == (None if is_told else "10 days so far; 11 are needed")
    assert (known.change is not None) == is_told


def test_a_change_is_found_behind_days_with_too_few_points() -> None:
    """Three days of two points each at another rate part the days the most, and are no side of a change."""
    known = ledger(21, lambda day, fresh, cached: (1.0 if day < 12 else 1.6) * (fresh + cached))
    little = [evolve(one, points=2.0, fresh=0.2, cached=0.1) for one in known.pieces[:3]] + [*known.pieces[3:]]
    change = drift(evolve(known, pieces=little)).change
    assert change is not None
    assert change.day == date(2026, 1, 13)


def at_work(days: int, points: Callable[[int, float], float]) -> Ledger:
    """A piece a day, of the twelve hours from midnight to noon: points of the day and its dollars."""
    known = ledger(days, lambda day, fresh, cached: points(day, fresh + cached), lambda _day: 0.0)
    begin = [(START + timedelta(days=day)).timestamp() for day in range(days)]
    pieces = [evolve(one, start=at, end=at + 12 * 3600) for one, at in zip(known.pieces, begin, strict=True)]
    return evolve(known, pieces=pieces, elsewhere=0.1)


def test_hours_that_are_a_column_weigh_as_in_the_reference() -> None:
    """By dollars alone the rate was 11 % too low at 30 % of other devices, and the interval covered 71 %."""
    chance, known = random.Random(5), at_work(20, lambda day, dollars: dollars)
    pieces = [evolve(one, awake=chance.uniform(1, 12)) for one in known.pieces]
    pieces = [evolve(one, points=one.fresh + 0.4 * one.awake + chance.uniform(-2, 2)) for one in pieces]
    found = rates(evolve(known, pieces=pieces)).fit
    dollars, hours = calibrate(
        [one.points for one in pieces],
        [(one.fresh, one.awake) for one in pieces],
        [one.day.toordinal() for one in pieces],
    )[:2]
    assert found is not None
    assert found.limits() == [pytest.approx(dollars), pytest.approx(hours)]


def test_rises_without_a_price_or_a_request_are_no_change_of_the_meter() -> None:
    """Half of the requests since the 14th day have no price, or half of the rise comes without a request."""
    known = at_work(28, lambda day, dollars: dollars * (1 if day < 14 else 2))
    assert drift(known).change is not None
    bare = [evolve(one, bare=("in-house-7b",) if place >= 14 else ()) for place, one in enumerate(known.pieces)]
    found = drift(evolve(known, pieces=bare))
    assert (found.days, found.change) == (14, None)
    silent = [evolve(one, silent=one.points / 2 if place >= 14 else 0.0) for place, one in enumerate(known.pieces)]
    assert drift(evolve(known, pieces=silent)).change is None
    middle, low, high = rates(evolve(known, pieces=silent, elsewhere=None)).points(1, 0)
    assert low < 1 < high
    assert middle == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("more", "word"), [({"unpriced": 0.25}, "25% of the tokens"), ({"elsewhere": 0.4}, "40% of its")]
)
def test_drift_is_silent_where_calibrate_refuses(more: dict[str, Any], word: str) -> None:
    known = evolve(at_work(28, lambda day, dollars: dollars * (1 if day < 14 else 2)), **more)
    assert (drift(known).why or "").startswith(word)


def test_half_of_the_time_without_a_rise_beside_requests_is_refused() -> None:
    known = at_work(10, lambda _day, dollars: dollars)
    pieces = [evolve(one, silent=one.points * (place < 5)) for place, one in enumerate(known.pieces)]
    assert rates(evolve(known, pieces=pieces)).why[-1] == "in one half of the time no rise came with requests"


@pytest.mark.parametrize(("rate", "elsewhere", "is_told"), [(1.0, 0.3, False), (2.0, 0.3, True), (2.0, 0.0, True)])
def test_a_change_of_what_other_devices_use_is_no_change_of_the_meter(
    rate: float, elsewhere: float, is_told: bool
) -> None:
    """From the 14th day on another device takes as much in each hour; the nights show it."""
    known = at_work(28, lambda day, dollars: dollars * (1 if day < 14 else rate) + 12 * elsewhere * (day >= 14))
    silences = [
        (begin.timestamp(), begin.timestamp() + 11 * 3600, 11 * elsewhere * (day >= 14))
        for day in range(28)
        for begin in [START + timedelta(days=day, hours=12)]
    ]
    found = drift(evolve(known, silences=silences))
    assert (found.change is not None) == is_told
    if is_told:
        assert [*found.new] == (["other devices from 0 to 0.3 points an hour without a request"] if elsewhere else [])
    else:
        assert (found.why or "").startswith(
            "around 2026-01-15 the rise without requests changed as well, from 0 to 0.3 points an hour"
        )
        assert rates(evolve(known, silences=silences)).why[0].startswith("it is not known whether a point buys more")


@pytest.mark.parametrize(("rate", "first", "shown"), [(1.0, 14, 0.24), (1.0, 11, 0.3), (2.0, 14, 0.24)])
def test_few_points_without_a_request_tell_other_devices_roughly(rate: float, first: int, shown: float) -> None:
    """The nights show less than was used, or it began with less some days before: drift said that a point changed."""
    used = [0.0 if day < first else 0.1 if day < 14 else 0.3 for day in range(28)]
    known = at_work(28, lambda day, dollars: dollars * (1 if day < 14 else rate) + 12 * used[day])
    silences = [
        (begin.timestamp(), begin.timestamp() + 11 * 3600, 11 * used[day] * shown / 0.3)
        for day in range(28)
        for begin in [START + timedelta(days=day, hours=12)]
    ]
    assert (drift(evolve(known, silences=silences)).change is not None) == (rate > 1)


def test_no_more_rises_are_sure_than_chance_has() -> None:
    """What a dollar takes differs by a lognormal factor: taken for normal, 16 of 400 were sure where 4 may be."""
    chance = random.Random(7)
    known = ledger(40, lambda _day, fresh, cached: 15 * (fresh + cached) * chance.lognormvariate(0, 0.4), rises=10)
    sure = [one for one in residuals(rates(known)) if one.certainty]
    assert len(sure) <= 4
    hidden = [evolve(one, points=one.points + 100 * (place == 200)) for place, one in enumerate(known.pieces)]
    found = evolve(known, pieces=hidden)
    assert next(one.piece for one in residuals(rates(found)) if one.certainty) == hidden[200]


def test_what_other_devices_took_is_said() -> None:
    """It was in JSON alone, and the shares are so much less than the rise."""
    known = at_work(28, lambda day, dollars: dollars + 0.2 * (4 + day % 3))
    pieces = [evolve(one, awake=4.0 + place % 3) for place, one in enumerate(known.pieces)]
    nobody: Any = None
    said = list(lines(nobody, rates(evolve(known, pieces=pieces)), "project", 3))
    assert "  other devices: about 10% of the rise (0.2 points per working hour, 0.18 to 0.22)" in said


@pytest.mark.parametrize(("hours", "share"), [((21,), 0.1), (range(8, 17), 0.5)])
def test_what_other_devices_use_at_night_is_not_scaled_to_the_day(hours: Sequence[int], share: float) -> None:
    """Own requests from 8 to 17 h on four of five days, and a reading each hour.

    At night all of what is used elsewhere is seen; by day a fifth of it, and requests hide the rest.
    """
    readings, times, used = list[MeterReading](), list[float](), 0.0
    for hour in range(240):
        at = START + timedelta(hours=hour)
        readings.append(MeterReading("codex", "weekly", None, "sample", at, at, used / 2, None, is_scheduled=True))
        if 8 <= at.hour < 17 and at.day % 5:
            times.append(at.timestamp() + 60)
            used += 1
        used += (8 * 9 / 90 if len(hours) == 1 else 1) * (at.hour in hours)
    found = heard_in(readings, readings, times, set(range(8, 17)))
    assert found.share == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize(("at_night", "share"), [(0, None), (3, 0.5)])
def test_one_point_in_two_silent_hours_tells_nothing(at_night: int, share: float | None) -> None:
    """It was 90 % of the rise, scaled to all working hours; what rises at night is seen, however few these are."""
    readings, times, used = list[MeterReading](), list[float](), 0.0
    for hour in range(240):
        at = START + timedelta(hours=hour)
        readings.append(MeterReading("codex", "weekly", None, "sample", at, at, used, None, is_scheduled=True))
        is_silent = at.day == 5 and at.hour > 13
        if 8 <= at.hour < 17 and not is_silent:
            times.append(at.timestamp() + 60)
        used += (at.hour in (8, 12, 15)) + at_night * (at.hour == 22)
    found = heard_in(readings, readings, times, set(range(8, 17)))
    assert found.share == (None if share is None else pytest.approx(share, abs=0.05))
    assert found.why == "2.0 working hours without a request are too few to tell"


@pytest.mark.parametrize("hour", [None, 12])
def test_requests_at_no_hour_of_the_readings_are_no_traceback(hour: int | None) -> None:
    """A machine that only samples has none, and another's are made after the last reading of each day."""
    readings = [
        MeterReading("codex", "weekly", None, "sample", at, at, float(step), None, is_scheduled=True)
        for step in range(6)
        for at in [START + timedelta(hours=2, minutes=10 * step)]
    ]
    times = [] if hour is None else [(START + timedelta(hours=hour)).timestamp()]
    found = heard_in(readings, readings, times, set() if hour is None else {hour})
    assert found == (1.0, "0.0 working hours without a request are too few to tell")


def test_silent_hours_within_a_run_of_equal_readings_count() -> None:
    """A schedule's equal readings are one row: of 8 weeks 1.8 hours without a request were seen, and nobody else."""
    chance, times, rows, used = random.Random(4), list[float](), list[MeterReading](), 0.0
    for step in range(6 * 24 * 4):
        at = START + timedelta(minutes=10 * step)
        rows.append(MeterReading("codex", "weekly", None, "sample", at, at, float(int(used)), None, is_scheduled=True))
        is_awake = 8 <= at.hour < 20
        if is_awake and (at.day * 7 + at.hour) % 3:
            times.append(at.timestamp() + 60)
            used += 0.3
        used += 0.4 * (is_awake and chance.random() < 0.2)
    runs = [
        group[0]._replace(until=group[-1].at)
        for group in (list(own) for _, own in groupby(rows, key=lambda one: one.used))
    ]
    one, other = (heard_in(known, known, times, set(range(8, 20))) for known in (rows, runs))
    assert len(runs) < len(rows) / 4
    assert one.share == pytest.approx(0.08 / 0.28, abs=0.06)
    assert other == (pytest.approx(one.share), one.why)


def test_a_full_meter_is_not_heard() -> None:
    """It cannot rise, whatever other devices do: the end of a used-up week is no silence."""
    readings, times, used = list[MeterReading](), list[float](), 0.0
    for hour in range(336):
        at = START + timedelta(hours=hour)
        value = min(used, 100.0) if hour < 240 else 100.0
        readings.append(MeterReading("codex", "weekly", None, "sample", at, at, value, None, is_scheduled=True))
        if 8 <= at.hour < 17 and at.day % 5 and hour < 240:
            times.append(at.timestamp() + 60)
            used += 0.6
        used += 0.6 * (8 <= at.hour < 17)
    part = [one for one in readings if one.used < 100]
    whole, before = (heard_in(one, one, times, set(range(8, 17))).share for one in (readings, part))
    assert whole == pytest.approx(before, abs=0.02)


def test_nights_before_the_schedule_began_count_as_those_since() -> None:
    """Another device takes a third, at night; the samples are of the last two of ten days."""
    readings, times, used = list[MeterReading](), list[float](), 0.0
    for hour in range(240):
        at = START + timedelta(hours=hour)
        is_scheduled = hour >= 192
        readings.append(MeterReading("codex", "weekly", None, "sample", at, at, used / 2, None, is_scheduled))
        if 8 <= at.hour < 17 and at.day % 5:
            times.append(at.timestamp() + 60)
            used += 1
        used += 3.6 * (at.hour == 22)
    taken = [one for one in readings if one.is_scheduled]
    share = heard_in(readings, taken, times, set(range(8, 17))).share
    assert share == pytest.approx(36 / (36 + 72), abs=0.05)


def test_readings_of_a_schedule_are_heard_whatever_origin_has_more() -> None:
    own = [MeterReading("codex", "weekly", None, "rollout", START, START, 1.0, None)] * 9
    sampled = MeterReading("codex", "weekly", None, "app-server", START, START, 1.0, None, is_scheduled=True)
    assert scheduled([*own, sampled], None) == [sampled]
