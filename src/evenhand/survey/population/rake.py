"""Iterative proportional fitting: rows and columns of a table made to fit given totals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import DidNotConverge, InputError

__all__ = ["fit_margins"]

Floats = NDArray[np.float64]
_PATIENCE = 100


def fit_margins(
    seed: Floats,
    rows: Floats,
    columns: Floats,
    *,
    tolerance: float = 1e-12,
    iterations: int = 20_000,
) -> Floats:
    """The table nearest to ``seed`` (in relative entropy) that has the given margins.

    Deming and Stephan 1940 (Annals of Mathematical Statistics 11: 427-444); that the limit is
    nearest: Csiszár 1975 (Annals of Probability 3: 146-158). What is 0 in the seed stays 0.

    Args:
        seed: shape (R, C), 0 or above.
        rows: shape (R,), 0 or above, adding up to 1.
        columns: shape (C,), 0 or above, adding up to 1.
        tolerance: largest miss of a column's total at which to stop; rows then fit exactly.

    Returns:
        shape (R, C), adding up to 1.

    Raises:
        InputError: a row or column of the seed is all 0, though its total is not.
        DidNotConverge: no table with these zeros has these totals.

    Example:
        >>> fit_margins(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([0.6, 0.4]),
        ...             np.array([0.3, 0.7])).round(4)
        array([[0.3, 0.3],
               [0. , 0.4]])
    """
    table = seed * (rows > 0)[:, None] * (columns > 0)[None, :]
    for totals, axis, name in ((rows, 1, "row"), (columns, 0, "column")):
        empty = (totals > 0) & (table.sum(axis=axis) == 0)
        if empty.any():
            place = int(np.flatnonzero(empty)[0])
            raise InputError(
                f"{name} {place + 1} has a total of {totals[place]:.4g} and no cell to hold it"
            )
    miss = before = np.inf
    for step in range(max(1, iterations)):
        table *= _ratio(columns, table.sum(axis=0))[None, :]
        table *= _ratio(rows, table.sum(axis=1))[:, None]
        miss = float(np.abs(table.sum(axis=0) - columns).max())
        if miss <= tolerance:
            return table
        # Where the totals cannot be met the miss settles at a value above 0.
        if step % _PATIENCE == _PATIENCE - 1:
            if miss > 0.999 * before:
                break
            before = miss
    raise DidNotConverge("fitting the totals", iterations=step + 1, last_change=miss)


def _ratio(wanted: Floats, found: Floats) -> Floats:
    return np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0)
