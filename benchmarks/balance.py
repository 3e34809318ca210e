"""Balanced datasets and counterfactual pairs: seconds, and how the time grows with the pool.

``python benchmarks/balance.py``. A pool of 20,000 people gives 2,000, whole command (loading and
storing) and choosing alone; a pool of 1,000,000 gives 20,000, choosing alone, in at most as many
times that time as the pool is larger; 100,000 people get a variant each.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evenhand.settings import Settings
from evenhand.survey.building.balance import KEEP, Balanced, balance
from evenhand.survey.building.build import build_balanced, build_counterfactual
from evenhand.survey.building.counterfactuals import counterfactuals
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.people.people import People
from evenhand.survey.population.load import load_population
from evenhand.survey.population.sample import sample_people

__all__ = ["main"]

SMALL, LARGE = 20_000, 1_000_000
CHOSEN = 10  # one in so many of the small pool
BALANCE_S, PAIRS_S = 0.5, 5.0


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Best wall time in seconds: other work on the machine only adds to it."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def held(kept: bool) -> str:
    """How a limit is told."""
    return "held" if kept else "NOT HELD"


def whole_commands() -> tuple[float, float]:
    """Balanced 2,000 of 20,000, and pairs of 20,000: loaded, made, stored."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.resolve(workspace=Path(folder), environ={})
        with Datasets(settings) as datasets:
            datasets.create_pool(
                load_population("de-2024"), SMALL, seed=1, temperature=0.1, name="pool"
            )
            n = SMALL // CHOSEN
            return (
                best(lambda: build_balanced(datasets, "pool", n, seed=1), 5),
                best(lambda: build_counterfactual(datasets, "pool", seed=1)),
            )


def tell(found: Balanced) -> None:
    """Evenness per axis and V of the pair that was kept apart."""
    for e in found.evenness:
        print(f"  {e.axis:<12} unevenness {e.distance:.3f}, least {e.least:.3f}")
    for t in found.together:
        if t.kept and t.before is not None and t.after is not None:
            limit = held(t.after <= KEEP * t.before)
            print(
                f"  {t.first} x {t.second}: Cramér's V {t.before:.3f} -> {t.after:.3f} "
                f"(at most half: {limit})"
            )


def main() -> None:
    """Print every figure beside its limit."""
    population = load_population("de-2024")

    def pool(n: int) -> People:
        rng = np.random.default_rng(1)
        return People(np.arange(n), sample_people(population, n, rng=rng, temperature=0.1))

    small, large = pool(SMALL), pool(LARGE)
    whole_s, pairs_s = whole_commands()
    few, many = SMALL // CHOSEN, SMALL
    small_s = best(lambda: balance(population, small, few, seed=1), 5)
    large_s = best(lambda: balance(population, large, many, seed=1))
    hundred = pool(100_000)
    variants_s = best(lambda: counterfactuals(population, hundred, seed=1))
    kept = held(whole_s <= BALANCE_S)
    print(
        f"balanced {few:,} of {SMALL:,}: {whole_s:.2f} s loaded and stored ({kept}), {small_s:.2f} s alone"
    )
    print(
        f"balanced {many:,} of {LARGE:,}: {large_s:.2f} s alone, {large_s / small_s:.1f} times as long "
        f"from a pool {LARGE // SMALL} times as large ({held(large_s / small_s <= LARGE / SMALL)})"
    )
    print(
        f"counterfactuals of 100,000: {variants_s:.2f} s alone ({held(variants_s <= PAIRS_S)}); "
        f"of {SMALL:,} {pairs_s:.2f} s loaded and stored"
    )
    tell(balance(population, small, few, seed=1))


if __name__ == "__main__":
    main()
