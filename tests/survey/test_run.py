"""Runs of ratings and of enrichment from the first request to the last, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
import zstandard

from evenhand.errors import InputError, NotFound, SubjectError
from evenhand.runs.budget import Budget
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.store.tables import runs, steps
from evenhand.survey.asking.enrich import restated_of, texts_of, written
from evenhand.survey.asking.prompts import load_template
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.plan import RatingWork, parts_of_key
from evenhand.survey.prepare import AskedWith, EnrichSpec, prepare_enrichment, prepare_ratings
from evenhand.survey.run import (
    expect,
    left,
    requests_of,
    resume,
    start,
    start_enrichment,
    start_ratings,
    work_of,
)
from evenhand.survey.spec import AskSpec
from support.databases import DATABASES, settings_on
from support.surveys import TRAITS, exported, pairs, pool, rated, rows

NEUTRAL = "simulated/neutral"


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A fresh workspace on a fresh database, of either kind."""
    with settings_on(request.param, tmp_path) as settings:
        yield settings


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    """A fresh workspace on SQLite, for what the database has no part in."""
    return Settings.resolve(workspace=tmp_path / "w", environ={})


def enriched(settings: Settings, dataset: int, model: str = NEUTRAL, **how: Any) -> str:
    """A finished enrichment; its id."""
    ended = start_enrichment(settings, EnrichSpec(dataset=dataset, **how), subject=model)
    assert ended.complete, ended
    return ended.run


def test_a_dataset_is_enriched_and_rated(local: Settings) -> None:
    """Every person on every trait once, every dual pair twice; texts stand in the prompts."""
    dataset = pool(local, 10)
    texts = enriched(local, dataset)
    run = rated(local, dataset, dual=0.2, scale_order="random", attributes_run=texts)
    units = rows(local, run)
    assert len(units) == 10 * 3 + 6
    assert {parts_of_key(key)[:2] for _, key, _, _ in units} == {
        (person, trait.id) for person in range(1, 11) for trait in TRAITS
    }
    assert all(said[0]["reading"]["kind"] == "rating" for _, _, _, said in units)
    with Ledger(local) as ledger:
        name = texts_of(ledger, texts)[1]["name"]
        work = work_of(ledger, run).work
        assert isinstance(work, RatingWork)
        assert name in work.request(work.unit(0)).messages[-1].text


@pytest.mark.postgres
def test_both_databases_give_the_same_rows(tmp_path: Path) -> None:
    """The same dataset, seed and model leave the same bytes on SQLite and on PostgreSQL."""
    told = []
    for kind in ("sqlite", "postgres"):
        with settings_on(kind, tmp_path / kind) as settings:
            dataset = pairs(settings, 8)
            texts = enriched(settings, dataset, "simulated/demo")
            run = rated(
                settings, dataset, model="simulated/demo", dual=0.3, scale_order="random",
                attributes_run=texts,
            )  # fmt: skip
            told.append((exported(settings, texts), exported(settings, run)))
    assert told[0] == told[1]
    assert told[0][1].count(b"\n") > 48


def test_what_a_run_asked_is_stored_with_it(local: Settings) -> None:
    """Dataset, traits, words, decoding, parser, texts, seed: enough to plan the run again."""
    dataset = pool(local, 4)
    texts = enriched(local, dataset)
    spec = AskSpec(dataset=dataset, language="en", dual=0.5, attributes_run=texts[:-2])
    ended = start_ratings(local, spec, subject=NEUTRAL, traits=TRAITS, seed=9)
    with Ledger(local) as ledger:
        row = ledger.run(ended.run)
        again = work_of(ledger, ended.run)
    stored = row.config
    template = load_template("en")
    assert (row.instrument, row.seed, stored["kind"]) == ("survey", 9, "ratings")
    assert stored["dataset"] == dataset
    assert stored["members"]["asked"] == 4
    assert stored["ask"]["attributes_run"] == texts == stored["texts"]["run"]
    assert [trait["id"] for trait in stored["traits"]] == ["kind", "rude", "able"]
    assert stored["decoding"] == {"temperature": 0.0, "max_tokens": 256}
    assert stored["template"] == {"version": "en-1", "digest": template.digest}
    assert stored["parser"]
    assert row.models.popitem()[1]["address"] == NEUTRAL  # type: ignore[attr-defined]
    assert again.work.plan_hash == row.plan_hash
    assert again.stored == stored


def test_a_run_that_stopped_goes_on(settings: Settings) -> None:
    """In two halves it leaves the bytes of a whole one; what is left is told before."""
    dataset = pool(settings, 10)
    spec = AskSpec(dataset=dataset, dual=0.2, scale_order="random")
    whole = start_ratings(settings, spec, subject=NEUTRAL, traits=TRAITS)
    half = start_ratings(
        settings, spec, subject=NEUTRAL, traits=TRAITS, budget=Budget(max_requests=17)
    )
    assert (half.status, half.units["answered"]) == ("interrupted", 17)
    rest = left(half.run, settings)
    assert (rest.planned, rest.done, len(rest.first)) == (36, 17, 5)
    done = resume(half.run, settings)
    assert done.complete
    assert exported(settings, half.run) == exported(settings, whole.run)
    assert left(half.run, settings).first == ()


def test_an_enrichment_that_stopped_goes_on(local: Settings) -> None:
    """Families go on behind their last step."""
    dataset = pairs(local, 8)
    spec = EnrichSpec(dataset=dataset)
    whole = start_enrichment(local, spec, subject=NEUTRAL)
    half = start_enrichment(local, spec, subject=NEUTRAL, budget=Budget(max_requests=5))
    assert half.status == "interrupted"
    with pytest.raises(InputError, match="personas still without texts; finish it first"):
        prepare_ratings(local, AskSpec(dataset=dataset, attributes_run=half.run), subject=NEUTRAL)
    assert resume(half.run, local).complete
    assert exported(local, half.run) == exported(local, whole.run)


def test_a_changed_dataset_is_noticed(local: Settings) -> None:
    """One level of one person changed since: the run does not go on."""
    dataset = pool(local, 10)
    half = start_ratings(
        local, AskSpec(dataset=dataset), subject=NEUTRAL, traits=TRAITS,
        budget=Budget(max_requests=5),
    )  # fmt: skip
    with Datasets(local) as datasets, datasets.database.writing() as connection:
        connection.execute(sa.text("UPDATE personas SET religion = 'hindu' WHERE id = 3"))
    with pytest.raises(InputError, match="dataset pool-1 has changed since the run began"):
        resume(half.run, local)


def test_a_changed_template_is_noticed(local: Settings, tmp_path: Path) -> None:
    """The rest of a run is asked in the words of its beginning."""
    from importlib.resources import files

    words = files("evenhand.survey").joinpath("templates/en.yaml").read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(words, encoding="utf-8")
    spec = AskSpec(dataset=pool(local, 4), language="en", template=str(own))
    half = start_ratings(
        local, spec, subject=NEUTRAL, traits=TRAITS, budget=Budget(max_requests=5)
    )
    own.write_text(words.replace("How {adjective}", "Just how {adjective}"), encoding="utf-8")
    with pytest.raises(InputError, match="the prompt template has changed since the run began"):
        resume(half.run, local)


def test_changed_texts_are_noticed(local: Settings) -> None:
    """A rating run goes on with the texts it began with, or not at all."""
    dataset = pool(local, 4)
    texts = enriched(local, dataset)
    half = start_ratings(
        local, AskSpec(dataset=dataset, attributes_run=texts), subject=NEUTRAL, traits=TRAITS,
        budget=Budget(max_requests=5),
    )  # fmt: skip
    with Ledger(local) as ledger:
        step = dict(next(ledger.units(texts)).steps[0])
        step["texts"] = {**step["texts"], "name": "Somebody Else"}
        body = zstandard.compress(orjson.dumps(step))
        changed = sa.update(steps).where(steps.c.run_id == texts, steps.c.ordinal == 0)
        with ledger.database.writing() as connection:
            connection.execute(changed.values(body=body))
    with pytest.raises(InputError, match=r"texts of enrichment .* have changed"):
        resume(half.run, local)


def test_pairs_differ_in_one_line_and_what_had_to_be_restated(local: Settings) -> None:
    """Of 60 pairs each rating prompt differs in the changed attribute and restated texts only."""
    dataset = pairs(local, 60)
    texts = enriched(local, dataset)
    spec = AskSpec(dataset=dataset, attributes_run=texts, scale_order="random", language="en")
    planned = prepare_ratings(local, spec, subject=NEUTRAL, traits=TRAITS)
    work = planned.work
    assert isinstance(work, RatingWork)
    with Datasets(local) as datasets:
        links = datasets.links(dataset)
    with Ledger(local) as ledger:
        restated = restated_of(ledger, texts)
    lines = {
        work.unit(at).payload.persona.id: work.request(work.unit(at)).messages[-1].text.split("\n")
        for at in range(0, len(work), len(TRAITS))
    }
    seen = 0
    for source, variant, changed in zip(
        links.source.tolist(), links.variant.tolist(), links.attribute, strict=True
    ):
        if source not in lines or variant not in lines:
            continue  # too young on one side
        one, two = lines[source], lines[variant]
        differ = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
        named = "name" in restated[variant]
        # A changed name stands in its line and in the question.
        assert len(differ) == 1 + len(restated[variant]) + named, (changed, differ)
        seen += 1
    assert seen > 40
    assert len(restated) == len(links)
    with Ledger(local) as ledger:
        found = written(ledger, texts)
    assert found.variants == len(links)
    assert found.restated["name"] == sum(a in ("gender", "origin") for a in links.attribute)


def test_planned_leaks_are_found_and_counted(local: Settings) -> None:
    """A respondent that states religion in every biography is caught in every biography."""
    dataset = pool(local, 20)
    run = enriched(local, dataset, "simulated/neutral?leak_rate=1")
    with Ledger(local) as ledger:
        found = written(ledger, run)
    assert found.stated["biography"]["religion"] == found.people == 20
    assert found.stated["name"]["gender"] == 20
    assert any("biography states: religion 20" in line for line in found.lines())


def test_the_young_are_not_rated_and_that_is_told(local: Settings) -> None:
    """Those under 14 are left out, with their number."""
    dataset = pool(local, 60, age_from=0)
    planned = prepare_ratings(local, AskSpec(dataset=dataset), subject=NEUTRAL, traits=TRAITS)
    with Datasets(local) as datasets:
        young = int((datasets.people(dataset).codes["age"] < 14).sum())
    assert planned.notes == (f"{young} members under 14 are not rated",)
    assert len(planned.work) == 3 * (60 - young)
    everybody = AskSpec(dataset=dataset, rated_from=0)
    assert len(prepare_ratings(local, everybody, subject=NEUTRAL, traits=TRAITS).work) == 180


def test_recorded_answers_are_read(local: Settings, tmp_path: Path) -> None:
    """Requests written by a dry run, answered elsewhere, give the ratings that were written."""
    dataset = pool(local, 4)
    spec = AskSpec(dataset=dataset, rationale=False, scale_order="random")
    planned = prepare_ratings(local, spec, subject="recorded/nothing.jsonl", traits=TRAITS)
    lines = list(requests_of(planned))
    assert [line["key"] for line in lines] == [planned.work.unit(at).key for at in range(12)]
    assert lines[0]["messages"][0]["role"] == "system"
    answers = tmp_path / "answers.jsonl"
    given = {line["key"]: at % 5 + 1 for at, line in enumerate(lines)}
    answers.write_bytes(
        b"".join(
            orjson.dumps({**line, "text": f'{{"rating": {given[line["key"]]}}}'}) + b"\n"
            for line in lines
        )
    )
    run = rated(local, dataset, model=f"recorded/{answers}", rationale=False, scale_order="random")
    read = {key: said[0]["reading"]["value"] for _, key, _, said in rows(local, run)}
    assert read == given


def test_recorded_texts_are_read(local: Settings, tmp_path: Path) -> None:
    """Of a variant's recorded texts only those are taken that it may not share."""
    dataset = pairs(local, 6, attributes=["gender"])
    planned = prepare_enrichment(
        local, EnrichSpec(dataset=dataset), subject="recorded/nothing.jsonl"
    )
    lines = list(requests_of(planned))
    assert len(lines) == 12
    answers = tmp_path / "texts.jsonl"
    answers.write_bytes(
        b"".join(
            orjson.dumps(
                {
                    "key": line["key"],
                    "agent": line["agent"],
                    "text": orjson.dumps(
                        {"name": f"Kim {line['agent']}", "appearance": f"{line['agent']} cm.",
                         "biography": "Keeps bees."}
                    ).decode(),
                }
            )
            + b"\n"
            for line in lines
        )
    )  # fmt: skip
    run = enriched(local, dataset, f"recorded/{answers}")
    with Ledger(local) as ledger:
        texts, restated = texts_of(ledger, run), restated_of(ledger, run)
    with Datasets(local) as datasets:
        links = datasets.links(dataset)
    for source, variant in zip(links.source.tolist(), links.variant.tolist(), strict=True):
        assert texts[variant]["name"] == f"Kim {variant}"
        assert texts[variant]["appearance"] == texts[source]["appearance"] == f"{source} cm."
        assert restated[variant] == ("name",)


def test_expectations_are_fractions(local: Settings) -> None:
    """The probability-weighted mean of the five options is stored with the probabilities."""
    run = rated(local, pool(local, 6), answer="expected")
    readings = [said[0]["reading"] for _, _, _, said in rows(local, run)]
    assert all(sum(each["probabilities"]) == pytest.approx(1) for each in readings)
    assert any(each["value"] != round(each["value"]) for each in readings)


def test_a_model_without_log_probabilities_is_refused_at_once(
    local: Settings, tmp_path: Path
) -> None:
    """A provider that has none before the run; a model that gives none at its first replies."""
    dataset = pool(local, 4)
    spec = AskSpec(dataset=dataset, answer="expected")
    with pytest.raises(InputError, match="gives no log-probabilities"):
        prepare_ratings(local, spec, subject="anthropic/some", traits=TRAITS)
    planned = prepare_ratings(local, spec, subject="recorded/nothing.jsonl", traits=TRAITS)
    answers = tmp_path / "answers.jsonl"
    answers.write_bytes(
        b"".join(
            orjson.dumps({"key": line["key"], "text": '{"rating": 2}'}) + b"\n"
            for line in requests_of(planned)
        )
    )
    with pytest.raises(SubjectError, match="gives no log-probabilities"):
        start_ratings(local, spec, subject=f"recorded/{answers}", traits=TRAITS)
    with Ledger(local) as ledger:
        [row] = ledger.runs()
        assert ledger.counts(row.id)["answered"] == 0


def test_what_failed_is_asked_again_on_repair(local: Settings, tmp_path: Path) -> None:
    """An answer that was not recorded fails its unit alone; recorded later, repair finds it."""
    dataset = pool(local, 3)
    spec = AskSpec(dataset=dataset, rationale=False)
    planned = prepare_ratings(local, spec, subject="recorded/nothing.jsonl", traits=TRAITS)
    lines = [
        orjson.dumps({"key": line["key"], "text": "4"}) + b"\n" for line in requests_of(planned)
    ]
    answers = tmp_path / "answers.jsonl"
    answers.write_bytes(b"".join(lines[:-1]))
    ended = start_ratings(local, spec, subject=f"recorded/{answers}", traits=TRAITS)
    assert (ended.units["answered"], ended.units["failed"]) == (8, 1)
    answers.write_bytes(b"".join(lines))
    assert resume(ended.run, local).units["failed"] == 1
    assert resume(ended.run, local, redo_failed=True).complete


def test_an_estimate_comes_before_the_run(local: Settings) -> None:
    """Units and people exactly, tokens about."""
    dataset = pool(local, 100)
    spec = AskSpec(dataset=dataset, dual=0.1)
    planned = prepare_ratings(local, spec, subject=NEUTRAL, traits=TRAITS)
    told = expect(planned)
    assert (told.units, told.requests, told.people) == (330, 330, 100)
    exact = expect(planned, sample=330).prompt_tokens
    assert abs(told.prompt_tokens / exact - 1) < 0.02


def test_only_some_people_are_asked_on_request(local: Settings) -> None:
    """A limit counts people, in plan order, and is kept on resume."""
    dataset = pairs(local, 6)
    spec = AskSpec(dataset=dataset)
    ended = start(
        local,
        prepare_ratings(
            local, spec, subject=NEUTRAL, traits=TRAITS, asked=AskedWith(limit=4, temperature=0.5)
        ),
        budget=Budget(max_requests=5),
    )
    assert ended.units["planned"] == 12
    assert resume(ended.run, local).complete


def test_mistakes_are_told_in_one_sentence(local: Settings) -> None:
    """What does not exist, does not fit or is not finished, before anything is asked."""
    dataset = pool(local, 4)
    spec = AskSpec(dataset=dataset)
    other = enriched(local, pool(local, 4, seed=2))
    rating = rated(local, dataset)
    cases: list[tuple[Any, type[Exception], str]] = [
        (replace(spec, dataset=99), NotFound, "no dataset"),
        (replace(spec, attributes_run="r-none"), NotFound, "no run 'r-none'"),
        (replace(spec, attributes_run=rating), InputError, "is a run of ratings"),
        (replace(spec, attributes_run=other), InputError, "wrote texts for dataset"),
        (replace(spec, language="fr"), InputError, "no prompt template 'fr'"),
        (replace(spec, rated_from=101), InputError, "nobody aged 101 or older"),
        (replace(spec, dual=1.5), InputError, "share from 0 to 1"),
        (replace(spec, language="en", template="de"), InputError, "is in 'de'"),
    ]
    for wrong, kind, said in cases:
        with pytest.raises(kind, match=said):
            prepare_ratings(local, wrong, subject=NEUTRAL, traits=TRAITS)
    with pytest.raises(InputError, match="no traits"):
        prepare_ratings(local, spec, subject=NEUTRAL, traits=[])
    german = [replace(TRAITS[0], adjective={"de": "freundlich"})]
    with pytest.raises(InputError, match="no adjective in 'en'"):
        prepare_ratings(local, replace(spec, language="en"), subject=NEUTRAL, traits=german)
    with pytest.raises(InputError, match="is not a backend"):
        prepare_ratings(local, spec, subject="nowhere/x", traits=TRAITS)


def test_an_imported_run_is_not_gone_on_with(local: Settings) -> None:
    """Its answers came without the words that were asked; it says what can be done with it."""
    run = rated(local, pool(local, 2))
    with Ledger(local) as ledger:
        config = {**ledger.run(run).config, "imported": {"from": "elsewhere"}}
        with ledger.database.writing() as connection:
            connection.execute(sa.update(runs).where(runs.c.id == run).values(config=config))
    with pytest.raises(InputError, match="it can be analysed and exported, not gone on with"):
        resume(run, local)
