"""Datasets made from another: balanced subsets, and counterfactual pairs."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.errors import InputError
from evenhand.survey.building.balance import KEEP, Balanced, balance
from evenhand.survey.building.counterfactuals import Variants, counterfactuals
from evenhand.survey.people.datasets import DatasetRow, Datasets, NewVariants

__all__ = ["build_balanced", "build_counterfactual"]


def build_balanced(
    datasets: Datasets,
    source: int | str,
    n: int,
    *,
    axes: Sequence[str] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    keep: float = KEEP,
    seed: int,
    name: str | None = None,
) -> tuple[DatasetRow, Balanced]:
    """Keep n people of a dataset whose axes are even; see ``balance``.

    What came of it (evenness, Cramér's V before and after) is kept in the dataset's counts.

    Raises:
        NotFound: no such dataset or axis.
        InputError: as ``balance``; or the dataset holds counterfactual variants.
        Conflict: the name is taken.
    """
    row = _usable(datasets, source, "balanced")
    population, people = datasets.population(row.id), datasets.people(row.id)
    found = balance(population, people, n, axes=axes, pairs=pairs, keep=keep, seed=seed)
    config = {
        "n": n,
        "axes": [e.axis for e in found.evenness],
        "pairs": [[t.first, t.second] for t in found.together if t.kept],
        "keep": keep,
    }
    kept = datasets.add(
        "balanced",
        population,
        name=name,
        source=row.id,
        seed=seed,
        config=config,
        members=people.take(found.chosen),
        more_counts=found.as_counts(),
    )
    return kept, found


def build_counterfactual(
    datasets: Datasets,
    source: int | str,
    *,
    attributes: Sequence[str] | None = None,
    seed: int,
    name: str | None = None,
) -> tuple[DatasetRow, Variants]:
    """Keep a dataset's people together with one variant each; see ``counterfactuals``.

    People in whom nothing can be changed are left out and counted.

    Raises:
        NotFound: no such dataset or attribute.
        InputError: as ``counterfactuals``; or the dataset holds counterfactual variants itself.
        Conflict: the name is taken.
    """
    row = _usable(datasets, source, "varied")
    population, people = datasets.population(row.id), datasets.people(row.id)
    found = counterfactuals(population, people, attributes=attributes, seed=seed)
    members = people.take(found.source)
    kept = datasets.add(
        "counterfactual",
        population,
        name=name,
        source=row.id,
        seed=seed,
        config={"attributes": list(found.feasible)},
        members=members,
        variants=NewVariants(
            found.codes, members.ids, found.attribute, found.from_value, found.to_value
        ),
        more_counts={
            "pairs": len(found),
            "feasible": dict(found.feasible),
            "without_variant": len(found.without),
        },
    )
    return kept, found


def _usable(datasets: Datasets, source: int | str, what: str) -> DatasetRow:
    row = datasets.get(source)
    if row.kind == "counterfactual":
        made_from = f" (dataset {row.source_id})" if row.source_id is not None else ""
        raise InputError(
            f"dataset {row.name!r} is made of counterfactual pairs, which cannot be {what}; "
            f"use what it was made from{made_from}",
            where="dataset",
        )
    return row
