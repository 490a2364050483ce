"""Power and windows needed, against statsmodels, numerical integration and plain search."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from statsmodels.stats.power import TTestPower

from tracker_verdict.stats.distributions import noncentral_t_cdf, t_quantile
from tracker_verdict.stats.power import MOST_WINDOWS, fewest, of_gate, two_sided, windows_for_effect


@pytest.mark.parametrize("n", [3, 5, 12, 40])
@pytest.mark.parametrize("shift", [0.1, 0.7, 1.6, 3.0, 4.5])
def test_power_is_that_of_the_one_sample_t_test(n, shift):
    expected = TTestPower().power(shift / math.sqrt(n), n, alpha=0.05, alternative="two-sided")
    assert two_sided(shift * 0.02, 0.02, n) == pytest.approx(expected, abs=1e-9)


def test_without_effect_the_power_is_the_size_of_the_test():
    assert two_sided(1e-12, 1.0, 6) == pytest.approx(0.05)
    assert of_gate(0.75, 1e-12, 4.5) == pytest.approx(0.25)


@pytest.mark.parametrize(("n", "se"), [(3, 0.0625), (6, 0.13), (5, 0.5), (40, 0.02)])
def test_windows_needed_are_the_fewest(n, se):
    def power(m):
        return TTestPower().power(0.1 / (se * math.sqrt(n)), m, alpha=0.05, alternative="two-sided")

    assert windows_for_effect(0.1, se, n) == next(m for m in range(2, 10_000) if power(m) >= 0.8)


def test_windows_needed_beyond_any_plan():
    assert windows_for_effect(1e-9, 1.0, 3) is None
    assert windows_for_effect(1e9, 1.0, 3) == 2
    assert fewest(lambda windows: 0.0, first=3) is None
    assert fewest(lambda windows: 1.0, first=8) == 8
    assert fewest(lambda windows: windows / MOST_WINDOWS, first=2) == 0.8 * MOST_WINDOWS


def integrated(value, df, shift):
    """P(T <= value) by integrating the normal probability over the chi density of the standard error."""
    log_scale = math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2)

    def density(s):
        normal = math.erfc((shift - value * s) / math.sqrt(2)) / 2
        return math.exp(log_scale + (df - 1) * math.log(s) - df * s * s / 2) * normal

    width = 6 / math.sqrt(2 * df)
    ends = [1e-12, max(2e-12, 1 - width), 1.0, 1 + width, 1 + 10 * width]
    return sum(integrate.quad(density, a, b, epsabs=1e-12)[0] for a, b in itertools.pairwise(ends))


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
@given(
    effect=st.floats(1e-300, 1e300),
    se=st.floats(0, 1e300),
    n=st.integers(2, 10**6),
)
def test_power_is_a_probability(effect, se, n):
    assert 0 <= two_sided(effect, se, n) <= 1
