"""Bias intensity and the inversion behind it: published values, other tests, properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.between_groups import between_group_sd
from evenhand.stats.groups import group_means
from evenhand.stats.inversion import invert_size

# Thirteen trials of the BCG vaccine (Colditz et al. 1994): log risk ratios and their variances.
EFFECT = [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713,
          -0.3394, 0.4459, -0.0173]  # fmt: skip
VARIANCE = [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124,
            0.5325, 0.0714]  # fmt: skip


def test_published_bcg_trials() -> None:
    """The estimator of Hedges and Olkin is .3286 for these trials (Viechtbauer's metafor); ours
    is the mean square over k, theirs over k - 1."""
    found = between_group_sd(EFFECT, VARIANCE)
    assert found.value**2 * 13 / 12 == pytest.approx(0.3286, abs=5e-5)
    assert found.low > 0


def test_two_groups_are_welchs_test() -> None:
    """With two groups p is Welch's, and far from 0 the interval is his, halved."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(1.5, 1, 12), rng.normal(0, 2, 30)
    v = np.array([x.var(ddof=1) / 12, y.var(ddof=1) / 30])
    found = between_group_sd([x.mean(), y.mean()], v, df=[11, 29])
    test = stats.ttest_ind(x, y, equal_var=False)
    assert found.p == pytest.approx(test.pvalue)
    far = between_group_sd([x.mean() + 9, y.mean()], v, df=[11, 29])
    ends = stats.ttest_ind(x + 9, y, equal_var=False).confidence_interval()
    assert (far.low, far.high) == pytest.approx((ends.low / 2, ends.high / 2), rel=1e-3)


def test_equal_groups_are_the_analysis_of_variance() -> None:
    """Groups of one size and variance: p is the F test's, with known variances chi-square's."""
    rng = np.random.default_rng(2)
    samples = rng.normal(0, 1, (4, 10)) + np.array([0, 0.3, 0.6, 0])[:, None]
    pooled = samples.var(axis=1, ddof=1).mean() / 10
    found = between_group_sd(samples.mean(axis=1), [pooled] * 4, df=[9] * 4)
    assert found.p == pytest.approx(stats.f_oneway(*samples).pvalue)
    known = between_group_sd(samples.mean(axis=1), [0.1] * 4)
    q = samples.mean(axis=1).var() * 4 / 0.1
    assert known.p == pytest.approx(stats.chi2.sf(q, 3))
    assert known.value**2 == pytest.approx(max(0, samples.mean(axis=1).var() - 3 / 16 * 0.4))


def test_interval_equals_the_noncentral_chi_square_far_from_0() -> None:
    """Equal known variances and a sure effect: the ends are Steiger and Fouladi's."""
    mean, v = np.array([2.0, 2.5, 3.5, 3.0]), 0.01
    q = float(np.sum((mean - mean.mean()) ** 2) / v)
    found = between_group_sd(mean, [v] * 4)
    for end, tail in ((found.low, 0.975), (found.high, 0.025)):
        assert stats.ncx2.cdf(q, 3, 4 * end**2 / v) == pytest.approx(tail, abs=1e-4)


def test_the_tail_is_the_distribution_simulated() -> None:
    """Very unequal variances, few degrees, effect in the noisiest group: coverage by drawing
    means and variances stays near 95 %."""
    rng = np.random.default_rng(3)
    n, sd = np.array([8, 20, 40, 80]), np.array([2.0, 1, 1, 0.5])
    true = np.array([1.0, 0, 0, 0])
    size = float(true.std())
    held = 0
    for _ in range(200):
        m = rng.normal(true, sd / np.sqrt(n))
        v = sd**2 / n * rng.chisquare(n - 1) / (n - 1)
        found = between_group_sd(m, v, df=n - 1)
        held += found.low <= size <= found.high
    assert 0.91 <= held / 200 <= 0.985


@settings(max_examples=25)
@given(
    st.lists(st.floats(1, 5), min_size=2, max_size=8), st.integers(0, 1000), st.floats(0.01, 100)
)
def test_order_level_and_unit_do_not_matter(mean: list[float], seed: int, unit: float) -> None:
    """Groups in another order, means moved, and other units give the same in those units; low is
    above 0 exactly when p is below 5 %, and the interval is never empty."""
    rng = np.random.default_rng(seed)
    v, df = rng.uniform(0.01, 0.2, len(mean)), rng.uniform(3, 90, len(mean))
    found = between_group_sd(mean, v, df=df)
    order = rng.permutation(len(mean))
    other = between_group_sd(unit * (np.array(mean)[order] - 2), unit**2 * v[order], df=df[order])
    assert other.p == pytest.approx(found.p, rel=1e-6, abs=1e-12)
    assert np.array(other[:3]) / unit == pytest.approx(np.array(found[:3]), rel=1e-4, abs=1e-4)
    assert 0 <= found.low <= found.high
    assert found.high > 0
    if abs(found.p - 0.05) > 1e-6:
        assert (found.low > 0) == (found.p < 0.05)
        assert found.p > 0.05 or found.low <= found.value <= found.high


def test_random_ratings_have_intensity_near_zero() -> None:
    """Uniform random ratings, 12,000 of them, smallest group 23: the median is 0 and 95 % of
    values lie below a tenth of a point."""
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(5), [23, 77, 100, 100, 100])
    sums = sum(rng.integers(1, 6, (400, 100)) for _ in range(30))
    means = group_means(sums, np.full((400, 100), 30), group, n_groups=5)
    found = np.array(
        [
            between_group_sd(means.mean[:, i], means.variance[:, i], df=means.df[:, i])
            for i in range(100)
        ]
    )
    assert np.median(found[:, 0]) < 0.01
    assert np.quantile(found[:, 0], 0.95) < 0.06
    assert np.mean(found[:, 1] > 0) < 0.1


def test_equal_means_still_leave_room() -> None:
    """Means that agree exactly give 0, p = 1, and the upper end that half power allows."""
    found = between_group_sd([3.0, 3.0], [0.02, 0.02])
    assert (found.value, found.low, found.p) == (0, 0, 1)
    assert found.high == pytest.approx(1.96 * 0.2 / 2, rel=1e-3)


def test_inversion_holds_every_size() -> None:
    """|x| with x normal: the chance that the interval holds the size, by quadrature, is 95 % at
    every size; a level below one half has a lower end too."""

    def tail(size: float, x: float) -> float:
        return float(special.ndtr(size - x) + special.ndtr(-size - x))

    x = np.linspace(0, 9, 601)
    critical = float(special.ndtri(0.975))
    ends = np.array(
        [invert_size(tail, s, critical=critical, scale=1.0, level=0.95) for s in x.tolist()]
    )
    for size in (0.0, 0.5, 1.0, 1.9, 2.1, 3.0, 4.0):
        inside = (ends[:, 0] <= size) & (size <= ends[:, 1])
        chance = stats.norm.pdf(x - size) + stats.norm.pdf(x + size)
        assert np.trapezoid(inside * chance, x) == pytest.approx(0.95, abs=0.012)
    third = float(special.ndtri(0.65))
    low, high = invert_size(tail, 3.0, critical=third, scale=1.0, level=0.3)
    assert 2 < low < 3 < high < 4


@pytest.mark.parametrize(
    ("mean", "variance", "options", "error", "complaint"),
    [
        ([1, 2], [1], {}, InputError, "do not fit"),
        ([1, 2], [1, 1], {"df": [1]}, InputError, "do not fit"),
        ([1, 2], [1, -1], {}, InputError, "negative"),
        ([1, 2], [1, 1], {"df": [0, 1]}, InputError, "not above 0"),
        ([1, 2], [1, 1], {"level": 2}, InputError, "level"),
        ([1, math.nan], [1, 1], {}, StatsError, "only 1 group"),
        ([1, 2], [0, 0], {}, StatsError, "agree exactly"),
    ],
)
def test_what_does_not_tell_is_refused(
    mean: Any, variance: Any, options: Any, error: type, complaint: str
) -> None:
    """Bad input and data without spread are errors, never a 0."""
    with pytest.raises(error, match=complaint):
        between_group_sd(mean, variance, **options)


def test_one_group_without_spread_is_no_obstacle() -> None:
    """A group whose clusters agree exactly adds no noise; the others' noise is enough."""
    found = between_group_sd([3.0, 3.4, 3.0], [0.0, 0.02, 0.03], df=[5, 20, 20])
    assert 0 < found.p < 1
    assert found.high > found.value
