"""Means of groups of clusters and their differences: published values, plain loops, properties."""

from __future__ import annotations

import itertools
import time
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.errors import InputError
from evenhand.stats.groups import (
    GroupMeans,
    bootstrap_differences,
    compare_groups,
    group_means,
    permutation_differences,
)
from evenhand.stats.jackknife import jackknife_spread
from evenhand.stats.resample import cluster_difference, cluster_estimate, ratio

TREATED, CONTROL = [94, 197, 16, 38, 99, 141, 23], [52, 104, 146, 10, 51, 30, 40, 27, 46]
MICE = [0] * 7 + [1] * 9
# Residents and income of 25 blocks (Scheaffer, Mendenhall and Ott, Elementary Survey Sampling,
# chapter on cluster sampling).
RESIDENTS = [8, 12, 4, 5, 6, 6, 7, 5, 8, 3, 2, 6, 5, 10, 9, 3, 6, 5, 5, 4, 6, 8, 7, 3, 8]
INCOME = [96, 121, 42, 65, 52, 40, 75, 65, 45, 50, 85, 43, 54, 49, 53, 50, 32, 22, 45, 37, 51, 30,
          39, 47, 41]  # fmt: skip


def drawn(seed: int, k: int = 4, n: int = 60, m: int = 3) -> tuple[Any, Any, Any]:
    """Sums, counts (some 0) and groups of n clusters."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, (n, m))
    sums = np.array([[rng.integers(1, 6, c).sum() for c in row] for row in counts])
    return sums, counts, rng.integers(-1, k, n)


def flat(found: GroupMeans) -> list[Any]:
    """The arrays of group means."""
    return [found.mean, found.variance, found.df, found.n, found.n_clusters]


def test_published_income_per_resident() -> None:
    """$8,801 per resident; the textbook's variance by linearisation, 695,690 before its factor
    for finite populations, is the jackknife's to 3 %."""
    found = group_means(np.multiply(INCOME, 1000), RESIDENTS, [0] * 25, n_groups=1)
    assert found.mean[0] == pytest.approx(8801, abs=0.5)
    assert found.variance[0] == pytest.approx(653_785 / (1 - 25 / 415), rel=0.03)


def test_published_mouse_survival() -> None:
    """Efron and Tibshirani 1993, table 2.1: 86.86 (25.24), 56.22 (14.14), 30.63 (28.93)."""
    means = group_means(TREATED + CONTROL, [1] * 16, MICE, n_groups=2)
    assert means.mean == pytest.approx([86.86, 56.22], abs=0.005)
    assert np.sqrt(means.variance) == pytest.approx([25.24, 14.14], abs=0.02)
    found = compare_groups(means, baseline=1)
    assert found.value[0] == pytest.approx(30.63, abs=0.005)
    assert found.se[0] == pytest.approx(28.93, abs=0.01)


def test_published_mouse_survival_resampled() -> None:
    """The book's bootstrap errors are 23.36 and 13.33, and its permutation level .13 to .14
    one-sided; studentised, the test agrees with Welch's."""
    found = bootstrap_differences(
        TREATED + CONTROL, [1] * 16, MICE, n_groups=2, baseline=1, draws=2000
    )
    assert found.se[0] == pytest.approx(np.hypot(23.36, 13.33), rel=0.05)
    p = permutation_differences(TREATED + CONTROL, [1] * 16, MICE, n_groups=2, draws=1999)
    assert p == pytest.approx(
        [stats.ttest_ind(TREATED, CONTROL, equal_var=False).pvalue] * 2, abs=0.03
    )


def test_means_equal_a_plain_loop() -> None:
    """Mean, variance and degrees are those of leaving each cluster out by hand, weights in."""
    sums, counts, group = drawn(1)
    weight = np.random.default_rng(2).uniform(0.3, 3, len(group))
    found = group_means(sums, counts, group, n_groups=4, weight=weight)
    for j, outcome in itertools.product(range(4), range(3)):
        rows = (group == j) & (counts[:, outcome] > 0)
        s, c = sums[rows, outcome] * weight[rows], counts[rows, outcome] * weight[rows]
        left = np.array([np.delete(s, i).sum() / np.delete(c, i).sum() for i in range(len(s))])
        spread = jackknife_spread(s.sum() / c.sum(), left)
        assert found.mean[j, outcome] == pytest.approx(s.sum() / c.sum())
        assert found.variance[j, outcome] == pytest.approx(spread.variance)
        assert found.df[j, outcome] == pytest.approx(spread.df)
        assert found.n[j, outcome] == counts[rows, outcome].sum()
        assert found.n_clusters[j, outcome] == rows.sum()


def test_difference_to_a_baseline_is_the_cluster_difference() -> None:
    """Value, error, interval, p, df and detectable difference equal those of the general road."""
    sums, counts, group = drawn(3)
    found = compare_groups(group_means(sums, counts, group, n_groups=4), baseline=2, level=0.9)
    for j in (0, 1, 3):
        one, two = (np.stack([sums[group == g, 1], counts[group == g, 1]], 1) for g in (j, 2))
        want = cluster_difference(one, two, ratio(), paired=False, level=0.9)
        got = [
            getattr(found, name)[j, 1] for name in ("value", "se", "low", "high", "p", "df", "mde")
        ]
        assert got == pytest.approx(
            [want.value, want.se, want.low, want.high, want.p, want.df, want.mde]
        )
    assert np.isnan(found.value[2]).all()
    assert np.isnan(found.p[2]).all()


def test_difference_to_the_grand_mean_equals_the_contrast_written_out() -> None:
    """L m, L V L' and Satterthwaite's degrees with L = I - 1/k, by plain matrices."""
    means = group_means(*drawn(4), n_groups=4)
    found = compare_groups(means)
    contrast = np.eye(4) - 0.25
    for outcome in range(3):
        m, v, df = (part[:, outcome] for part in (means.mean, means.variance, means.df))
        assert found.value[:, outcome] == pytest.approx(contrast @ m)
        variance = np.diag(contrast @ np.diag(v) @ contrast.T)
        assert found.se[:, outcome] == pytest.approx(np.sqrt(variance))
        assert found.df[:, outcome] == pytest.approx(variance**2 / (contrast**4 @ (v**2 / df)))
    t = found.value / found.se
    assert found.p == pytest.approx(2 * stats.t.sf(np.abs(t), found.df))
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, found.df) * found.se)


def test_permutation_equals_all_permutations() -> None:
    """With 3 + 3 + 2 clusters, drawn p come near those of all 8! orders."""
    values = np.array([1.0, 2, 4, 3, 5, 5, 2, 1])
    group = (0, 0, 0, 1, 1, 1, 2, 2)

    def distance(labels: tuple[int, ...]) -> Any:
        parts = [values[np.equal(labels, j)] for j in range(3)]
        v = np.array([p.var(ddof=1) / len(p) for p in parts])
        m = np.array([p.mean() for p in parts])
        contrast = np.eye(3) - 1 / 3
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(contrast @ m) / np.sqrt(contrast**2 @ v)

    every = np.array([distance(labels) for labels in set(itertools.permutations(group))])
    wanted = (every >= distance(group) * (1 - 1e-12)).mean(axis=0)
    found = permutation_differences(values, np.ones(8), group, n_groups=3, draws=2999, seed=1)
    assert found == pytest.approx(wanted, abs=0.025)


def test_bootstrap_agrees_with_the_general_road() -> None:
    """Percentile and BCa ends lie within simulation error of ``cluster_estimate``'s."""
    sums, counts, group = drawn(5, k=2, n=80, m=1)
    sums, counts = sums[:, 0], counts[:, 0]
    intervals: tuple[Literal["percentile", "bca"], ...] = ("percentile", "bca")
    for interval in intervals:
        found = bootstrap_differences(
            sums, counts, group, n_groups=2, baseline=0, interval=interval, draws=4000
        )
        one, two = (np.stack([sums[group == g], counts[group == g]], 1) for g in (1, 0))
        want = cluster_difference(one, two, ratio(), paired=False, interval=interval)
        assert found.low[1] == pytest.approx(want.low, abs=0.03)
        assert found.high[1] == pytest.approx(want.high, abs=0.03)
        assert found.p[1] == pytest.approx(want.p, abs=0.08)
        assert found.method == want.method


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_relabelling_groups_only_relabels(seed: int) -> None:
    """Other codes, another order of clusters, and ratings moved by a constant tell the same."""
    sums, counts, group = drawn(seed)
    rng = np.random.default_rng(seed)
    code, order = rng.permutation(4), rng.permutation(len(group))
    renamed = np.where(group >= 0, code[group], -1)[order]
    plain = group_means(sums, counts, group, n_groups=4)
    other = group_means((sums + 2 * counts)[order], counts[order], renamed, n_groups=4)
    for one, two in zip(flat(plain)[1:], flat(other)[1:], strict=True):
        np.testing.assert_allclose(two[code], one, rtol=1e-7, atol=1e-12)
    a, b = compare_groups(plain), compare_groups(other)
    for name in ("value", "se", "p", "df"):
        np.testing.assert_allclose(getattr(b, name)[code], getattr(a, name), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.nansum(a.value, axis=0), 0, atol=1e-9)


def test_equal_counts_of_one_give_each_group_its_t_test() -> None:
    """A rating each: variance is s^2 / n, and the mean's interval that of ``cluster_estimate``."""
    values = np.random.default_rng(1).integers(1, 6, 40).astype(float)
    found = group_means(values, np.ones(40), np.zeros(40, dtype=int), n_groups=1)
    assert found.variance[0] == pytest.approx(values.var(ddof=1) / 40)
    want = cluster_estimate(np.stack([values, np.ones(40)], 1), ratio())
    assert np.sqrt(found.variance[0]) == pytest.approx(want.se)


def test_what_the_data_do_not_tell_is_nan() -> None:
    """A group of one cluster has a mean and no error, an empty one neither; both leave the
    grand mean; where all clusters agree there is a difference and no test of it."""
    means = group_means([3, 4, 5, 1, 2, 2], [1] * 6, [0, 0, 0, 1, 3, 3], n_groups=4)
    assert means.mean[1] == 1
    assert np.isnan(means.mean[2])
    assert np.isnan(means.variance[[1, 2]]).all()
    assert np.isnan(means.df[[1, 2]]).all()
    found = compare_groups(means)
    assert found.reference == 3
    assert found.value[[0, 3]].tolist() == [1, -1]
    assert np.isnan(found.value[[1, 2]]).all()
    lone = compare_groups(group_means([3, 4, 5], [1] * 3, [0, 0, 1], n_groups=2))
    assert np.isnan(lone.value).all()
    same = compare_groups(group_means([3, 3, 4, 4], [1] * 4, [0, 0, 1, 1], n_groups=2))
    assert same.value.tolist() == [-0.5, 0.5]
    for name in ("se", "low", "high", "p", "df", "mde"):
        assert np.isnan(getattr(same, name)).all()
    p = permutation_differences([3, 4, 5, 1, 2, 2], [1] * 6, [0, 0, 0, 1, 3, 3], n_groups=4)
    assert np.isnan(p).tolist() == [False, True, True, False]
    drew = bootstrap_differences([3, 4, 5, 1, 2, 2], [1] * 6, [0, 0, 0, 1, 3, 3], n_groups=4)
    assert np.isnan(drew.p).tolist() == [False, True, True, False]
    assert np.isnan(permutation_differences([1, 2], [1, 1], [0, 0], n_groups=2, baseline=1)).all()
    based = permutation_differences([1, 2, 3, 4], [1] * 4, [0, 0, 1, 1], n_groups=2, baseline=1)
    assert np.isnan(based).tolist() == [False, True]
    assert np.isnan(bootstrap_differences([1, 2], [1, 1], [0, 0], n_groups=2).p).all()


def test_agreement_is_not_certainty_when_bounds_are_known() -> None:
    """Ten clusters that all say 3 of 1..5 may hide others: the error is that of the exact bound."""
    found = group_means([3] * 10 + [1, 5], [1] * 12, [0] * 10 + [1] * 2, n_groups=2, bounds=(1, 5))
    share = 1 - 0.025**0.1
    assert np.sqrt(found.variance[0]) * stats.t.ppf(0.975, 9) == pytest.approx(2 * share)
    assert found.variance[1] == 4


def test_shape_follows_the_input() -> None:
    """One outcome without an axis comes back without one."""
    sums, counts, group = drawn(6)
    one = group_means(sums[:, 0], counts[:, 0], group, n_groups=4)
    wide = group_means(sums[:, :1], counts[:, :1], group, n_groups=4)
    for a, b in zip(flat(one), flat(wide), strict=True):
        assert a.shape == (4,)
        np.testing.assert_array_equal(a, b[:, 0])
    assert compare_groups(wide).p.shape == (4, 1)
    assert permutation_differences(sums, counts, group, n_groups=4, draws=100).shape == (4, 3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sums": [1, 2]}, "do not fit"),
        ({"sums": [[[1]]]}, "pass \\(clusters, outcomes\\)"),
        ({"sums": [1, np.nan, 2]}, "not finite"),
        ({"counts": [1, -1, 1]}, "negative"),
        ({"counts": [1, 0, 1]}, "0 beside a sum"),
        ({"group": [0, 1, 2]}, "do not run from 0 to 1"),
        ({"group": [0.5, 1, 1]}, "codes"),
        ({"weight": [1, 0, 1]}, "positive"),
        ({"bounds": (5, 1)}, "smallest"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], complaint: str) -> None:
    """Each bad argument is an InputError that says what is wrong."""
    good: dict[str, Any] = {"sums": [1, 2, 2], "counts": [1, 1, 1], "group": [0, 1, 1]}
    data = {**good, **change}
    with pytest.raises(InputError, match=complaint):
        group_means(data.pop("sums"), data.pop("counts"), data.pop("group"), n_groups=2, **data)


def test_bad_options_are_refused() -> None:
    """No such baseline, level, interval or number of draws."""
    means = group_means([1, 2, 2], [1] * 3, [0, 1, 1], n_groups=2)
    with pytest.raises(InputError, match="baseline 2"):
        compare_groups(means, baseline=2)
    with pytest.raises(InputError, match="level"):
        compare_groups(means, level=95)
    with pytest.raises(InputError, match="too few"):
        permutation_differences([1, 2], [1, 1], [0, 1], n_groups=2, draws=5)
    with pytest.raises(InputError, match="none of percentile"):
        bootstrap_differences([1, 2], [1, 1], [0, 1], n_groups=2, interval="t")  # type: ignore[arg-type]


def test_many_outcomes_cost_little() -> None:
    """20,000 personas x 30 traits, seven groups: well under a second on a busy machine."""
    rng = np.random.default_rng(1)
    sums, group = rng.integers(1, 6, (20_000, 30)), rng.integers(0, 7, 20_000)
    counts = np.ones_like(sums)
    took = []
    for _ in range(3):
        start = time.process_time()
        compare_groups(group_means(sums, counts, group, n_groups=7))
        took.append(time.process_time() - start)
    assert min(took) < 0.5
