"""Whole people from shares of cells: rounding, then moves between cells that mend the margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.survey.building.cells import Cells, Counts, Floats

__all__ = ["whole_people"]

# Cells looked at together when the single best has no partner.
WIDE = 16
# Moves at most: so many, and so many cells and margins looked at, so that time stays in bounds.
MOVES, LEAST_MOVES = 3000, 100
WORK = 300_000_000


def whole_people(
    cells: Cells,
    shares: Floats,
    pairs: Sequence[tuple[int, int]],
    n: int,
    rng: np.random.Generator,
) -> Counts:
    """How many people to take from each cell, shape (C,), n in all.

    Margins and tables of pairs stay as near to those of ``shares`` as whole people allow:
    systematic rounding along the cells, then moves of people between two cells until none helps.
    """
    if n == cells.capacity.sum():
        return cells.capacity.copy()
    return _Moves(cells, pairs, shares, _rounded(shares, cells.capacity, n, rng)).settle()


def _rounded(shares: Floats, capacity: Counts, n: int, rng: np.random.Generator) -> Counts:
    """One random start, then every whole step along the running sum (systematic sampling)."""
    ends = np.cumsum(shares)
    marks = np.floor(ends * (n / ends[-1]) + rng.random()).astype(np.int64)
    marks[-1] = n
    taken: Counts = np.minimum(np.diff(np.minimum(marks, n), prepend=0), capacity)
    # A cap that a step passed by less than one person gives that person to others with room.
    room = np.flatnonzero(taken < capacity)
    missing = n - int(taken.sum())
    while missing > 0:
        taken[room[:missing]] += 1
        room = np.flatnonzero(taken < capacity)
        missing = n - int(taken.sum())
    return taken


class _Moves:
    """Makes the sum over margins of (count - target)² / target smaller, two cells at a time.

    The sum is quadratic, so the best number of people for a move has a closed form.
    """

    def __init__(
        self, cells: Cells, pairs: Sequence[tuple[int, int]], shares: Floats, taken: Counts
    ) -> None:
        self.capacity, self.taken = cells.capacity, taken
        places, margins = [], []
        start = 0
        for axis in range(len(cells.axes)):
            places.append(cells.codes[axis] + start)
            margins.append(cells.margin(axis, shares))
            start += len(margins[-1])
        for pair in pairs:
            table = cells.table(pair, shares)
            places.append(cells.codes[pair[0]] * table.shape[1] + cells.codes[pair[1]] + start)
            margins.append(table.ravel())
            start += table.size
        self.place = np.stack(places)
        target = np.concatenate(margins)
        self.stiff = 1 / np.maximum(target, 1)
        self.stiff_of = self.stiff[self.place]
        self.off = -target
        for row in self.place:
            self.off += np.bincount(row, weights=taken, minlength=start)

    def settle(self) -> Counts:
        """Move until nothing helps or the bound is met."""
        for _ in range(max(LEAST_MOVES, min(MOVES, WORK // self.place.size))):
            if not self._step():
                break
        return self.taken

    def _step(self) -> bool:
        slope = (2 * self.stiff * self.off)[self.place].sum(axis=0)
        into = np.where(self.taken < self.capacity, slope, np.inf)
        out_of = np.where(self.taken > 0, slope, -np.inf)
        for width in (1, min(WIDE, len(slope))):
            receivers = _lowest(into, width)
            givers = _lowest(-out_of, width)
            found = min(
                self._best(receivers, into, out_of, giving=False),
                self._best(givers, into, out_of, giving=True),
            )
            if found[0] < -1e-9:
                self._move(found[1], found[2], slope)
                return True
        return False

    def _best(
        self, some: NDArray[np.intp], into: Floats, out_of: Floats, *, giving: bool
    ) -> tuple[float, int, int]:
        """The best move of one person between one of ``some`` and any other cell."""
        cost = into - out_of[some][:, None] if giving else into[some][:, None] - out_of
        for place, stiff in zip(self.place, self.stiff_of, strict=True):
            cost += (place[some][:, None] != place) * (stiff[some][:, None] + stiff)
        row, column = divmod(int(np.argmin(cost)), cost.shape[1])
        to, source = (column, int(some[row])) if giving else (int(some[row]), column)
        return float(cost[row, column]), to, source

    def _move(self, to: int, source: int, slope: Floats) -> None:
        apart = self.place[:, to] != self.place[:, source]
        bend = ((self.stiff_of[:, to] + self.stiff_of[:, source]) * apart).sum()
        best = int((slope[source] - slope[to]) / (2 * bend) + 0.5)
        room = min(self.capacity[to] - self.taken[to], self.taken[source])
        people = min(max(best, 1), int(room))
        self.taken[to] += people
        self.taken[source] -= people
        self.off[self.place[apart, to]] += people
        self.off[self.place[apart, source]] -= people


def _lowest(values: Floats, width: int) -> NDArray[np.intp]:
    if width == 1:
        return np.array([values.argmin()])
    return np.argpartition(values, width - 1)[:width]
