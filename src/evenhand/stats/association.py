"""How strongly two sets of categories go together: contingency tables and Cramér's V."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import InputError, StatsError

__all__ = ["contingency", "cramers_v", "cramers_v_of_table"]


def contingency(
    a: ArrayLike, b: ArrayLike, n_a: int | None = None, n_b: int | None = None
) -> NDArray[np.int64]:
    """Count how often each pair of categories occurs together.

    Args:
        a: shape (n,), whole numbers from 0.
        b: shape (n,), likewise.
        n_a: categories of ``a``; one more than the largest seen unless given.
        n_b: categories of ``b``.

    Returns:
        shape (n_a, n_b).

    Raises:
        InputError: lengths differ, nothing is there, or a number is negative, not whole or too large.

    Example:
        >>> contingency([0, 0, 1, 1], [0, 2, 2, 2], n_b=4)
        array([[1, 0, 1, 0],
               [0, 0, 2, 0]])
    """
    rows, columns = _codes(a, "a", n_a), _codes(b, "b", n_b)
    if len(rows) != len(columns):
        raise InputError(f"a has {len(rows)} entries and b {len(columns)}; they must be paired")
    n_a = int(rows.max()) + 1 if n_a is None else n_a
    n_b = int(columns.max()) + 1 if n_b is None else n_b
    return np.bincount(rows * n_b + columns, minlength=n_a * n_b).reshape(n_a, n_b)


def cramers_v(a: ArrayLike, b: ArrayLike, *, corrected: bool = True) -> float:
    """Cramér's V of two rows of categories: see ``cramers_v_of_table``.

    Args:
        a: shape (n,), whole numbers from 0.
        b: shape (n,), likewise.

    Raises:
        InputError: as ``contingency``.
        StatsError: as ``cramers_v_of_table``.

    Example:
        >>> round(cramers_v([0, 1, 2] * 5, [2, 0, 1] * 5), 6)
        1.0
    """
    return cramers_v_of_table(contingency(a, b), corrected=corrected)


def cramers_v_of_table(table: ArrayLike, *, corrected: bool = True) -> float:
    """How far a contingency table is from independence: 0 is none, 1 is that one tells the other.

    Plain V is above 0 even for independent categories, the more so the fewer the observations and
    the more the categories. ``corrected`` takes that off (Bergsma 2013, eq. 4 to 6): phi² loses
    its expectation under independence, (r-1)(c-1)/(n-1), but stays at or above 0, and r and c
    shrink by (r-1)²/(n-1) and (c-1)²/(n-1).

    Args:
        table: shape (r, c), counts; rows and columns without any are left out.

    Raises:
        InputError: not a table of finite counts at or above 0.
        StatsError: fewer than 2 rows or columns have counts, or too few observations to correct.

    Example:
        >>> round(cramers_v_of_table([[30, 10], [10, 30]], corrected=False), 4)
        0.5
        >>> round(cramers_v_of_table([[30, 10], [10, 30]]), 4)
        0.4903
    """
    counts = _table(table)
    n_rows, n_columns = counts.shape
    if min(n_rows, n_columns) < 2:
        raise StatsError(
            f"{n_rows} x {n_columns} categories are present; an association needs 2 of each"
        )
    n = float(counts.sum())
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi2 = float(((counts - expected) ** 2 / expected).sum()) / n
    if not corrected:
        return float(np.sqrt(phi2 / (min(n_rows, n_columns) - 1)))
    return _corrected(phi2, n, n_rows, n_columns)


def _corrected(phi2: float, n: float, n_rows: int, n_columns: int) -> float:
    if n <= max(n_rows, n_columns):
        raise StatsError(
            f"{n:g} observations are too few to correct V for {n_rows} x {n_columns} categories; "
            "use corrected=False"
        )
    less = max(0.0, phi2 - (n_rows - 1) * (n_columns - 1) / (n - 1))
    rows = n_rows - (n_rows - 1) ** 2 / (n - 1)
    columns = n_columns - (n_columns - 1) ** 2 / (n - 1)
    # Both corrections cancel for a perfect association; rounding alone could pass 1.
    return float(min(1.0, np.sqrt(less / (min(rows, columns) - 1))))


def _codes(values: ArrayLike, name: str, limit: int | None) -> NDArray[np.int64]:
    codes = np.asarray(values)
    if codes.ndim != 1 or len(codes) == 0 or not np.issubdtype(codes.dtype, np.integer):
        raise InputError(
            f"{name} must be a non-empty row of whole numbers, got shape {codes.shape} "
            f"of {codes.dtype}"
        )
    if codes.min() < 0 or (limit is not None and codes.max() >= limit):
        raise InputError(
            f"{name} has codes from {codes.min()} to {codes.max()}; they start at 0"
            + (f" and end at {limit - 1}" if limit is not None else "")
        )
    return codes.astype(np.int64)


def _table(table: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or not np.isfinite(counts).all() or (counts < 0).any():
        raise InputError(f"a table of counts at or above 0 is needed, got shape {counts.shape}")
    return counts[counts.any(axis=1)][:, counts.any(axis=0)]
