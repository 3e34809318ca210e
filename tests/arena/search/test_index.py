"""The index: exact whatever the memory, whatever the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evenhand.arena.search.codes import digits_of
from evenhand.arena.search.exact import exact_similarities
from evenhand.arena.search.index import Index
from evenhand.arena.search.products import code_products, products, widened
from evenhand.errors import InputError
from support.bundles import unit_rows

MEMORY_MB = (0, 0.3, 64)
"""Nothing, codes of some rows, codes of all."""


def full_sort(rows: NDArray[np.float16], vector: NDArray[np.float32], n: int) -> list[int]:
    """The oracle: exact fractions' float64 sums, rounded to float32, in a stable full sort."""
    alike = (rows.astype("f8") * vector.astype("f8")).sum(axis=1).astype("f4")
    return np.argsort(-alike, kind="stable")[:n].tolist()


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float16]:
    """Rows in clusters, with duplicates."""
    rng = np.random.default_rng(1)
    centres = unit_rows(rng, 40, 48)
    near = centres[rng.integers(0, 40, 24_000)] + 0.2 * rng.standard_normal((24_000, 48))
    unit = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype("f2")
    unit[20_000:20_400] = unit[:400]
    return unit


@pytest.mark.parametrize("memory_mb", MEMORY_MB)
def test_the_first_images_are_those_of_a_full_sort(
    rows: NDArray[np.float16], memory_mb: float
) -> None:
    """With codes of all, some or no rows the answer equals a full sort, ties by place."""
    index = Index.of(rows, memory_mb=memory_mb)
    rng = np.random.default_rng(2)
    for vector in (*unit_rows(rng, 4, 48), rows[7].astype("f4"), rows[20_100].astype("f4")):
        places, alike = index.top(vector, 50)
        assert places.tolist() == full_sort(rows, vector, 50)
        assert alike.tolist() == exact_similarities(rows[places], vector).tolist()


@pytest.mark.parametrize("memory_mb", MEMORY_MB)
def test_the_index_takes_no_more_memory_than_it_was_given(
    rows: NDArray[np.float16], memory_mb: float
) -> None:
    """The stated memory is the configured one at most, and codes are kept of what fits."""
    index = Index.of(rows, memory_mb=memory_mb)
    assert index.memory_bytes <= memory_mb * 2**20
    assert index.memory_bytes == min(len(rows), int(memory_mb * 2**20) // 56) * 56


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "equal", "zeros", "large", "tiny", "few values"]),
    st.sampled_from([0.0, 0.01, 64.0]),
)
def test_any_rows_and_any_vector(n: int, dim: int, seed: int, kind: str, memory_mb: float) -> None:
    """Rows of any length, all equal, all zero, or full of ties come in a full sort's order."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, dim))
    factor = {"zeros": 0.0, "large": 1000.0, "tiny": 1e-6}.get(kind, 1.0)
    if kind == "equal":
        rows[:] = rows[0]
    if kind == "few values":
        rows = np.rint(rows)
    halves = (rows * factor).astype("f2")
    vector = rng.standard_normal(dim).astype("f4")
    places, _ = Index.of(halves, memory_mb=memory_mb, few=1).top(vector, 7)
    assert places.tolist() == full_sort(halves, vector, 7)


def test_a_similarity_does_not_depend_on_the_rows_around_it(rows: NDArray[np.float16]) -> None:
    """The same row gives the same bits alone, in a block, and in another place."""
    vector = unit_rows(np.random.default_rng(3), 1, 48)[0]
    together = exact_similarities(rows[:3000], vector)
    for at in (0, 1, 1023, 1024, 2999):
        assert exact_similarities(rows[at : at + 1], vector)[0] == together[at]
    backwards = exact_similarities(np.ascontiguousarray(rows[:3000][::-1]), vector)
    assert (backwards[::-1] == together).all()


def test_the_bound_of_codes_holds(rows: NDArray[np.float16]) -> None:
    """No image is further from its exact similarity than the index says it may be."""
    index = Index.of(rows, memory_mb=64)
    for vector in unit_rows(np.random.default_rng(4), 3, 48):
        near, off = index._near(vector, digits_of(vector), slice(0, len(rows)))
        exact = (rows.astype("f8") * vector.astype("f8")).sum(axis=1)
        assert (np.abs(near.astype("f8") - exact) <= off).all()
        assert np.abs(near - exact).max() > 0.02 * np.max(off)  # not vacuous


def test_products_of_codes_do_not_saturate() -> None:
    """The largest codes and digits there are give the exact sum on this processor."""
    codes = np.full((3, 512), 255, np.uint8)
    digits = np.full((512, 2), 64, np.int8)
    digits[:, 1] = -64
    assert code_products(codes, digits).tolist() == [[255 * 64 * 512, -255 * 64 * 512]] * 3


def test_halves_are_widened_exactly() -> None:
    """Every finite float16, subnormal ones included, is the same number as float32."""
    every = np.arange(65_536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 8)
    assert (widened(finite) == finite.astype("f4")).all()
    out = np.empty(len(finite), np.float32)
    products(finite, np.eye(8, dtype=np.float32)[3], out)
    assert (out == finite[:, 3].astype("f4")).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_no_numbers_are_refused_by_name(value: float) -> None:
    """NaN or infinite embeddings stop the index, with the member's name and about where."""
    rows = np.zeros((3000, 4), np.float16)
    rows[2000, 1] = value
    with pytest.raises(InputError, match="a member: not all numbers, from row 1024 on"):
        Index.of(rows, memory_mb=0, where="a member")


@pytest.mark.parametrize(
    "vector", [np.zeros(3, np.float32), np.array([0, np.nan, 0, 0], np.float32)]
)
def test_a_vector_that_does_not_fit_is_refused(vector: NDArray[np.float32]) -> None:
    """Another length, or NaN, is a mistake and not an answer."""
    index = Index.of(np.zeros((5, 4), np.float16), memory_mb=0)
    with pytest.raises(InputError, match="a vector of shape"):
        index.top(vector, 2)


@pytest.mark.slow
def test_many_images() -> None:
    """At a size where every path is taken in parts, the answers still equal a full sort."""
    rng = np.random.default_rng(5)
    rows = np.concatenate([unit_rows(rng, 25_000, 128).astype("f2") for _ in range(8)])
    vectors = unit_rows(rng, 2, 128)
    wanted = [full_sort(rows, vector, 50) for vector in vectors]
    for memory_mb in (0, 10, 64):
        index = Index.of(rows, memory_mb=memory_mb)
        assert [index.top(vector, 50)[0].tolist() for vector in vectors] == wanted
