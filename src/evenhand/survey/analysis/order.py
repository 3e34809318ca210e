"""Scale order: pairs of persona and trait asked both ways, and how the scale's ends are used.

A consistent model that says 2 on the scale as shown forward says 4 on the scale reversed. So the
two are compared on one scale: forward as it came, reversed as 6 minus what came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evenhand.stats.findings import ANSWERED
from evenhand.stats.resample import cluster_totals
from evenhand.stats.totals import ratio
from evenhand.survey.analysis.levels import REACH
from evenhand.survey.analysis.ratings import Ratings, nearest_point
from evenhand.survey.analysis.rows import Rows
from evenhand.survey.results import About, OrderTable
from evenhand.survey.spec import POINTS

__all__ = ["DualPairs", "dual_pairs", "order_rows", "order_table", "use_rows"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# An expectation is rarely the same to the last digit: under half a point apart is the same answer.
SAME = 0.5
SHARE = (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DualPairs:
    """Pairs answered in both orders, shape (n,): both on the trait's own scale.

    ``cluster`` is the persona, or the one that a variant was made from.
    """

    forward: Floats
    reversed: Floats
    trait: Ints
    cluster: Ints

    def __len__(self) -> int:
        return len(self.forward)

    def where(self, mask: Bools) -> DualPairs:
        """Some of the pairs."""
        return DualPairs(
            forward=self.forward[mask], reversed=self.reversed[mask],
            trait=self.trait[mask], cluster=self.cluster[mask],
        )  # fmt: skip


def dual_pairs(ratings: Ratings) -> DualPairs:
    """The pairs of persona and trait that were answered both ways.

    Example:
        See docs/methods/order-effects.md.
    """
    answered = ratings.outcome == ANSWERED
    place = ratings.person.astype(np.int64) * len(ratings.traits) + ratings.trait
    value = ratings.order_aligned
    size = len(ratings.people) * len(ratings.traits)
    sides = []
    for mask in (answered & ~ratings.reversed, answered & ratings.reversed):
        side = np.full(size, np.nan)
        side[place[mask]] = value[mask]
        sides.append(side)
    both = np.flatnonzero(~np.isnan(sides[0]) & ~np.isnan(sides[1]))
    person, trait = np.divmod(both, len(ratings.traits))
    return DualPairs(
        forward=sides[0][both],
        reversed=sides[1][both],
        trait=trait,
        cluster=ratings.cluster[person],
    )


def order_table(pairs: DualPairs, condition: str | None) -> OrderTable:
    """How often each pair of answers came, as a five by five table."""
    place = (nearest_point(pairs.forward) - 1) * POINTS + nearest_point(pairs.reversed) - 1
    counts = np.bincount(place, minlength=POINTS**2).reshape(POINTS, POINTS)
    return OrderTable(condition, counts.astype(np.int64))


def order_rows(rows: Rows, ratings: Ratings, pairs: DualPairs) -> None:
    """Order consistency over all dual pairs, each category and each trait."""
    if not len(pairs):
        rows.note(
            "nothing was asked in both orders, so order effects cannot be told; "
            "run with --dual 0.2 to see them"
        )
        return
    for about, words, mask in _parts(ratings, pairs):
        part = pairs.where(mask)
        if len(np.unique(part.cluster)) < 2:
            continue
        _consistency(rows, part, about, words)
        if words is None:
            _correlations(rows, part)


def _parts(ratings: Ratings, pairs: DualPairs) -> Iterator[tuple[About, str | None, Bools]]:
    """The whole, then each category, then each trait that has dual pairs."""
    yield About(part="order"), None, np.ones(len(pairs), dtype=bool)
    for category in dict.fromkeys(t.category for t in ratings.traits if t.category):
        inside = np.array([t.category == category for t in ratings.traits])[pairs.trait]
        if inside.any():
            yield About(part="order", category=category), f"category {category}", inside
    for place in np.unique(pairs.trait):
        trait = ratings.traits[place].id
        yield About(part="order", trait=trait), f"trait {trait}", pairs.trait == place


def _consistency(rows: Rows, part: DualPairs, about: About, group: str | None) -> None:
    # 6 - (6 - x) is x but for the last digit.
    apart = np.round(part.forward - part.reversed, 9) + 0.0
    distance = np.abs(apart)
    columns = np.stack(
        [distance < SAME, distance < 1 + SAME, distance, apart, np.ones(len(part))], axis=1
    )
    totals = cluster_totals(part.cluster, columns)
    n = len(part)
    for name, column in (("order_exact_rate", 0), ("order_within_one_rate", 1)):
        rows.add(
            about,
            name,
            totals,
            ratio(column, 4),
            n=n,
            scale="proportion",
            limits=SHARE,
            group=group,
        )
    rows.add(
        about,
        "order_mae",
        totals,
        ratio(2, 4),
        n=n,
        scale="score",
        limits=(0.0, REACH),
        group=group,
    )
    rows.add(
        about, "order_bias", totals, ratio(3, 4), n=n, scale="difference", null=0.0,
        limits=(-REACH, REACH), group=group, contrast="forward minus reversed, on one scale",
        judged=True,
    )  # fmt: skip


def _correlations(rows: Rows, part: DualPairs) -> None:
    """Pearson, and Spearman as Pearson of ranks, with intervals; Kendall's tau-b as it is."""
    if part.forward.min() == part.forward.max() or part.reversed.min() == part.reversed.max():
        rows.note(
            "no correlation between orders: all answers of one order are the same, "
            "so nothing can go together"
        )
        return
    about = About(part="order")
    ranked = (stats.rankdata(part.forward), stats.rankdata(part.reversed))
    for name, (x, y) in (
        ("order_pearson", (part.forward, part.reversed)),
        ("order_spearman", ranked),
    ):
        x, y = x - x.mean(), y - y.mean()
        columns = np.stack([x, y, x * x, y * y, x * y, np.ones(len(x))], axis=1)
        rows.add(
            about, name, cluster_totals(part.cluster, columns), _correlation, n=len(x),
            scale="score", limits=(-1.0, 1.0),
        )  # fmt: skip
    rows.put(
        about, "order_kendall", float(stats.kendalltau(part.forward, part.reversed).statistic),
        scale="score", n=len(part), n_clusters=len(np.unique(part.cluster)), cluster="persona",
        method="Kendall's tau-b",
    )  # fmt: skip


def _correlation(sums: Floats) -> Floats:
    """Pearson's r from sums of x, y, xx, yy, xy, 1 along the last axis."""
    x, y, xx, yy, xy, n = np.moveaxis(sums, -1, 0)
    found: Floats = (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))
    return found


def use_rows(rows: Rows, ratings: Ratings) -> None:
    """How often the ends and the middle of the scale were chosen, all answers together."""
    answered = ratings.outcome == ANSWERED
    if not answered.any():
        return
    point = nearest_point(ratings.value[answered])
    columns = np.stack(
        [(point == 1) | (point == POINTS), point == (POINTS + 1) // 2, np.ones(len(point))], axis=1
    )
    totals = cluster_totals(ratings.cluster[ratings.person[answered]], columns)
    for place, name in enumerate(("extreme_share", "middle_share")):
        rows.add(
            About(part="scale"), name, totals, ratio(place, 2), n=len(point), scale="proportion",
            limits=SHARE,
        )  # fmt: skip
