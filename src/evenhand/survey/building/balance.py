"""Choose people so that axes are even over their categories and pairs of axes are not associated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError, NotFound
from evenhand.survey.building.cells import Axis, Cells, Counts, cells_of, fill
from evenhand.survey.building.fit import Pair, association, fit, targets
from evenhand.survey.building.moves import whole_people
from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.spec import Population

__all__ = ["AXES", "KEEP", "PAIRS", "Balanced", "Evenness", "Together", "balance"]

AXES = ("gender", "age_bin", "subregion", "religion", "sexuality")
"""Balanced unless axes are named; those that a population lacks, or that do not vary, are left out."""

PAIRS = (("subregion", "religion"),)
"""Kept from being associated unless pairs are named."""

KEEP = 0.5
"""A pair kept apart may have this share of the corrected Cramér's V that it has in the pool."""

# Below this V a pair kept apart is apart enough. Aimed at is a little less than the limit.
NEGLIGIBLE = 0.05
AIM = 0.97
TRIES = 4
# A pair that was not kept apart is told of when balancing raised its V by this much.
TELLING = 0.1
UNKNOWN = "unknown"


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
    keep: float = KEEP,
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
        keep: the share of its corrected Cramér's V in the pool that a pair may keep.

    Raises:
        InputError: n is too large or below 1, an axis does not vary or is named twice, or a
            pair has an axis that is not balanced.
        NotFound: the population has no such axis.
    """
    _check_n(n, len(people))
    if not 0 <= keep <= 1:
        raise InputError(f"{keep} is no share; give 0 to 1, such as 0.5", where="keep")
    order = np.argsort(people.ids, kind="stable")
    columns, known, notes = _axes(population, people, axes)
    cells = cells_of(known, [column[order] for column in columns])
    names = [axis.name for axis in known]
    wanted = _pairs(names, pairs)
    rng = np.random.default_rng(seed)
    taken = _quotas(cells, [(names.index(a), names.index(b)) for a, b in wanted], n, keep, rng)
    chosen = np.sort(order[_draw(cells.member, taken, rng)])
    evenness = tuple(_evenness(population, cells, place, taken, n) for place in range(len(known)))
    together = tuple(
        _together(cells, pair, taken, wanted) for pair in combinations(range(len(known)), 2)
    )
    sizes = {e.axis: len(e.available) for e in evenness}
    return Balanced(chosen, evenness, together, (*notes, *_told(together, sizes, keep=keep, n=n)))


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
        stated = [level.stated for level in population.axis(name).levels]
        # What is not known (below 0) is one more category, and like those that do not apply.
        column = np.where(_unknown(population, people, name), len(stated), column)
        axis = Axis(name, np.array([*stated, False]))
        present = np.flatnonzero(np.bincount(column, minlength=len(axis.stated)))
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


def _unknown(population: Population, people: People, name: str) -> NDArray[np.bool_]:
    axis = population.axis(name)
    missing: NDArray[np.bool_] = people.codes[getattr(axis, "of", axis.name)] < 0
    return missing


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


def _quotas(
    cells: Cells, pairs: Sequence[tuple[int, int]], n: int, keep: float, rng: np.random.Generator
) -> Counts:
    """How many people to take from each cell.

    Whole people may carry a pair over its limit; then aim lower. Where the pool allows no less,
    the last try stands, and the association that is told says so.
    """
    wanted = targets(cells, n)
    start = rng.bit_generator.state
    limits = [
        max(keep * (association(cells, pair, cells.capacity.astype(float)) or 0.0), NEGLIGIBLE)
        for pair in pairs
    ]
    aims = [AIM * limit for limit in limits]
    for _ in range(TRIES):
        rng.bit_generator.state = start
        goals = [Pair(pair, aim) for pair, aim in zip(pairs, aims, strict=True)]
        taken = whole_people(cells, fit(cells, wanted, goals, n), pairs, n, rng)
        found = [association(cells, pair, taken.astype(float)) or 0.0 for pair in pairs]
        if all(v <= limit for v, limit in zip(found, limits, strict=True)):
            break
        aims = [
            aim * min(1.0, AIM * limit / max(v, 1e-9))
            for aim, v, limit in zip(aims, found, limits, strict=True)
        ]
    return taken


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
    codes = [*(level.code for level in population.axis(axis.name).levels), UNKNOWN]
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


def _told(
    together: Sequence[Together], sizes: Mapping[str, int], *, keep: float, n: int
) -> Iterator[str]:
    """A note for each pair that is more associated than it should be, or than anybody may expect."""
    for t in together:
        if t.before is None or t.after is None:
            continue
        limit = max(keep * t.before, NEGLIGIBLE)
        if t.kept and t.after > limit:
            yield (
                f"{t.first} x {t.second} keeps V {t.after:.2f}, above {limit:.2f}: this pool "
                "allows no less beside the other goals; choose fewer people"
            )
        elif not t.kept and t.after > t.before + max(TELLING, _by_chance(t, sizes, n)):
            yield (
                f"{t.first} x {t.second} became associated, V {t.before:.2f} to {t.after:.2f}: "
                f"scarce people are not found everywhere; --pairs {t.first}:{t.second} keeps "
                "them apart, at the price of less even axes"
            )


def _by_chance(t: Together, sizes: Mapping[str, int], n: int) -> float:
    """The V of an excess of two standard deviations of chi-squared over its expectation."""
    rows, columns = sizes[t.first], sizes[t.second]
    excess = 2 * math.sqrt(2 * (rows - 1) * (columns - 1)) / n
    return math.sqrt(excess / (min(rows, columns) - 1))


def _together(
    cells: Cells, pair: tuple[int, int], taken: Counts, wanted: Sequence[tuple[str, str]]
) -> Together:
    named = (cells.axes[pair[0]].name, cells.axes[pair[1]].name)
    before, after = (association(cells, pair, w.astype(float)) for w in (cells.capacity, taken))
    return Together(*named, before, after, named in wanted or named[::-1] in wanted)
