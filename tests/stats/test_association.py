"""Contingency tables and Cramér's V against published values, scipy, and what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import contingency as scipys

from evenhand.errors import InputError, StatsError
from evenhand.stats.association import contingency, cramers_v, cramers_v_of_table

HAIR_BY_EYE = [[68, 20, 15, 5], [119, 84, 54, 29], [26, 17, 14, 14], [7, 94, 10, 16]]

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=12, max_size=200)


def both_vary(rows: list[tuple[int, int]]) -> bool:
    """Whether each side has at least two categories."""
    return all(len(set(side)) > 1 for side in zip(*rows, strict=True))


def test_published_hair_and_eye_colour() -> None:
    """592 students' hair by eye colour (Snee 1974): chi-squared 138.29, V .279 (Friendly)."""
    assert round(cramers_v_of_table(HAIR_BY_EYE, corrected=False), 3) == 0.279


@settings(max_examples=50)
@given(pairs.filter(both_vary))
def test_plain_v_equals_scipys(rows: list[tuple[int, int]]) -> None:
    """Without correction V is what scipy computes from the same table."""
    a, b = (np.array(side) for side in zip(*rows, strict=True))
    crossed = scipys.crosstab(a, b).count
    if min(crossed.shape) > 1:
        assert cramers_v(a, b, corrected=False) == pytest.approx(
            scipys.association(crossed, method="cramer"), abs=1e-12
        )


@settings(max_examples=40)
@given(pairs)
def test_contingency_counts_each_pair(rows: list[tuple[int, int]]) -> None:
    """A cell holds how often its two categories stand in one row."""
    a, b = (list(side) for side in zip(*rows, strict=True))
    table = contingency(a, b, 5, 7)
    assert table.shape == (5, 7)
    assert all(table[i, j] == rows.count((i, j)) for i in range(5) for j in range(7))


def test_corrected_v_equals_the_formula_written_out() -> None:
    """Bergsma's three corrections, number by number, for hair by eye colour."""
    chi2, n = 138.2898, 592
    phi2 = chi2 / n - 9 / 591
    assert cramers_v_of_table(HAIR_BY_EYE) == pytest.approx(
        np.sqrt(phi2 / (4 - 9 / 591 - 1)), abs=1e-6
    )


@given(st.integers(2, 6), st.integers(2, 6), st.integers(2, 9))
def test_independent_is_0_and_identical_is_1(rows: int, columns: int, copies: int) -> None:
    """A product table has V 0, a row against itself 1, with the correction and without."""
    product = np.full((rows, columns), copies)
    same = np.repeat(np.arange(rows), copies)
    for corrected in (True, False):
        assert cramers_v_of_table(product, corrected=corrected) == 0
        assert cramers_v(same, same[::-1], corrected=corrected) == pytest.approx(1)


@settings(max_examples=40)
@given(pairs.filter(both_vary), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(rows: list[tuple[int, int]], rng: Any) -> None:
    """Renaming categories, turning the table and shuffling the rows change nothing."""
    names = list(range(7))
    rng.shuffle(names)
    other = [(names[b], a) for a, b in rows]
    rng.shuffle(other)
    a, b = zip(*rows, strict=True)
    assert cramers_v(a, b) == pytest.approx(cramers_v(*zip(*other, strict=True)), abs=1e-9)


def test_correction_takes_the_bias_off() -> None:
    """Of independent categories plain V is far from 0 on average; the corrected phi² is not."""
    rng = np.random.default_rng(5)
    plain, corrected = [], []
    for _ in range(300):
        a, b = rng.integers(0, 7, 200), rng.integers(0, 15, 200)
        plain.append(cramers_v(a, b, corrected=False))
        corrected.append(cramers_v(a, b))
    assert np.mean(plain) > 0.25
    assert np.mean(corrected) < 0.05


@pytest.mark.parametrize(
    "a, b, said",
    [
        ([0, 1], [0], "must be paired"),
        ([], [], "non-empty"),
        ([0.5, 1.0], [0, 1], "whole numbers"),
        ([-1, 1], [0, 1], "start at 0"),
    ],
)
def test_codes_that_are_none_are_told(a: list[Any], b: list[Any], said: str) -> None:
    """Each wrong input is named."""
    with pytest.raises(InputError, match=said):
        contingency(a, b)


def test_codes_above_the_limit_are_told() -> None:
    """A code beyond the categories that were promised is no silent extra column."""
    with pytest.raises(InputError, match="end at 1"):
        contingency([0, 2], [0, 0], n_a=2)


def test_what_no_table_determines_raises() -> None:
    """One category has no association, and few rows leave nothing to correct."""
    with pytest.raises(StatsError, match="1 x 2"):
        cramers_v([0, 0, 0], [0, 1, 1])
    with pytest.raises(StatsError, match="too few to correct"):
        cramers_v([0, 1, 2], [0, 1, 2])
    with pytest.raises(InputError, match="shape"):
        cramers_v_of_table([[1, -1], [0, 2]])
