"""Percentiles of lists, against numpy and the standard library, and those of streams, against the lists'."""

import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_telemetry.percentiles import ACCURACY, Buckets, percentiles

LATENCIES = [12, 15, 11, 240, 18, 14, 13, 95, 16, 17]
PERCENTS = (0, 1, 5, 25, 50, 75, 95, 99, 99.9, 100)

numbers = st.floats(1e-300, 1e300) | st.integers(0, 10**6) | st.just(0.0)


def counted(values):
    buckets = Buckets()
    for value in values:
        buckets.add(value)
    return buckets


def test_golden():
    assert percentiles(LATENCIES) == (15.5, 174.75)


def test_few_values():
    assert percentiles([]) == (None, None)
    assert percentiles([7]) == (7, 7)
    assert percentiles([1, 3]) == pytest.approx((2, 2.9))
    assert percentiles(iter([1, 2, 3]), (50,)) == (2,)


@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_as_numpy(values):
    expected = np.percentile(values, PERCENTS, method="linear")
    assert percentiles(values, PERCENTS) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-300)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=40))
def test_as_the_standard_library(values):
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    assert percentiles(values, range(5, 100, 5)) == pytest.approx(tuple(cuts), rel=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_never_outside_the_values(values):
    assert all(min(values) <= value <= max(values) for value in percentiles(values, PERCENTS))


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan])
def test_no_such_percentile(percent):
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentiles([1], (percent,))
    with pytest.raises(ValueError, match="between 0 and 100"):
        Buckets().percentiles((percent,))


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=60))
def test_buckets_are_within_one_percent(values):
    found = counted(values).percentiles(PERCENTS)
    for value, exact in zip(found, percentiles(values, PERCENTS), strict=True):
        assert value == pytest.approx(exact, rel=ACCURACY * (1 + 1e-9), abs=0)


def test_buckets_of_a_long_stream():
    values = np.random.default_rng(3).lognormal(5, 1, 100_000).tolist()
    buckets = counted(values)
    assert buckets.n == 100_000
    assert len(buckets.counts) < 600
    assert buckets.percentiles() == pytest.approx(percentiles(values), rel=ACCURACY)


@settings(deadline=None)
@given(st.lists(numbers), st.lists(numbers))
def test_merged_is_as_counted_together(some, others):
    merged = counted(some)
    merged.merge(counted(others))
    assert merged == counted([*others, *some])
    assert merged.n == len(some) + len(others)


@settings(deadline=None)
@given(st.lists(numbers))
def test_through_json_and_back(values):
    buckets = counted(values)
    assert Buckets.from_json(json.loads(json.dumps(buckets.to_json()))) == buckets


def test_zeros_are_zero():
    assert counted([0, 0, 0, 5]).percentiles((0, 50)) == (0, 0)
    assert counted([0]).to_json() == {"accuracy": 0.01, "zeros": 1, "buckets": []}


def test_nothing_counted():
    assert Buckets().percentiles() == (None, None)
    assert Buckets().n == 0


def test_counts_of_several():
    several = Buckets()
    several.add(320, 3)
    several.add(0, 2)
    assert several == counted([0, 320, 0, 320, 320])


def test_the_ends_of_floats():
    smallest, largest = 5e-324, 1.7976931348623157e308
    low, high = counted([smallest, largest]).percentiles((0, 100))
    assert 0 <= low < 1e-307
    assert high == pytest.approx(largest, rel=ACCURACY)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_what_cannot_be_counted(value):
    with pytest.raises(ValueError, match="only finite numbers of at least 0"):
        Buckets().add(value)


def test_buckets_of_another_accuracy_are_refused():
    with pytest.raises(ValueError, match=r"accuracy of 0\.02, here it is 0\.01"):
        Buckets.from_json({"accuracy": 0.02, "zeros": 0, "buckets": []})
