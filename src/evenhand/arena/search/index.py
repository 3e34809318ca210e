"""The exact nearest images of a vector (walking skeleton: float64 over every row)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.search.exact import exact_similarities, order

__all__ = ["Index"]


class Index:
    """The embeddings of one model."""

    def __init__(self, embeddings: NDArray[np.float16]) -> None:
        self._embeddings = embeddings

    @classmethod
    def of(cls, embeddings: NDArray[np.float16], *, memory_mb: float) -> Index:
        """An index that takes at most so many MiB besides the embeddings."""
        return cls(embeddings)

    def top(
        self, vector: NDArray[np.float32], n: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The ``n`` most alike, best first, and how alike; ties go to the lower place."""
        found = exact_similarities(self._embeddings, vector)
        best = order(found, np.arange(len(found)), n)
        return best.astype(np.int32), found[best]
