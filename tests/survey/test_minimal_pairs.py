"""A counterfactual pair differs in one stored attribute, and in nothing else a model is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.asking.enrich import restated_of
from evenhand.survey.building.build import build_counterfactual
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.load import load_population
from evenhand.survey.prepare import EnrichSpec, prepare_ratings
from evenhand.survey.run import start_enrichment
from evenhand.survey.spec import AskSpec
from evenhand.survey.traits import default_traits

GERMANY = load_population("de-2024")
STORED = tuple(attribute.name for attribute in GERMANY.attributes)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=tmp_path, environ={})


def pairs_of(settings: Settings, n: int) -> tuple[int, dict[int, tuple[int, str]]]:
    """A counterfactual dataset over every stored attribute: variant to source and what changed."""
    with Datasets(settings) as datasets:
        pool = datasets.create_pool(GERMANY, n, seed=5, temperature=0.5)
        row, _ = build_counterfactual(datasets, pool.id, attributes=STORED, seed=5)
        links = datasets.links(row.id)
    made = zip(links.variant.tolist(), links.source.tolist(), links.attribute, strict=True)
    return row.id, {variant: (source, str(changed)) for variant, source, changed in made}


def test_every_pair_differs_in_one_stored_attribute(settings: Settings) -> None:
    """Of 2,000 pairs each differs in the attribute that its link names, and in no other."""
    dataset, pairs = pairs_of(settings, 2000)
    with Datasets(settings) as datasets:
        people = datasets.people(dataset)
    place = {id: i for i, id in enumerate(people.ids.tolist())}
    for variant, (source, changed) in pairs.items():
        differs = [
            name
            for name, column in people.codes.items()
            if column[place[variant]] != column[place[source]]
        ]
        assert differs == [changed]
    assert len(pairs) > 1900
    assert {changed for _, changed in pairs.values()} == set(STORED) - {"migration_status"}


def prompts(settings: Settings, spec: AskSpec) -> dict[int, list[str]]:
    """Every persona's first prompt, line by line."""
    planned = prepare_ratings(
        settings, spec, subject="simulated/neutral", traits=default_traits()[:1]
    )
    units = [planned.work.unit(ordinal) for ordinal in range(len(planned.work))]
    return {
        unit.payload.persona.id: "\n".join(
            message.text
            for message in planned.work.request(unit).messages  # type: ignore[union-attr]
        ).splitlines()
        for unit in units
    }


@pytest.mark.parametrize("language", ["de", "en"])
def test_prompts_of_a_pair_differ_in_the_one_line(settings: Settings, language: str) -> None:
    """Of every rated pair the prompts differ in the line of the changed attribute alone."""
    dataset, pairs = pairs_of(settings, 600)
    told = prompts(settings, AskSpec(dataset=dataset, language=language, scale_order="random"))
    labels = {a.name: a.labels[language] for a in GERMANY.attributes}
    compared = 0
    for variant, (source, changed) in pairs.items():
        if variant not in told or source not in told:
            continue
        differing = set(told[variant]) ^ set(told[source])
        assert differing
        assert all(line.startswith(f"{labels[changed]}:") for line in differing)
        compared += 1
    assert compared > 300


def test_texts_of_a_pair_differ_only_where_they_state_the_change(settings: Settings) -> None:
    """With written texts, the lines that differ are the attribute's and the restated texts'."""
    dataset, pairs = pairs_of(settings, 150)
    ended = start_enrichment(
        settings, EnrichSpec(dataset=dataset, language="de"), subject="simulated/demo", seed=1
    )
    with Ledger(settings) as ledger:
        restated = restated_of(ledger, ended.run)
    told = prompts(settings, AskSpec(dataset=dataset, attributes_run=ended.run))
    labels = {a.name: a.labels["de"] for a in GERMANY.attributes}
    fields = {"name": "Name", "appearance": "Aussehen", "biography": "Biografie"}
    again = 0
    for variant, (source, changed) in pairs.items():
        if variant not in told or source not in told:
            continue
        parts = restated.get(variant, ())
        again += bool(parts)
        allowed = (labels[changed], *(fields[part] for part in parts))
        differing = set(told[variant]) ^ set(told[source])
        # The question names the person, so that a new name stands there as well.
        lines = [line for line in differing if not (line.startswith("Wie ") and "name" in parts)]
        assert all(line.startswith(allowed) for line in lines), lines
    assert again > 5
