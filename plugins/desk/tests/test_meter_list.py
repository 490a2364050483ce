"""The list of meters: what is expected of each at its reset."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tracker.api import Gauge, Meter, MeterOutlook
from tracker.kernel import Clock
from tracker_desk.current_meters import CurrentMeter
from tracker_desk.meter_list import _bands, lines, rows
from tracker_desk.status import Status


@pytest.mark.parametrize(("low", "shown"), [(46.48974, 46), (46.5, 47)])
def test_the_band_of_a_chart_is_rounded_as_the_words_beside_it(low: float, shown: int) -> None:
    figures = {"expected": [low, 58.9]}
    outlook = MeterOutlook(provider="tin", meter="weekly", account=None, text="-", figures=figures)
    known = Status(now=datetime.now(UTC), lanes=(), missing=(), ready=(), anomalies=(), outlooks=(outlook,))
    band = {"low": shown, "high": 59, "expected": f"{shown} to 59%"}
    assert _bands(known)["tin", "weekly", None] == band


@pytest.mark.parametrize(
    ("limit", "used", "note", "line"),
    [
        (5000, 25, "1260 of 5000 credits", "25%  1260 of 5000 credits, under 1 min ago"),
        (None, None, "1260 credits", "1260 credits  read under 1 min ago"),
        (0, None, "1260 credits", "1260 credits  read under 1 min ago"),
    ],
)
def test_a_count_is_a_share_of_the_limit_that_the_vendor_shows(
    limit: float | None, used: float | None, note: str, line: str
) -> None:
    now = datetime.now(UTC)
    gauge = Gauge(meter="credits", used=1260, limit=limit)
    meter = Meter(key="credits", title="Credits", unit="credits")
    current = CurrentMeter(provider="tin", meter=meter, gauge=gauge, at=now, taken_at=now)
    known = Status(now=now, lanes=(), missing=(), ready=(), anomalies=(), meters=(current,), outlooks=())
    found = rows(known, Clock(now, UTC))
    assert [(row["used"], row["note"]) for row in found] == [(used, note)]
    assert [shown.endswith(line) for shown in lines(found)] == [True]
