"""Datasets and runs of the survey for tests: real ones, as small as can be."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

from evenhand.runs.export import export_jsonl
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.building.build import build_counterfactual
from evenhand.survey.exports.unit_line import describe_unit
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.load import load_population
from evenhand.survey.population.spec import Population
from evenhand.survey.run import start_ratings
from evenhand.survey.spec import AskSpec, Trait

__all__ = ["TRAITS", "exported", "germany", "pairs", "pool", "rated", "rows"]

TRAITS = (
    Trait("kind", {"de": "freundlich", "en": "kind"}, "warmth", 1, "rude"),
    Trait("rude", {"de": "grob", "en": "rude"}, "warmth", -1, "kind"),
    Trait("able", {"de": "fähig", "en": "able"}, "competence", 1),
)


@cache
def germany() -> Population:
    """The shipped population, built once a process."""
    return load_population("de-2024")


def pool(settings: Settings, n: int = 12, *, seed: int = 1, age_from: int = 18) -> int:
    """A pool of de-2024; its id."""
    with Datasets(settings) as datasets:
        made = datasets.create_pool(germany(), n, seed=seed, age_from=age_from)
        return made.id


def pairs(
    settings: Settings, n: int = 12, *, attributes: Sequence[str] | None = None, seed: int = 1
) -> int:
    """A pool and the counterfactual dataset made of it; the latter's id."""
    source = pool(settings, n, seed=seed)
    with Datasets(settings) as datasets:
        made: Any = build_counterfactual(datasets, source, attributes=attributes, seed=seed)
    row = made[0] if isinstance(made, tuple) else made
    return int(row.id)


def rated(
    settings: Settings,
    dataset: int,
    *,
    model: str = "simulated/neutral",
    traits: Sequence[Trait] = TRAITS,
    **how: Any,
) -> str:
    """A finished run of ratings; its id."""
    spec = AskSpec(dataset=dataset, **how)
    ended = start_ratings(settings, spec, subject=model, traits=traits)
    assert ended.complete, ended
    return ended.run


def exported(settings: Settings, run_id: str) -> bytes:
    """A run as JSON lines."""
    out = io.BytesIO()
    with Ledger(settings) as ledger:
        export_jsonl(ledger, run_id, out, describe=describe_unit)
    return out.getvalue()


def rows(settings: Settings, run_id: str) -> list[Any]:
    """Every unit of a run with its steps, without times."""
    with Ledger(settings) as ledger:
        return [(r.ordinal, r.key, r.status, r.steps) for r in ledger.units(run_id)]
