"""Comparisons of two providers: golden values, independent oracles, gates."""

import math
from bisect import bisect_left

import numpy as np
import pytest
import scipy

from tracker_verdict.stats import anytime, ratio_assumed
from tracker_verdict.stats.distributions import welch_df
from tracker_verdict.stats.efficiency import measure
from tracker_verdict.stats.evidence import bayes_factor, critical
from tracker_verdict.stats.ratio import Comparison

D1_WINDOWS = [(3, 18), (2, 10), (4, 20)]
D2_WINDOWS = [(2, 2), (3, 5), (1, 3), (4, 9), (2, 4), (3, 6)]
D1, D2 = measure(D1_WINDOWS), measure(D2_WINDOWS)
G = measure([(3, 35), (2, 18), (4, 52), (1, 12), (2, 27)])
EQUAL = measure([(1, 5), (2, 10), (3, 15)])
NOTHING = measure([(0, 6), (0, 4), (0, 9)])


def digits(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=5.1e-7)


def many(features, capacity, times):
    """Windows that differ, `times` over."""
    return measure([(features, capacity), (features + 1, capacity + 3)] * times)


def test_golden_of_one_unit():
    found = Comparison(D2, D1)
    assert (found.kind, found.favours) == ("measured", "a")
    assert (found.ratio, found.evidence, found.certainty) == digits(2.758621, 2.282026, 0.936009)
    assert found.interval == (0, None)
    assert found.interval_fixed == digits(1.131015, 7.149267)


def test_golden_of_two_units():
    found = Comparison(D2, G, worth=(1, 4))
    assert (found.ratio, found.evidence, found.certainty) == digits(1.551724, 0.838107, 0.804477)
    assert found.interval == digits(0.196539, 13.636320)
    assert found.interval_fixed == digits(0.678074, 3.630619)


@pytest.mark.parametrize(("t", "df", "n"), [(0.0, 4, 2.0), (1.3, 4.5, 2.0), (3.1, 12, 5.0), (-2.2, 30, 10.0)])
def test_the_bayes_factor_is_the_ratio_of_two_integrals(t, df, n):
    """The noncentral t averaged over an effect of N(0, 1), against the central one."""
    effects = np.linspace(-9, 9, 6001)
    prior = scipy.stats.norm.pdf(effects)
    likelihood = scipy.stats.nct.pdf(t, df, effects * math.sqrt(n))
    expected = scipy.integrate.trapezoid(likelihood * prior, effects) / scipy.stats.t.pdf(t, df)
    assert bayes_factor(t, df, n) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("e", "df", "n"), [(3, 4.5, 2), (10, 12, 5), (20, 40, 10)])
def test_the_critical_t_has_that_evidence(e, df, n):
    t = critical(e, df, n)
    assert t == math.inf or bayes_factor(t, df, n) == pytest.approx(e)


def test_the_sceptic_s_certainty_lies_between_even_and_the_test_s():
    certainties = [Comparison(D2, D1, tau=tau).certainty for tau in (0.001, 0.2, 0.5, 1, 100)]
    assert certainties == sorted(certainties)
    assert certainties[0] == pytest.approx(0.5, abs=0.02)
    sides = []
    for side in (D2, D1):
        variance = max((side.se / side.efficiency) ** 2, 1 / (side.features + 0.5))
        sides += [math.log((side.features + 0.5) / side.capacity), math.sqrt(variance * side.n), side.n]
    test = scipy.stats.ttest_ind_from_stats(*sides, equal_var=False, alternative="greater")
    assert certainties[-1] == pytest.approx(1 - test.pvalue, abs=1e-4)


def test_welch_df_between_the_smaller_side_and_both():
    assert welch_df((1e-200, 1e-200), (4, 4)) == pytest.approx(6)
    assert welch_df((1.0, 0.0), (4, 9)) == 3
    a, b = (0.3, 5), (0.1, 12)
    assert welch_df((a[0], b[0]), (a[1], b[1])) == pytest.approx(0.4**2 / (0.3**2 / 4 + 0.1**2 / 11))


def test_without_features_the_certainty_is_the_probability_that_one_gamma_exceeds_the_other():
    random = np.random.default_rng(7)
    for a, b, worth in ((NOTHING, D1, (2, 1)), (measure([(30, 18)]), measure([(1, 18)]), (1, 1))):
        found = Comparison(a, b, worth=worth)
        rates = [
            random.gamma((side.features + 0.5) / found.assumed_fano, size=400_000) / (side.capacity / k)
            for side, k in zip((a, b), worth, strict=True)
        ]
        assert found.certainty == pytest.approx((rates[0] > rates[1]).mean(), abs=0.004)


def test_fixed_interval_is_the_hull_of_welch_and_clopper_pearson():
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
        found = Comparison(a, b, confidence=confidence).interval_fixed
        assert found == pytest.approx((min(lows), max(highs)), rel=1e-9)


def test_swapping_the_sides_mirrors_everything():
    one, other = Comparison(D2, G, worth=(1, 4)), Comparison(G, D2, worth=(4, 1))
    assert one.certainty + other.certainty == pytest.approx(1)
    assert one.ratio * other.ratio == pytest.approx(1)
    assert one.interval == pytest.approx([1 / limit for limit in reversed(other.interval)])
    assert one.interval_fixed == pytest.approx([1 / limit for limit in reversed(other.interval_fixed)])
    assert (one.favours, other.favours) == ("a", "b")
    assert (one.verdict, one.windows_needed) == (other.verdict, other.windows_needed)


def test_an_assumed_side_keeps_the_gates_shut():
    some, other = [(30, 18)], [(1, 18)]
    found = Comparison(measure(some), measure(other))
    assert (found.kind, found.evidence, found.interval, found.verdict) == ("assumed", None, None, None)
    assert found.certainty > 0.85
    assert not any(gate.open for gate in found.gates)
    assert found.interval_fixed == ratio_assumed(some, other)[1:]


def test_an_assumed_side_leans_as_its_certainty_does():
    """Windows of one side that differ much: the mean of their logarithms says the opposite of their sum."""
    one, other = measure([(1, 4)]), measure([(2, 6), (3, 4), (0, 8)])
    for found, better in ((Comparison(one, other), "b"), (Comparison(other, one), "a")):
        assert (found.kind, found.favours) == ("assumed", better)
        assert (found.certainty > 0.5) == (better == "a")


def test_a_side_that_never_delivers_is_measured():
    delivering, barren = [(3, 15), (2, 12), (4, 18), (3, 14)] * 3, [(0, 15)] * 12
    found = Comparison(measure(delivering), measure(barren))
    assert (found.kind, found.verdict, found.favours, found.ratio) == ("measured", "retire", "a", None)
    assert found.evidence == pytest.approx(anytime(delivering, barren)[6])
    assert found.interval[0] > 1
    assert found.interval[1] is None
    both = Comparison(NOTHING, NOTHING)
    assert (both.kind, both.favours, both.certainty, both.verdict) == ("assumed", None, pytest.approx(0.5), None)
    # no feature says how many come with a window
    assert both.windows_needed is None


def test_sides_without_efficiency():
    for a, b in ((measure([]), D1), (D1, measure([(1, 0)]))):
        found = Comparison(a, b)
        assert (found.kind, found.ratio, found.interval, found.interval_fixed, found.evidence) == ("none", *[None] * 4)
        assert (found.certainty, found.favours, found.verdict) == (0.5, None, None)


def test_gates_open_one_after_the_other():
    assert Comparison(D1, EQUAL).verdict is None
    assert Comparison(many(4, 10, 3), many(1, 10, 3)).verdict == "reallocate"
    assert Comparison(many(5, 10, 6), many(1, 10, 6)).verdict == "retire"
    assert Comparison(many(1, 10, 6), many(5, 10, 6)).verdict == "retire"


def test_more_rivals_need_more_evidence():
    needed = [Comparison(D2, D1, rivals=rivals).gates[1].evidence for rivals in (1, 2, 4)]
    assert needed == [10, 20, 40]
    pair = many(5, 10, 4), many(1, 10, 4)
    e = Comparison(*pair).evidence
    assert 10 <= e < 90
    assert Comparison(*pair, rivals=9).verdict == "reallocate"


@pytest.mark.parametrize("ratio", [1.5, 3.0])
@pytest.mark.parametrize(("a", "b"), [(D2, D1), (G, D1), (many(0, 9, 6), D2)], ids=["D2 D1", "G D1", "noisy D2"])
def test_windows_needed_reach_the_evidence_in_half_and_in_four_fifths(a, b, ratio):
    def reached(needed, m):
        variances = []
        for side, other in ((a, b), (b, a)):
            # the worse side delivers as much as the chosen ratio says, with the spread that was seen
            planned = max(side.features, other.efficiency * side.capacity / ratio)
            seen = max((side.se / side.efficiency) ** 2, 1 / (side.features + 0.5))
            variances.append(side.n * seen * (side.features + 0.5) / (planned + 0.5) / m)
        df = sum(variances) ** 2 / sum(v**2 / (m - 1) for v in variances)
        shift = math.log(ratio) / math.sqrt(sum(variances))
        if bayes_factor(60, df, m / 2) < needed:
            return 0.0
        grid = np.linspace(0, 60, 60001)
        t = grid[bisect_left(grid, needed, key=lambda one: bayes_factor(one, df, m / 2))]  # it rises with t
        return scipy.stats.nct.sf(t, df, shift)

    for gate in Comparison(a, b, effect=ratio).gates:
        for chance, m in zip((0.5, 0.8), gate.windows_needed, strict=True):
            assert reached(gate.evidence, m) >= chance - 0.002
            assert reached(gate.evidence, m - 1) < chance + 0.002


def test_windows_without_a_feature_do_not_make_a_plan_longer():
    """Each window of claude was planned with half a feature in all: 806 more were said where one sufficed."""
    needed = [Comparison(measure([(2, 10)] * n), measure([(0, 10)] * n)).gates[1].windows_needed for n in (6, 7, 12)]
    assert all(60 < least < most < 120 for least, most in needed)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        # no feature in 3 points, and 5 in 54; 1 in 12, and 5 in 54: half a feature more makes each the better one
        ([(0, 1)] * 3, [(1, 10), (2, 20), (2, 24)]),
        ([(0, 0.01)] * 3, [(1, 10), (2, 20), (20, 24)]),
        ([(1, 4), (0, 4), (0, 4)], [(1, 10), (2, 20), (2, 24)]),
    ],
)
def test_no_side_is_better_where_the_figures_disagree(a, b):
    """The ratio says one, the evidence or the certainty the other."""
    for one, other in ((a, b), (b, a)):
        found = Comparison(measure(one), measure(other))
        assert (found.favours, found.certainty, found.verdict) == (None, 0.5, None)
        assert found.ratio != 1
