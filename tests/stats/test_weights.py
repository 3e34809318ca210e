"""Raking: a published table, the one-axis formula, what must hold, what cannot be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import DidNotConverge, InputError, StatsError
from evenhand.stats.weights import effective_n, rake_weights

# Women of England and Wales by age and marital status, 1957, fitted to 1958's margins
# (Friedlander 1961; Bishop, Fienberg and Holland 1975, ch. 3).
WOMEN = [[1306, 83, 0], [619, 765, 3], [263, 1194, 9], [173, 1372, 28], [171, 1393, 51],
         [159, 1372, 81], [208, 1350, 108], [1116, 4100, 2329]]  # fmt: skip
AGES = [1412, 1402, 1450, 1541, 1681, 1532, 1662, 7644]
STATES = [3988, 11702, 2634]
FITTED = [[1325.27, 86.73, 0], [615.56, 783.39, 3.05], [253.94, 1187.18, 8.88],
          [165.13, 1348.55, 27.32], [173.41, 1454.71, 52.87], [147.21, 1308.12, 76.67],
          [202.33, 1352.28, 107.40], [1105.16, 4181.04, 2357.81]]  # fmt: skip


def test_published_women_by_age_and_state() -> None:
    """Each woman's weight, summed by cell, gives the published fitted table to its last digit."""
    age, state = np.repeat(np.indices((8, 3)).reshape(2, -1), np.ravel(WOMEN), axis=1)
    weights = rake_weights([age, state], [AGES, STATES])
    table = np.bincount(age * 3 + state, weights, 24).reshape(8, 3) / len(age) * sum(AGES)
    np.testing.assert_allclose(table, FITTED, atol=0.006)
    assert weights.mean() == pytest.approx(1)


def test_one_axis_is_poststratification() -> None:
    """A person's weight is the population's share over the sample's, in one step."""
    rng = np.random.default_rng(1)
    code, target = rng.integers(0, 4, 200), np.array([0.1, 0.2, 0.3, 0.4])
    found = rake_weights([code], [target], max_iterations=1)
    assert found == pytest.approx((target / (np.bincount(code) / 200))[code])


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_margins_are_met_and_association_kept(seed: int) -> None:
    """Weighted shares are the targets; weights are a product of a factor per level (odds ratios
    of cells stay), and the order of axes and people does not matter."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 3, 300), rng.integers(0, 4, 300)
    targets = [rng.dirichlet(np.full(3, 5)), rng.dirichlet(np.full(4, 5))]
    found = rake_weights([a, b], targets)
    for code, target in zip((a, b), targets, strict=True):
        assert np.bincount(code, found) / 300 == pytest.approx(target, abs=1e-8)
    by_cell = np.zeros((3, 4))
    by_cell[a, b] = np.log(found)
    inner = by_cell - by_cell[:1] - by_cell[:, :1] + by_cell[0, 0]
    assert np.abs(inner).max() < 1e-6
    order = rng.permutation(300)
    other = rake_weights([b[order], a[order]], targets[::-1], start=np.full(300, 2.0))
    assert other == pytest.approx(found[order], abs=1e-6)
    assert 1 <= effective_n(found) <= 300


def test_effective_n_is_kishs() -> None:
    """n / (1 + cv^2) (Kish 1965); equal weights lose nothing and units do not matter."""
    w = np.random.default_rng(2).uniform(0.2, 3, 50)
    assert effective_n(w) == pytest.approx(50 / (1 + w.var() / w.mean() ** 2))
    assert effective_n(w * 1e-200) == pytest.approx(effective_n(w))
    assert effective_n(np.ones(50)) == 50


def test_weights_bring_a_skewed_sample_home() -> None:
    """Simulated: a sample that has 80 % of one half of a population whose outcome differs by half
    estimates the mean without bias once weighted, and its error by ``effective_n`` is right."""
    rng = np.random.default_rng(3)
    means, claimed = [], []
    for _ in range(600):
        half = (rng.random(200) < 0.8).astype(int)
        y = rng.normal(3 - half, 1)
        weights = rake_weights([half], [[0.5, 0.5]])
        means.append(np.average(y, weights=weights))
        claimed.append(1 / np.sqrt(effective_n(weights)))
    assert np.mean(means) == pytest.approx(2.5, abs=0.02)
    assert np.std(means) == pytest.approx(np.mean(claimed), rel=0.1)


def test_levels_without_anyone_are_named() -> None:
    """The error says which of the population's levels the sample lacks; one whose target is 0
    gets weight 0."""
    with pytest.raises(StatsError, match=r"religion jewish \(0.20% of the population\), axis"):
        rake_weights(
            [[0, 1, 1], [0, 0, 0]], [[0.6, 0.398, 0.002], [1, 1]], names=["religion", "axis 1"],
            levels=[["christian", "muslim", "jewish"], ["a", "b"]],
        )  # fmt: skip
    assert rake_weights([[0, 1, 2]], [[1, 1, 0]]).tolist() == [1.5, 1.5, 0]


@pytest.mark.parametrize(
    ("codes", "targets", "options", "error", "complaint"),
    [
        ([], [], {}, InputError, "0 axes"),
        ([[0]], [[1], [1]], {}, InputError, "1 axes"),
        ([[0], [0, 0]], [[1], [1]], {}, InputError, "different lengths"),
        ([[]], [[1]], {}, InputError, "nobody"),
        ([[0.5]], [[1]], {}, InputError, "codes of axis 0"),
        ([[2]], [[1, 1]], {}, InputError, "2..2, not 0..1"),
        ([[0]], [[-1]], {}, InputError, "target of axis 0"),
        ([[0, 0]], [[1]], {"start": [1, 0]}, InputError, "start"),
        ([[0, 0, 1], [0, 0, 1]], [[1, 1], [1, 0]], {}, StatsError, "target is 0"),
        ([[0, 0, 1], [0, 0, 1]], [[1, 1], [1, 2]], {}, DidNotConverge, "raking to axis 0, axis 1"),
    ],
)
def test_what_cannot_be_weighted_is_refused(
    codes: Any, targets: Any, options: dict[str, Any], error: type, complaint: str
) -> None:
    """Bad input, and targets that no weights meet."""
    with pytest.raises(error, match=complaint):
        rake_weights(codes, targets, **options)


@pytest.mark.parametrize(
    ("weights", "error"),
    [([1, -1], InputError), ([1, np.inf], InputError), ([0, 0], StatsError)],
)
def test_effective_n_needs_weights(weights: list[float], error: type) -> None:
    """Negative, infinite or no weight at all."""
    with pytest.raises(error):
        effective_n(weights)
