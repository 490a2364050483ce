"""How often lines were shown: as a dictionary would count, but in a fraction of its memory."""

from __future__ import annotations

import sqlite3
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_telemetry import seen
from tracker_telemetry.seen import Seen

POSITIONS = st.integers(0, 40).map(lambda number: number * 7_000_011)  # 32 bytes apart at least, far enough for pages


@pytest.fixture(autouse=True)
def few_hot_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "HOT", 2)


@settings(deadline=None)
@given(positions=st.lists(POSITIONS), cut=st.integers(0, 100))
def test_counts_as_a_dictionary_does_also_after_it_was_saved(positions: list[int], cut: int) -> None:
    database = sqlite3.connect(":memory:")
    for statement in seen.SCHEMA.split(";"):
        database.execute(statement)
    expected: Counter[int] = Counter()
    found = Seen()
    for at, position in enumerate(positions):
        assert found.count(position) == expected[position]
        expected[position] += 1
        if at == cut:
            found.save(database, "x")
            found = Seen.load(database, "x")
    database.close()


def test_counts_beyond_a_byte() -> None:
    found = Seen()
    assert [found.count(64) for _ in range(600)] == list(range(600))
    found.put(64, 5)
    assert found.count(64) == 5
    found.put(64, 1000)
    assert found.count(64) == 1000


def test_rows_of_its_own_were_shown_once() -> None:
    found = Seen()
    found.own(1000, 2000)
    found.own(2000, 3000)
    found.own(9000, 10_000)
    places = (960, 1000, 2960, 3000, 8960, 9000, 10_000)
    assert [found.count(place) for place in places] == [0, 1, 1, 0, 0, 1, 0]
    assert [found.count(place) for place in places] == [1, 2, 2, 1, 1, 2, 1]


def test_millions_take_little_memory() -> None:
    found = Seen()
    for position in range(0, 400 * 200_000, 400):
        found.count(position)
    kept = sum(len(page) for page in found._pages.values())
    assert kept < 400_000  # of 200,000 lines: two bytes each
