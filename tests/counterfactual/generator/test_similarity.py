"""SSIM and edges: by hand, by definition, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.generator.similarity import (
    WINDOW,
    edge_preservation,
    edges_of,
    global_ssim,
    windowed_ssim,
)
from evenhand.counterfactual.pairs.images import Grey
from evenhand.errors import StatsError

SHAPES = st.tuples(st.integers(11, 24), st.integers(11, 24))


def noise(seed: int, shape: tuple[int, int]) -> Grey:
    """An image of independent grey values."""
    return np.random.default_rng(seed).uniform(size=shape)


def test_global_ssim_by_hand() -> None:
    """Means 1/4 and 1/2, variances 3/16 and 1/4, covariance 1/8, each divided by n."""
    source, other = np.array([[0.0, 0.0, 0.0, 1.0]]), np.array([[0.0, 0.0, 1.0, 1.0]])
    above = (2 * 0.25 * 0.5 + 1e-4) * (2 * 0.125 + 9e-4)
    below = (0.25**2 + 0.5**2 + 1e-4) * (3 / 16 + 0.25 + 9e-4)
    assert global_ssim(source, other) == pytest.approx(above / below, abs=1e-15)


def test_windowed_ssim_by_definition() -> None:
    """Each window's weighted moments, one after the other, give the same mean."""
    source, other = noise(1, (14, 17)), noise(2, (14, 17))
    at = np.arange(WINDOW) - 5
    weights = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for y in range(14 - WINDOW + 1):
        for x in range(17 - WINDOW + 1):
            a, b = (image[y : y + WINDOW, x : x + WINDOW] for image in (source, other))
            means = (weights * a).sum(), (weights * b).sum()
            variances = [
                (weights * (part - mean) ** 2).sum()
                for part, mean in zip((a, b), means, strict=True)
            ]
            covariance = (weights * (a - means[0]) * (b - means[1])).sum()
            above = (2 * means[0] * means[1] + 1e-4) * (2 * covariance + 9e-4)
            below = (means[0] ** 2 + means[1] ** 2 + 1e-4) * (sum(variances) + 9e-4)
            found.append(above / below)
    assert windowed_ssim(source, other) == pytest.approx(np.mean(found), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(SHAPES, st.integers(0, 10_000))
def test_equal_images_score_one_and_others_less(shape: tuple[int, int], seed: int) -> None:
    """Both SSIMs are symmetric and at most 1; an image keeps all of its own edges."""
    source, other = noise(seed, shape), noise(seed + 1, shape)
    for ssim in (global_ssim, windowed_ssim):
        assert ssim(source, source) == pytest.approx(1.0, abs=1e-12)
        assert ssim(source, other) == pytest.approx(ssim(other, source), abs=1e-12)
        assert -1.0 <= ssim(source, other) < 1.0
    assert edge_preservation(source, source) == 1.0
    assert 0.0 <= edge_preservation(source, other) <= 1.0


@settings(max_examples=15, deadline=None)
@given(SHAPES, st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_edges_do_not_depend_on_contrast(
    shape: tuple[int, int], seed: int, contrast: float
) -> None:
    """The threshold moves with the gradients; turning the image turns its edges."""
    image = noise(seed, shape)
    np.testing.assert_array_equal(edges_of(image * contrast), edges_of(image))
    np.testing.assert_array_equal(edges_of(image.T), edges_of(image).T)


def test_a_moved_edge_is_kept_within_one_pixel() -> None:
    """Moved by one column all of it is kept, by two a half, by four nothing."""
    width = 20
    source = np.repeat((np.arange(width) >= 8).astype(float)[None], 6, axis=0)
    kept = [edge_preservation(source, np.roll(source, by, axis=1)) for by in (0, 1, 2, 4)]
    assert kept == [1.0, 1.0, 0.5, 0.0]


def test_gradients_are_zero_at_the_border() -> None:
    """A step in the outermost column is an edge only one column further in."""
    image = np.zeros((5, 6))
    image[:, 0] = 1.0
    assert np.flatnonzero(edges_of(image).any(axis=0)).tolist() == [1]


def test_an_even_image_has_no_edges_and_keeps_them() -> None:
    """Without edges in the source nothing can be lost; without edges in the other everything is."""
    even, ragged = np.full((12, 12), 0.4), noise(3, (12, 12))
    assert edge_preservation(even, ragged) == 1.0
    assert edge_preservation(ragged, even) == 0.0
    assert not edges_of(even + 1e-8 * ragged).any()


def test_global_ssim_cannot_see_where_and_windowed_can() -> None:
    """Two images of equal moments and covariance: a change in one corner, or spread out."""
    source = np.repeat(np.linspace(0, 1, 32)[None], 32, axis=0)
    spread = source + np.where(np.indices((32, 32)).sum(axis=0) % 2, 0.1, -0.1)
    assert global_ssim(source, spread) > 0.9
    assert windowed_ssim(source, spread) < 0.6


@pytest.mark.parametrize("measure", [global_ssim, windowed_ssim, edge_preservation])
def test_images_of_two_shapes_are_refused(measure: object) -> None:
    """And so are images without pixels; windowed SSIM says how many it needs."""
    assert callable(measure)
    with pytest.raises(StatsError, match="one shape"):
        measure(np.zeros((12, 12)), np.zeros((12, 13)))
    with pytest.raises(StatsError, match="no pixels"):
        measure(np.zeros((0, 0)), np.zeros((0, 0)))
    with pytest.raises(StatsError, match="11 x 11"):
        windowed_ssim(np.zeros((10, 40)), np.zeros((10, 40)))
    assert math.isfinite(global_ssim(np.zeros((1, 1)), np.ones((1, 1))))
