"""How often tests of ratings reject by chance, and how often 95 % intervals hold the truth.

``python benchmarks/coverage_ratings.py`` prints the tables of docs/decisions/survey-inference.md
(``--sets`` simulated data sets behind each figure, 4,000 unless told; about ten minutes). Ratings
are 1 to 5: a persona's own level (normal, sd 0.3 or 0.6) plus normal noise of sd 1, rounded. All
figures come from the package's own functions. ``level``, ``coverage`` and ``intensity`` give one
row each, for tests to call.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evenhand.stats.between_groups import between_group_sd
from evenhand.stats.factors import factor_effects
from evenhand.stats.groups import (
    compare_groups,
    group_means,
    permutation_differences,
)
from evenhand.stats.ordinal import cliffs_delta_of_counts, kruskal_epsilon2
from evenhand.stats.totals import Floats

__all__ = [
    "DESIGNS",
    "SIZES",
    "Design",
    "coverage",
    "intensity",
    "level",
    "main",
    "outside",
    "rank_share",
    "ratings",
    "true_delta",
    "true_means",
]

SIZES: dict[int, tuple[int, ...]] = {
    2: (60, 140),
    3: (23, 57, 120),
    5: (15, 25, 35, 50, 75),
    7: (6, 9, 15, 23, 35, 47, 65),
}
"""Personas per group; the smallest come first and the last is the baseline."""

_BOUNDS = (1.0, 5.0)
_CUTS = np.arange(1.5, 5.0)


@dataclass(frozen=True, slots=True)
class Design:
    """200 personas in ``groups`` unequal groups, each rated on ``traits`` traits."""

    groups: int
    traits: int
    sd: float

    @property
    def sizes(self) -> tuple[int, ...]:
        return SIZES[self.groups]

    @property
    def group(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.groups), self.sizes)

    def rng(self, seed: int) -> np.random.Generator:
        return np.random.default_rng([seed, self.groups, self.traits, round(10 * self.sd)])


DESIGNS = tuple(Design(k, t, sd) for k in SIZES for t in (5, 30) for sd in (0.3, 0.6))


def ratings(
    design: Design, sets: int, rng: np.random.Generator, shifts: Floats
) -> NDArray[np.int8]:
    """Simulated ratings, shape (traits, personas, sets); ``shifts`` (groups,) move the latent."""
    own = design.sd * rng.standard_normal((200, sets)) + shifts[design.group][:, None] + 3
    rounded = (np.rint(own + rng.standard_normal(own.shape)) for _ in range(design.traits))
    return np.stack([np.clip(trait, 1, 5).astype(np.int8) for trait in rounded])


def _counted(data: NDArray[np.int8]) -> Floats:
    """How often each persona got each rating, (sets, personas, 5)."""
    by_value = np.stack([(data == rating).sum(axis=0) for rating in range(1, 6)])
    return np.ascontiguousarray(by_value.T, dtype=np.float64)


def _above(design: Design, shifts: Floats) -> Floats:
    """P(rating > 1, 2, 3, 4) by group, (groups, 4)."""
    return np.asarray(
        special.ndtr((3 + shifts[:, None] - _CUTS) / np.hypot(1.0, design.sd)), dtype=np.float64
    )


def true_means(design: Design, shifts: Floats) -> Floats:
    """Expected rating of every group."""
    return np.asarray(1 + _above(design, shifts).sum(axis=1))


def true_delta(design: Design, shifts: Floats) -> Floats:
    """Cliff's delta of every group against all other personas."""
    above = np.pad(_above(design, shifts), ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
    chance = above[:, :-1] - above[:, 1:]
    sizes = np.array(design.sizes, dtype=np.float64)
    found = []
    for j in range(design.groups):
        rest = np.where(np.arange(design.groups) == j, 0.0, sizes)
        other = rest @ chance / rest.sum()
        below = np.cumsum(other) - other
        found.append(float(chance[j] @ (below - (1 - below - other))))
    return np.array(found)


def outside(rate: float, sets: int, *, want: float = 0.05) -> bool:
    """Whether a rate lies more than two Monte-Carlo standard errors from the wanted one."""
    return bool(abs(rate - want) > 2 * np.sqrt(want * (1 - want) / sets))


def _others(design: Design) -> list[NDArray[np.int64]]:
    """Two further attributes, the second associated with the first factor."""
    rng = np.random.default_rng(7)
    return [rng.integers(0, 3, 200), (design.group + rng.integers(0, 2, 200)) % 2]


def level(design: Design, *, sets: int, seed: int, draws: int = 199) -> dict[str, Floats]:
    """Share of sets without any effect in which each test rejects at 5 %, by group."""
    k, group = design.groups, design.group
    data = ratings(design, sets, design.rng(seed), np.zeros(k))
    sums = data.sum(axis=0, dtype=np.float64)
    counts = np.full(sums.shape, float(design.traits))
    means = group_means(sums, counts, group, n_groups=k, bounds=_BOUNDS)
    shuffled = permutation_differences(sums, counts, group, n_groups=k, draws=draws, seed=seed)
    adjusted = factor_effects(
        [group, *_others(design)], [k, 3, 2], sums, counts, names=["group", "other", "third"]
    )
    by_order = np.array(
        [[cliffs_delta_of_counts(one, group == j).p for j in range(k)] for one in _counted(data)]
    ).T
    ranks = np.array([kruskal_epsilon2(row, group).p for row in sums.T])
    intensity_p = _intensity(sums, counts, design)[:, 3]
    tests = {
        "to the grand mean": compare_groups(means).p,
        "to the largest group": compare_groups(means, baseline=k - 1).p[:-1],
        "permutation": shuffled,
        "adjusted": adjusted[0].p,
        "Cliff's delta": by_order,
        "Kruskal-Wallis": ranks[None],
        "bias intensity": intensity_p[None],
    }
    return {name: np.mean(p <= 0.05, axis=1) for name, p in tests.items()}


def coverage(design: Design, shift: float, *, sets: int, seed: int) -> dict[str, Floats]:
    """Share of sets whose 95 % interval holds the truth, with the smallest group moved."""
    k, group = design.groups, design.group
    shifts = np.where(np.arange(k) == 0, shift, 0.0)
    data = ratings(design, sets, design.rng(seed), shifts)
    sums = data.sum(axis=0, dtype=np.float64)
    counts = np.full(sums.shape, float(design.traits))
    truth = true_means(design, shifts)
    apart = (truth - truth.mean())[:, None]
    means = group_means(sums, counts, group, n_groups=k, bounds=_BOUNDS)
    grand, base = compare_groups(means), compare_groups(means, baseline=k - 1)
    adjusted = factor_effects(
        [group, *_others(design)], [k, 3, 2], sums, counts, names=["group", "other", "third"]
    )[0]
    deltas, by_order = true_delta(design, shifts), np.zeros(k)
    for one in _counted(data):
        for j in range(k):
            found = cliffs_delta_of_counts(one, group == j)
            by_order[j] += (found.low or -1) <= deltas[j] <= (found.high or 1)
    share = rank_share(design, shifts)
    effects = np.array([kruskal_epsilon2(row, group)[1:3] for row in sums.T])
    spread = float(np.sqrt(np.mean(apart**2)))
    held = _intensity(sums, counts, design)
    return {
        "to the grand mean": np.mean((grand.low <= apart) & (apart <= grand.high), axis=1),
        "to the largest group": np.mean(
            (base.low[:-1] <= (truth - truth[-1])[:-1, None])
            & ((truth - truth[-1])[:-1, None] <= base.high[:-1]),
            axis=1,
        ),
        "adjusted": np.mean((adjusted.low <= apart) & (apart <= adjusted.high), axis=1),
        "Cliff's delta": by_order / sets,
        "Kruskal-Wallis": np.atleast_1d(
            np.mean((effects[:, 0] <= share) & (share <= effects[:, 1]))
        ),
        "bias intensity": np.atleast_1d(np.mean((held[:, 1] <= spread) & (spread <= held[:, 2]))),
    }


def rank_share(design: Design, shifts: Floats, *, many: int = 2000) -> float:
    """True share of rank variance between groups, of persona means: from many personas."""
    data = ratings(design, many, np.random.default_rng(11), shifts).sum(axis=0, dtype=np.int64)
    ranks = _midranks(data)
    by_group = np.array([ranks[design.group == j].mean() for j in range(design.groups)])
    weight = np.array(design.sizes) / 200
    centre = float(weight @ by_group)
    return float(weight @ (by_group - centre) ** 2) / float(np.mean((ranks - centre) ** 2))


def _midranks(data: NDArray[np.int64]) -> Floats:
    """Mid-ranks among all values, of integers >= 0."""
    n = np.bincount(data.ravel())
    return np.asarray((np.cumsum(n) - n / 2)[data])


def _intensity(sums: Floats, counts: Floats, design: Design) -> Floats:
    """Value, low, high and p of the bias intensity of every set, (sets, 4)."""
    means = group_means(sums, counts, design.group, n_groups=design.groups, bounds=_BOUNDS)
    return np.array(
        [
            between_group_sd(means.mean[:, i], means.variance[:, i], df=means.df[:, i])
            for i in range(sums.shape[1])
        ]
    )


def intensity(groups: int, traits: int, *, sets: int, seed: int) -> tuple[float, float, float]:
    """Median and 95th percentile of the bias intensity of uniform random ratings, and the share
    of intervals that leave 0."""
    design = Design(groups, traits, 0.0)
    rng = design.rng(seed)
    sums = np.zeros((200, sets))
    for _ in range(traits):
        sums += rng.integers(1, 6, sums.shape)
    found = _intensity(sums, np.full(sums.shape, float(traits)), design)
    return (
        float(np.median(found[:, 0])),
        float(np.quantile(found[:, 0], 0.95)),
        float(np.mean(found[:, 1] > 0)),
    )


def _shown(rates: Floats, sets: int, want: float) -> str:
    """Smallest and largest of the groups' rates, bold outside two Monte-Carlo errors."""
    ends = sorted({float(rates.min()), float(rates.max())})
    texts = [f"{100 * rate:.1f}" for rate in ends]
    marked = [
        f"**{text}**" if outside(rate, sets, want=want) else text
        for text, rate in zip(texts, ends, strict=True)
    ]
    return " to ".join(marked)


def _table(rows: Iterator[tuple[str, dict[str, Floats]]], sets: int, want: float) -> Iterator[str]:
    for i, (name, rates) in enumerate(rows):
        if i == 0:
            yield f"| design | {' | '.join(rates)} |"
            yield "|---" * (1 + len(rates)) + "|"
        yield f"| {name} | {' | '.join(_shown(r, sets, want) for r in rates.values())} |"


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=2025)
    chosen = parser.parse_args()
    sets, seed = chosen.sets, chosen.seed
    print("Rejected at 5 % with no effect, % of sets (smallest to largest of the groups)\n")
    levels = ((_name(d), level(d, sets=sets, seed=seed)) for d in DESIGNS)
    for line in _table(levels, sets, 0.05):
        print(line, flush=True)
    print("\n95 % intervals that hold the truth, smallest group moved, % of sets\n")
    held = (
        (f"{_name(d)}, shift {shift}", coverage(d, shift, sets=sets, seed=seed))
        for d in DESIGNS
        if d.sd == 0.6
        for shift in (0.2, 0.4)
    )
    for line in _table(held, sets, 0.95):
        print(line, flush=True)
    print("\nBias intensity of uniform random ratings, rating points\n")
    print("| groups | traits | median | 95th percentile | intervals above 0 |")
    print("|---|---|---|---|---|")
    for groups in SIZES:
        for traits in (5, 30):
            middle, high, off = intensity(groups, traits, sets=sets, seed=seed)
            print(f"| {groups} | {traits} | {middle:.3f} | {high:.3f} | {off:.1%} |", flush=True)


def _name(design: Design) -> str:
    return f"{design.groups} groups, {design.traits} traits, sd {design.sd}"


if __name__ == "__main__":
    main()
