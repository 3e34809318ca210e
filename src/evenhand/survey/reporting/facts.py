"""What a report says beside the estimates: the runs, the people rated, the texts they had."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from evenhand.report.blocks import Report
from evenhand.report.people_charts import ShareRow
from evenhand.report.provenance import provenance
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow
from evenhand.survey.asking.enrich import written
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.expect import marginal
from evenhand.survey.population.spec import Population
from evenhand.survey.report import SurveyFacts, TextFacts, report
from evenhand.survey.reporting.labels import Labels
from evenhand.survey.results import Analysed, ConditionFacts

__all__ = ["report_of", "survey_facts"]


def report_of(
    ledger: Ledger, datasets: Datasets, run_ids: Sequence[str], analysed: Analysed
) -> Report:
    """The report of analysed runs of ratings."""
    return report(analysed, survey_facts(ledger, datasets, run_ids, analysed))


def survey_facts(
    ledger: Ledger, datasets: Datasets, run_ids: Sequence[str], analysed: Analysed
) -> SurveyFacts:
    """What was run, whom it was asked about, and with which texts."""
    rows = [ledger.run(run_id) for run_id in run_ids]
    base = provenance(
        ledger,
        run_ids,
        models=(c.model for c in analysed.conditions),
        conditions=analysed.words,
        commands=_commands(rows),
    )
    populations = [datasets.population(c.dataset) for c in analysed.conditions]
    notes = dict.fromkeys(note for population in populations for note in population.notes)
    # One dataset is drawn beside its population; of several, each would need pictures of its own.
    single = len({c.dataset for c in analysed.conditions}) == 1
    shares = _shares(analysed, analysed.conditions[0], populations[0]) if single else ()
    return SurveyFacts(
        run=base,
        shares=tuple(shares),
        texts={
            c.label: _texts(ledger, c.ask.attributes_run)
            for c in analysed.conditions
            if c.ask.attributes_run is not None
        },
        assumed=tuple(notes),
        labels=Labels.of(analysed, populations),
    )


def _commands(rows: Sequence[RunRow]) -> Iterator[str]:
    for row in rows:
        ask, asked = row.config["ask"], row.config["asked"]
        model = row.config["model"]
        words = ["evenhand", "survey", "run", "--dataset", str(ask["dataset"])]
        words += ["--model", f"{model['backend']}/{model['name']}", "--seed", str(row.seed)]
        words += ["--language", ask["language"], "--scale-order", ask["scale_order"]]
        words += ["--dual", str(ask["dual"]), "--rationale", "on" if ask["rationale"] else "off"]
        words += ["--answer", ask["answer"], "--rated-from", str(ask["rated_from"])]
        for key, value in model["options"].items():
            words += ["--model-option", f"{key}={value}"]
        for option, value in (
            ("--attributes-run", ask["attributes_run"]),
            ("--template", ask["template"]),
            ("--limit", asked["limit"]),
            ("--decoding-temperature", asked["temperature"]),
            ("--reply-tokens", asked["reply_tokens"]),
        ):
            if value is not None:
                words += [option, str(value)]
        yield shlex.join(words)
    yield shlex.join(["evenhand", "survey", "analyse", *(row.id for row in rows)])


def _shares(
    analysed: Analysed, condition: ConditionFacts, population: Population
) -> Iterator[ShareRow]:
    """Rated people by axis and level, beside the population from the youngest rated age on."""
    labels = Labels.of(analysed)
    for axis in analysed.axes:
        known = population.axis(axis.name).levels
        expected = marginal(population, axis.name, age_from=condition.ask.rated_from)
        expected = expected * [level.stated for level in known]
        expected /= expected.sum()
        share = {level.code: float(s) for level, s in zip(known, expected, strict=True)}
        counts = {level.code: level.n_personas.get(condition.label, 0) for level in axis.levels}
        n = sum(counts.values())
        for level in axis.levels:
            yield ShareRow(
                labels.axis(axis.name),
                labels.level(axis.name, level.code),
                counts[level.code],
                counts[level.code] / max(n, 1),
                share.get(level.code),
            )


def _texts(ledger: Ledger, run_id: str) -> TextFacts:
    found = written(ledger, run_id)
    return TextFacts(
        run=run_id,
        people=found.people,
        without=found.without,
        stated=tuple(
            (text, attribute, n)
            for text, counts in found.stated.items()
            for attribute, n in sorted(counts.items(), key=lambda item: -item[1])
        ),
        variants=found.variants,
        restated=tuple(sorted(found.restated.items())),
    )
