"""Power and windows needed, against scipy.stats, numerical integration and plain search."""

import itertools
import math

import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_verdict.stats import power
from tracker_verdict.stats.distributions import noncentral_t_cdf, t_quantile
from tracker_verdict.stats.efficiency import measure


def test_without_effect_the_power_is_the_size_of_the_test():
    assert power.of_interval(1 + 1e-12, 0.3, 6) == pytest.approx(0.025)
    assert power.above(t_quantile(0.25, 4.5), 4.5, 1e-12) == pytest.approx(0.25)


@pytest.mark.parametrize(("effect", "relative", "df"), [(1.5, 0.4, 5), (3, 0.4, 8), (2, 0.1, 40), (1.2, 0.01, 400)])
def test_power_is_the_upper_tail_of_the_noncentral_t(effect, relative, df):
    shift = (math.sqrt(effect) - 1) / (relative / 2)
    expected = scipy.stats.nct.sf(scipy.stats.t.ppf(0.975, df), df, shift)
    assert power.of_interval(effect, relative, df) == pytest.approx(expected, abs=1e-7)


def test_power_is_about_what_lies_above_the_interval():
    """An efficiency at the upper limit is left out in half of all cases; one at the lower limit would give more."""
    windows = [(8 + at * 7 % 5, 40 + at * 11 % 9) for at in range(60)]
    found = measure(windows)
    low, high = (limit / found.efficiency for limit in found.ci)
    assert measure(windows, effect=high).power == pytest.approx(0.5, abs=0.02)
    assert measure(windows, effect=1 / low).power > 0.52


def test_windows_needed_are_the_fewest_for_either_chance():
    assert power.windows_needed(lambda windows: windows / 100, first=3) == (50, 80)
    assert power.windows_needed(lambda windows: 1.0, first=8) == (8, 8)
    assert power.windows_needed(lambda windows: 0.0, first=3) is None
    assert power.windows_needed(lambda windows: 0.7, first=3) is None


def integrated(value, df, shift):
    """P(T <= value) by integrating the normal probability over the chi density of the standard error."""
    log_scale = math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2)

    def density(s):
        normal = math.erfc((shift - value * s) / math.sqrt(2)) / 2
        return math.exp(log_scale + (df - 1) * math.log(s) - df * s * s / 2) * normal

    width = 6 / math.sqrt(2 * df)
    ends = [1e-12, max(2e-12, 1 - width), 1.0, 1 + width, 1 + 10 * width]
    return sum(scipy.integrate.quad(density, a, b, epsabs=1e-12)[0] for a, b in itertools.pairwise(ends))


@pytest.mark.parametrize("df", [2, 2.7, 5, 39, 400])
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0, 6.0])
@pytest.mark.parametrize("tail", [0.25, 0.025, 0.01])
def test_noncentral_t_is_the_integral(df, shift, tail):
    value = t_quantile(tail, df)
    assert noncentral_t_cdf(value, df, shift) == pytest.approx(integrated(value, df, shift), abs=1e-8)
    assert noncentral_t_cdf(-value, df, shift) == pytest.approx(integrated(-value, df, shift), abs=1e-8)


def test_where_scipy_has_no_answer_the_normal_approximation_stands_in(monkeypatch):
    import scipy.special

    monkeypatch.setattr(scipy.special, "nctdtr", lambda *arguments: math.nan)
    for df, shift, value in ((39, 2.0, 2.02), (400, 5.0, 4.0), (100, 0.0, -1.0)):
        assert noncentral_t_cdf(value, df, shift) == pytest.approx(integrated(value, df, shift), abs=0.005)
    assert noncentral_t_cdf(2.0, 5, math.inf) == 0
    assert noncentral_t_cdf(1e9, 5, 1.0) == pytest.approx(1, abs=0.01)


@settings(deadline=None)
@given(effect=st.floats(1.0000001, 1e300), relative=st.floats(0, 1e300), df=st.floats(1, 1e6))
def test_power_is_a_probability(effect, relative, df):
    assert 0 <= power.of_interval(effect, relative, df) <= 1
