"""Equal readings in a row are one run, in whatever order they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from tracker.api import Gauge, Meter, Reading, StatusSource
from tracker_capture.meters import points_of, reset_between, with_resets
from tracker_capture.readings import Sample, folded, from_record, record, sample_of

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
WEEK_END = START + timedelta(days=3)
WEEK = timedelta(days=7)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def sample(at: float, used: float, *, until: float | None = None, reset: datetime = WEEK_END, **more: Any) -> Sample:
    known: dict[str, Any] = {"provider": "codex", "origin": "rollout"}
    gauges = {"weekly": Gauge(meter="weekly", used=used, reset_at=reset)}
    return Sample(gauges=gauges, at=minute(at), until=minute(at if until is None else until), **(known | more))


def test_equal_readings_in_a_row_are_one_run() -> None:
    jitter = WEEK_END + timedelta(seconds=20)
    runs = folded([], [sample(0, 5), sample(10, 5, reset=jitter), sample(20, 6), sample(30, 6), sample(40, 5)])
    assert [(run.at, run.until, run.gauges["weekly"].used) for run in runs] == [
        (minute(0), minute(10), 5),
        (minute(20), minute(30), 6),
        (minute(40), minute(40), 5),
    ]


def test_series_are_kept_apart() -> None:
    samples = [sample(0, 5), sample(1, 5, account="a"), sample(2, 5, origin="app-server"), sample(3, 5, provider="x")]
    assert len(folded([], samples)) == 4


def test_what_is_known_adds_nothing_and_a_longer_run_supersedes_the_old_one() -> None:
    known = [sample(0, 5, until=10, record_id="old"), sample(20, 6, record_id="next")]
    assert folded(known, [sample(0, 5), sample(4, 5), sample(10, 5), sample(20, 6)]) == []
    [run] = folded(known, [sample(12, 5), sample(15, 5)])
    assert (run.at, run.until, run.supersedes) == (minute(0), minute(15), ("old",))
    [run] = folded(known, [sample(18, 6)])
    assert (run.at, run.until, run.supersedes) == (minute(18), minute(20), ("next",))
    assert folded(known, [sample(23, 6)], least=timedelta(minutes=5)) == []


def test_another_reset_is_another_run() -> None:
    later = WEEK_END + timedelta(days=7)
    assert len(folded([sample(0, 5, record_id="old")], [sample(10, 5, reset=later)])) == 1


def test_another_plan_is_another_run_and_a_reading_without_one_is_not() -> None:
    runs = folded([], [sample(0, 5, plan="Plus"), sample(5, 5), sample(10, 5, plan="Pro"), sample(15, 5, plan="Pro")])
    assert [(run.at, run.until, run.plan) for run in runs] == [
        (minute(0), minute(5), "Plus"),
        (minute(10), minute(15), "Pro"),
    ]


def test_a_reading_of_an_older_version_without_the_limit_is_of_the_same_pane() -> None:
    limited = {"credits": Gauge(meter="credits", used=900, limit=1000)}
    old, new = sample(0, 5), sample(0, 5)
    old, new = evolve(old, gauges={"credits": Gauge(meter="credits", used=900)}), evolve(new, gauges=limited)
    assert old.is_of_pane(new)
    assert new.is_of_pane(old)
    assert folded([evolve(old, record_id="old")], [new]) == []


def test_another_limit_is_another_run_and_is_kept() -> None:
    """A vendor that shrinks a quota shows it in the limit alone."""

    def counted(at: float, limit: float | None) -> Sample:
        gauges = {"calls": Gauge(meter="calls", used=850, limit=limit)}
        return Sample(provider="nova", origin="print", gauges=gauges, at=minute(at), until=minute(at))

    runs = folded([], [counted(0, 10000), counted(1, 10000), counted(2, 900), counted(3, None)])
    assert [run.gauges["calls"].limit for run in runs] == [10000, 900, None]
    kept = [from_record(record(run, "sample")) for run in runs]
    assert [one and one.gauges["calls"].limit for one in kept] == [10000, 900, None]


def test_a_period_that_begins_early_is_a_reset_that_is_shown_and_not_measured_across() -> None:
    later = WEEK_END + timedelta(days=3)
    points = [one for at in (sample(0, 23), sample(60, 4, reset=later)) for _, one in points_of(at)]
    assert [point.has_reset for point in with_resets(points)] == [False, True]
    assert reset_between(points[0], points[1], None) is None, "when the first period ended is not known"
    # a reading without a date tells a reset by its fall, if that is more than a rounding; with the same date, never
    for used, reset, is_told in ((4, None, True), (22.5, None, False), (4, WEEK_END, False)):
        fallen = [one for at in (sample(0, 23), sample(60, used, reset=reset)) for _, one in points_of(at)]
        assert [point.has_reset for point in with_resets(fallen)] == [False, is_told]
    # a date that moves is no reset while the meter rises
    risen = [one for at in (sample(0, 23), sample(60, 24, reset=later)) for _, one in points_of(at)]
    assert [point.has_reset for point in with_resets(risen)] == [False, False]


@pytest.mark.parametrize(
    ("first", "began", "is_told"),
    [(10, 120, True), (10, 1, True), (10, -60, False), (0, 120, False), (10, 13 * 60, False)],
)
def test_a_period_that_began_between_two_readings_is_an_early_reset_although_the_meter_rose(
    first: float, began: float, is_told: bool
) -> None:
    """By its reset and its length; that of an unused meter may begin anew at each reading."""
    reset = minute(began) + WEEK
    before, after = (one for at in (sample(0, first), sample(12 * 60, 15, reset=reset)) for _, one in points_of(at))
    assert reset_between(before, after, WEEK) == (minute(began) if is_told else None)
    assert [point.has_reset for point in with_resets([before, after], WEEK)] == [False, is_told]
    assert [point.has_reset for point in with_resets([before, after])] == [False, False]
    # some panes name a reset by the hour
    coarse = evolve(before, reset_at=reset - timedelta(hours=1))
    assert reset_between(coarse, after, WEEK) is None


def test_a_period_that_the_vendor_ended_does_not_go_on() -> None:
    """An origin may still show it. Accounts without names that are read in turn are told apart by their owner."""
    other = WEEK_END + timedelta(days=2)
    early = [(80, WEEK_END), (2, other), (80, WEEK_END), (3, other), (4, other)]
    runs = [sample(60 * at, used, reset=reset) for at, (used, reset) in enumerate(early)]
    points = with_resets([one for run in runs for _, one in points_of(run)], WEEK)
    assert [point.has_reset for point in points] == [False, True, False, False, False]


def test_any_order_of_arrival_gives_the_same_values() -> None:
    samples = [sample(number, number // 4) for number in range(40)]
    known: list[Sample] = []
    for first in (20, 0, 30, 10):
        for number, run in enumerate(folded(known, samples[first : first + 10])):
            known = [one for one in known if one.record_id not in run.supersedes]
            known.append(Sample(**{**_fields(run), "record_id": f"{first}-{number}"}))
    assert folded(known, samples) == []
    for one in samples:
        covering = [run for run in known if run.at <= one.at <= run.until]
        assert [run.gauges["weekly"].used for run in covering] == [one.gauges["weekly"].used]


def _fields(run: Sample) -> dict[str, Any]:
    return {name: getattr(run, name) for name in ("provider", "origin", "gauges", "at", "until", "supersedes")}


@pytest.mark.parametrize(
    ("used", "hours", "tags", "lag", "is_kept"),
    [
        (0, -1, (), 5, False),
        (11, -1, (), 5, None),
        (11, -1, ("stale-data",), 5, True),
        (11, 0, (), 5, True),
        (0, 1, (), 5, True),
        (0, 0, (), 5, True),
        (0, -1, (), 90, True),
        (0, -1, ("stale-data",), 5, True),
    ],
)
def test_an_idle_meter_has_no_reset(
    used: float, hours: int, tags: tuple[str, ...], lag: int, is_kept: bool | None
) -> None:
    """It may show its last one until it is used: behind that the history sees the fall as the reset that it is.

    What was used before the reset is no reading of now.
    """
    source = StatusSource(
        contract="1.0", name="toy", title="Toy", prefix="t", meters=(Meter(key="fuel", title="Fuel"),)
    )
    reset = START + timedelta(hours=hours)
    reading = Reading(gauges=(Gauge(meter="fuel", used=used, reset_at=reset),), errors=tags)
    found = sample_of(source, reading, START, "pane", timedelta(minutes=lag))
    assert (None if found is None else found.gauges["fuel"].reset_at == reset) is is_kept
