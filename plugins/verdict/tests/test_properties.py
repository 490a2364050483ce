"""What holds for any windows: no nan, no exception, intervals that hold their estimate, no trace of order or unit."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker_verdict.stats.efficiency import measure
from tracker_verdict.stats.ratio import Comparison

EXTREMES = [0, 5e-324, 1e-300, 1e-290, 1e-150, 1e-17, 1, 3, 1e15, 1e17, 1e150, 1e290, 1e300, 1.7e308, 10**400]
anything = (
    st.integers(0, 60)
    | st.floats(0, 100)
    | st.floats(0, allow_nan=False, allow_infinity=False)
    | st.integers(0, 2**80)
    | st.sampled_from(EXTREMES)
)
any_windows = st.lists(st.tuples(anything, anything) | st.tuples(anything, anything, st.none() | anything), max_size=7)
plain = st.tuples(st.integers(0, 30), st.integers(0, 100), st.floats(0, 1))
windows = st.lists(plain, max_size=9)
confidences = st.floats(1e-6, 1 - 1e-6) | st.sampled_from([1e-300, 0.95, 1 - 2**-53])
worths = st.floats(1e-290, 1e290)


def check(efficiency):
    figures = efficiency.figures()
    kind, estimate, ci = figures["ci_kind"], figures["efficiency"], figures["ci"]
    assert (estimate is None) == (ci is None) == (kind == "none")
    for name in ("se", "fieller", "power"):
        assert (figures[name] is None) == (kind != "measured")
    flat = [x for value in figures.values() for x in (value if isinstance(value, list) else [value])]
    assert not any(isinstance(x, float) and math.isnan(x) for x in flat)
    if ci:
        assert 0 <= ci[0] <= estimate <= ci[1] < math.inf
        assert figures["n_eff"] * (1 + 1e-12) >= 1
    if isinstance(figures["fieller"], list):
        low, high = figures["fieller"]
        assert -math.inf < low <= estimate <= high < math.inf
    if kind == "measured":
        assert 0 <= figures["se"] < math.inf
        assert 0 <= figures["power"] <= 1
        assert figures["windows_needed"] is None or 2 <= figures["windows_needed"][0] <= figures["windows_needed"][1]


@settings(deadline=None)
@given(any_windows, confidences, st.floats(1, 1e300, exclude_min=True))
@example([(0, 1, 11), (9e307, 0, 3e-63), (9e307, 1, 3e-63)], 0.5, 2.0)  # its gamma shape overflows
@example([(8e307, 1, 4e-208)], 0.5, 2.0)  # the count in units of its weight overflows
def test_any_windows_are_measured(found, confidence, effect):
    efficiency = measure(found, confidence=confidence, effect=effect)
    check(efficiency)
    if efficiency.quality:
        check(efficiency.quality)


@settings(deadline=None)
@given(any_windows | windows, any_windows | windows, st.tuples(worths, worths), confidences, st.integers(1, 9))
@example([(0, 3e-73), (1, 0)], [(1, 1)], (1e251, 1.0), 0.5, 1)  # an exposure underflows
@example([(0, 1), (4e16, 0)], [(2e16, 1)], (1.0, 1.0), 1e-300, 1)  # scipy knows no such beta quantile
@example([(1e290, 1), (1, 1)], [(1e-10, 1)], (1.0, 1.0), 0.5, 1)  # the ratio overflows
def test_any_two_are_compared(some, others, worth, confidence, rivals):
    a, b = measure(some), measure(others)
    found = Comparison(a, b, worth=worth, confidence=confidence, rivals=rivals)
    mirrored = Comparison(b, a, worth=worth[::-1], confidence=confidence, rivals=rivals)
    limits = (*(found.interval or ()), *(found.interval_fixed or ()))
    for value in (found.ratio, found.evidence, found.certainty, *limits):
        assert value is None or 0 <= value < math.inf
    assert 0 <= found.certainty <= 1
    if found.kind == mirrored.kind:
        assert found.certainty + mirrored.certainty == pytest.approx(1)
        assert found.evidence == (found.evidence and pytest.approx(mirrored.evidence, rel=1e-6))
    else:  # the very edge of what floats can hold
        assert "none" in (found.kind, mirrored.kind)
    if found.kind == "none":
        assert found.interval is found.interval_fixed is None
    else:
        low, high = found.interval_fixed
        assert (a.features == 0) <= (low == 0)
        assert (b.features == 0) <= (high is None)
        assert found.ratio is None or (low <= found.ratio and (high is None or found.ratio <= high))
    for gate in found.gates:
        assert not gate.open or found.kind == "measured"
        assert gate.windows_needed is None or 3 <= gate.windows_needed[0] <= gate.windows_needed[1]


@settings(deadline=None)
@given(windows.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_of_the_windows_leaves_no_trace(two):
    assert measure(two[0]) == measure(two[1])
    assert measure(two[0]).figures() == measure(two[1]).figures()


@settings(deadline=None)
@given(windows, st.floats(1e-6, 1e6))
def test_another_unit_of_capacity_changes_the_unit_only(found, scale):
    before = measure(found)
    after = measure([(f, c * scale, q) for f, c, q in found])
    assert after.ci_kind == before.ci_kind
    if before.efficiency is None:
        return
    assert after.efficiency * scale == pytest.approx(before.efficiency)
    assert [limit * scale for limit in after.ci] == pytest.approx(before.ci)
    assert after.power == pytest.approx(before.power, abs=1e-6)  # scipy's own digits end near 1e-8
    if isinstance(before.fieller, tuple) and isinstance(after.fieller, tuple):  # both: at the very edge they may part
        widest = max(map(abs, before.fieller))
        assert [limit * scale for limit in after.fieller] == pytest.approx(before.fieller, rel=1e-3, abs=1e-3 * widest)


@settings(deadline=None)
@given(windows, windows, st.floats(1e-3, 1e3))
def test_another_unit_with_its_worth_changes_no_comparison(some, others, scale):
    a, b = measure(some), measure(others)
    scaled = measure([(f, c * scale, q) for f, c, q in some])
    before, after = Comparison(a, b), Comparison(scaled, b, worth=(scale, 1.0))
    assert after.kind == before.kind
    assert after.ratio == pytest.approx(before.ratio)
    for name in ("interval", "interval_fixed"):
        # None is no interval, or no upper limit
        limits = [
            [math.inf if limit is None else limit for limit in getattr(one, name) or ()] for one in (before, after)
        ]
        assert limits[1] == pytest.approx(limits[0], rel=1e-6)
    assert after.evidence == (before.evidence and pytest.approx(before.evidence))


@settings(deadline=None)
@given(any_windows, windows, st.lists(confidences, min_size=2, max_size=4))
def test_more_confidence_is_never_narrower(found, others, levels):
    other = measure(others)
    nested = [measure(found, confidence=level) for level in sorted(levels)]
    for narrow, wide in pairwise(nested):
        if narrow.ci:
            assert wide.ci[0] <= narrow.ci[0] * (1 + 1e-9)
            assert narrow.ci[1] <= wide.ci[1] * (1 + 1e-9)
        ratios = [Comparison(side, other, confidence=side.confidence).interval_fixed for side in (narrow, wide)]
        if ratios[0]:
            assert ratios[1][0] <= ratios[0][0] * (1 + 1e-9)
            assert ratios[1][1] is None or ratios[0][1] <= ratios[1][1] * (1 + 1e-9)


@settings(deadline=None)
@given(windows)
def test_doubling_every_window_keeps_the_efficiency_and_narrows_the_interval(found):
    once, twice = measure(found), measure(found * 2)
    assert twice.efficiency == once.efficiency
    if once.ci_kind == "measured":
        assert twice.se < once.se or once.se == 0
        assert twice.ci[1] - twice.ci[0] < once.ci[1] - once.ci[0]
