"""What a pool of 200,000 drawn from Germany 2024 looks like beside the tables, as Markdown.

``python benchmarks/population_fidelity.py`` prints what ``docs/reference/population-de-2024.md``
shows below its heading *Fidelity*; a test compares the two. ``--n`` and ``--seed`` draw another pool.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping

import numpy as np

from evenhand.survey.people.people import Codes, People
from evenhand.survey.population.expect import joint, marginal
from evenhand.survey.population.fidelity import fidelity
from evenhand.survey.population.load import load_population
from evenhand.survey.population.possible import is_possible
from evenhand.survey.population.sample import sample_chunks
from evenhand.survey.population.spec import Population

__all__ = ["main", "page"]

N = 200_000
SEED = 1


def drawn(population: Population, n: int, seed: int) -> dict[str, Codes]:
    """A pool as columns."""
    chunks = list(sample_chunks(population, n, seed=seed))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def digest(codes: Mapping[str, Codes]) -> str:
    """The start of the SHA-256 over all columns."""
    found = hashlib.sha256()
    for name in sorted(codes):
        found.update(codes[name].tobytes())
    return found.hexdigest()[:12]


def tables(population: Population, codes: Mapping[str, Codes]) -> list[str]:
    """A row per table of the population: the chi-square test and the largest error."""
    lines = [
        "| table | given | cells compared | pooled | chi-square | df | p | p (Holm) | largest error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for table in fidelity(population, codes):
        fit = table.fit
        assert fit is not None
        lines.append(
            f"| {table.attribute} | {', '.join(table.parents) or 'nothing'} | {fit.cells} | {fit.pooled} "
            f"| {fit.statistic:.1f} | {fit.df} | {fit.p:.3f} | {table.p_holm:.3f} "
            f"| {100 * table.largest_error:.2f} points |"
        )
    return lines


def shares(population: Population, codes: Mapping[str, Codes], name: str) -> list[str]:
    """A row per level of an attribute: what the tables imply, and what was drawn."""
    attribute = population.attribute(name)
    seen = np.bincount(codes[name], minlength=len(attribute.levels)) / len(codes[name])
    wanted = marginal(population, name)
    lines = [f"| {name} | tables | drawn |", "|---|---|---|"]
    for level, want, see in zip(attribute.levels, wanted, seen, strict=True):
        lines.append(f"| {level.code} | {100 * want:.2f} % | {100 * see:.2f} % |")
    return lines


def facts(population: Population, codes: Mapping[str, Codes], seed: int) -> list[str]:
    """What else has to hold, one line each."""
    n = len(codes["age"])
    people = People(np.arange(n), codes)
    with_background = 100 * marginal(population, "migration_status")[0]
    seen = 100 * float(np.mean(codes["migration_status"] == 0))
    jobs = population.attribute("occupation")
    present = int((np.bincount(codes["occupation"], minlength=len(jobs.levels)) > 0).sum())
    again = digest(drawn(population, n, seed)) == digest(codes)
    both = joint(population, ["gender", "education"])
    assert abs(both.sum() - 1) < 1e-9
    return [
        f"- People drawn: {n:,} with seed {seed}, temperature 0.",
        f"- Migration background: {with_background:.1f} % by the tables, {seen:.1f} % drawn; 30.4 % is published "
        "(of people in private households).",
        f"- Impossible people: {int((~is_possible(population, people)).sum())}.",
        f"- Occupations present: {present} of {len(jobs.levels)}.",
        f"- The same seed again gives the same rows: {'yes' if again else 'NO'} (SHA-256 {digest(codes)}).",
    ]


def page(n: int = N, seed: int = SEED) -> str:
    """Everything as Markdown."""
    population = load_population("de-2024")
    codes = drawn(population, n, seed)
    blocks = [
        facts(population, codes, seed),
        tables(population, codes),
        shares(population, codes, "religion"),
        shares(population, codes, "occupation"),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=N)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    print(page(given.n, given.seed), end="")


if __name__ == "__main__":
    main()
