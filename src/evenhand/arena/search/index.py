"""The exact nearest images of a vector, from as little memory as one likes.

First every image gets a similarity that is near the truth, with a bound on how near: from codes of
one byte per number where memory allows, from the float16 rows in the file elsewhere. Every image
that might be among the first by those bounds then gets its exact similarity, and these decide. So
the memory changes how long it takes and never the answer.

The bounds are proven: for codes in :mod:`evenhand.arena.search.codes`; for float32 sums of
``dim`` products it is ``dim u |x| |q| / (1 - dim u)`` with ``u = 2**-24`` (N. J. Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., 2002, section 3.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.search.codes import Codes, Digits, U, digits_of
from evenhand.arena.search.exact import exact_similarities, order
from evenhand.arena.search.products import in_parts, products, widened
from evenhand.errors import InputError

__all__ = ["Index"]

# Below this, codes save nothing that anybody could notice.
FEW = 20_000
# Rows at a time while an index is made: 2 MiB of float32 at 512 columns.
ROWS = 1024
# Rows at a time while it is searched.
PART = 16_384


class Index:
    """The embeddings of one model of one bundle, ready to be searched; any thread may.

    Besides the memory it states, a search takes four bytes per image while it runs.
    """

    def __init__(self, embeddings: NDArray[np.float16], codes: Codes, longest: float) -> None:
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
        codes = Codes.empty(fitting, dim)
        lengths = np.empty(-(-n // ROWS), np.float32)

        def look(start: int, end: int) -> None:
            for at in range(start, end):
                rows = widened(embeddings[at * ROWS : (at + 1) * ROWS])
                lengths[at] = np.sqrt(np.einsum("ij,ij->i", rows, rows).max())
                codes.write(rows[: max(0, fitting - at * ROWS)], at * ROWS)

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
        asked = vector.astype(np.float32)
        places = self._possible(asked, n)
        if len(places) > 4 * n and len(self._codes):
            finer = np.empty(len(places), np.float32)
            in_parts(len(places), lambda a, b: self._products_at(places[a:b], asked, finer[a:b]))
            off = self._float_bound(asked)
            places = places[finer + off >= _surely(finer - off, n)]
        exact = np.empty(len(places), np.float32)
        in_parts(len(places), lambda a, b: self._exact_at(places[a:b], asked, exact[a:b]))
        best = order(exact, places, n)
        return places[best].astype(np.int32), exact[best]

    def _possible(self, vector: NDArray[np.float32], n: int) -> NDArray[np.intp]:
        """Which images might be among the first ``n``: those that reach what ``n`` surely reach."""
        if n >= len(self._rows):
            return np.arange(len(self._rows))
        digits = digits_of(vector)
        highest = np.empty(len(self._rows), np.float32)
        floors: list[NDArray[np.float32]] = []

        def look(start: int, end: int) -> None:
            for at in range(start, end):
                here = slice(at * PART, (at + 1) * PART)
                near, off = self._near(vector, digits, here)
                highest[here] = near + off
                floors.append(_first(near - off, n))

        in_parts(-(-len(self._rows) // PART), look, few=2)
        return np.flatnonzero(highest >= _surely(np.concatenate(floors), n))

    def _near(
        self, vector: NDArray[np.float32], digits: Digits, here: slice
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Similarities of some images, and how far off each may be."""
        m, end = len(self._codes), min(here.stop, len(self._rows))
        near = np.empty(end - here.start, np.float32)
        off = np.full(len(near), self._float_bound(vector), np.float32)
        coded = max(0, min(m, end) - here.start)
        if coded:
            near[:coded], off[:coded] = self._codes.products(
                digits, here.start, here.start + coded
            )
            off[:coded] += np.float32(digits.left * self._longest + self._rounding(vector))
        products(self._rows[here.start + coded : end], vector, near[coded:])
        return near, off

    def _rounding(self, vector: NDArray[np.float32]) -> float:
        """What rounding similarities to float32, adding and comparing them, may do."""
        return 24 * U * self._longest * float(np.linalg.norm(vector.astype(np.float64)))

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


def _first(values: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """The ``n`` largest, in any order."""
    return values if len(values) <= n else np.partition(values, len(values) - n)[-n:]


def _surely(floors: NDArray[np.float32], n: int) -> np.float32:
    """What ``n`` images surely reach."""
    lowest: np.float32 = _first(floors, n).min()
    return lowest
