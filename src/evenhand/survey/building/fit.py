"""Shares of cells that make axes even and keep pairs from being associated: soft raking.

Iterative proportional fitting (Deming and Stephan 1940) multiplies each cell by target over current
of its category. Here all goals pull at once, each with a strength (the target over current enters
with a power), and no cell passes its cap. That is mirror descent on the sum of the axes'
Kullback-Leibler divergences from their targets and the pairs' mutual information, each pair with a
multiplier that is raised until its Cramér's V is below its limit, and lowered when it need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import StatsError
from evenhand.stats.association import cramers_v_of_table
from evenhand.survey.building.cells import Cells, Floats, fill

__all__ = ["Pair", "association", "fit", "targets"]

Block = tuple[NDArray[np.intp], NDArray[np.intp]]

EPOCH, EPOCHS, FEW_EPOCHS = 20, 30, 6
# The multiplier of a pair: where it begins, how far it goes, how much it turns at once at first,
# and when that has become little enough.
START, LEAST, MOST, TURN, FINE = 1.0, 0.05, 300.0, 3.0, 1.1
# Too many of one category count for less than too few of another: it is the scarce ones that are
# hard to get, and the sum of |share - min(1/k, available/n)| does not ask who has the excess.
EXCESS = 0.25
# No cell vanishes altogether: an empty category has no ratio to its target.
TRACE = 1e-9
# Settled: V this near its limit, and no axis moving by more than so much of a person per epoch.
NEAR, STILL = 0.02, 0.3


@dataclass(frozen=True, slots=True)
class Pair:
    """Two axes, as places, and the corrected Cramér's V that they may have."""

    axes: tuple[int, int]
    limit: float


def association(cells: Cells, pair: tuple[int, int], weights: Floats) -> float | None:
    """Corrected Cramér's V among people to whom both axes apply; None where it is undefined."""
    try:
        return cramers_v_of_table(cells.table(pair, weights)[_block(cells, pair)])
    except StatsError:
        return None


def targets(cells: Cells, n: int) -> list[Floats]:
    """How many people each category of each axis should have, n in all.

    Where an axis does not apply to everybody, how many it applies to follows from the others
    being even, and only those are shared out.
    """
    axes = range(len(cells.axes))
    partly = [axis for axis in axes if not _applies_to_all(cells, axis)]
    found = {a: fill(cells.margin(a, cells.capacity), n) for a in axes if a not in partly}
    shares = _Descent(cells, found, [], n).run(FEW_EPOCHS) if partly else np.zeros(0)
    for axis in partly:
        stated = cells.axes[axis].stated
        target = cells.margin(axis, shares)
        available = cells.margin(axis, cells.capacity)[stated]
        target[stated] = fill(available, target[stated].sum())
        found[axis] = target
    return [found[axis] for axis in axes]


def fit(cells: Cells, wanted: Sequence[Floats], pairs: Sequence[Pair], n: int) -> Floats:
    """Shares of the cells, shape (C,), between 0 and capacity, summing to n."""
    return _Descent(cells, dict(enumerate(wanted)), pairs, n).run(EPOCHS)


def _applies_to_all(cells: Cells, axis: int) -> bool:
    return bool(cells.axes[axis].stated[cells.codes[axis]].all())


class _Descent:
    """The shares on their way; the margins of all axes lie behind each other in one array."""

    def __init__(
        self, cells: Cells, wanted: dict[int, Floats], pairs: Sequence[Pair], n: int
    ) -> None:
        self.cells, self.pairs, self.n = cells, pairs, n
        self.limit = cells.capacity.astype(np.float64)
        self.shares: Floats = self.limit * (n / self.limit.sum())
        self.target = np.concatenate([np.zeros(0), *wanted.values()])
        starts = np.cumsum([0, *(len(target) for target in wanted.values())])
        self.place = np.stack(
            [cells.codes[axis] + start for axis, start in zip(wanted, starts, strict=False)]
            or [np.zeros(0, dtype=np.int64)]
        )
        self.blocks = [_block(cells, pair.axes) for pair in pairs]
        self.partly = [
            (cells.axes[axis].stated[cells.codes[axis]], target[cells.axes[axis].stated].sum())
            for axis, target in wanted.items()
            if not _applies_to_all(cells, axis)
        ]

    def run(self, epochs: int) -> Floats:
        """Go on until nothing moves and every pair is below its limit, or for so long."""
        if not len(self.target) or self.n == self.limit.sum():
            return self.shares
        multipliers = [_Multiplier(pair.limit) for pair in self.pairs]
        before = self.target
        for _ in range(epochs):
            strength = [multiplier.push for multiplier in multipliers]
            for _ in range(EPOCH):
                self._step(strength)
            now = self._margins()
            still = bool(np.abs(now - before).max() < max(STILL, 1e-4 * self.n))
            before = now
            settled = [
                multiplier.turn_to(association(self.cells, pair.axes, self.shares) or 0.0)
                for multiplier, pair in zip(multipliers, self.pairs, strict=True)
            ]
            if still and all(settled):
                break
        return self.shares

    def _margins(self) -> Floats:
        weights = np.broadcast_to(self.shares, self.place.shape).ravel()
        found = np.bincount(self.place.ravel(), weights=weights, minlength=len(self.target))
        return found.astype(np.float64)

    def _step(self, strength: Sequence[float]) -> None:
        """One step of all goals together; short enough that their sum cannot grow."""
        ratio = _log_ratio(self.target, self._margins())
        pull = np.where(ratio < 0, EXCESS * ratio, ratio)[self.place].sum(axis=0)
        for pair, block, push in zip(self.pairs, self.blocks, strength, strict=True):
            first, second = pair.axes
            table = self.cells.table(pair.axes, self.shares)
            toward = push * _log_ratio(_product(table, block), table)
            pull += toward[self.cells.codes[first], self.cells.codes[second]]
        length = 1 / (len(self.place) + 2 * sum(strength))
        moved = self.shares * np.exp(np.clip(length * pull, -1, 1))
        # Scarce people of an axis would else let those grow to whom the axis does not apply.
        for stated, total in self.partly:
            inside, everybody = moved[stated].sum(), moved.sum()
            outside = (self.n - total) / max(everybody - inside, TRACE)
            moved *= np.where(stated, total / max(inside, TRACE), outside)
        self.shares = _to_total(np.clip(moved, TRACE, self.limit), self.limit, self.n)


@dataclass(slots=True)
class _Multiplier:
    """How hard a pair is pushed apart, and the most that this changes at once.

    The change becomes smaller whenever the limit is passed, or the two would swing for ever:
    corrected V falls to 0 at once where an association is no larger than chance makes it.
    """

    limit: float
    push: float = START
    turn: float = TURN
    was_over: bool | None = None

    def turn_to(self, v: float) -> bool:
        """Answer to the V found; whether nothing is left to turn."""
        is_over = v > self.limit
        settled = (
            abs(v / self.limit - 1) < NEAR
            or (is_over and self.push >= MOST)
            or (not is_over and (self.push <= LEAST or self.turn < FINE))
        )
        if self.was_over is not None and is_over != self.was_over:
            self.turn = self.turn**0.5
        self.was_over = is_over
        change = min(max((v / self.limit) ** 2, 1 / self.turn), self.turn)
        self.push = min(max(self.push * change, LEAST), MOST)
        return settled


def _log_ratio(target: Floats, current: Floats) -> Floats:
    found = np.zeros_like(current)
    both = (current > 0) & (target > 0)
    np.log(np.divide(target, current, where=both, out=found), where=both, out=found)
    return found


def _block(cells: Cells, pair: tuple[int, int]) -> Block:
    """Where in a table both axes apply and somebody has them."""
    there = [cells.margin(axis, cells.capacity) > 0 for axis in pair]
    rows, columns = (
        np.flatnonzero(cells.axes[axis].stated & some)
        for axis, some in zip(pair, there, strict=True)
    )
    return rows[:, None], columns


def _product(table: Floats, block: Block) -> Floats:
    """The table without association inside the block, its margins unchanged."""
    inner = table[block]
    target = table.copy()
    total = inner.sum()
    if total > 0:
        target[block] = inner.sum(axis=1)[:, None] * (inner.sum(axis=0) / total)
    return target


def _to_total(shares: Floats, limit: Floats, n: int) -> Floats:
    """Scale what is below its cap until the sum is n; what then passes its cap stays there."""
    # What is missing after a few rounds is a fraction of a person, and comes with the next step.
    for _ in range(3):
        free = shares < limit
        below = shares[free].sum()
        missing = n - shares.sum()
        if below <= 0 or abs(missing) < 1e-6 * n:
            break
        shares = np.where(free, np.minimum(shares * (1 + missing / below), limit), shares)
    return shares
