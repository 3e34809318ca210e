"""People sorted into cells, and even shares of what is there.

A cell is one combination of the axes' categories that somebody has. Whatever is decided by cell
takes time that does not depend on how many people are in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Cells", "Counts", "Floats", "cells_of", "fill"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# Dense counting costs memory by the product of categories; beyond this, sort instead.
DENSE = 1 << 22


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis to balance. ``stated[c]`` is false for a category that means "does not apply"."""

    name: str
    stated: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cells:
    """The occupied cells: ``capacity`` (C,) people each, ``codes`` (axes, C), ``member`` (N,)."""

    axes: tuple[Axis, ...]
    capacity: Counts
    codes: Counts
    member: Counts

    def margin(self, axis: int, weights: Floats | Counts) -> Floats:
        """Sums of something per cell by category of an axis."""
        size = len(self.axes[axis].stated)
        return np.bincount(self.codes[axis], weights=weights, minlength=size).astype(np.float64)

    def table(self, pair: tuple[int, int], weights: Floats | Counts) -> Floats:
        """Sums of something per cell by the categories of two axes."""
        rows, columns = (len(self.axes[axis].stated) for axis in pair)
        place = self.codes[pair[0]] * columns + self.codes[pair[1]]
        found = np.bincount(place, weights=weights, minlength=rows * columns)
        return found.astype(np.float64).reshape(rows, columns)


def cells_of(axes: Sequence[Axis], columns: Sequence[Counts]) -> Cells:
    """Sort people into cells.

    Args:
        columns: per axis, each person's category; shape (N,) each.
    """
    sizes = [len(axis.stated) for axis in axes]
    keys = np.ravel_multi_index(tuple(columns), sizes)
    size = int(np.prod(sizes, dtype=object))
    if size <= DENSE:
        counts = np.bincount(keys, minlength=size)
        found = np.flatnonzero(counts)
        place = np.zeros(size, dtype=np.int64)
        place[found] = np.arange(len(found))
        capacity, member = counts[found], place[keys]
    else:
        found, member, capacity = np.unique(keys, return_inverse=True, return_counts=True)
    codes = np.stack(np.unravel_index(found, sizes)).astype(np.int64)
    return Cells(tuple(axes), capacity, codes, member)


def fill(available: Floats | Counts, n: float) -> Floats:
    """Share n out as evenly as what is available allows: all of the scarce, the rest even.

    No other shares have a smaller sum of |share - min(1/k, available/n)|: categories with less
    than their part give all they have, and the others split what is missing.

    Example:
        >>> fill(np.array([500, 400, 20]), 300)
        array([140., 140.,  20.])
    """
    limits = np.asarray(available, dtype=np.float64)
    order = np.argsort(limits, kind="stable")
    ascending = limits[order]
    left = n - np.concatenate([[0.0], np.cumsum(ascending)[:-1]])
    even = left / np.arange(len(limits), 0, -1)
    scarce = ascending < even
    shares = ascending.copy()
    if not scarce.all():
        first = int(np.argmin(scarce))
        shares[first:] = even[first]
    out = np.empty_like(shares)
    out[order] = shares
    return out
