"""Rows as one byte per number, and how far products of them may be off.

With a row ``x = s c + r`` (``c`` whole numbers from -127 to 127) and a query ``q = p + d`` (``p`` of
two digits), ``x q - s c p = r p + x d``, and by Cauchy and Schwarz
``|x q - s c p| <= |r| |p| + |x| |d|``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.search.products import code_products

__all__ = ["U", "Codes", "Digits", "digits_of"]

U = 2.0**-24
"""Unit roundoff of float32."""

# A query's coarse digit goes from -64 to 64, and its fine one counts 128ths of that.
LARGEST, FINE = 64, 128
# Codes are kept without sign, so that the runtime's fast path takes them.
ZERO = 128


@dataclass(frozen=True, slots=True)
class Digits:
    """A query, about ``unit * (coarse + fine / 128)``."""

    columns: NDArray[np.int8]
    """shape (dim, 2), coarse and fine."""
    unit: float
    length: float
    """At least the length of what the digits say."""
    left: float
    """At least the length of what they leave out."""


def digits_of(vector: NDArray[np.float32]) -> Digits:
    """A vector in two digits, so that its own rounding hardly counts.

    Example:
        >>> digits_of(np.array([1, -0.5, 0.0079], np.float32)).columns.tolist()
        [[64, 0], [-32, 0], [1, -63]]
    """
    wide = vector.astype(np.float64)
    unit = max(float(np.abs(wide).max()), 1e-30) / LARGEST
    coarse = np.rint(wide / unit)
    fine = np.rint((wide / unit - coarse) * FINE)
    kept = unit * (coarse + fine / FINE)
    return Digits(
        np.stack([coarse, fine], axis=1).astype(np.int8),
        unit,
        float(np.linalg.norm(kept)) * (1 + 4 * U),
        float(np.linalg.norm(wide - kept)) * (1 + 4 * U),
    )


@dataclass(frozen=True, slots=True)
class Codes:
    """Row ``i`` is about ``scale[i] * (codes[i] - 128)``."""

    codes: NDArray[np.uint8]
    scale: NDArray[np.float32]
    slack: NDArray[np.float32]
    """At least the length of what a row's codes leave out."""

    @classmethod
    def empty(cls, n: int, dim: int) -> Codes:
        """Room for so many rows, to be filled with :meth:`write`."""
        return cls(np.empty((n, dim), np.uint8), np.empty(n, np.float32), np.empty(n, np.float32))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def n_bytes(self) -> int:
        """What they take in memory."""
        return self.codes.nbytes + self.scale.nbytes + self.slack.nbytes

    def write(self, rows: NDArray[np.float32], first: int) -> None:
        """Write the codes of some rows; ``rows`` is used up."""
        if not len(rows):
            return
        here = slice(first, first + len(rows))
        largest = np.maximum(np.abs(rows).max(axis=1), np.float32(1e-30))
        scale = largest / np.float32(127)
        length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        whole = np.rint(rows / scale[:, None])
        self.codes[here] = (whole + ZERO).astype(np.uint8)
        self.scale[here] = scale
        whole *= scale[:, None]
        rows -= whole
        left = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        # What float32 itself loses on the way: two roundings per number, and the sum.
        self.slack[here] = left * np.float32(1 + 2 * (rows.shape[1] + 4) * U) + length * (4 * U)

    def products(
        self, digits: Digits, start: int, end: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Products of some rows with a query, and by how much their codes may put them off.

        What the query's digits leave out, and float32 roundings of at most ``12 U |x| |q|``, come
        on top.
        """
        sums = code_products(self.codes[start:end], digits.columns)
        sums -= ZERO * digits.columns.sum(axis=0, dtype=np.int32)
        near = sums[:, 1].astype(np.float32)
        near *= np.float32(1 / FINE)
        near += sums[:, 0]
        near *= self.scale[start:end] * np.float32(digits.unit)
        return near, self.slack[start:end] * np.float32(digits.length)
