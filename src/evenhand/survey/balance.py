"""Choose people so that axes are even over their categories and pairs of axes are not associated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError, NotFound, StatsError
from evenhand.stats.association import cramers_v_of_table
from evenhand.survey.balance_cells import Axis, Cells, Counts, cells_of, fill, quotas
from evenhand.survey.people import People, axis_codes
from evenhand.survey.population.spec import Population

__all__ = ["AXES", "PAIRS", "Balanced", "Evenness", "Together", "balance"]

AXES = ("gender", "age_bin", "subregion", "religion", "sexuality")
"""Balanced unless axes are named; those that a population lacks, or that do not vary, are left out."""

PAIRS = (("subregion", "religion"),)
"""Kept from being associated unless pairs are named."""


@dataclass(frozen=True, slots=True)
class Evenness:
    """How even one axis is.

    ``available`` and ``chosen`` count people by level code. ``distance`` is the sum over stated
    levels present in the pool of ``|share - min(1/k, available/n)|``, ``least`` the smallest that
    the pool allows for this axis alone. Shares are of all chosen; ``k`` counts stated levels.
    """

    axis: str
    available: dict[str, int]
    chosen: dict[str, int]
    distance: float
    least: float


@dataclass(frozen=True, slots=True)
class Together:
    """Bias-corrected Cramér's V of two axes, among people to whom both apply; None if undefined.

    ``kept`` says whether the pair was one to keep from being associated.
    """

    first: str
    second: str
    before: float | None
    after: float | None
    kept: bool


@dataclass(frozen=True, slots=True)
class Balanced:
    """Whom to take, shape (n,), as ascending places among the people, and how well it went."""

    chosen: NDArray[np.int64]
    evenness: tuple[Evenness, ...]
    together: tuple[Together, ...]
    notes: tuple[str, ...]

    def as_counts(self) -> dict[str, Any]:
        """What a dataset keeps of this, ready for JSON."""
        return {
            "evenness": {
                e.axis: {
                    "available": e.available, "chosen": e.chosen,
                    "distance": e.distance, "least": e.least,
                }
                for e in self.evenness
            },
            "cramers_v": [
                {
                    "axes": [t.first, t.second], "before": t.before, "after": t.after,
                    "kept": t.kept,
                }
                for t in self.together
            ],
            "notes": list(self.notes),
        }  # fmt: skip


def balance(
    population: Population,
    people: People,
    n: int,
    *,
    axes: Sequence[str] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    seed: int,
) -> Balanced:
    """Choose n people, the axes as even as the pool allows and the pairs as little associated.

    People are sorted into cells of equal categories; how many come from each cell is decided
    without looking at persons, and who they are is drawn from the seed. The order of the people
    does not matter. A level that means "does not apply" is not balanced: its share is what the
    other axes make of it.

    Args:
        axes: attributes or groupings; ``AXES`` unless given.
        pairs: pairs of those axes; ``PAIRS`` unless given; none for an empty sequence.

    Raises:
        InputError: n is too large or below 1, an axis does not vary or is named twice, or a
            pair has an axis that is not balanced.
        NotFound: the population has no such axis.
    """
    _check_n(n, len(people))
    order = np.argsort(people.ids, kind="stable")
    columns, known, notes = _axes(population, people, axes)
    cells = cells_of(known, [column[order] for column in columns])
    names = [axis.name for axis in known]
    wanted = _pairs(names, pairs)
    rng = np.random.default_rng(seed)
    taken = quotas(cells, [(names.index(a), names.index(b)) for a, b in wanted], n, rng)
    chosen = np.sort(order[_draw(cells.member, taken, rng)])
    return Balanced(
        chosen,
        tuple(_evenness(population, cells, place, taken, n) for place in range(len(known))),
        tuple(
            _together(cells, pair, taken, wanted) for pair in combinations(range(len(known)), 2)
        ),
        tuple(notes),
    )


def _check_n(n: int, there: int) -> None:
    if n < 1:
        raise InputError(f"{n} people cannot be chosen; ask for at least 1", where="n")
    if n > there:
        raise InputError(
            f"{n} people are more than the {there} there are; ask for fewer", where="n"
        )


def _axes(
    population: Population, people: People, names: Sequence[str] | None
) -> tuple[list[Counts], list[Axis], list[str]]:
    """Columns and axes to balance, and a note for each default that cannot be."""
    if names is not None and len(set(names)) < len(names):
        raise InputError(f"an axis is named twice in {', '.join(names)}", where="axes")
    columns, known, notes = [], [], []
    for name in AXES if names is None else names:
        try:
            column = axis_codes(population, people, name)
        except NotFound:
            if names is not None:
                raise
            notes.append(f"{population.name} has no {name}, so it was not balanced")
            continue
        axis = Axis(name, np.array([level.stated for level in population.axis(name).levels]))
        present = np.flatnonzero(
            np.bincount(column, minlength=len(axis.stated))[: len(axis.stated)]
        )
        if axis.stated[present].sum() < 2:
            said = f"{name} has fewer than 2 categories among these people"
            if names is not None:
                raise InputError(f"{said}; leave it out", where="axes")
            notes.append(f"{said}, so it was not balanced")
            continue
        columns.append(column)
        known.append(axis)
    if not known:
        raise InputError("no axis is left to balance; name some that vary", where="axes")
    return columns, known, notes


def _pairs(names: Sequence[str], pairs: Sequence[tuple[str, str]] | None) -> list[tuple[str, str]]:
    if pairs is None:
        return [pair for pair in PAIRS if set(pair) <= set(names)]
    for first, second in pairs:
        if first == second or first not in names or second not in names:
            raise InputError(
                f"{first}:{second} is no pair of the balanced axes {', '.join(names)}",
                where="pairs",
            )
    return list(pairs)


def _draw(member: Counts, taken: Counts, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random people of each cell, as many as were decided."""
    shuffled = rng.permutation(len(member))
    small = np.uint16 if len(taken) <= np.iinfo(np.uint16).max else np.int64  # radix sort
    cell = member[shuffled].astype(small)
    by_cell = np.argsort(cell, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(taken)))[:-1]])
    rank = np.arange(len(member)) - np.repeat(starts, np.diff(np.append(starts, len(member))))
    chosen: NDArray[np.int64] = shuffled[by_cell[rank < taken[cell[by_cell]]]]
    return chosen


def _evenness(population: Population, cells: Cells, place: int, taken: Counts, n: int) -> Evenness:
    axis = cells.axes[place]
    available, chosen = cells.margin(place, cells.capacity), cells.margin(place, taken)
    codes = [level.code for level in population.axis(axis.name).levels]
    there = np.flatnonzero(available)
    stated = axis.stated & (available > 0)
    limit = np.minimum(1 / stated.sum(), available[stated] / n)
    best = fill(available[stated], min(chosen[stated].sum(), available[stated].sum()))
    return Evenness(
        axis.name,
        {codes[i]: int(available[i]) for i in there},
        {codes[i]: int(chosen[i]) for i in there},
        float(np.abs(chosen[stated] / n - limit).sum()),
        float(np.abs(best / n - limit).sum()),
    )


def _together(
    cells: Cells, pair: tuple[int, int], taken: Counts, wanted: Sequence[tuple[str, str]]
) -> Together:
    first, second = (cells.axes[i] for i in pair)
    block = np.ix_(first.stated, second.stated)
    before, after = (_v(cells.table(*pair, w)[block]) for w in (cells.capacity, taken))
    named = (first.name, second.name)
    return Together(*named, before, after, named in wanted or named[::-1] in wanted)


def _v(table: NDArray[np.float64]) -> float | None:
    try:
        return cramers_v_of_table(table)
    except StatsError:
        return None
