"""The efficiency and its intervals: golden values, independent oracles, and the edges of each kind."""

from fractions import Fraction

import numpy as np
import pytest
import scipy

from tracker_verdict.stats.efficiency import measure
from tracker_verdict.stats.intervals import WeightedSum, fieller, poisson_limits

D1 = [(3, 18), (2, 10), (4, 20)]
D2 = [(2, 2), (3, 5), (1, 3), (4, 9), (2, 4), (3, 6)]
G = [(3, 35), (2, 18), (4, 52), (1, 12), (2, 27)]
EQUAL = [(1, 5), (2, 10), (3, 15)]
FREE = [(1, 0), (2, 8), (3, 12), (2, 6)]
RATED = [(3, 18, 0.9), (2, 10, 0.8), (4, 20, 1)]
SPREAD = [(0, 7.5), (5, 12.25), (1, 3), (9, 30), (2.5, 11)]


def digits(*values):
    """Equal to the six digits that are published."""
    return pytest.approx(values if len(values) > 1 else values[0], abs=5.1e-7)


@pytest.mark.parametrize(
    ("windows", "efficiency", "se", "n_eff", "fieller", "at_95"),
    [
        (D1, 0.1875, 0.015710, 2.796117, (0.114090, 0.297989), (0.041574, 0.438414)),
        (D2, 0.517241, 0.055922, 4.918129, (0.408674, 0.744072), (0.260246, 0.861642)),
        (G, 0.083333, 0.005833, 4.045259, (0.071920, 0.115488), (0.036602, 0.149022)),
    ],
    ids=["D1", "D2", "G"],
)
def test_golden_measured(windows, efficiency, se, n_eff, fieller, at_95):
    found = measure(windows)
    assert found.ci_kind == "measured"
    assert (found.efficiency, found.se, found.n_eff) == digits(efficiency, se, n_eff)
    assert found.fieller == digits(*fieller)
    assert found.ci == digits(*at_95)


@pytest.mark.parametrize(
    ("windows", "kind", "ci"),
    [
        ([(3, 18)], "assumed", (0.007125, 0.821481)),
        ([(3, 18), (2, 10)], "assumed", (0.025320, 0.608705)),
        ([(0, 6), (0, 4), (0, 9)], "assumed", (0, 0.388303)),
        (FREE, "measured", (0.085432, 0.667673)),
        (EQUAL, "measured", (0.036159, 0.495999)),
        ([(1, 0), (0, 0)], "none", None),
        ([], "none", None),
    ],
    ids=["one", "two", "no features", "free window", "equal ratios", "no capacity", "nothing"],
)
def test_golden_kinds(windows, kind, ci):
    found = measure(windows)
    assert found.ci_kind == kind
    assert found.ci == (ci and digits(*ci))
    assert (found.efficiency is None) == (kind == "none")
    assert (found.se is None) == (found.fieller is None) == (found.power is None) == (kind != "measured")


def test_golden_free_window():
    found = measure(FREE)
    assert (found.efficiency, found.se) == digits(0.307692, 0.068127)
    assert found.fieller == "unbounded"


@pytest.mark.parametrize(
    "features", [(1, 2, 3), (6, 4, 9, 3, 5, 3), (9, 3, 5, 2, 2), (4, 3, 9, 8), (1, 5, 2, 4), (4, 2, 5)]
)
@pytest.mark.parametrize("points", [0.1, 0.7, 5])
def test_equal_ratios_have_no_spread_whatever_their_rounding(features, points):
    found = measure([(f, f * points) for f in features], confidence=0.8)
    assert found.se == 0
    assert found.fieller == "unbounded" or found.fieller == pytest.approx((1 / points, 1 / points), rel=1e-6)


def moderated(windows, tail):
    """The rule as it is written down, with scipy.stats; quality counts in f and its square in v."""
    f, c, q = (np.array(column, float) for column in zip(*((*w, 1.0)[:3] for w in windows), strict=True))
    y, v, total, n = (f * q).sum(), (f * q * q).sum(), c.sum(), len(f)
    estimate = y / total
    variance = (((f * q - estimate * c) / (1 - c / total)) ** 2).sum() / total**2
    count = y * y / v
    phi = (3 * max(2, 1 + count / (2 * n)) + (n - 1) * variance * total**2 / v) / (n + 2)
    x = scipy.stats.t.ppf(1 - tail, n + 2) * np.sqrt(phi / count) / 2
    return phi, estimate * max(0, 1 - x) ** 2, estimate * (1 + x) ** 2


def test_golden_quality():
    found = measure(RATED)
    assert found.efficiency_quality == digits(0.172917)
    assert found.quality.se == digits(0.023976)
    phi, low, high = moderated(RATED, 0.025)
    assert found.quality.fano == pytest.approx(phi)
    assert found.quality.ci == pytest.approx((low, high))
    assert (found.efficiency, found.ci) == (0.1875, digits(0.041574, 0.438414))


@pytest.mark.parametrize("windows", [D1, D2, G], ids=["D1", "D2", "G"])
def test_power_is_the_chance_that_the_printed_interval_leaves_out_the_other_rate(windows):
    """By simulation on the scale of the interval: its estimate is normal there, its variance a chi square's."""
    found, random = measure(windows, effect=3), np.random.default_rng(5)
    df, relative = found.n + 2, np.sqrt(max(found.fano, 1) / found.features)
    root = np.sqrt(3) + random.normal(size=400_000) * relative / 2
    spread = relative / 2 * np.sqrt(random.chisquare(df, 400_000) / df)
    below = root - scipy.stats.t.ppf(0.975, df) * spread > 1
    assert found.power == pytest.approx(below.mean(), abs=0.003)


def test_power_does_not_depend_on_the_unit_and_windows_needed_are_a_range():
    found, other = measure(D1), measure([(f, 40 * c) for f, c in D1])
    assert other.power == pytest.approx(found.power)
    even, most = found.windows_needed
    assert 3 < even < most
    assert measure(D1 * (even // 3 + 1)).power > 0.45
    assert measure(D1, effect=3).windows_needed < found.windows_needed


def test_figures_are_those_of_the_preview():
    figures = measure(RATED).figures()
    names = "features capacity efficiency efficiency_quality se ci ci_kind fieller n n_eff power windows_needed"
    assert " ".join(figures) == names
    assert (figures["features"], figures["capacity"], figures["n"]) == (9, 48, 3)
    assert isinstance(figures["features"], int)
    assert figures["ci"] == list(measure(RATED).ci)
    assert measure(FREE).figures()["fieller"] == "unbounded"
    assert measure([]).figures()["ci"] is None


@pytest.mark.parametrize("windows", [D1, D2, G, SPREAD], ids=["D1", "D2", "G", "spread"])
def test_standard_error_is_that_of_weighted_least_squares_through_the_origin(windows):
    features, capacity = np.array(windows, float).T
    # seconds, which only this test should take
    import statsmodels.api

    fit = statsmodels.api.WLS(features, capacity, weights=1 / capacity).fit(cov_type="HC3", use_t=True)
    found = measure(windows)
    assert (found.efficiency, found.se) == pytest.approx((fit.params[0], fit.bse[0]), rel=1e-12)


@pytest.mark.parametrize("windows", [D1, FREE, SPREAD], ids=["D1", "free", "spread"])
def test_variance_is_how_far_the_efficiency_moves_without_each_window(windows):
    total_f, total_c = (sum(map(Fraction, column)) for column in zip(*windows, strict=True))
    moves = [(total_f - Fraction(f)) / (total_c - Fraction(c)) - total_f / total_c for f, c in windows if total_c != c]
    assert measure(windows).se ** 2 == pytest.approx(float(sum(move**2 for move in moves)), rel=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.75, 0.95, 0.999])
@pytest.mark.parametrize("windows", [D1, D2, G, SPREAD, FREE], ids=["D1", "D2", "G", "spread", "free"])
def test_measured_interval_is_the_wider_of_student_and_garwood(windows, confidence):
    found = measure(windows, confidence=confidence)
    tail = (1 - confidence) / 2
    low = scipy.stats.chi2.ppf(tail, 2 * found.features) / 2 / found.capacity
    high = scipy.stats.chi2.ppf(1 - tail, 2 * found.features + 2) / 2 / found.capacity
    phi, *student = moderated(windows, tail)
    assert found.fano == pytest.approx(phi)
    assert found.ci == pytest.approx((min(low, student[0]), max(high, student[1])), rel=1e-9)


def test_garwood_limits_are_where_the_count_becomes_improbable():
    low, high = poisson_limits(WeightedSum(7, 7), 0.025, 1.0)
    assert scipy.stats.poisson.sf(6, low) == pytest.approx(0.025)
    assert scipy.stats.poisson.cdf(7, high) == pytest.approx(0.025)


@pytest.mark.parametrize("fano", [1.0, 2.0])
def test_weighted_limits_are_fay_and_feuer_s(fano):
    f, q = np.array([3, 2, 4, 0]), np.array([0.9, 0.8, 0.6, 0.9])
    total, variance, largest = (f * q).sum(), fano * (f * q * q).sum(), fano * q.max()
    low = variance / (2 * total) * scipy.stats.chi2.ppf(0.025, 2 * total**2 / variance)
    more, wider = total + largest, variance + largest**2
    high = wider / (2 * more) * scipy.stats.chi2.ppf(0.975, 2 * more**2 / wider)
    counts = WeightedSum(total / 0.9, (f * q * q).sum() / 0.81)
    assert [0.9 * limit for limit in poisson_limits(counts, 0.025, fano)] == pytest.approx([low, high], rel=1e-12)


def test_fieller_as_written_down():
    for windows in (D1, D2, G, SPREAD):
        f, c = np.array(windows, float).T
        n, t = len(f), scipy.stats.t.ppf(0.975, len(f) - 1)
        cov = np.cov(f, c) / n
        a = c.mean() ** 2 - t**2 * cov[1, 1]
        b = f.mean() * c.mean() - t**2 * cov[0, 1]
        d = f.mean() ** 2 - t**2 * cov[0, 0]
        root = np.sqrt(b * b - a * d)
        expected = ((b - root) / a, (b + root) / a) if a > 0 else "unbounded"
        assert measure(windows).fieller == (expected if a <= 0 else pytest.approx(expected, rel=1e-9))


def test_fieller_limits_are_where_student_s_t_of_the_difference_is_critical():
    f, c = np.array(D2, float).T
    for limit in measure(D2).fieller:
        difference = f - limit * c
        t = difference.mean() / (difference.std(ddof=1) / np.sqrt(len(f)))
        assert abs(t) == pytest.approx(scipy.stats.t.ppf(0.975, len(f) - 1))


def test_fieller_of_identical_shares_is_the_ratio_itself():
    shares = [(0.3, 0.3), (0.35, 0.35), (0.35, 0.35)]
    assert fieller(shares, 0.025) == pytest.approx((1, 1))


def test_empty_windows_are_dropped_and_free_ones_stay():
    assert measure([(0, 0), *D1, (0, 0)]) == measure(D1)
    assert measure([(1, 0), *D1]).n == 4


def test_one_window_that_outweighs_the_others_leaves_the_interval_assumed():
    assert measure([(1, 0), (1, 0), (9, 20)]).ci_kind == "assumed"  # its share of the capacity is 1
    assert measure([(1, 2), (1, 2), (9, 20)]).ci_kind == "assumed"  # n_eff 1.4
    assert measure([(1, 0), (4, 10), (5, 10)]).ci_kind == "measured"  # n_eff exactly 2
    thirds = measure([(1, 0.1), (4, 0.1), (5, 0.4)])  # n_eff exactly 2 but for its rounding
    assert thirds.n_eff == pytest.approx(2)
    assert thirds.ci_kind == "measured"


@pytest.mark.parametrize(("features", "fano"), [(1, 2.0), (3, 2.5), (12, 7.0)])
def test_assumed_intervals_take_bursts_for_granted(features, fano):
    found = measure([(features, 18)])
    assert found.fano == fano
    shapes = ((0.025, features / fano), (0.975, features / fano + 1))
    low, high = (scipy.stats.gamma.ppf(p, shape) for p, shape in shapes)
    assert found.ci == pytest.approx((fano * low / 18, fano * high / 18))


def test_quality_is_taken_from_the_windows_that_have_one():
    some = measure([(3, 18, 0.9), (2, 10, None), (4, 20, 1)])
    assert some.efficiency_quality == pytest.approx((2.7 + 4) / 38)
    assert (some.quality.n, some.n) == (2, 3)
    assert measure(D1).quality is None
    assert measure(D1).efficiency_quality is None


def test_quality_of_one_changes_nothing():
    found = measure([(f, c, 1.0) for f, c in D2]).quality
    assert (found.ci, found.se, found.fieller) == (measure(D2).ci, measure(D2).se, measure(D2).fieller)


def test_worthless_features_are_as_no_features():
    found = measure([(3, 6, 0), (2, 4, 0), (5, 9, 0)])
    assert found.ci_kind == "measured"
    assert (found.efficiency_quality, found.quality.ci_kind) == (0, "assumed")
    assert found.quality.ci == digits(0, 0.388303)


@pytest.mark.parametrize("windows", [[(-1, 3)], [(1, -3)], [(1, 3, -0.1)], [(float("nan"), 1)], [(1, float("inf"))]])
def test_impossible_numbers_are_refused(windows):
    with pytest.raises(ValueError, match="finite numbers of at least 0, got"):
        measure(windows)


@pytest.mark.parametrize(
    "windows",
    [
        [(1e300, 1e-300)] * 3,  # the ratio overflows
        [(1e-300, 1e300)] * 3,  # and underflows
        [(1e308, 1)] * 3,  # the total overflows
        [(1, 1e308)] * 3,
        [(10**400, 1)] * 3,  # no float at all
        [(1, 5e-324)] * 3,
        [(5e-324, 1)] * 3,
    ],
)
def test_what_floats_cannot_hold_has_no_efficiency(windows):
    found = measure(windows)
    assert (found.ci_kind, found.efficiency, found.ci, found.se) == ("none", None, None, None)


def test_large_and_small_numbers_that_floats_hold():
    assert measure([(3e40, 18e40), (2e40, 10e40), (4e40, 20e40)]).se == digits(0.015710)
    assert measure([(3, 18e-40), (2, 10e-40), (4, 20e-40)]).efficiency == pytest.approx(0.1875e40)
