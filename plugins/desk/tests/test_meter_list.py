"""The list of meters: what is expected of each at its reset."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tracker.api import MeterOutlook
from tracker_desk.meter_list import _bands
from tracker_desk.status import Status


@pytest.mark.parametrize(("low", "shown"), [(46.48974, 46), (46.5, 47)])
def test_the_band_of_a_chart_is_rounded_as_the_words_beside_it(low: float, shown: int) -> None:
    figures = {"expected": [low, 58.9]}
    outlook = MeterOutlook(provider="tin", meter="weekly", account=None, text="-", figures=figures)
    known = Status(now=datetime.now(UTC), lanes=(), missing=(), ready=(), anomalies=(), outlooks=(outlook,))
    band = {"low": shown, "high": 59, "expected": f"{shown} to 59%"}
    assert _bands(known)["tin", "weekly", None] == band
