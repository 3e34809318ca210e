"""How alike an image and a text are, computed so that nothing but the two of them matters.

A matrix product rounds differently by block size, threads and processor, and images that are
nearly as near would change places. Here the products are summed in float64 (each is exact there:
11 bits times 24) and rounded once, to float32; equal similarities are ordered by the image's
place. Rankings in bundles and open queries both come from here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["exact_similarities", "order"]

# Rows converted at a time: 4 MB of float64 at 512 columns.
BLOCK = 1024


def exact_similarities(
    embeddings: NDArray[np.float16], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The dot product of every row with a vector, summed in float64 and rounded to float32.

    Args:
        embeddings: shape (n, dim).
        vector: shape (dim,).

    Returns:
        shape (n,). A row's value does not depend on the rows around it.

    Example:
        >>> rows = np.eye(2, dtype=np.float16)
        >>> exact_similarities(rows, np.array([0.6, 0.8], np.float32)).tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    wide = vector.astype(np.float64)
    found = np.empty(len(embeddings), np.float32)
    for at in range(0, len(embeddings), BLOCK):
        rows = embeddings[at : at + BLOCK].astype(np.float64)
        rows *= wide
        found[at : at + BLOCK] = rows.sum(axis=1)
    return found


def order(
    similarities: NDArray[np.float32], places: NDArray[np.integer], n: int
) -> NDArray[np.intp]:
    """Which ``n`` of the images at ``places`` come first: the most alike, then the lowest place.

    Example:
        >>> order(np.array([0.5, 0.9, 0.5], np.float32), np.array([7, 9, 3]), 2).tolist()
        [1, 2]
    """
    return np.lexsort((places, -similarities))[:n]
