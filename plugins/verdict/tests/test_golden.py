"""The methods against values from two other implementations, to six digits, and properties that hold exactly."""

import itertools
import math

import pytest

from tracker_verdict.stats import (
    anytime,
    calibrate,
    fits,
    interval,
    ratio_assumed,
    runout,
    scan_p,
    signflip,
    ticks,
)

D1 = [(3, 18), (2, 10), (4, 20)]
D2 = [(2, 2), (3, 5), (1, 3), (4, 9), (2, 4), (3, 6)]
G = [(3, 35), (2, 18), (4, 52), (1, 12), (2, 27)]
H8 = [(12, 14), (5, 20), (9, 11), (0, 7), (14, 22), (3, 16), (8, 9), (10, 13)]
Q10 = [(1, 7), (0, 5), (2, 9), (1, 4), (0, 3), (3, 12), (1, 6), (2, 10), (1, 8), (2, 6)]
B10 = [(3, 15), (2, 12), (4, 18), (1, 10), (3, 16), (2, 9), (5, 20), (3, 14), (2, 11), (4, 17)]
N6 = [(0, 15)] * 6


def near(found, expected):
    assert list(found) == pytest.approx(list(expected), abs=6e-7)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (D1, ("measured", 1.525271, 0.041574, 0.438414)),
        (D2, ("measured", 0.953336, 0.260246, 0.861642)),
        (H8, ("measured", 3.476570, 0.293458, 0.872880)),
        ([(3, 18)], ("assumed", 2.5, 0.007125, 0.821481)),
        ([(12, 18)], ("assumed", 7.0, 0.062191, 2.631415)),
        ([(0, 6), (0, 4), (0, 9)], ("assumed", 2.0, 0.0, 0.388303)),
    ],
)
def test_interval(windows, expected):
    kind, *figures = interval(windows)
    assert kind == expected[0]
    near(figures, expected[1:])


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (([(3, 18)], [(2, 10)]), (2.25, 0.020516, 83.429586)),
        (([(3, 18), (2, 10)], D2), (2.25, 0.040292, 1.757015)),
        (([(12, 18), (9, 20)], [(5, 20)], 1, 2), (5.333333, 0.104063, 67.053132)),
    ],
)
def test_ratio_assumed(sides, expected):
    near(ratio_assumed(*sides), expected)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((D2, D1), "2.411044 4.523250 2.113529 2.433633 6.727562 2.450523 2.282026 0.000000 inf 0.936009"),
        ((D2, G, 1, 4), "1.134635 8.585900 0.837578 1.136799 8.999893 0.838636 0.838107 0.196539 13.636320 0.804477"),
        ((B10, N6), "2.539372 5.170103 2.717239 5.793259 10.911450 101.044900 51.881070 1.435811 inf 0.781031"),
        ((H8, Q10), "2.999597 15.862091 8.209597 3.023373 13.622140 7.820429 8.015013 0.789317 10.926772 0.987119"),
    ],
)
def test_anytime(sides, expected):
    near(anytime(*sides), map(float, expected.split()))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(D2, H8[:6], (1.448336, 0.430200)), (B10, Q10, (1.263439, 0.702057)), (B10[:6], N6, (8.925188, 0.259988))],
)
def test_signflip(a, b, expected):
    near(signflip(list(zip(a, b, strict=True))), expected)


R1 = [(0, 10), (1, 10), (2, 11), (3, 11), (4, 12), (5, 14), (6, 14), (7, 15), (8, 17)]
R1 += [(9, 3), (10, 4), (11, 5), (12, 7), (13, 7), (14, 8)]
R3 = [(0, 98), (1, 99), (2, 1), (3, 2), (4, 2), (5, 6), (6, 7), (7, 8), (8, 10), (9, 10), (10, 11)]


def test_ticks():
    assert ticks(R1) == ticks(R1, 3) == [(2, 5, 3), (5, 8, 3), (10, 12, 3)]
    assert ticks(R3) == [(3, 5, 4), (5, 7, 2), (7, 8, 2)]


POINTS = [2, 3, 2, 4, 2, 3, 5, 2, 3, 2]
DOLLARS = [(8, 2), (11, 5), (7, 4), (12, 10), (6, 5), (13, 3), (16, 12), (9, 1), (10, 6), (5, 6)]
DAYS = [1, 1, 2, 2, 3, 3, 4, 4, 5, 6]


def test_calibrate():
    flat = itertools.chain(*calibrate(POINTS, DOLLARS, DAYS))
    expected = "0.201299 0.184847 0.217752 0.156925 0.129537 0.184313 0.779561 0.596708 0.994063"
    near(flat, map(float, expected.split()))
    near(calibrate(POINTS, [[sum(pair)] for pair in DOLLARS], DAYS)[0], (0.185430, 0.181117, 0.189744))
    flat = itertools.chain(*calibrate(POINTS[:8], DOLLARS[:8], DAYS[:8]))
    expected = "0.202826 0.175304 0.230349 0.151625 0.105285 0.197964 0.747558 0.458838 1.124905"
    near(flat, map(float, expected.split()))


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [
        ([5, 7, 6, 12, 14, 13], [30, 40, 37, 33, 41, 36], (13.881107, 3, 0.1)),
        ([9, 4, 8, 6, 10, 7, 5], [40, 22, 41, 29, 47, 36, 24], (0.109786, 3, 0.942857)),
        ([10, 10, 10, 20, 20, 20], [50] * 6, (32.214570, 3, 0.1)),
    ],
)
def test_scan(y, x, expected):
    near(scan_p(y, x), expected)


def test_a_scan_of_many_days_takes_random_orders():
    statistic, first, p = scan_p([5, 7, 6, 5, 7, 12, 14, 13, 12], [30, 40, 37, 33, 41, 36, 40, 37, 33])
    assert first == 5
    assert p == pytest.approx(round(p * 200) / 200)
    assert 1 / 200 <= p < 0.1
    assert statistic > 3


W1, W2, W3 = [12, 15, 9, 20, 14, 2, 0], [18, 11, 16, 13, 19, 0, 5], [9, 22, 14, 17, 12, 6, 1]
W4 = [25, 20, 21, 18, 16, None, None]
PRIOR = [1, 1, 1, 1, 1, 0.3, 0.2]
OTHERS = {"tau": 8.0, "kap": 0.5, "c": 3.0, "phi": 2.0, "sig": 0.3, "d0": 4.0, "b0": 0.2, "lam": 1.0}


@pytest.mark.parametrize(
    ("weeks", "gone", "used", "more", "expected"),
    [
        ([], 3, 45, {}, "37.610619 0.538892 6 0.274406 14.613736 87.571090"),
        ([W1], 3, 45, {}, "36.953785 0.589288 5 0.285138 12.581500 95.112053"),
        ([W1, W2, W3], 3, 45, {}, "36.937967 0.439980 8 0.219594 17.683113 72.537552"),
        ([W1, W2, W3, W4], 4, 80, {}, "23.443621 0.447605 9 0.610180 10.315616 47.824485"),
        (
            [W1, W2, W3],
            3,
            30,
            {"phases": [0, 0, 2], "now": 2},
            "29.659099 0.479642 8 0.073099 12.735865 62.730172",
        ),
        # with other constants, as the reference has them as an argument
        ([], 3, 45, {"P": OTHERS}, "37.569061 0.425400 4 0.224033 18.131810 74.884889"),
        ([W1], 3, 45, {"P": OTHERS}, "36.299085 0.484582 3 0.240289 14.771214 83.905602"),
        ([W1, W2, W3], 3, 45, {"P": OTHERS}, "36.662643 0.321582 6 0.141005 21.963385 60.017305"),
    ],
)
def test_runout(weeks, gone, used, more, expected):
    near(runout(weeks, gone, used, PRIOR, **more), map(float, expected.split()))
    assert runout(weeks, gone, 100, PRIOR, **more)[3] == 1


@pytest.mark.parametrize(
    ("costs", "k", "room", "expected"),
    [([8, 12, 10], 2, 30, 0.835346), ([8, 12, 10], 3, 30, 0.582204), ([5], 1, 9, 0.828269), ([5], 1, 0, 0)],
)
def test_fits(costs, k, room, expected):
    assert fits(costs, k, room) == pytest.approx(expected, abs=6e-7)


@pytest.mark.parametrize("pairs", [list(zip(D2, H8[:6], strict=True)), list(zip(B10[:6], N6, strict=True))])
def test_every_way_to_flip_the_signs_averages_to_one(pairs):
    found = [
        signflip([(b, a) if flip else (a, b) for flip, (a, b) in zip(flips, pairs, strict=True)])
        for flips in itertools.product([False, True], repeat=len(pairs))
    ]
    for direction in zip(*found, strict=True):
        assert math.fsum(direction) / len(found) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("windows", [D1, D2, G, H8, Q10])
def test_a_provider_against_itself_has_the_evidence_of_no_difference(windows):
    e = anytime(windows, windows)[6]
    assert e == pytest.approx((1 + len(windows) / 2) ** -0.5, abs=1e-12)


@pytest.mark.parametrize(("a", "b"), [(D2, D1), (H8, Q10), (B10, N6)])
def test_units_order_and_sides_change_nothing(a, b):
    found = anytime(a, b)
    for factor in (1e-6, 7.0, 1e9):
        scaled = [[(f, factor * c) for f, c in side] for side in (a, b)]
        assert anytime(*scaled) == pytest.approx(found, rel=1e-9)
        assert anytime(a, b, factor, factor) == pytest.approx(found, rel=1e-9)
    assert anytime(a[::-1], b[::-1]) == found
    swapped = anytime(b, a)
    assert swapped[6] == pytest.approx(found[6])
    assert swapped[9] == pytest.approx(1 - found[9])
    low, high = found[7:9]
    assert swapped[7] == pytest.approx(1 / high if high < math.inf else 0)
    assert swapped[8] == pytest.approx(1 / low if low else math.inf)


@pytest.mark.parametrize("sides", [([(3, 18)], D1), (N6, N6), ([(1, 0), (2, 0), (3, 9)], D1)])
def test_evidence_needs_windows_and_a_feature(sides):
    with pytest.raises(ValueError, match="at least 3 windows"):
        anytime(*sides)


def test_the_limits_are_where_the_evidence_is_twenty():
    """The interval by brute force: the same evidence after `b` is as much dearer."""
    low, high = anytime(H8, Q10)[7:9]
    for limit in (low, high):
        assert anytime(H8, Q10, 1.0, limit)[6] == pytest.approx(20, rel=1e-6)
        assert anytime(H8, Q10, limit, 1.0)[6] != pytest.approx(20, rel=1e-6)


def test_the_assumed_windows_and_more_columns_are_as_in_the_reference():
    """`d0` was a TypeError, and a third column added the ratio of the first two."""
    assert interval(D1, 0.95, 3) == interval(D1, d0=3) == interval(D1)
    # without them it is that of before they were assumed
    assert interval(D1, 0.95, 0)[2:] == pytest.approx((0.085737, 0.355933), abs=1e-6)
    points, dollars = [2, 3, 2, 4, 2, 3, 5, 2], [(8, 2, 1), (11, 5, 3), (7, 4, 0), (12, 10, 2)]
    assert (
        len(calibrate(points, dollars + [(one, fresh, 1) for fresh, one, _ in dollars], [1, 1, 2, 2, 3, 4, 5, 6])) == 3
    )


@pytest.mark.parametrize("asked", [lambda: ratio_assumed([], [(1, 2)]), lambda: anytime(D2, D1, 0, 1)])
def test_what_makes_no_sense_is_refused_in_words(asked):
    """It was a ZeroDivisionError."""
    with pytest.raises(ValueError, match="Expected"):
        asked()
