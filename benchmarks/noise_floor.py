"""How well the noise floor is taken off: intervals, false findings, planted against found.

``python benchmarks/noise_floor.py`` prints the tables of docs/decisions/noise-floor.md (``--sets``
simulated data sets behind each figure, 4,000 unless told; about six minutes). A source has four
edits and a readiness of its own to answer otherwise (beta, mean ``noise``); such a report draws one of
``kinds`` sets of recommendations. A flip belongs to a source and an edit and adds what no other
report has, so that the normalised excess is the flip rate. All figures come from the package's own
functions; ``shares``, ``found_excess`` and ``simulated`` are for tests to call.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.noise_distance import across, differing, within
from evenhand.counterfactual.analysis.noise_interval import (
    agreement_of,
    excess_interval,
    excess_p,
    share_interval,
)
from evenhand.errors import StatsError
from evenhand.stats.resample import cluster_estimate
from evenhand.stats.totals import Floats, ratio

__all__ = ["DESIGNS", "Design", "Sets", "found_excess", "main", "shares", "simulated"]

EDITS = 4
FLIPPED = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """``flips``: probability that an edit's reports differ for good. The first two edits are of one
    level, the last two of another, where nothing is planted unless ``both``."""

    sources: int
    noise: float
    flips: float
    kinds: int = 6
    unequal: bool = False
    both: bool = True

    @property
    def planted(self) -> Floats:
        """Flip rate of each edit."""
        other = self.flips if self.both else 0.0
        return np.array([self.flips, self.flips, other, other])

    @property
    def floor(self) -> float:
        """Expected distance of two reports on one image."""
        first, kinds = self.noise, self.kinds
        second = first**2 + (first * (1 - first) / 3 if 0 < first < 1 else 0.0)
        same = 1 - 2 * first + second + 2 * (first - second) / kinds + second / kinds
        return 1 - same

    @property
    def name(self) -> str:
        return (
            f"{self.sources} sources, floor {self.floor:.2f}, flips {self.flips}"
            f"{', unequal' if self.unequal else ''}"
        )


NOISES = ((0.3, 6), (0.9, 6), (1.0, 40))
DESIGNS = tuple(
    Design(sources=sources, noise=noise, kinds=kinds, flips=flips, unequal=unequal)
    for sources in (15, 25, 100)
    for noise, kinds in NOISES
    for flips in (0.0, 0.3, 0.9)
    for unequal in (False, True)
)


@dataclass(frozen=True, slots=True)
class Sets:
    """Simulated sets. ``instability``, ``floor``: shape (sets, sources). ``by_edit``: instability
    (sets, sources, edits), NaN where there is no such pair. ``changed``: the same, of the pair's
    own two reports, 0 or 1: what the frozen change rate counts."""

    instability: Floats
    floor: Floats
    by_edit: Floats
    changed: Floats


def simulated(design: Design, sets: int, rng: np.random.Generator) -> Sets:
    """Draw reports and take their distances; each pair asks both of its images anew."""
    n, noise = sets * design.sources, design.noise
    own = rng.beta(2 * noise, 2 - 2 * noise, n) if 0 < noise < 1 else np.full(n, noise)
    present, repeats = np.ones((n, EDITS), dtype=bool), np.full(n, EDITS)
    if design.unequal:
        present = rng.random((n, EDITS)) < 0.7
        present[~present.any(axis=1), 0] = True
        repeats = present.sum(axis=1) + rng.integers(1, 6, n)

    def report(image: NDArray[np.int64]) -> NDArray[np.uint64]:
        otherwise = rng.random(len(image)) < own[image]
        drawn = rng.integers(0, design.kinds, len(image))
        return np.where(otherwise, drawn, 0).astype(np.uint64)

    image, edit = np.nonzero(present)
    asked = np.repeat(np.arange(n), repeats)
    source, edited = report(asked), report(image)
    flips = rng.random((n, EDITS)) < design.planted
    edited += (flips[image, edit] * FLIPPED).astype(np.uint64)
    apart = across(asked, source, image, edited, differing, n_images=n)
    # A pair's own source report: the k-th of its source for the k-th edit there is.
    order = np.cumsum(present, axis=1)[image, edit] - 1
    partner = source[(np.cumsum(repeats) - repeats)[image] + order]
    table, changed = np.full((2, n, EDITS), np.nan)
    table[image, edit], changed[image, edit] = apart, differing(edited, partner)
    shape = (sets, design.sources)
    return Sets(
        np.nanmean(table, axis=1).reshape(shape),
        within(asked, source, differing, n_images=n).reshape(shape),
        table.reshape(*shape, EDITS),
        changed.reshape(*shape, EDITS),
    )


def shares(design: Design, *, sets: int, seed: int) -> dict[str, float]:
    """Shares of sets: intervals that hold the truth, and findings at 5 %.

    ``difference`` is that of two levels of which one is flipped, ``t`` the plain t interval of the
    excess, for comparison; ``change`` the share of sets in which the interval of the plain change
    rate leaves 0 out.
    """
    drawn = simulated(design, sets, np.random.default_rng([seed, 1]))
    one_level = replace(design, both=False)
    apart = simulated(one_level, sets, np.random.default_rng([seed, 3])).by_edit
    planted = float(design.planted.mean())
    truth = planted * (1 - design.floor)
    hits = dict.fromkeys(("excess", "normalised", "t", "difference", "found", "change"), 0)
    gap = design.flips * (1 - design.floor)
    for i in range(sets):
        agreement = agreement_of(drawn.instability[i], drawn.floor[i])
        low, high = excess_interval(agreement, level=0.95)
        hits["excess"] += low <= truth <= high
        hits["found"] += excess_p(agreement) <= 0.05
        low, high = share_interval(agreement, level=0.95)
        hits["normalised"] += low <= planted <= high
        hits["t"] += _holds(drawn.instability[i] - drawn.floor[i], truth)
        hits["difference"] += _holds(_differences(apart[i]), gap)
        hits["change"] += _leaves_zero(drawn.changed[i])
    return {name: count / sets for name, count in hits.items()}


def _holds(values: Floats, truth: float) -> bool:
    """Whether the cluster t interval of a mean over sources holds the truth."""
    there = np.isfinite(values)
    totals = np.stack([np.where(there, values, 0.0), there], axis=1)
    try:
        found = cluster_estimate(totals, ratio(), bounds=(-1, 1))
    except StatsError:
        return False
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def _differences(by_edit: Floats) -> Floats:
    """Mean difference of a source's couples: edit 0 and 2, edit 1 and 3."""
    couples = by_edit[:, :2] - by_edit[:, 2:]
    there = np.isfinite(couples)
    count = there.sum(axis=1)
    sums = np.where(there, couples, 0.0).sum(axis=1)
    mean: Floats = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    return mean


def _leaves_zero(changed: Floats) -> bool:
    there = np.isfinite(changed)
    totals = np.stack([np.where(there, changed, 0.0).sum(axis=1), there.sum(axis=1)], axis=1)
    low = cluster_estimate(totals, ratio(), bounds=(0, 1)).low
    return low is not None and low > 0


def found_excess(noise: float, flips: float, *, sources: int, seed: int) -> tuple[float, float]:
    """Plain change rate and normalised excess of one large set."""
    drawn = simulated(
        Design(sources=sources, noise=noise, flips=flips), 1, np.random.default_rng([seed, 2])
    )
    t, f = float(drawn.instability.mean()), float(drawn.floor.mean())
    return float(np.nanmean(drawn.changed)), (t - f) / (1 - f)


def _held(share: float, sets: int) -> str:
    """In per cent, bold outside 93 to 97 beyond simulation error."""
    off = 2 * (0.05 * 0.95 / sets) ** 0.5
    bold = not 0.93 - off <= share <= 0.97 + off
    return f"**{100 * share:.1f}**" if bold else f"{100 * share:.1f}"


def coverage_table(sets: int, seed: int) -> Iterator[str]:
    """95 % intervals that hold the truth, by design."""
    yield "| design | excess | normalised | level difference | excess, plain t |"
    yield "|---|---|---|---|---|"
    for design in DESIGNS:
        found = shares(design, sets=sets, seed=seed)
        cells = [_held(found[name], sets) for name in ("excess", "normalised", "difference", "t")]
        yield f"| {design.name} | {' | '.join(cells)} |"


def null_table(sets: int, seed: int) -> Iterator[str]:
    """What is found where no edit does anything."""
    yield "| sources | floor | change rate above 0 | excess found at 5 % |"
    yield "|---|---|---|---|"
    for design in DESIGNS:
        if design.flips == 0 and not design.unequal:
            found = shares(design, sets=sets, seed=seed + 1)
            yield (
                f"| {design.sources} | {design.floor:.2f} | {found['change']:.1%} | "
                f"{found['found']:.1%} |"
            )


def slope_table(seed: int, *, sources: int = 20_000) -> Iterator[str]:
    """Planted flips against the change rate and the normalised excess."""
    planted = np.linspace(0, 0.6, 7)
    yield "| noise | floor | change rate at flips 0 | slope of change rate | slope of excess_normalised | farthest off |"
    yield "|---|---|---|---|---|---|"
    for noise in (0.0, 0.2, 0.4, 0.6):
        found = np.array(
            [found_excess(noise, flips, sources=sources, seed=seed) for flips in planted.tolist()]
        )
        slopes = [float(np.polyfit(planted, found[:, i], 1)[0]) for i in (0, 1)]
        floor = Design(sources=2, noise=noise, flips=0).floor
        off = float(np.abs(found[:, 1] - planted).max())
        yield (
            f"| {noise} | {floor:.2f} | {found[0, 0]:.3f} | {slopes[0]:.3f} | {slopes[1]:.3f} | "
            f"{off:.3f} |"
        )


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=2026)
    chosen = parser.parse_args()
    tables = (
        (
            "95 % intervals that hold the truth, % of sets",
            coverage_table(chosen.sets, chosen.seed),
        ),
        ("\nNo edit does anything", null_table(chosen.sets, chosen.seed)),
        ("\nPlanted against found, 20,000 sources", slope_table(chosen.seed)),
    )
    for title, lines in tables:
        print(title + "\n")
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
