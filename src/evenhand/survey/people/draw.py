"""A smaller sample of a dataset: its people as they are, each at most once."""

from __future__ import annotations

import numpy as np

from evenhand.errors import InputError
from evenhand.survey.people.datasets import DatasetRow, Datasets

__all__ = ["draw_sample"]


def draw_sample(
    datasets: Datasets, source: int | str, n: int, *, seed: int, name: str | None = None
) -> DatasetRow:
    """Keep ``n`` people of a dataset, drawn at random without replacement.

    Drawn from a pool at temperature 0 it looks like the population, within chance.

    Raises:
        NotFound: no such dataset.
        InputError: the dataset is smaller than ``n``, or holds counterfactual pairs.
        Conflict: the name is taken.

    Example:
        >>> import tempfile
        >>> from evenhand.settings import Settings
        >>> from evenhand.survey.population.load import load_population
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Datasets(Settings.resolve(workspace=folder, environ={})) as held:
        ...         pool = held.create_pool(load_population("de-2024"), 50, seed=1)
        ...         row = draw_sample(held, pool.id, 5, seed=1)
        ...         row.kind, row.n, row.source_id
        ('reality', 5, 1)
    """
    row = datasets.get(source)
    if "variant" in row.counts["roles"]:
        raise InputError(
            f"dataset {row.name!r} is made of counterfactual pairs, which a sample would part; "
            "sample what it was made from",
            where="dataset",
        )
    if not 0 < n <= row.n:
        raise InputError(
            f"{n:,} people cannot be drawn from the {row.n:,} of {row.name!r}; "
            f"ask for 1 to {row.n:,}",
            where="n",
        )
    if seed < 0:
        raise InputError(f"{seed} is no seed; give a whole number from 0", where="seed")
    people = datasets.people(row.id)
    chosen = np.sort(np.random.default_rng(seed).choice(row.n, size=n, replace=False))
    return datasets.add(
        "reality",
        datasets.population(row.id),
        name=name,
        source=row.id,
        seed=seed,
        config={"n": n},
        members=people.take(chosen),
    )
