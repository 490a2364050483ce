"""What the report's charts say in words, and where their marks stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker.api import Chart, Column, Panel, Period
from tracker_views.cells import short
from tracker_views.charts import Picture, Span, nice, picture
from tracker_views.content import Content
from tracker_views.html import pictures

COLUMNS = (
    Column(key="at", title="From", kind="instant"),
    Column(key="name", title="Name"),
    Column(key="used", title="Used", kind="percent"),
    Column(key="low", title="from", kind="percent"),
    Column(key="high", title="to", kind="percent"),
)
START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def drawn(rows: list[dict[str, Any]], bands: Sequence[Span] = (), **chart: Any) -> Picture | None:
    given = {"title": "Used", "y": "used", "low": "low", "high": "high", **chart}
    panel = Panel(name="used", title="Used", columns=COLUMNS, rows=rows)
    return picture(panel, Chart(**given), UTC, bands)


def steps(*values: int, expected: tuple[int, int] | None = None) -> Picture:
    rows: list[dict[str, Any]] = [{"at": START + timedelta(days=day), "used": one} for day, one in enumerate(values)]
    if expected:
        low, high = expected
        rows.append({"at": START + timedelta(days=2 * len(values) - 2), "low": low, "high": high})
    found = drawn(rows, kind="steps", x="at", top=100)
    assert found is not None
    return found


def bars(*rows: dict[str, Any], kind: str = "bars", **chart: Any) -> Picture:
    found = drawn(list(rows), kind=kind, x="name", **chart)
    assert found is not None
    return found


def test_a_line_ends_at_its_last_value_and_what_is_expected_begins_there() -> None:
    found = steps(10, 30, 20, expected=(40, 60))
    assert found.description == (
        "From 01 Mar 2026 to 03 Mar 2026: lowest 10%, highest 30%, last 20%. Expected on 05 Mar 2026: 40% to 60%."
    )
    [line] = re.findall(r'<polyline points="([^"]*)"', found.body)
    [fan] = re.findall(r'<polygon points="([^"]*)"', found.body)
    assert (line.split()[-1], fan.split()) == ("500,144", ["500,144.0", "1000,108.0", "1000,72.0"])


def test_a_window_is_shown_where_readings_measured_it() -> None:
    """Not where the line has ended and what is expected begins."""
    rows: list[dict[str, Any]] = [
        {"at": START, "used": 10},
        {"at": START + timedelta(hours=2), "used": 30},
        {"at": START + timedelta(hours=20), "low": 40, "high": 60},
    ]
    for begin, is_shown in ((1, True), (3, False)):
        band = START + timedelta(hours=begin), START + timedelta(hours=begin + 1)
        found = drawn(rows, [band], kind="steps", x="at", top=100)
        assert found is not None
        assert (found.has_bands, 'class="band"' in found.body) == (is_shown, is_shown)


def test_behind_a_line_are_the_windows_of_its_account() -> None:
    """The windows of others did not move it; a line of nobody has all."""
    own, others, third = ((START + timedelta(minutes=at), START + timedelta(minutes=at + 6)) for at in (0, 60, 30))
    content = Content(
        now=START,
        period=Period(windows=("W1", "W2")),
        spans={("toy", None): [own], ("rival", "work"): [others, own], ("rival", "home"): [third]},
        headlines=(),
        panels=(),
        sections=(),
        missing=(),
    )
    first, middle, second = "0.00%", "24.51%", "49.02%"
    for name, account, places in (
        ("toy", "work", [first]),
        ("rival", "work", [second, first]),
        ("rival", None, [second, first, middle]),
        (None, None, [first, second, middle]),
    ):
        rows = [{"at": START + timedelta(hours=at), "used": at, "provider": name, "account": account} for at in (0, 2)]
        chart = Chart(kind="steps", title="Used", x="at", y="used")
        [found] = pictures(Panel(name="used", title="Used", columns=COLUMNS, rows=rows, charts=[chart]), content, UTC)
        assert re.findall(r'<rect x="([^"]*)"[^>]*class="band"', found.body) == places


def test_a_line_without_a_range_names_no_day_that_is_still_to_come() -> None:
    found = steps(10, 30)
    assert "to 02 Mar 2026" in found.description
    assert re.findall(r'class="scale">(\d+ \w+ [\d:]+)<', found.body)[-1] == "02 Mar 10:00"
    [line] = re.findall(r'<polyline points="([^"]*)"', found.body)
    # the last value has a little line of its own
    assert {"980,126", "1000,126"} <= set(line.split())
    assert steps(10).description == "On 01 Mar 2026: lowest 10%, highest 10%, last 10%."


def test_one_column_is_of_one_day() -> None:
    rows = [{"at": START + timedelta(days=day), "used": 10} for day in range(2)]
    for known, said in ((rows[:1], "1 column on 01 Mar 2026;"), (rows, "2 columns from 01 Mar 2026 to 02 Mar 2026;")):
        found = drawn(known, kind="columns", x="at", low=None, high=None)
        assert found is not None
        assert found.description.startswith(said)
        # below the last column was the day after it
        places = re.findall(r'<text x="(\d+%)"[^>]*>(\d+ \w+)<', found.body)
        assert places == [("0%", "01 Mar"), ("100%", "02 Mar")][: len(known)]


def test_a_long_name_stands_above_its_value() -> None:
    """On a phone they were printed over each other."""
    name, value = "codex weekly", {"used": 13, "low": 47, "high": 88}
    high = bars({"name": name, **value}, {"name": "claude", "used": 36})
    places = re.findall(r'<text x="[^"]*" y="(\d+)"[^>]*>([^<]*)</text>', high.body)
    assert places == [
        ("13", "codex weekly"),
        ("30", "13% (47% to 88% expected)"),
        ("72", "claude"),
        ("89", "36%"),
    ]
    assert high.body.count('class="above"') == 2
    low = bars({"name": name, "used": 13}, {"name": "claude", "used": 36})
    assert "above" not in low.body
    assert (low.height, high.height) == (2 * 42, 2 * 59)


def test_bars_fill_their_scale_whatever_the_rows_that_are_not_drawn() -> None:
    found = bars(*({"name": f"W{at}", "used": 10 if at < 12 else 9000} for at in range(300)))
    assert found.title == "Used (the first 12 of 300)"
    assert set(re.findall(r'width="([^"]*)" height="12" rx="2" class="s0"', found.body)) == {"100.00%"}


def test_nothing_stands_outside_of_a_chart() -> None:
    found = bars({"name": "a", "used": -5}, {"name": "b", "used": 130}, kind="intervals", top=100)
    assert re.findall(r'cx="([^"]*)"', found.body) == ["0.00%", "100.00%"]


def test_an_end_beyond_the_scale_is_told_by_the_scale() -> None:
    found = bars({"name": "a / b", "used": 5, "low": 0, "high": 263525.84}, kind="intervals", top=10)
    assert "5% (0% to over 10%)" in found.body
    assert "263" not in found.body


def test_what_bars_are_compared_with_is_on_the_scale() -> None:
    found = bars({"name": "a / b", "used": 0.2}, kind="intervals", at=1)
    assert re.findall(r'x1="([^"]*)" x2="[^"]*" [^>]* class="mark"', found.body) == ["100.00%"]


@pytest.mark.parametrize("kind", ["bars", "columns", "steps", "intervals"])
def test_a_chart_of_ranges_alone_is_none(kind: str) -> None:
    assert drawn([{"name": "a", "at": START, "low": 1, "high": 2}], kind=kind, x="at") is None


@pytest.mark.parametrize("most", [0.00015, 0.0045, 0.05, 0.13, 0.5, 1.4, 15, 150, 1500, 1.5e6])
def test_half_of_a_scale_reads_as_half(most: float) -> None:
    units = {"k": 1e3, "M": 1e6}
    column = Column(key="cost", title="Cost", kind="money")
    whole, half = (
        float(shown[1:].rstrip("kM")) * units.get(shown[-1], 1)
        for shown in (short(nice(most), column), short(nice(most) / 2, column))
    )
    assert half == pytest.approx(whole / 2)
