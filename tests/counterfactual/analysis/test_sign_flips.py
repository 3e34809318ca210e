"""The exact sign-flip test by cluster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.counterfactual.analysis.sign_flips import exact_sign_flip
from evenhand.stats.paired import cluster_sign_flip_test, mcnemar


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12))
def test_it_equals_the_test_that_enumerates_every_flip(sums: list[int]) -> None:
    """Convolution and enumeration give the same p."""
    codes = np.arange(len(sums))
    enumerated = cluster_sign_flip_test(codes, sums).p
    assert exact_sign_flip(np.array(sums)) == pytest.approx(enumerated, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_one_couple_per_cluster_is_mcnemar(gained: int, lost: int) -> None:
    """With one changed pair per source the test is McNemar's exact one."""
    sums = np.array([1] * gained + [-1] * lost)
    assert exact_sign_flip(sums) == pytest.approx(mcnemar(gained, lost).p_exact, rel=1e-9)


def test_many_clusters_approach_the_normal_distribution() -> None:
    """Of 20,000 clusters of mixed sizes p is the normal one to two digits."""
    rng = np.random.default_rng(1)
    sums = rng.integers(-4, 5, 20_000)
    sums[:400] = 3
    z = abs(sums.sum()) / np.sqrt((sums**2).sum())
    assert exact_sign_flip(sums) == pytest.approx(2 * stats.norm.sf(z), rel=0.03)


def test_p_is_never_zero() -> None:
    """However many clusters agree, what was seen is one of the patterns."""
    assert exact_sign_flip(np.ones(5000, dtype=np.int64)) > 0


def test_nothing_that_moves_is_no_finding() -> None:
    """Without a sum other than 0 p is 1."""
    assert exact_sign_flip(np.zeros(7, dtype=np.int64)) == 1.0
