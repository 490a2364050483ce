"""The meter history as a panel: what a long one is summed up to, and where its chart ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tracker.api import Panel, Period
from tracker.kernel import Session
from tracker_capture import meters, panels
from tracker_capture.meters import Point, Series, sparkline

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def point(at: datetime, used: float, until: datetime | None = None, *, has_reset: bool = False) -> Point:
    return Point(at=at, until=until or at, used=used, reset_at=None, origin="toy", has_reset=has_reset)


def weeks(number: int) -> list[Point]:
    """Ten readings a week, from 10 to 100, and a reset between weeks."""
    return [
        point(START + 7 * DAY * week + 15 * HOUR * step, 10.0 * (step + 1), has_reset=bool(week) and not step)
        for week in range(number)
        for step in range(10)
    ]


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Point]], Panel]:
    """The only panel of a history."""

    def one(points: list[Point]) -> Panel:
        found = Series(provider="stranger", meter="weekly", account=None, points=points)
        monkeypatch.setattr(panels, "series", lambda *_: [found])
        [panel] = panels.panels(Session(), Period(until=START + 365 * DAY))
        return panel

    return one


def test_a_long_history_ends_with_its_newest_reading(panel: Callable[[list[Point]], Panel]) -> None:
    """The last row was the highest of days, and what is expected began there."""
    points = weeks(12)[:-9]
    found = panel(points)
    [chart] = found.charts
    assert len(found.rows) <= panels.MOST
    newest = {"at": points[-1].at, "until": points[-1].at, "used": 10, "high": 10, "resets": 1}
    assert found.rows[-1] == {**newest, "provider": "stranger", "account": None}
    assert found.about == "Meter history: 111 readings, 11 resets."
    assert chart.title == "stranger, weekly, used (highest of each 38 h 30 min)"


def test_few_resets_begin_rows_and_are_marked_where_they_were(panel: Callable[[list[Point]], Panel]) -> None:
    points = weeks(12)
    found = panel(points)
    assert [row["at"] for row in found.rows if row["resets"]] == [one.at for one in points if one.has_reset]
    assert found.charts[0].mark == "resets"
    # of many resets the highest values stay, and none is marked
    many = panel([point(START + HOUR * at, at % 5, has_reset=at > 0 and not at % 5) for at in range(400)])
    assert len(many.rows) == panels.MOST
    assert {row["high"] for row in many.rows[:-1]} == {4}
    assert many.charts[0].mark is None


def test_a_value_that_stayed_is_drawn_to_where_it_was_read_last(panel: Callable[[list[Point]], Panel]) -> None:
    points = [point(START, 10), point(START + DAY, 20, START + 3 * DAY)]
    rows = panel(points).rows
    assert [(row["at"], row["used"]) for row in rows] == [(START, 10), (START + DAY, 20), (START + 3 * DAY, 20)]
    assert panel(points).about == "Meter history: 2 readings, 0 resets."
    assert panel(weeks(12)).charts[0].title.endswith("(highest of each 41 h 18 min)")
    assert panel(points).charts[0].title == "stranger, weekly, used"


def test_a_reading_of_the_future_ends_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        *weeks(1),
        Point(at=START + 99 * DAY, until=START + 99 * DAY, used=1, reset_at=None, origin="toy", is_future=True),
    ]
    monkeypatch.setattr(panels, "series", lambda *_: [Series(provider="s", meter="m", account=None, points=points)])
    [found] = panels.panels(Session(), Period())
    assert found.rows[-1]["used"] == 100


@pytest.mark.parametrize(
    ("encoding", "drawn"), [("utf-8", "▂▂▃▄▅▅▆▇▇█"), ("latin-1", "..:-==+**#"), ("ascii", "..:-==+**#")]
)
def test_a_sparkline_is_of_signs_that_the_output_has(
    monkeypatch: pytest.MonkeyPatch, encoding: str, drawn: str
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert sparkline(weeks(1), 10) == drawn
    assert len(meters.BARS) == len(meters.PLAIN_BARS)
