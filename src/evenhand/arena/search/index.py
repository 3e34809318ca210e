"""The exact nearest images of a vector, from as little memory as one likes.

First every image gets a similarity that is near the truth, with a bound on how near: from codes of
one byte per number where memory allows, from the float16 rows in the file elsewhere. Every image
that might be among the first by those bounds then gets its exact similarity, and these decide. So
the memory changes how long it takes and never the answer.

The bound. With a row ``x = s c + r`` (``c`` whole numbers) and a query ``q = p + d`` (``p`` of
whole numbers), ``x q - s c p = r p + x d``, and by Cauchy and Schwarz
``|x q - s c p| <= |r| |p| + |x| |d|``. For float32 sums of ``dim`` products it is
``dim u |x| |q| / (1 - dim u)`` with ``u = 2**-24`` (N. J. Higham, Accuracy and Stability of
Numerical Algorithms, 2nd ed., 2002, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.search.exact import exact_similarities, order
from evenhand.arena.search.products import code_products, in_parts, products, widened
from evenhand.errors import InputError

__all__ = ["Index"]

# Unit roundoff of float32.
U = 2.0**-24
# Below this, codes save nothing that anybody could notice.
FEW = 20_000
# Rows at a time while an index is made: 2 MiB of float32 at 512 columns.
ROWS = 1024
# Coarse and fine digits of a query's codes: a fine step is 1/128 of a coarse one.
FINE = 128
LARGEST = 64


@dataclass(frozen=True, slots=True)
class _Codes:
    """The first rows, one byte per number: row ``i`` is about ``scale[i] * (codes[i] - 128)``."""

    codes: NDArray[np.uint8]
    scale: NDArray[np.float32]
    slack: NDArray[np.float32]
    """At least the length of what the codes leave out."""

    @property
    def n_bytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes + self.slack.nbytes


class Index:
    """The embeddings of one model of one bundle, ready to be searched; any thread may.

    Besides the memory it states, a search takes about 24 bytes per image while it runs.
    """

    def __init__(self, embeddings: NDArray[np.float16], codes: _Codes, longest: float) -> None:
        self._rows, self._codes, self._longest = embeddings, codes, longest

    @classmethod
    def of(
        cls,
        embeddings: NDArray[np.float16],
        *,
        memory_mb: float,
        few: int = FEW,
        where: str = "embeddings",
    ) -> Index:
        """Look at every row once, and keep codes of as many as fit.

        Args:
            embeddings: shape (n, dim); may be mapped from a file, and should stay so.
            memory_mb: MiB for codes; 520 bytes per image at 512 columns. With 0 every search
                reads the embeddings.
            few: with fewer images than this no codes are made.
            where: what an error names.

        Raises:
            InputError: not two axes, no rows, or a row with something that is no number.

        Example:
            >>> rows = np.eye(3, dtype=np.float16)
            >>> places, alike = Index.of(rows, memory_mb=0).top(np.array([0, 0.6, 0.8], "f4"), 2)
            >>> places.tolist()
            [2, 1]
        """
        if embeddings.ndim != 2 or not embeddings.size or embeddings.dtype != np.float16:
            raise InputError(
                f"{embeddings.dtype} {embeddings.shape} is no table of float16", where=where
            )
        n, dim = embeddings.shape
        fitting = min(n, int(memory_mb * 2**20) // (dim + 8)) if n >= few else 0
        codes = _Codes(
            np.empty((fitting, dim), np.uint8), np.empty(fitting, "f4"), np.empty(fitting, "f4")
        )
        lengths = np.empty(-(-n // ROWS), np.float32)

        def look(start: int, end: int) -> None:
            for at in range(start, end):
                rows = widened(embeddings[at * ROWS : (at + 1) * ROWS])
                lengths[at] = np.sqrt(np.einsum("ij,ij->i", rows, rows).max())
                _encode(rows[: max(0, fitting - at * ROWS)], codes, at * ROWS)

        in_parts(len(lengths), look, few=4)
        if not np.isfinite(lengths).all():
            first = int(np.flatnonzero(~np.isfinite(lengths))[0]) * ROWS
            raise InputError(f"not all numbers, from row {first} on", where=where)
        return cls(embeddings, codes, float(lengths.max()) * (1 + dim * U * 2))

    @property
    def memory_bytes(self) -> int:
        """What the index takes besides the embeddings' own file."""
        return self._codes.n_bytes

    def top(
        self, vector: NDArray[np.float32], n: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The most alike images, best first, and how alike; equal ones in the order of places.

        Args:
            vector: shape (dim,).
            n: how many; fewer come when there are fewer images.

        Raises:
            InputError: a vector of another length, or with something that is no number.
        """
        if vector.shape != self._rows.shape[1:] or not np.isfinite(vector).all():
            raise InputError(f"a vector of shape {vector.shape} for rows of {self._rows.shape[1]}")
        near, off = self._near(vector.astype(np.float32))
        places = _possible(near, off, n)
        if len(places) > 4 * n and len(self._codes.codes):
            finer = np.empty(len(places), np.float32)
            in_parts(len(places), lambda a, b: self._products_at(places[a:b], vector, finer[a:b]))
            places = places[_possible(finer, self._float_bound(vector), n)]
        exact = np.empty(len(places), np.float32)
        in_parts(len(places), lambda a, b: self._exact_at(places[a:b], vector, exact[a:b]))
        best = order(exact, places, n)
        return places[best].astype(np.int32), exact[best]

    def _near(
        self, vector: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | float]:
        """Every image's similarity, and how far off each may be."""
        n, m = len(self._rows), len(self._codes.codes)
        near = np.empty(n, np.float32)
        off = self._float_bound(vector)
        in_parts(
            n - m, lambda a, b: products(self._rows[m + a : m + b], vector, near[m + a : m + b])
        )
        if not m:
            return near, off
        near[:m], coded = self._coded(vector)
        return near, np.concatenate([coded, np.full(n - m, off, np.float32)]) if m < n else coded

    def _coded(
        self, vector: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """The same from codes. The query has two digits, so that its own rounding hardly counts."""
        wide = vector.astype(np.float64)
        unit = max(float(np.abs(wide).max()), 1e-30) / LARGEST
        coarse = np.rint(wide / unit)
        fine = np.rint((wide / unit - coarse) * FINE)
        digits = np.stack([coarse, fine], axis=1).astype(np.int8)
        sums = code_products(self._codes.codes, digits).astype(np.float64)
        sums -= 128 * digits.sum(axis=0, dtype=np.int64)
        near = (sums[:, 0] * FINE + sums[:, 1]) * (self._codes.scale * (unit / FINE))
        kept = unit * (coarse + fine / FINE)
        left = float(np.linalg.norm(wide - kept)) * self._longest
        off = self._codes.slack * np.float32(np.linalg.norm(kept) * (1 + 4 * U))
        off += np.float32(left + self._rounding(vector))
        return near, off

    def _rounding(self, vector: NDArray[np.float32]) -> float:
        """What rounding a similarity to float32, and comparing it, may add."""
        return 8 * U * self._longest * float(np.linalg.norm(vector.astype(np.float64)))

    def _float_bound(self, vector: NDArray[np.float32]) -> float:
        """How far a float32 product may be off."""
        dim = self._rows.shape[1]
        length = self._longest * float(np.linalg.norm(vector.astype(np.float64)))
        return float(dim * U / (1 - dim * U)) * length + self._rounding(vector)

    def _products_at(
        self, places: NDArray[np.intp], vector: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        for at in range(0, len(places), ROWS):
            products(self._rows[places[at : at + ROWS]], vector, out[at : at + ROWS])

    def _exact_at(
        self, places: NDArray[np.intp], vector: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        for at in range(0, len(places), ROWS):
            rows = self._rows[places[at : at + ROWS]]
            out[at : at + ROWS] = exact_similarities(rows, vector)


def _possible(
    near: NDArray[np.float32], off: NDArray[np.float32] | float, n: int
) -> NDArray[np.intp]:
    """Which images might be among the first ``n``: those that reach what ``n`` surely reach."""
    if n >= len(near):
        return np.arange(len(near))
    surely = near - off
    at_least = np.partition(surely, len(surely) - n)[len(surely) - n]
    return np.flatnonzero(near + off >= at_least)


def _encode(rows: NDArray[np.float32], codes: _Codes, first: int) -> None:
    """Write the codes of some rows; ``rows`` is used up."""
    if not len(rows):
        return
    here = slice(first, first + len(rows))
    largest = np.maximum(np.abs(rows).max(axis=1), np.float32(1e-30))
    scale = largest / np.float32(127)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    whole = np.rint(rows / scale[:, None])
    codes.codes[here] = (whole + 128).astype(np.uint8)
    codes.scale[here] = scale
    whole *= scale[:, None]
    rows -= whole
    left = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    # What float32 itself loses on the way: two roundings per number, and the sum.
    codes.slack[here] = left * np.float32(1 + 2 * (rows.shape[1] + 4) * U) + length * (4 * U)
