"""How many people to take from each cell, so that margins come near their targets.

A cell is one combination of the axes' categories that somebody has. Everything here works on cells:
its time does not depend on how many people are in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Cells", "cells_of", "fill", "quotas"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# An axis outweighs a pair: even categories come first, then as little association as they leave.
AXIS_WEIGHT = 10.0
RAKES = 80
SETTLED = 1e-4
# Cells looked at together, and moves at most per person chosen; a bound, hardly ever met.
WIDE = 64
MOVES_PER_PERSON = 3
MOVES_AT_LEAST = 2000
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

    def margin(self, axis: int, weights: NDArray[np.float64] | Counts) -> Floats:
        """Sums of something per cell by category of an axis."""
        found = np.bincount(
            self.codes[axis], weights=weights, minlength=len(self.axes[axis].stated)
        )
        return found.astype(np.float64)

    def table(self, first: int, second: int, weights: NDArray[np.float64] | Counts) -> Floats:
        """Sums of something per cell by the categories of two axes."""
        shape = len(self.axes[first].stated), len(self.axes[second].stated)
        pair = self.codes[first] * shape[1] + self.codes[second]
        found = np.bincount(pair, weights=weights, minlength=shape[0] * shape[1])
        return found.astype(np.float64).reshape(shape)


def cells_of(axes: Sequence[Axis], columns: Sequence[Counts]) -> Cells:
    """Sort people into cells.

    Args:
        columns: per axis, each person's category; shape (N,) each.
    """
    sizes = [len(axis.stated) for axis in axes]
    keys = np.ravel_multi_index(tuple(columns), sizes)
    if np.prod(sizes, dtype=np.float64) <= DENSE:
        counts = np.bincount(keys, minlength=int(np.prod(sizes)))
        found = np.flatnonzero(counts)
        place = np.zeros(len(counts), dtype=np.int64)
        place[found] = np.arange(len(found))
        capacity, member = counts[found], place[keys]
    else:
        found, member, capacity = np.unique(keys, return_inverse=True, return_counts=True)
    codes = np.stack(np.unravel_index(found, sizes)).astype(np.int64)
    return Cells(tuple(axes), capacity, codes, member)


def fill(available: NDArray[np.float64] | Counts, n: float) -> Floats:
    """Share n out as evenly as what is available allows: all of the scarce, the rest even.

    This is the least possible sum of |share - 1/k|: categories with less than their part give
    all they have, and the others split what is missing.

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
    shares = np.where(scarce, ascending, 0.0)
    if not scarce.all():
        shares[~scarce] = even[int(np.argmin(scarce))]
    out = np.empty_like(shares)
    out[order] = shares
    return out


def quotas(
    cells: Cells, pairs: Sequence[tuple[int, int]], n: int, rng: np.random.Generator
) -> Counts:
    """How many people to take from each cell, shape (C,), n in all.

    Raking with caps comes near the targets; systematic rounding makes whole people of it; moves
    of people between two cells mend what is left, until none helps.
    """
    shares = _rake(cells, pairs, n)
    taken = _round(shares, cells.capacity, n, rng)
    return _Moves(cells, pairs, shares, taken).settle(n)


def _axis_target(cells: Cells, axis: int, current: Floats) -> Floats:
    """Stated categories share what the stated hold now; the others stay as they are."""
    stated = cells.axes[axis].stated
    target = current.copy()
    target[stated] = fill(cells.margin(axis, cells.capacity)[stated], current[stated].sum())
    return target


def _product(cells: Cells, pair: tuple[int, int], table: Floats) -> Floats:
    """The table that has no association among stated categories, with the same margins."""
    rows, columns = (cells.axes[axis].stated for axis in pair)
    block = np.ix_(rows, columns)
    inner = table[block]
    target = table.copy()
    total = inner.sum()
    if total > 0:
        target[block] = np.outer(inner.sum(axis=1), inner.sum(axis=0)) / total
    return target


def _rake(cells: Cells, pairs: Sequence[tuple[int, int]], n: int) -> Floats:
    """Shares of cells by iterative proportional fitting under caps; pairs first, so axes win."""
    limit = cells.capacity.astype(np.float64)
    shares: Floats = limit * (n / limit.sum())
    for _ in range(RAKES):
        before = shares
        for first, second in pairs:
            table = cells.table(first, second, shares)
            factor = _ratio(_product(cells, (first, second), table), table)
            shares = shares * factor[cells.codes[first], cells.codes[second]]
        for axis in range(len(cells.axes)):
            current = cells.margin(axis, shares)
            factor = _ratio(_axis_target(cells, axis, current), current)
            shares = np.minimum(shares * factor[cells.codes[axis]], limit)
        shares = _to_total(shares, limit, n)
        if np.abs(shares - before).max() < SETTLED:
            break
    return shares


def _ratio(target: Floats, current: Floats) -> Floats:
    found: Floats = np.ones_like(current)
    np.divide(target, current, out=found, where=current > 0)
    return found


def _to_total(shares: Floats, limit: Floats, n: int) -> Floats:
    """Scale what is not at its cap, until the sum is n."""
    for _ in range(50):
        missing = n - shares.sum()
        if abs(missing) < 1e-9 * n:
            break
        free = shares < limit if missing > 0 else shares > 0
        room = limit - shares if missing > 0 else shares
        base = np.where(free, np.maximum(shares, 1e-12), 0.0)
        step = base * (missing / base.sum())
        shares = shares + (np.minimum(step, room) if missing > 0 else np.maximum(step, -room))
    return shares


def _round(shares: Floats, capacity: Counts, n: int, rng: np.random.Generator) -> Counts:
    """Whole numbers beside the shares, by one random start along the cells (systematic sampling)."""
    ends = np.cumsum(shares)
    ends *= n / ends[-1]
    marks = np.floor(ends + rng.random()).astype(np.int64)
    marks[-1] = n
    taken = np.diff(marks, prepend=0)
    return np.minimum(np.maximum(taken, 0), capacity)


class _Moves:
    """Moves people between cells while that brings margins nearer to their targets.

    What is made small: the sum over margins of weight * (count - target)² / target. It is
    quadratic, so the best number of people for a move has a closed form.
    """

    def __init__(
        self, cells: Cells, pairs: Sequence[tuple[int, int]], shares: Floats, taken: Counts
    ) -> None:
        self.capacity, self.taken = cells.capacity, taken.copy()
        places, targets, stiff = [], [], []
        start = 0
        axis_targets = []
        for axis, known in enumerate(cells.axes):
            target = _axis_target(cells, axis, cells.margin(axis, shares))
            axis_targets.append(target)
            places.append(cells.codes[axis] + start)
            targets.append(target)
            stiff.append(np.where(known.stated, AXIS_WEIGHT / np.maximum(target, 1), 0.0))
            start += len(target)
        for first, second in pairs:
            rows, columns = cells.axes[first].stated, cells.axes[second].stated
            table = cells.table(first, second, shares)
            target = np.outer(
                np.where(rows, axis_targets[first], 0), np.where(columns, axis_targets[second], 0)
            )
            target *= table[np.ix_(rows, columns)].sum() / max(target.sum(), 1e-12)
            places.append(cells.codes[first] * len(columns) + cells.codes[second] + start)
            targets.append(target.ravel())
            known_both = np.outer(rows, columns).ravel()
            stiff.append(np.where(known_both, 1 / np.maximum(target.ravel(), 1), 0.0))
            start += target.size
        self.place = np.stack(places)
        self.target, self.stiff = np.concatenate(targets), np.concatenate(stiff)
        self.stiff_of = self.stiff[self.place]
        counts = np.zeros(start)
        for row in self.place:
            counts += np.bincount(row, weights=self.taken, minlength=start)
        self.off = counts - self.target
        self.moves = 0

    def settle(self, n: int) -> Counts:
        """Move until nothing helps or the bound is met."""
        for _ in range(max(MOVES_AT_LEAST, MOVES_PER_PERSON * n)):
            if not self._step():
                break
            self.moves += 1
        return self.taken

    def _step(self) -> bool:
        slope = (2 * self.stiff * self.off)[self.place].sum(axis=0)
        into = np.where(self.taken < self.capacity, slope, np.inf)
        out_of = np.where(self.taken > 0, slope, -np.inf)
        for width in (1, WIDE):
            many = min(width, len(slope) - 1)
            receivers = np.argpartition(into, many - 1)[:many] if many > 1 else [into.argmin()]
            givers = np.argpartition(-out_of, many - 1)[:many] if many > 1 else [out_of.argmax()]
            found = min(
                self._best(np.asarray(receivers), into, out_of, giving=False),
                self._best(np.asarray(givers), into, out_of, giving=True),
            )
            if found[0] < -1e-9:
                self._move(found[1], found[2], slope)
                return True
        return False

    def _best(
        self, some: NDArray[np.intp], into: Floats, out_of: Floats, *, giving: bool
    ) -> tuple[float, int, int]:
        """The best move of one person between one of ``some`` and any other cell."""
        cost = np.zeros((len(some), len(into)))
        for place, stiff in zip(self.place, self.stiff_of, strict=True):
            apart = place[some][:, None] != place
            cost += apart * (stiff[some][:, None] + stiff)
        cost += into - out_of[some][:, None] if giving else into[some][:, None] - out_of
        row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
        to, source = (column, some[row]) if giving else (some[row], column)
        return float(cost[row, column]), int(to), int(source)

    def _move(self, to: int, source: int, slope: Floats) -> None:
        apart = self.place[:, to] != self.place[:, source]
        bend = ((self.stiff_of[:, to] + self.stiff_of[:, source]) * apart).sum()
        best = int((slope[source] - slope[to]) / (2 * bend) + 0.5) if bend > 0 else 1
        room = min(self.capacity[to] - self.taken[to], self.taken[source])
        people = int(min(max(best, 1), room))
        self.taken[to] += people
        self.taken[source] -= people
        self.off[self.place[apart, to]] += people
        self.off[self.place[apart, source]] -= people
