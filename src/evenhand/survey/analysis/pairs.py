"""Counterfactual pairs: what changing one attribute of the same person does to the ratings.

A pair's shift is the variant's rating minus the source's, trait by trait, over what both were
rated on. The cluster is the source: all of its variants stand or fall with it. Pairs are read
three ways: by direction (from male to female); by level, where a change away from a level counts
the other way round; and over all changes of an attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evenhand.stats.groups import GroupMeans, group_means
from evenhand.stats.jackknife import Spread, t_interval
from evenhand.stats.resample import minimum_detectable
from evenhand.survey.analysis.axes import named
from evenhand.survey.analysis.outcomes import Outcome, PersonaSums, persona_sums
from evenhand.survey.analysis.ratings import Cells, Ratings
from evenhand.survey.analysis.resampling import Ends, is_tested, shift_ends
from evenhand.survey.analysis.rows import Rows, listed
from evenhand.survey.people.people import axis_codes
from evenhand.survey.population.spec import Level, Population
from evenhand.survey.results import About, PairShifts

__all__ = ["FEWEST_PAIRS", "Shifts", "pair_rows", "pair_shifts", "shifts_of"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_PAIRS = 5
"""A direction with fewer sources gets no row: dozens of such rows would only dilute the family."""

REACH = 4.0
CLUSTER = "source persona"
OTHERS = "other levels"
UNCHANGED = "unchanged"
OWN_SCALE = "variant minus source, on the trait's own scale"
PLAIN = "variant minus source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """The pairs of one attribute, n of them: sums of differences per pair on every outcome.

    ``axis`` is what their levels are told by (age in bins). ``start`` and ``end`` are places in
    ``levels``, ``source`` is the persona that the variant was made from.
    """

    axis: str
    levels: tuple[Level, ...]
    start: Ints
    end: Ints
    source: Ints
    variant: Ints
    sums: PersonaSums


def shifts_of(ratings: Ratings, cells: Cells, axes: Sequence[str]) -> list[Shifts]:
    """The pairs of each changed attribute.

    Args:
        axes: the axes of the analysis: an attribute that stands in none of them is told by a
            grouping of it, where there is one.
    """
    pairs = ratings.pairs
    changed = np.array(pairs.attribute, dtype=np.str_)
    found = []
    for attribute in dict.fromkeys(pairs.attribute):
        axis = _axis(ratings.population, attribute, axes)
        levels = ratings.population.axis(axis).levels
        codes = axis_codes(ratings.population, ratings.people, axis)
        stated = np.array([level.stated for level in levels])[codes]
        kept = (changed == attribute) & stated[pairs.source] & stated[pairs.variant]
        kept &= codes[pairs.source] != codes[pairs.variant]
        source, variant = pairs.source[kept], pairs.variant[kept]
        table = Cells(
            value=cells.value[variant] - cells.value[source],
            asked=cells.asked[variant] & cells.asked[source],
        )
        found.append(
            Shifts(
                axis=axis,
                levels=levels,
                start=codes[source],
                end=codes[variant],
                source=source,
                variant=variant,
                sums=persona_sums(table, ratings.traits, middle=0.0),
            )  # fmt: skip
        )
    return found


def _axis(population: Population, attribute: str, axes: Sequence[str]) -> str:
    if attribute in axes:
        return attribute
    coarser = [g.name for g in population.groupings if g.of == attribute]
    chosen = [name for name in coarser if name in axes]
    return next(iter(chosen or coarser), attribute)


def pair_rows(rows: Rows, shifts: Sequence[Shifts]) -> None:
    """``paired_shift`` of every attribute, level and direction."""
    for found in shifts:
        if not len(found.source):
            continue
        pooled = found.sums.pooled
        nowhere = np.zeros(len(found.source), dtype=np.int64)
        _put(
            rows, found, pooled, _means(nowhere, 1, found.source, pooled), (found.axis, None, None)
        )
        _level_rows(rows, found)
        _direction_rows(rows, found, pooled)


def _level_rows(rows: Rows, found: Shifts) -> None:
    """Being of a level rather than another: both directions, those away from it turned round."""
    codes = np.concatenate([found.end, found.start])
    source = np.concatenate([found.source, found.source])
    both = _turned(found.sums)
    means = _means(codes, len(found.levels), source, both)
    for i, level in enumerate(found.levels):
        _put(rows, found, both, means, (found.axis, level.code, None), i)


def _direction_rows(rows: Rows, found: Shifts, pooled: PersonaSums) -> None:
    k = len(found.levels)
    means = _means(found.start * k + found.end, k * k, found.source, pooled)
    few = []
    for place in np.unique(found.start * k + found.end):
        start, end = (found.levels[i].code for i in divmod(int(place), k))
        if means.means.n_clusters[place, 0] < FEWEST_PAIRS:
            few.append(f"{start} to {end}")
            continue
        _put(rows, found, pooled, means, (found.axis, end, start), int(place))
    if few:
        rows.note(
            f"{found.axis}: no row of their own for directions with fewer than {FEWEST_PAIRS} pairs "
            f"({listed(few)}); they count in their levels"
        )


def _turned(sums: PersonaSums) -> PersonaSums:
    """Every pair as it is, and once more the other way round."""
    return PersonaSums(
        names=sums.names,
        sums=np.concatenate([sums.sums, -sums.sums]),
        counts=np.concatenate([sums.counts, sums.counts]),
        missing=np.concatenate([sums.missing, sums.missing]),
    )


class _Grouped(NamedTuple):
    """Means by group, and the sums by source and group that they are made of."""

    means: GroupMeans
    total: Floats
    n_cells: Floats
    group: Ints

    def totals(self, place: int) -> Floats:
        """Sums and counts over all traits by source, (G, 2), of one group."""
        mine = self.group == place
        return np.stack([self.total[mine, 0], self.n_cells[mine, 0]], axis=1)


def _means(group: Ints, n_groups: int, source: Ints, sums: PersonaSums) -> _Grouped:
    """Means by group, the pairs of one source in one group summed first."""
    size = int(source.max()) + 1
    key, place = np.unique(group * size + source, return_inverse=True)
    total, count = sums.sums, sums.counts
    if len(key) < len(group):
        shape = (len(key), len(group))
        members = sparse.csr_array((np.ones(len(group)), (place, np.arange(len(group)))), shape)
        total, count, group = members @ total, members @ count, key // size
    means = group_means(total, count, group, n_groups=n_groups, bounds=(-REACH, REACH))
    return _Grouped(means, np.asarray(total), np.asarray(count), group)


def _put(
    rows: Rows,
    found: Shifts,
    sums: PersonaSums,
    grouped: _Grouped,
    where: tuple[str, str | None, str | None],
    place: int = 0,
) -> None:
    """The rows of one group of pairs, on every outcome that 2 sources or more have."""
    axis, level, start = where
    means = grouped.means
    for j, outcome in enumerate(sums.names):
        variance, df = float(means.variance[place, j]), float(means.df[place, j])
        if np.isnan(variance):
            continue
        value = float(means.mean[place, j])
        low, high, p = t_interval(
            value,
            Spread(variance, df),
            level=rows.inference.level,
            null=0.0,
            bounds=(-REACH, REACH),
        )
        ends = Ends(
            low, high, p if is_tested(rows, j) else None, "cluster jackknife t, paired", None
        )
        if j == 0:
            ends = shift_ends(rows, grouped.totals(place), ends, (-REACH, REACH))
        rows.put(
            About(
                part="pairs", attribute=axis, level=level, from_level=start,
                category=outcome.category, trait=outcome.trait,
            ),
            "paired_shift", value, scale="difference", low=ends.low, high=ends.high, p=ends.p,
            mde=minimum_detectable(variance**0.5, df, level=rows.inference.level), judged=True,
            group=named(axis, level, outcome.words), baseline=_baseline(axis, level, start),
            contrast=_contrast(outcome), n=int(means.n[place, j]),
            n_clusters=int(means.n_clusters[place, j]), cluster=CLUSTER,
            method=ends.method, seed=ends.seed,
        )  # fmt: skip


def _baseline(axis: str, level: str | None, start: str | None) -> str:
    if level is None:
        return UNCHANGED
    return OTHERS if start is None else named(axis, start)


def _contrast(outcome: Outcome) -> str:
    return PLAIN if outcome.favourable else OWN_SCALE


def pair_shifts(
    cells: Cells, ratings: Ratings, shifts: Sequence[Shifts], condition: str | None
) -> list[PairShifts]:
    """Per direction, each pair's mean favourable rating before and after, for plots."""
    side = np.nan_to_num(ratings.valence)
    good = 3.0 + side * (cells.value - 3.0)
    good[:, side == 0] = np.nan
    made = []
    for found in shifts:
        before, after = good[found.source], good[found.variant]
        both = ~np.isnan(before) & ~np.isnan(after)
        n = both.sum(axis=1)
        means = [
            np.where(both, table, 0.0).sum(axis=1) / np.maximum(n, 1) for table in (before, after)
        ]
        k = len(found.levels)
        code = np.where(n > 0, found.start * k + found.end, -1)
        for place in np.unique(code[code >= 0]):
            mask = code == place
            start, end = (found.levels[i].code for i in divmod(int(place), k))
            made.append(
                PairShifts(condition, found.axis, start, end, means[0][mask], means[1][mask])
            )
    return made
