"""Comparisons of two providers: golden values, independent oracles, gates."""

import math

import numpy as np
import pytest
import scipy.stats

from tracker_verdict.stats.compare import NOT_ENOUGH, compare
from tracker_verdict.stats.efficiency import measure
from tracker_verdict.stats.gates import welch_df

D1 = measure([(3, 18), (2, 10), (4, 20)])
D2 = measure([(2, 2), (3, 5), (1, 3), (4, 9), (2, 4), (3, 6)])
G = measure([(3, 35), (2, 18), (4, 52), (1, 12), (2, 27)])
EQUAL = measure([(1, 5), (2, 10), (3, 15)])
NOTHING = measure([(0, 6), (0, 4), (0, 9)])


def digits(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=5.1e-7)


def many(features, capacity, times):
    """Windows that differ, `times` over."""
    return measure([(features, capacity), (features + 1, capacity + 3)] * times)


def test_golden_of_one_unit():
    found = compare(D2, D1)
    assert (found.kind, found.favours) == ("measured", "a")
    assert (found.ratio, found.p1, found.p2, found.certainty) == digits(2.758621, 0.999899, 0.993196, 0.993196)
    assert found.interval == digits(1.131015, 7.149267)


def test_golden_of_two_units():
    found = compare(D2, G, worth=(1, 4))
    assert (found.ratio, found.p1, found.p2, found.certainty) == digits(1.551724, 0.995176, 0.873375, 0.873375)
    assert found.interval == digits(0.678074, 3.630619)


def test_certainty_is_that_of_the_more_careful_and_none_where_they_disagree():
    assert compare(D2, D1).certainty == compare(D2, D1).p2
    noisy, steady = measure([(0, 5), (9, 6), (1, 5), (0, 5)]), measure([(1, 5), (2, 11), (3, 15), (3, 18)])
    careful = compare(noisy, steady)
    assert 0.5 < careful.p1 < careful.p2
    assert careful.certainty == careful.p1


def test_opposite_directions_are_no_direction():
    # half a feature more lifts the side with few features; the median of its rate lies below that
    few, lots = measure([(1, 9), (0, 10), (1, 8)]), measure([(9, 95), (8, 93), (7, 93)])
    found = compare(few, lots)
    assert found.p2 < 0.5 < found.p1
    assert (found.certainty, found.favours, found.verdict) == (0.5, None, NOT_ENOUGH)


def test_welch_part_is_scipy_s_test_of_the_logarithms():
    sides = []
    for side in (D2, D1):
        mean = math.log((side.features + 0.5) / side.capacity)
        sides += [mean, side.se / side.efficiency * math.sqrt(side.n), side.n]
    test = scipy.stats.ttest_ind_from_stats(*sides, equal_var=False, alternative="greater")
    assert compare(D2, D1).p1 == pytest.approx(1 - test.pvalue, rel=1e-12)


def test_welch_df_between_the_smaller_side_and_both():
    assert welch_df((1e-200, 1e-200), (4, 4)) == pytest.approx(6)
    assert welch_df((1.0, 0.0), (4, 9)) == 3
    a, b = (0.3, 5), (0.1, 12)
    expected = (0.3 + 0.1) ** 2 / (0.3**2 / 4 + 0.1**2 / 11)
    assert welch_df((a[0], b[0]), (a[1], b[1])) == pytest.approx(expected)


def test_count_part_is_the_probability_that_one_gamma_exceeds_the_other():
    random = np.random.default_rng(7)
    for a, b, worth in ((D2, D1, (1, 1)), (D2, G, (1, 4)), (NOTHING, D1, (2, 1))):
        weight = 0.5 if NOTHING in (a, b) else 1.0
        rates = [
            random.gamma(weight * (side.features + 0.5), size=400_000) / (side.capacity / k)
            for side, k in zip((a, b), worth, strict=True)
        ]
        assert compare(a, b, worth=worth).p2 == pytest.approx((rates[0] > rates[1]).mean(), abs=0.004)


def test_interval_is_the_hull_of_welch_and_clopper_pearson():
    for a, b, confidence in ((D2, D1, 0.95), (D1, G, 0.8), (many(1, 3, 9), many(0, 4, 5), 0.95), (EQUAL, EQUAL, 0.9)):
        exact = scipy.stats.binomtest(a.features, a.features + b.features).proportion_ci(confidence, method="exact")
        scale = b.capacity / a.capacity
        lows, highs = [scale * exact.low / (1 - exact.low)], [scale * exact.high / (1 - exact.high)]
        va, vb = ((side.se / side.efficiency) ** 2 for side in (a, b))
        if va + vb:
            t = scipy.stats.t.ppf((1 + confidence) / 2, welch_df((va, vb), (a.n, b.n)))
            middle = math.log((a.features + 0.5) / a.capacity) - math.log((b.features + 0.5) / b.capacity)
            lows.append(math.exp(middle - t * math.sqrt(va + vb)))
            highs.append(math.exp(middle + t * math.sqrt(va + vb)))
        found = compare(a, b, confidence=confidence).interval
        assert found == pytest.approx((min(lows), max(highs)), rel=1e-9)


def test_without_spread_on_either_side_the_counts_decide():
    found = compare(EQUAL, measure([(3, 5), (6, 10), (9, 15)]))
    assert found.kind == "measured"
    assert found.p1 == found.p2 == found.certainty


def test_swapping_the_sides_mirrors_everything():
    one, other = compare(D2, G, worth=(1, 4)), compare(G, D2, worth=(4, 1))
    assert one.certainty + other.certainty == pytest.approx(1)
    assert one.ratio * other.ratio == pytest.approx(1)
    assert one.interval == pytest.approx([1 / limit for limit in reversed(other.interval)])
    assert (one.favours, other.favours) == ("a", "b")
    assert (one.verdict, one.windows_needed) == (other.verdict, other.windows_needed)


def test_assumed_side_halves_the_weight_and_keeps_the_gates_shut():
    found = compare(measure([(30, 18)]), measure([(1, 18)]))
    assert (found.kind, found.p1, found.verdict) == ("assumed", None, NOT_ENOUGH)
    assert found.certainty == found.p2 == pytest.approx(scipy.stats.beta.cdf(0.5, 0.75, 15.25))
    assert found.certainty > 0.99
    assert not any(gate.open for gate in found.gates)
    assert all(gate.power is None and gate.windows_needed > 2 for gate in found.gates)
    exact = scipy.stats.binomtest(30, 31).proportion_ci(0.95, method="exact")
    assert found.interval == pytest.approx((exact.low / (1 - exact.low), exact.high / (1 - exact.high)))


def test_sides_without_features():
    assert compare(NOTHING, D1).interval[0] == compare(NOTHING, D1).ratio == 0
    assert compare(NOTHING, D1).interval[1] < 2
    assert compare(D1, NOTHING).ratio is None
    assert compare(D1, NOTHING).interval[1] is None
    assert compare(D1, NOTHING).interval[0] > 0
    both = compare(NOTHING, NOTHING)
    assert (both.ratio, both.interval, both.certainty, both.favours) == (None, (0, None), pytest.approx(0.5), None)
    assert both.windows_needed is None


def test_sides_without_efficiency():
    for a, b in ((measure([]), D1), (D1, measure([(1, 0)]))):
        found = compare(a, b)
        assert (found.kind, found.ratio, found.interval, found.p1, found.p2) == ("none", None, None, None, None)
        assert (found.certainty, found.favours, found.verdict) == (0.5, None, NOT_ENOUGH)


def test_gates_open_one_after_the_other():
    assert compare(D1, EQUAL).verdict == NOT_ENOUGH
    assert compare(D2, D1).verdict == "reallocate"  # 0.9932, but three windows on one side
    assert compare(D2, D1, review=True).verdict == "retire"
    assert compare(many(5, 10, 4), many(1, 10, 4)).verdict == "retire"
    assert compare(many(1, 10, 4), many(5, 10, 4)).verdict == "retire"
    assert compare(many(5, 10, 4), many(1, 10, 3)).verdict == "reallocate"  # eight windows against six


def test_gates_say_what_they_need():
    any_day, at_review = compare(D2, D1).gates, compare(D2, D1, review=True).gates
    assert [(gate.name, gate.certainty, gate.windows) for gate in any_day] == [
        ("reallocate", 0.75, 3),
        ("retire", 0.99, 8),
    ]
    assert [(gate.name, gate.certainty, gate.windows) for gate in at_review] == [
        ("reallocate", 0.75, 3),
        ("retire", 0.95, 3),
    ]
    assert compare(D2, D1).windows_needed == any_day[1].windows_needed
    assert compare(D1, EQUAL).windows_needed == compare(D1, EQUAL).gates[0].windows_needed
    assert compare(many(5, 10, 4), many(1, 10, 4)).windows_needed is None


def gate_power(certainty, ratio, a, b, m=None):
    """The power as it is written down, with scipy.stats; at `m` windows on each side."""
    variances = [max((side.se / side.efficiency) ** 2, 1 / side.features) for side in (a, b)]
    n = [a.n, b.n]
    if m:
        variances, n = [v * k / m for v, k in zip(variances, n, strict=True)], [m, m]
    df = sum(variances) ** 2 / sum(v**2 / (k - 1) for v, k in zip(variances, n, strict=True))
    shift = math.log(ratio) / math.sqrt(sum(variances))
    return scipy.stats.nct.sf(scipy.stats.t.ppf(certainty, df), df, shift)


@pytest.mark.parametrize("ratio", [1.2, 1.5, 3.0])
@pytest.mark.parametrize(("a", "b"), [(D2, D1), (G, D1), (many(0, 9, 6), D2)], ids=["D2 D1", "G D1", "noisy D2"])
def test_powers_and_windows_needed_of_the_gates(a, b, ratio):
    for gate in compare(a, b, effect=ratio).gates:
        assert gate.power == pytest.approx(gate_power(gate.certainty, ratio, a, b), abs=1e-8)
        m = gate.windows_needed
        assert gate_power(gate.certainty, ratio, a, b, m) >= 0.8
        assert m == gate.windows or gate_power(gate.certainty, ratio, a, b, m - 1) < 0.8


def test_looks_and_review_are_told():
    found = compare(D2, D1, review=True, looks=4)
    assert (found.review, found.looks) == (True, 4)
    assert (compare(D2, D1).review, compare(D2, D1).looks) == (False, None)


@pytest.mark.parametrize("worth", [(0, 1), (1, -1), (math.inf, 1), (1, math.nan)])
def test_impossible_worths_are_refused(worth):
    with pytest.raises(ValueError, match="worth of a unit"):
        compare(D1, D2, worth=worth)


@pytest.mark.parametrize("settings", [{"confidence": 1.0}, {"confidence": 0.0}, {"effect": 1.0}, {"effect": math.inf}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1 and effect above 1"):
        compare(D1, D2, **settings)
