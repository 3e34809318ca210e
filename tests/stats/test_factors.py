"""Adjusted differences: a published model, statsmodels, the one-way case, what ties factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import InputError, NotIdentified, StatsError
from evenhand.stats.factors import FactorEffect, factor_effects
from evenhand.stats.groups import compare_groups, group_means


def drawn(seed: int, n: int = 120) -> tuple[Any, Any, Any, Any]:
    """Two associated factors, sums and counts of n personas."""
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 3, n)
    two = (one + rng.integers(0, 4, n)) % 5
    counts = rng.integers(1, 6, n)
    sums = np.array([rng.integers(1, 6, c).sum() for c in counts]) + one
    return one, two, sums, counts


def test_published_growth_hormone() -> None:
    """Kutner et al., Applied Linear Statistical Models, growth hormone: 14 children of unequal
    cells; without interaction the residual sum of squares is 1.3754."""
    gender = np.array([0] * 7 + [1] * 7)
    bones = np.array([0, 0, 0, 1, 1, 2, 2, 0, 1, 1, 1, 2, 2, 2])
    growth = np.array([1.4, 2.4, 2.2, 2.1, 1.7, 0.7, 1.1, 2.4, 2.5, 1.8, 2.0, 0.5, 0.9, 1.3])
    found = factor_effects([gender, bones], [2, 3], growth, np.ones(14), names=["gender", "bones"])
    fitted = found[0].value[gender] + found[1].value[bones]
    residual = growth - fitted
    residual -= residual.mean()
    assert residual @ residual == pytest.approx(1.3754, abs=5e-5)


def test_equals_statsmodels() -> None:
    """Coefficients and HC2 errors are those of weighted least squares on deviation columns; the
    last level is minus the sum of the others."""
    one, two, sums, counts = drawn(1)
    found = factor_effects([one, two], [3, 5], sums, counts, names=["one", "two"])
    columns = [np.ones(len(one))]
    for code, k in ((one, 3), (two, 5)):
        columns += [(code == j) * 1.0 - (code == k - 1) for j in range(k - 1)]
    fit = sm.WLS(sums / counts, np.stack(columns, 1), weights=counts).fit(cov_type="HC2")
    for effect, first, k in ((found[0], 1, 3), (found[1], 3, 5)):
        block = slice(first, first + k - 1)
        assert effect.value[:-1] == pytest.approx(fit.params[block])
        assert effect.se[:-1] == pytest.approx(fit.bse[block])
        assert effect.value.sum() == pytest.approx(0)
        assert effect.se[-1] == pytest.approx(np.sqrt(fit.cov_params()[block, block].sum()))
    assert found[1].n_clusters.tolist() == np.bincount(two).tolist()


def test_one_factor_is_the_comparison_of_groups() -> None:
    """Alone and with a rating each, a factor's effects and errors are ``compare_groups``'s."""
    one, _, _, _ = drawn(2)
    values = np.random.default_rng(3).integers(1, 6, (len(one), 4))
    counts = np.ones_like(values)
    (found,) = factor_effects([one], [3], values, counts, names=["one"])
    want = compare_groups(group_means(values, counts, one, n_groups=3))
    np.testing.assert_allclose(found.value, want.value)
    np.testing.assert_allclose(found.se, want.se)
    np.testing.assert_allclose(found.df, want.df, rtol=0.25)
    np.testing.assert_allclose(found.p, want.p, atol=0.02)


def test_a_confounded_difference_is_taken_out() -> None:
    """Without noise beyond a bit, adjusted effects are the planted ones though factors go
    together, where plain group means mix them."""
    rng = np.random.default_rng(4)
    one = rng.integers(0, 2, 2000)
    two = np.where(rng.random(2000) < 0.8, one, 1 - one)
    y = 3 + 0.2 * one + 0.6 * two + rng.normal(0, 0.05, 2000)
    found = factor_effects([one, two], [2, 2], y, np.ones(2000), names=["one", "two"])
    assert found[0].value == pytest.approx([-0.1, 0.1], abs=0.01)
    assert found[1].value == pytest.approx([-0.3, 0.3], abs=0.01)
    plain = compare_groups(group_means(y, np.ones(2000), one, n_groups=2))
    assert plain.value[1] > 0.2


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_relabelling_only_relabels(seed: int) -> None:
    """Levels, factors and personas in another order, ratings moved, tell the same."""
    one, two, sums, counts = drawn(seed)
    rng = np.random.default_rng(seed)
    code, order = rng.permutation(5), rng.permutation(len(one))
    plain = factor_effects([one, two], [3, 5], sums, counts, names=["one", "two"])
    other = factor_effects(
        [code[two][order], one[order]], [5, 3], (sums + counts)[order], counts[order],
        names=["two", "one"],
    )  # fmt: skip
    for name in ("value", "se", "df", "p", "low", "high", "mde"):
        a, b = getattr(plain[1], name), getattr(other[0], name)[code]
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-9)


def test_outcomes_are_fitted_each_with_its_own_personas() -> None:
    """Many outcomes at once equal one at a time, gaps and weights included."""
    one, two, sums, counts = drawn(5)
    rng = np.random.default_rng(6)
    keep = rng.random((len(one), 3)) < [1.0, 0.8, 0.8]
    wide = sums[:, None] * keep, counts[:, None] * keep
    weight = rng.uniform(0.5, 2, len(one))
    together = factor_effects([one, two], [3, 5], *wide, names=["one", "two"], weight=weight)
    for m in range(3):
        alone = factor_effects(
            [one, two], [3, 5], wide[0][:, m], wide[1][:, m], names=["one", "two"], weight=weight
        )
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a.value[:, m], b.value)
            np.testing.assert_allclose(a.p[:, m], b.p)
            assert a.n_clusters[:, m].tolist() == b.n_clusters.tolist()


def test_a_level_of_one_persona_is_left_out() -> None:
    """It gets NaN, and the others what they have without it."""
    one, two, sums, counts = drawn(7)
    lone = one.copy()
    lone[0] = 3
    found = factor_effects([lone, two], [4, 5], sums, counts, names=["one", "two"])
    out = np.where(np.arange(len(one)) == 0, -1, one)
    want = factor_effects([out, two], [3, 5], sums, counts, names=["one", "two"])
    assert np.isnan(found[0].value[3])
    assert found[0].n_clusters[3] == 0
    np.testing.assert_allclose(found[0].value[:3], want[0].value)
    np.testing.assert_allclose(found[1].p, want[1].p)


def test_a_contrast_without_residual_has_no_error() -> None:
    """Two personas each alone in their cells fit exactly: value yes, error no."""
    one = np.array([0] * 8 + [1] * 8 + [2, 2])
    two = np.array([0, 1] * 8 + [2, 3])
    lone = [one, np.where(two == 3, 2, two)]
    y = np.random.default_rng(8).integers(1, 6, 18).astype(float)
    with pytest.raises(NotIdentified, match="one and two"):
        factor_effects(lone, [3, 3], y, np.ones(18), names=["one", "two"])
    same = factor_effects([one], [3], np.where(one == 1, 4.0, 2.0), np.ones(18), names=["one"])
    assert same[0].value == pytest.approx([-2 / 3, 4 / 3, -2 / 3])
    assert np.isnan(same[0].se).all()
    assert np.isnan(same[0].p).all()


def test_factors_that_determine_each_other_are_named() -> None:
    """Origin tells subregion: the error names both, and not the third."""
    rng = np.random.default_rng(9)
    origin = rng.integers(0, 6, 100)
    factors = [rng.integers(0, 2, 100), origin, origin // 2]
    with pytest.raises(NotIdentified) as caught:
        factor_effects(
            factors, [2, 6, 3], rng.random(100), np.ones(100),
            names=["gender", "origin", "subregion"],
        )  # fmt: skip
    assert str(caught.value).startswith("origin and subregion determine each other")
    assert caught.value.groups == [[1], [2]]


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"names": []}, InputError, "do not fit"),
        ({"level": 0}, InputError, "level"),
        ({"factors": [[0, 1]]}, InputError, "not \\(6,\\) codes"),
        ({"factors": [[0, 1, 2, 0, 1, 2]]}, InputError, "0 to 1"),
        ({"factors": [[0, 0, 0, 0, 0, 1]]}, StatsError, "1 level"),
        (
            {"factors": [[0, 1, 0, 1, -1, -1], [0, 0, 1, 1, -1, -1]], "n_levels": [2, 2], "names": "ab",
             "counts": [1, 1, 1, 1, 0, 0], "sums": [1, 2, 3, 4, 0, 0]},
            None, "",
        ),
        (
            {"factors": [[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 2, 2]],
             "n_levels": [3, 2, 3], "names": "abc"},
            StatsError, "6 clusters cannot tell 6",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(
    change: dict[str, Any], error: type[Exception] | None, complaint: str
) -> None:
    """Bad input and too few personas are errors; the fewest that do are enough."""
    good: dict[str, Any] = {
        "factors": [[0, 1, 0, 1, 0, 1]], "n_levels": [2], "sums": [1, 2, 3, 4, 5, 6],
        "counts": [1] * 6, "names": ["a"],
    }  # fmt: skip
    data = {**good, **change}
    parts = [data.pop(name) for name in ("factors", "n_levels", "sums", "counts")]
    if error is None:
        found: tuple[FactorEffect, ...] = factor_effects(*parts, **data)
        assert len(found) == 2
        return
    with pytest.raises(error, match=complaint):
        factor_effects(*parts, **data)
