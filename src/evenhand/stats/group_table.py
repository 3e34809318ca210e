"""Sums of clusters that each lie in one group, checked once and added up by group."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from evenhand.errors import InputError
from evenhand.stats.totals import Floats

__all__ = ["GroupTable", "Ints"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Checked clusters that lie in a group: (G, M) sums and counts, weighted, and their codes."""

    sums: Floats
    counts: Floats
    n_unweighted: Floats
    present: NDArray[np.bool_]
    group: Ints
    members: sparse.csr_array
    one_outcome: bool

    @classmethod
    def of(
        cls,
        sums: ArrayLike,
        counts: ArrayLike,
        group: ArrayLike,
        n_groups: int,
        weight: ArrayLike | None,
    ) -> GroupTable:
        total, count = _table(sums, "sums"), _table(counts, "counts")
        codes = _codes(group, n_groups)
        if total.shape != count.shape or len(total) != len(codes):
            raise InputError(
                f"sums {total.shape}, counts {count.shape} and groups {codes.shape} do not fit; "
                "pass one row per cluster in each"
            )
        if (count < 0).any() or (total[count == 0] != 0).any():
            raise InputError("a count is negative, or 0 beside a sum that is not")
        inside = codes >= 0
        weights = _weights(weight, len(codes))
        if not inside.all():
            total, count, codes = total[inside], count[inside], codes[inside]
            weights = weights if weights is None else weights[inside]
        members = sparse.csr_array(
            (np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(n_groups, len(codes))
        )
        unweighted = np.asarray(members @ count)
        present = count > 0
        if weights is not None:
            total, count = total * weights[:, None], count * weights[:, None]
        return cls(total, count, unweighted, present, codes, members, np.ndim(sums) == 1)

    def by_group(self, columns: Floats) -> Floats:
        """Sums of (G, M) columns over the clusters of each group, (k, M)."""
        return np.asarray(self.members @ columns)

    def shaped(self, array: Floats) -> Floats:
        """(k, M), or (k,) when one outcome came in without an axis."""
        return array[:, 0] if self.one_outcome else array


def _table(values: ArrayLike, name: str) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:
        raise InputError(f"{name} have shape {table.shape}; pass (clusters, outcomes)")
    if not math.isfinite(float(table.sum())) and not np.isfinite(table).all():
        raise InputError(f"one of the {name} is not finite; leave that observation out")
    return table


def _codes(group: ArrayLike, n_groups: int) -> Ints:
    codes = np.asarray(group)
    if codes.ndim != 1 or (len(codes) and not np.issubdtype(codes.dtype, np.integer)):
        raise InputError(f"groups have shape {codes.shape} and type {codes.dtype}, not (G,) codes")
    codes = codes.astype(np.int64)
    if n_groups < 1 or (len(codes) and (codes.min() < -1 or codes.max() >= n_groups)):
        raise InputError(
            f"group codes do not run from 0 to {n_groups - 1} (-1 for a cluster left out)"
        )
    return codes


def _weights(weight: ArrayLike | None, n: int) -> Floats | None:
    if weight is None:
        return None
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights <= 0).any():
        raise InputError("weights must be one finite positive number per cluster")
    return weights
