"""The other benchmark's texts and ratings, as finished runs in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.reading.words import clean
from evenhand.runs.ledger import Ledger
from evenhand.runs.one_model import CONDITION
from evenhand.runs.snapshot import sha256
from evenhand.runs.work import Outcome, Step, Unit
from evenhand.survey.asking.leakage import Lexicon
from evenhand.survey.asking.prompts import TEXT_LIMITS
from evenhand.survey.asking.roster import Roster
from evenhand.survey.legacy.people import Gathered, key_of_row
from evenhand.survey.legacy.source import LegacyDatabase
from evenhand.survey.legacy.words import ORDERS, SCALE_ORDERS, plain_text
from evenhand.survey.people.dataset_rows import DatasetRow
from evenhand.survey.people.people import People
from evenhand.survey.plan import INSTRUMENT
from evenhand.survey.population.spec import Population
from evenhand.survey.prepare import AskedWith, EnrichSpec
from evenhand.survey.read import PARSER_VERSION, read_rating
from evenhand.survey.spec import POINTS, AskSpec, Persona, Trait
from evenhand.survey.traits import as_json

__all__ = [
    "Answer",
    "Home",
    "RunTally",
    "answers_of",
    "trait_id",
    "write_enrichment",
    "write_ratings",
]

TEMPLATE = "social-bias-benchmark"
# So many steps may wait to be committed, so that memory stays flat.
BACKLOG = 20_000
MAX_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Home:
    """The dataset that a run belongs to here: its row, its population and its people."""

    row: DatasetRow
    population: Population
    people: People


@dataclass(slots=True)
class RunTally:
    """What became of the rows of one run."""

    kept: int = 0
    failed: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    reversed: int = 0
    both_orders: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One rating as it was stored: who (a row of the personas), what, how shown; a failure has
    an ``error``. ``step`` is what is kept of it."""

    person: int
    trait: str
    order: str
    step: Step | None = None
    error: str | None = None
    at: float = 0.0


def answers_of(
    source: LegacyDatabase, run: Sequence[Any], people: Gathered, tally: RunTally
) -> Iterator[Answer]:
    """The results of one run in the order of its personas, then what had failed in it.

    Args:
        run: the row of the run.
        tally: counts what is kept, what is not, and what our reader makes of the stored texts.
    """
    seen: dict[tuple[int, str], int] = {}
    order_by = ("persona_uuid_id", "case_id", "scale_order", "id")
    for row in source.rows("benchmarkresult", where=("benchmark_run_id", run[0]), order=order_by):
        id, persona, case, _, attempt, raw, rating, shown, created = row
        person, trait = people.place.get(key_of_row(persona)), trait_id(case)
        if person is None or not trait:
            tally.lost["ratings without a persona or a trait"] += 1
            continue
        order = ORDERS.get(plain_text(shown or "in"))
        if order is None:
            tally.lost[f"ratings in the unknown scale order {plain_text(shown)[:20]!r}"] += 1
            continue
        known = seen.get((person, trait), 0)
        if known & _BITS[order]:
            tally.lost["ratings given twice; the first is kept"] += 1
            continue
        seen[person, trait] = known | _BITS[order]
        tally.reversed += order == "reversed"
        tally.both_orders += known > 0
        tally.kept += 1
        text = "" if raw is None else clean(_as_text(raw))[:MAX_TEXT]
        step = {
            "text": text,
            "reading": _reading(rating, text, tally),
            "recorded": {"result": _json_able(id), "attempt": _json_able(attempt)},
        }
        yield Answer(person, trait, order, step, at=_moment(created))
    yield from _failures(source, run, people, tally, seen)


_BITS = {"forward": 1, "reversed": 2}


def _failures(
    source: LegacyDatabase,
    run: Sequence[Any],
    people: Gathered,
    tally: RunTally,
    seen: dict[tuple[int, str], int],
) -> Iterator[Answer]:
    """What the log of failures has beyond the results. It does not say the scale order: that of
    the run is taken, and where it was drawn, forward, for pairs that have no answer at all."""
    mode = SCALE_ORDERS.get(plain_text(run[7] or "in"), "forward")
    order = "forward" if mode == "random" else mode
    order_by = ("persona_id", "case_id", "id")
    for row in source.rows("faillog", where=("benchmark_run_id", run[0]), order=order_by):
        _, persona, _, case, attempt, kind, snippet = row
        person, trait = people.place.get(key_of_row(persona)), trait_id(case)
        if person is None or not trait:
            tally.lost["failures without a persona or a trait"] += 1
            continue
        known = seen.get((person, trait), 0)
        if known & (3 if mode == "random" else _BITS[order]):
            continue  # it was answered after all
        seen[person, trait] = known | _BITS[order]
        tally.failed += 1
        said = f"{plain_text(kind) or 'failed'} after {plain_text(attempt)} attempts: {plain_text(snippet)}"
        yield Answer(person, trait, order, error=clean(said)[:500])


def trait_id(value: Any) -> str:
    """A trait's id as text; empty where there is none.

    Example:
        >>> trait_id("g1"), trait_id(7), trait_id(None)
        ('g1', '7', '')
    """
    return clean(plain_text(value))[:200]


def _json_able(value: Any) -> Any:
    """A value of any column as JSON has it."""
    if value is None or isinstance(value, int | float):
        return value
    return clean(plain_text(value))[:MAX_TEXT]


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _reading(rating: Any, text: str, tally: RunTally) -> dict[str, Any]:
    """The stored rating stands; where there is none the stored text may still be a refusal."""
    ours = read_rating(text)
    value = rating if type(rating) is int and 1 <= rating <= POINTS else None
    if value is None:
        kind = "refusal" if ours.kind == "refusal" else "unreadable"
        rule = ours.rule if kind == "refusal" else "not_recorded"
        if rating is not None:
            tally.rules[f"stored as {rating!r:.20}, which is no rating; unreadable here"] += 1
        elif ours.kind == "rating":
            tally.rules[
                "stored without a rating, though the reply has one; unreadable here too"
            ] += 1
        return {"kind": kind, "value": None, "rule": rule, "rationale": ours.rationale}
    if text and (ours.kind, ours.value) != ("rating", value):
        how = ours.rule if ours.kind != "rating" else "another number"
        tally.rules[
            f"stored as a rating, though the reply is {_HOW.get(how, how)}; kept as stored"
        ] += 1
    rationale = ours.rationale if ours.kind == "rating" else ""
    return {"kind": "rating", "value": value, "rule": "recorded", "rationale": rationale}


_HOW = {
    "not_whole": "half a number (it was rounded)",
    "not_a_number": "true or false (it was taken for 1 or 0)",
    "unfinished_thinking": "thinking that never ended",
    "two_ratings": "two ratings",
    "refusal": "a refusal",
    "cannot_tell": "that it cannot be told",
    "error_text": "an error text",
    "no_rating": "without one",
    "truncated": "cut off",
}


# -- the ledger ----------------------------------------------------------------------------------


def write_ratings(
    ledger: Ledger,
    home: Home,
    answers: Iterator[Answer],
    ids: NDArray[np.int64],
    *,
    n: int,
    run: Sequence[Any],
    model: str,
    traits: Sequence[Trait],
    name: str,
    notes: Sequence[str],
) -> str:
    """Write one finished run of ratings; returns its id.

    Args:
        answers: all about members of ``home``, and ``n`` of them.
        ids: the persona's id here by its row.
        run: the row of the run in the other database.
        notes: what a person must know of its data; stored with it.
    """
    spec = AskSpec(
        dataset=home.row.id,
        scale_order=SCALE_ORDERS.get(plain_text(run[7] or "in"), "forward"),  # type: ignore[arg-type]
        dual=_fraction(run[8]),
        rationale=bool(run[5]) if run[5] is not None else True,
        rated_from=0,
    )
    config = {
        **_stored("ratings", asdict(spec), home, model, run, notes),
        "traits": [as_json(trait) for trait in traits],
        "parser": PARSER_VERSION,
        "texts": None,
    }
    run_id = _create(ledger, config, n, name, home, model)
    units = (
        (
            Unit(at, f"{ids[each.person]}/{each.trait}/{each.order}", CONDITION, None),
            [] if each.step is None else [each.step],
            each.error,
            each.at,
        )
        for at, each in enumerate(answers)
    )
    _write(ledger, run_id, units)
    return run_id


def write_enrichment(
    ledger: Ledger,
    home: Home,
    texts: Mapping[int, Mapping[str, str]],
    *,
    run: Sequence[Any],
    model: str,
    name: str,
    notes: Sequence[str],
) -> str:
    """Write one finished enrichment; ``texts`` are by persona id. Returns its id.

    Each persona is a unit of its own: the other benchmark wrote every variant's texts anew.
    """
    spec = EnrichSpec(dataset=home.row.id)
    config = _stored("enrichment", asdict(spec), home, model, run, notes)
    run_id = _create(ledger, config, len(texts), name, home, model)
    lexicon = Lexicon(home.population, spec.language)
    roster = Roster(home.population, home.people)
    place = {int(id): at for at, id in enumerate(home.people.ids)}
    at = _moment(run[10])

    def units() -> Iterator[tuple[Unit, list[Step], str | None, float]]:
        for ordinal, id in enumerate(sorted(texts)):
            persona = roster.persona(place[id])
            yield (
                Unit(ordinal, str(id), CONDITION, None),
                [_portrait(texts[id], persona, lexicon)],
                None,
                at,
            )

    _write(ledger, run_id, units())
    return run_id


def _portrait(said: Mapping[str, str], persona: Persona, lexicon: Lexicon) -> Step:
    texts = {name: said[name] for name in TEXT_LIMITS if said.get(name)}
    leaks = {name: list(names) for name, names in lexicon.stated(texts, persona).items()}
    step: dict[str, Any] = {"persona": persona.id, "texts": texts, "leaks": leaks}
    overlong = [name for name, text in texts.items() if len(text) > TEXT_LIMITS[name]]
    if overlong:
        step["overlong"] = overlong
    more = {name: text for name, text in said.items() if name not in TEXT_LIMITS}
    if more:
        step["recorded"] = more
    return step


def _stored(
    kind: str,
    ask: Mapping[str, Any],
    home: Home,
    model: str,
    run: Sequence[Any],
    notes: Sequence[str],
) -> dict[str, Any]:
    """What every survey run stores, and the row that this one was."""
    columns = _RUN_COLUMNS if kind == "ratings" else _TEXT_COLUMNS
    known = {
        name: _json_able(value)
        for name, value in zip(columns, run, strict=True)
        # What is called a token may hold no text: it would be taken for a secret.
        if value is not None and not ("tokens" in name and not isinstance(value, int))
    }
    return {
        "kind": kind,
        "dataset": home.row.id,
        "members": {
            "name": home.row.name,
            "kind": home.row.kind,
            "n": home.row.n,
            "population": {"name": home.population.name, "digest": home.row.population},
            "asked": home.row.n,
            "digest": Roster(home.population, home.people).digest(),
        },
        "ask": ask,
        "asked": asdict(AskedWith()),
        "model": {"backend": "recorded", "name": model, "options": {}},
        "decoding": {"temperature": 0.0},
        "template": {"version": TEMPLATE, "digest": ""},
        "imported": {
            "from": TEMPLATE,
            "row": known,
            "notes": list(notes),
        },
    }  # fmt: skip


_RUN_COLUMNS = (
    "id", "dataset", "model", "batch_size", "max_attempts", "include_rationale", "system_prompt",
    "scale_mode", "dual_fraction", "prompt_tokens", "reply_tokens", "all_tokens", "created_at",
)  # fmt: skip
_TEXT_COLUMNS = (
    "id", "dataset", "model", "batch_size", "max_new_tokens", "max_attempts", "system_prompt",
    "prompt_tokens", "reply_tokens", "all_tokens", "created_at",
)  # fmt: skip


def _create(
    ledger: Ledger, config: Mapping[str, Any], n: int, name: str, home: Home, model: str
) -> str:
    return ledger.create(
        instrument=INSTRUMENT,
        name=name,
        config=config,
        config_hash=sha256(config),
        plan_hash=sha256({"imported": config["imported"], "members": config["members"]}),
        n_planned=n,
        seed=0,
        template=TEMPLATE,
        models={f"recorded/{model}": {"address": f"recorded/{model}"}},
        conditions={CONDITION: {}},
        source=f"dataset {home.row.name}",
    )


def _write(
    ledger: Ledger, run_id: str, units: Iterator[tuple[Unit, list[Step], str | None, float]]
) -> None:
    ledger.set_status(run_id, "running")
    with ledger.claim(run_id), ledger.writer(run_id) as writer:
        for unit, steps, error, at in units:
            for index, step in enumerate(steps):
                writer.step(unit, index, step)
            outcome = Outcome("failed", error) if error is not None else Outcome("answered", None)
            writer.unit(
                unit, outcome, n_steps=len(steps), prompt_tokens=0, reply_tokens=0, requests=0,
                started_at=at, finished_at=at,
            )  # fmt: skip
            if writer.backlog > BACKLOG:
                writer.flush()
    ledger.set_status(run_id, "finished")


def _fraction(value: Any) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if usable else 0.0


def _moment(text: Any) -> float:
    """Seconds since the epoch; its times were local and without a zone, and are taken for UTC."""
    try:
        found = datetime.fromisoformat(plain_text(text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
