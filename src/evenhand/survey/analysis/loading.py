"""From the ledger to columns of ratings: one pass over a run's units, in flat memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow, UnitRecord
from evenhand.stats.findings import ANSWERED, FAILED, REFUSED, UNREADABLE
from evenhand.survey.analysis.ratings import PairedPeople, Ratings, with_counts
from evenhand.survey.people.datasets import Datasets, Links
from evenhand.survey.people.people import People
from evenhand.survey.plan import INSTRUMENT, parts_of_key
from evenhand.survey.results import ConditionFacts
from evenhand.survey.spec import AskSpec, Trait
from evenhand.survey.traits import from_json

__all__ = ["load_ratings"]

VARIANT = "variant"
OUTCOMES = {"rating": ANSWERED, "refusal": REFUSED, "unreadable": UNREADABLE}


def load_ratings(ledger: Ledger, run_ids: Sequence[str]) -> list[Ratings]:
    """The ratings of each run, with its people, its traits and what was asked.

    A run is a condition of the analysis; of several, each is labelled with its id. A persona is
    there once per run, however many datasets it belongs to. Units still pending were not answered
    and do not count; ``facts.counts`` tells how many there are.

    Raises:
        InputError: not a run of ratings, or a run without any answer.
        NotFound: there is no such run.
    """
    ids = list(dict.fromkeys(ledger.run(run_id).id for run_id in run_ids))
    with Datasets(ledger.settings) as datasets:
        return [
            _load(ledger, datasets, ledger.run(id), id if len(ids) > 1 else None) for id in ids
        ]


def _load(ledger: Ledger, datasets: Datasets, row: RunRow, label: str | None) -> Ratings:
    stored = row.config
    if row.instrument != INSTRUMENT or stored.get("kind") != "ratings":
        raise InputError(f"run {row.id} is no run of ratings; analyse one of `survey run`")
    traits = tuple(from_json(body) for body in stored["traits"])
    dataset = datasets.get(stored["ask"]["dataset"])
    people = datasets.people(dataset.id)
    columns = _columns(ledger.units(row.id), people, traits)
    if not len(columns["outcome"]):
        raise InputError("no rating has come yet; resume the run first", where=row.id)
    population = datasets.population(dataset.id)
    facts = ConditionFacts(
        label=label, run=row.id, model=_address(stored["model"]), dataset=dataset.id,
        dataset_name=dataset.name, dataset_kind=dataset.kind, population=population.title,
        ask=AskSpec(**stored["ask"]), counts=ledger.counts(row.id),
    )  # fmt: skip
    links = datasets.links(dataset.id)
    return with_counts(
        Ratings(
            facts=facts,
            population=population,
            people=people,
            in_groups=datasets.roles(dataset.id) != VARIANT,
            pairs=_places(people, links),
            traits=traits,
            **columns,
        )  # fmt: skip
    )


def _address(model: Mapping[str, Any]) -> str:
    return f"{model['backend']}/{model['name']}"


def _columns(
    records: Iterable[UnitRecord], people: People, traits: Sequence[Trait]
) -> dict[str, NDArray[Any]]:
    """One row per unit that has ended; 20 bytes each while they are gathered."""
    known = {trait.id: place for place, trait in enumerate(traits)}
    ids, trait, turned, value, outcome = (
        array("q"), array("h"), array("b"), array("d"), array("b")
    )  # fmt: skip
    for record in records:
        if record.status == "pending":
            continue
        persona, name, order = parts_of_key(record.key)
        ids.append(persona)
        trait.append(known[name])
        turned.append(order == "reversed")
        kind, rating = _reading(record)
        outcome.append(kind)
        value.append(rating)
    person = np.searchsorted(people.ids, np.array(ids, dtype=np.int64))
    return {
        "person": person.astype(np.int32),
        "trait": np.array(trait, dtype=np.int16),
        "reversed": np.array(turned, dtype=bool),
        "value": np.array(value, dtype=np.float64),
        "outcome": np.array(outcome, dtype=np.int8),
    }


def _reading(record: UnitRecord) -> tuple[int, float]:
    if not record.steps:
        return FAILED, np.nan
    reading = record.steps[0]["reading"]
    kind = OUTCOMES[reading["kind"]]
    return kind, float(reading["value"]) if kind == ANSWERED else np.nan


def _places(people: People, links: Links) -> PairedPeople:
    """Links as places among people, whose ids rise."""
    if not len(links):
        return PairedPeople.none()
    return PairedPeople(
        np.searchsorted(people.ids, links.source),
        np.searchsorted(people.ids, links.variant),
        links.attribute,
    )
