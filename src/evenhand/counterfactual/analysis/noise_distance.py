"""How far apart reports are: on one image among themselves, and on two images across.

Both are means over all pairs of reports (U-statistics; Hoeffding 1948), so each is unbiased for
the expected distance of two fresh reports, however many reports an image has. Reports come as
sets of categories, one 64-bit word each, so that few of an image's reports differ: equal ones are
counted once with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import jaccard
from evenhand.counterfactual.spec import Masks

__all__ = ["Distance", "across", "differing", "dissimilarity", "within"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Distance = Callable[[Masks, Masks], Floats]
"""Elementwise, in 0..1, and 0 for equal sets."""

# Pairs of sets compared at once; memory stays flat whatever the number of re-queries.
_BLOCK = 1 << 17


def differing(left: Masks, right: Masks) -> Floats:
    """1.0 where two sets are not the same; elementwise.

    Example:
        >>> differing(np.array([3, 1], dtype=np.uint64), np.array([3, 3], dtype=np.uint64))
        array([0., 1.])
    """
    apart: Floats = (left != right).astype(np.float64)
    return apart


def dissimilarity(left: Masks, right: Masks) -> Floats:
    """One minus the Jaccard index; elementwise, 0.0 where both sets are empty.

    Example:
        >>> dissimilarity(np.array([3, 1], dtype=np.uint64), np.array([3, 3], dtype=np.uint64))
        array([0. , 0.5])
    """
    return 1.0 - jaccard(left, right)


def within(image: Ints, sets: Masks, distance: Distance, *, n_images: int) -> Floats:
    """Mean distance over all pairs of reports on one image.

    Args:
        image: shape (n,), codes 0..n_images - 1: whose report it is.
        sets: shape (n,), what was read in the report.

    Returns:
        shape (n_images,); NaN where an image has fewer than two reports.

    Example:
        >>> sets = np.array([1, 1, 2, 4], dtype=np.uint64)
        >>> within(np.array([0, 0, 0, 1]), sets, differing, n_images=2).round(3)
        array([0.667,   nan])
    """
    reports = np.bincount(image, minlength=n_images)
    owner, distinct, count = _counted(image, sets)
    start, kinds = _starts(owner, n_images)
    apart = np.zeros(n_images)
    for mine, theirs in _matched(owner, start, kinds):
        far = distance(distinct[mine], distinct[theirs]) * count[mine] * count[theirs]
        apart += np.bincount(owner[mine], weights=far, minlength=n_images)
    pairs = reports * (reports - 1.0)
    return _divided(apart, pairs)


def across(
    image: Ints,
    sets: Masks,
    other_image: Ints,
    others: Masks,
    distance: Distance,
    *,
    n_images: int,
) -> Floats:
    """Mean distance of each of m other reports from all n reports on the image it belongs to.

    Args:
        image, sets: shape (n,), the reports on the images themselves.
        other_image, others: shape (m,), reports on what was made of those images.

    Returns:
        shape (m,); NaN where the image has no report.

    Example:
        >>> sets = np.array([1, 1, 2], dtype=np.uint64)
        >>> other = np.array([2, 4], dtype=np.uint64)
        >>> across(np.array([0, 0, 0]), sets, np.array([0, 0]), other, differing, n_images=1).round(3)
        array([0.667, 1.   ])
    """
    reports = np.bincount(image, minlength=n_images).astype(np.float64)
    owner, distinct, count = _counted(image, sets)
    start, kinds = _starts(owner, n_images)
    apart = np.zeros(len(others))
    for mine, theirs in _matched(other_image, start, kinds):
        far = distance(others[mine], distinct[theirs]) * count[theirs]
        apart += np.bincount(mine, weights=far, minlength=len(others))
    return _divided(apart, reports[other_image])


def _counted(image: Ints, sets: Masks) -> tuple[Ints, Masks, Floats]:
    """The different sets of each image, by image, and how often each came."""
    order = np.lexsort((sets, image))
    image, sets = image[order], sets[order]
    new = np.ones(len(image), dtype=bool)
    new[1:] = (image[1:] != image[:-1]) | (sets[1:] != sets[:-1])
    first = np.flatnonzero(new)
    count = np.diff(np.append(first, len(image))).astype(np.float64)
    return image[first], sets[first], count


def _starts(owner: Ints, n_images: int) -> tuple[Ints, Ints]:
    """Where each image's sets begin among the sorted ones, and how many there are."""
    kinds: Ints = np.bincount(owner, minlength=n_images).astype(np.int64)
    start: Ints = np.cumsum(kinds) - kinds
    return start, kinds


def _matched(owner: Ints, start: Ints, kinds: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Each row beside each of its image's sets, as two columns of places, a block at a time."""
    partners = kinds[owner]
    ends = np.cumsum(partners)
    low = 0
    while low < len(owner):
        done = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        rows = np.arange(low, high)
        many = partners[low:high]
        mine = np.repeat(rows, many)
        within_row = np.arange(len(mine)) - np.repeat(np.cumsum(many) - many, many)
        yield mine, start[owner[mine]] + within_row
        low = high


def _divided(sums: Floats, counts: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    mean: Floats = np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)
    return mean
