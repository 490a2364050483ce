"""Quantiles and probabilities, from scipy.special, which is imported when a figure needs it and not before (200 ms).

Every function returns a plain float: numpy's own scalars would warn where Python's give a result.
Tails are given as the small probability itself, since 1 - tail loses the digits of a small one.
"""

from __future__ import annotations

import math


def t_quantile(tail: float, df: float) -> float:
    """The value that Student's t exceeds with probability `tail`."""
    from scipy.special import stdtrit

    return -float(stdtrit(df, tail))


def t_cdf(value: float, df: float) -> float:
    """The probability that Student's t is at most `value`."""
    from scipy.special import stdtr

    return float(stdtr(df, value))


def noncentral_t_cdf(value: float, df: float, shift: float) -> float:
    """The probability that the noncentral t is at most `value`; `shift` is its noncentrality, at least 0.

    scipy gives nan for large shifts; the normal approximation takes over there (Abramowitz and Stegun 26.7.10).
    """
    from scipy.special import nctdtr

    probability = float(nctdtr(df, shift, value))
    if not math.isfinite(probability):
        z = (value * (1 - 1 / (4 * df)) - shift) / math.sqrt(1 + value * value / (2 * df))
        probability = math.erfc(-z / math.sqrt(2)) / 2
    return min(1.0, max(0.0, probability))


def gamma_below(tail: float, shape: float) -> float:
    """The value that a gamma variable of scale 1 stays below with probability `tail`."""
    from scipy.special import gammaincinv

    return float(gammaincinv(shape, tail))


def gamma_above(tail: float, shape: float) -> float:
    """The value that a gamma variable of scale 1 exceeds with probability `tail`."""
    from scipy.special import gammainccinv

    return float(gammainccinv(shape, tail))


def beta_cdf(odds: float, a: float, b: float) -> float:
    """The probability that p / (1 - p) of a beta variable p is at most `odds`: the regularised incomplete beta."""
    from scipy.special import betainc, betaincc

    if odds <= 1:
        return float(betainc(a, b, odds / (1 + odds)))
    # by 1 - p, which is the small one here and keeps its digits
    return float(betaincc(b, a, 1 / (1 + odds)))


def beta_odds_below(tail: float, a: float, b: float) -> float:
    """p / (1 - p) of the p that a beta variable stays below with probability `tail`; inf where floats end.

    Both p and 1 - p are quantiles, so that a small one keeps its digits.
    """
    from scipy.special import betainccinv, betaincinv

    p, rest = float(betaincinv(a, b, tail)), float(betainccinv(b, a, tail))
    return p / rest if rest > 0 else math.inf


def welch_df(variances: tuple[float, float], windows: tuple[float, float]) -> float:
    """Welch's degrees of freedom of a difference of two means whose variances are not both 0."""
    # in parts of the larger one: the squares of small variances would underflow
    parts = [variance / max(variances) for variance in variances]
    return sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, windows, strict=True))
