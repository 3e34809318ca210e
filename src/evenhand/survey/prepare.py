"""Planning runs of ratings and of enrichment: everything is read and checked before any is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evenhand.errors import InputError
from evenhand.models.chat import Decoding
from evenhand.models.registry import Subject, parse
from evenhand.runs.ledger import Ledger
from evenhand.runs.one_model import Planned
from evenhand.runs.records import RunRow
from evenhand.runs.subjects import decoding_facts, plan_name
from evenhand.settings import Settings
from evenhand.survey.asking.enrich import enrichment_run, texts_digest, texts_of
from evenhand.survey.asking.enrich_plan import EnrichWork
from evenhand.survey.asking.prompts import Template, load_template
from evenhand.survey.asking.roster import Roster, arrange
from evenhand.survey.asking.subject import require_logprobs
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.plan import INSTRUMENT, RatingWork
from evenhand.survey.read import PARSER_VERSION
from evenhand.survey.spec import AskSpec, Language, Trait
from evenhand.survey.traits import as_json, catalogue, from_json

__all__ = [
    "AskedWith",
    "EnrichSpec",
    "AnyPlanned",
    "prepare_enrichment",
    "prepare_ratings",
    "work_of",
]

# Room for a reply: a rating with its rationale, a rating alone, three texts.
RATIONALE_TOKENS = 256
RATING_TOKENS = 16
TEXTS_TOKENS = 512
# Ratings repeat exactly; names are to differ between people who are alike.
RATING_TEMPERATURE = 0.0
TEXTS_TEMPERATURE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichSpec:
    """Which dataset is given texts, in which language; stored with the run."""

    dataset: int
    language: Language = "de"
    template: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedWith:
    """What is asked with, beside how; stored with the run.

    ``temperature`` is 0 for ratings and 0.7 for texts unless it is given. ``reply_tokens`` is the
    room for one reply: 256 with a rationale, 16 without, 512 for texts. ``limit`` asks only the
    first so many people, in plan order.
    """

    temperature: float | None = None
    reply_tokens: int | None = None
    limit: int | None = None

    def decoding(self, spec: AskSpec | EnrichSpec) -> Decoding:
        """How the model decodes."""
        if isinstance(spec, EnrichSpec):
            usual, room = TEXTS_TEMPERATURE, TEXTS_TOKENS
        else:
            usual = RATING_TEMPERATURE
            room = RATIONALE_TOKENS if spec.rationale else RATING_TOKENS
        temperature = usual if self.temperature is None else self.temperature
        return Decoding(temperature=temperature, max_tokens=self.reply_tokens or room)


AnyPlanned = Planned[RatingWork] | Planned[EnrichWork]
"""A run of ratings or of enrichment that could start."""


def prepare_ratings(
    settings: Settings,
    spec: AskSpec,
    *,
    subject: Subject | str,
    traits: Sequence[Trait] | None = None,
    seed: int = 0,
    asked: AskedWith | None = None,
) -> AnyPlanned:
    """Plan a run of ratings.

    Args:
        spec: how to ask; ``attributes_run`` may be the beginning of a run's id.
        subject: the model, or its address.
        traits: default those of the database's catalogue, else our own list.
        seed: of the scale orders, the pairs asked in both, and every request.

    Raises:
        NotFound: there is no such dataset or enrichment.
        InputError: something does not fit together; says what.
    """
    with Ledger(settings) as ledger:
        chosen = tuple(traits) if traits is not None else catalogue(ledger.database)
        return _ratings(ledger, _here(spec), _subject(subject), chosen, seed, asked or AskedWith())


def prepare_enrichment(
    settings: Settings,
    spec: EnrichSpec,
    *,
    subject: Subject | str,
    seed: int = 0,
    asked: AskedWith | None = None,
) -> AnyPlanned:
    """Plan an enrichment; arguments and errors as for ``prepare_ratings``."""
    with Ledger(settings) as ledger:
        return _enrichment(ledger, _here(spec), _subject(subject), seed, asked or AskedWith())


def work_of(ledger: Ledger, run_id: str) -> AnyPlanned:
    """The plan of a stored run, made again from its snapshot.

    Raises:
        InputError: the run is of another instrument, or what it asks with has changed since.
    """
    row = ledger.run(run_id)
    if row.instrument != INSTRUMENT:
        raise InputError(f"run {row.id} is of instrument {row.instrument}, not {INSTRUMENT}")
    stored = row.config
    if "imported" in stored:
        raise InputError(
            "was imported with its answers, without the words that were asked; it can be analysed "
            "and exported, not gone on with",
            where=row.id,
        )
    known = stored["model"]
    subject = Subject(known["backend"], known["name"], known["options"])
    asked = AskedWith(**stored["asked"])
    if stored["kind"] == "enrichment":
        planned = _enrichment(ledger, EnrichSpec(**stored["ask"]), subject, row.seed, asked)
    else:
        traits = tuple(from_json(body) for body in stored["traits"])
        planned = _ratings(ledger, AskSpec(**stored["ask"]), subject, traits, row.seed, asked)
    _same(planned, row)
    return planned


def _ratings(
    ledger: Ledger,
    spec: AskSpec,
    subject: Subject,
    traits: Sequence[Trait],
    seed: int,
    asked: AskedWith,
) -> AnyPlanned:
    notes: tuple[str, ...] = ()
    if spec.answer == "expected":
        require_logprobs(subject)
        if spec.rationale:
            # One token's probabilities are read: what comes before it must not be drawn.
            spec = replace(spec, rationale=False)
            notes += ("an expectation is asked for without a rationale",)
    template = load_template(spec.template or spec.language)
    _check_language(template, spec)
    _check_traits(traits, template.language)
    texts: dict[int, Mapping[str, str]] = {}
    if spec.attributes_run is not None:
        spec, texts = _texts(ledger, spec)
    members = _members(ledger, spec.dataset, spec.rated_from, asked.limit, texts)
    decoding = asked.decoding(spec)
    work = RatingWork(
        members.roster,
        traits,
        spec,
        model=plan_name(subject),
        decoding=decoding,
        template=template,
        seed=seed,
        identity={"texts": texts_digest(texts) if texts else None},
    )
    stored = {
        **_stored("ratings", spec, members, subject, decoding, asked, template),
        "traits": [as_json(trait) for trait in traits],
        "parser": PARSER_VERSION,
        "texts": {"run": spec.attributes_run, "digest": texts_digest(texts)} if texts else None,
    }
    notes += members.notes
    if spec.attributes_run is not None:
        bare = sum(int(id) not in texts for id in members.roster.people.ids)
        if bare:
            notes += (
                f"{bare:,} people have no texts in {spec.attributes_run}; they are asked without",
            )
    return Planned(
        f"{members.name} rated", work, subject, stored, f"dataset {members.facts['name']}", notes
    )


def _enrichment(
    ledger: Ledger, spec: EnrichSpec, subject: Subject, seed: int, asked: AskedWith
) -> AnyPlanned:
    template = load_template(spec.template or spec.language)
    _check_language(template, spec)
    members = _members(ledger, spec.dataset, 0, asked.limit, {})
    decoding = asked.decoding(spec)
    work = EnrichWork(
        members.roster, model=plan_name(subject), decoding=decoding, template=template, seed=seed
    )
    stored = _stored("enrichment", spec, members, subject, decoding, asked, template)
    source = f"dataset {members.facts['name']}"
    return Planned(f"{members.name} enriched", work, subject, stored, source, members.notes)


@dataclass(frozen=True, slots=True)
class _Members:
    """The people of a dataset as they are asked, what is stored of it, and notes."""

    name: str
    roster: Roster
    facts: Mapping[str, Any]
    notes: tuple[str, ...]


def _members(
    ledger: Ledger,
    dataset: int,
    age_from: int,
    limit: int | None,
    texts: Mapping[int, Mapping[str, str]],
) -> _Members:
    with Datasets(ledger.settings) as datasets:
        row = datasets.get(dataset)
        population = datasets.population(row.id)
        links = datasets.links(row.id)
        people = datasets.people(row.id)
    arranged = arrange(
        people, sources=links.source, variants=links.variant, age_from=age_from, limit=limit
    )
    if not len(arranged.people):
        raise InputError(
            f"{row.name} has nobody aged {age_from} or older to ask", where="--dataset"
        )
    roster = Roster(population, arranged.people, anchors=arranged.anchors, texts=texts)
    facts = {
        "name": row.name,
        "kind": row.kind,
        "n": row.n,
        "population": {"name": population.name, "digest": row.population},
        "asked": len(roster),
        "digest": roster.digest(),
    }
    notes = []
    if arranged.n_young:
        noun = "member" if arranged.n_young == 1 else "members"
        verb = "is" if arranged.n_young == 1 else "are"
        notes.append(f"{arranged.n_young:,} {noun} under {age_from} {verb} not rated")
    return _Members(row.name, roster, facts, tuple(notes))


def _stored(
    kind: str,
    spec: AskSpec | EnrichSpec,
    members: _Members,
    subject: Subject,
    decoding: Decoding,
    asked: AskedWith,
    template: Template,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "dataset": spec.dataset,
        "members": members.facts,
        "ask": asdict(spec),
        "asked": asdict(asked),
        "model": {
            "backend": subject.backend,
            "name": subject.name,
            "options": dict(subject.options),
        },
        "decoding": decoding_facts(decoding),
        "template": {"version": template.version, "digest": template.digest},
    }


def _texts(ledger: Ledger, spec: AskSpec) -> tuple[AskSpec, dict[int, Mapping[str, str]]]:
    """The texts of the enrichment that a spec names, and the spec with that run's whole id."""
    row = enrichment_run(ledger, spec.attributes_run or "")
    if row.config["dataset"] != spec.dataset:
        raise InputError(
            f"{row.id} wrote texts for dataset {row.config['dataset']}, not for {spec.dataset}",
            where="--attributes-run",
        )
    pending = ledger.counts(row.id)["pending"]
    if pending:
        raise InputError(
            f"{row.id} has {pending:,} personas still without texts; finish it first with "
            f"evenhand runs resume {row.id}",
            where="--attributes-run",
        )
    return replace(spec, attributes_run=row.id), texts_of(ledger, row.id)


def _check_language(template: Template, spec: AskSpec | EnrichSpec) -> None:
    if template.language != spec.language:
        raise InputError(
            f"the template {template.version} is in {template.language!r}, and {spec.language!r} "
            "is asked for; give the same --language",
            where="--template",
        )


def _check_traits(traits: Sequence[Trait], language: Language) -> None:
    if not traits:
        raise InputError("there are no traits to rate", where="--traits")
    without = [trait.id for trait in traits if language not in trait.adjective]
    if without:
        raise InputError(
            f"{len(without)} traits have no adjective in {language!r} (the first is "
            f"{without[0]!r}); add the column adjective_{language}",
            where="--traits",
        )


def _subject(given: Subject | str) -> Subject:
    return parse(given) if isinstance(given, str) else given


def _here(spec: Any) -> Any:
    """The spec with nothing left that depends on the current folder."""
    name = spec.template
    if name is not None and name.endswith((".yaml", ".yml")) and Path(name).is_file():
        return replace(spec, template=str(Path(name).absolute()))
    return spec


def _same(planned: AnyPlanned, row: RunRow) -> None:
    """The rest of a run is asked of the same people, with the same texts, in the same words."""
    was, now = row.config["members"], planned.stored["members"]
    if was["digest"] != now["digest"]:
        raise InputError(
            f"dataset {was['name']} has changed since the run began ({was['asked']:,} people were "
            f"to be asked; now they are {now['asked']:,}, or others); start a new run",
            where=row.id,
        )
    if planned.work.template != row.template:
        raise InputError(
            f"the prompt template has changed since the run began: it was {row.template}, and is "
            f"{planned.work.template} now; put the old file back, or start a new run",
            where=row.id,
        )
    was, now = row.config.get("texts"), planned.stored.get("texts")
    if was != now:
        raise InputError(
            f"the texts of enrichment {row.config['ask']['attributes_run']} have changed since the "
            "run began; start a new run",
            where=row.id,
        )
    if planned.work.plan_hash != row.plan_hash:
        raise InputError(
            f"this version of Evenhand plans the run differently than {row.version}, which began "
            "it; finish it with that version, or start a new run",
            where=row.id,
        )
