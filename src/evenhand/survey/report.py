"""A survey run as a report: who was rated, what is missing, who is rated lower, what was not seen.

``report_of`` in ``facts`` gathers what stands here from the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evenhand.report.blocks import Block, Facts, Fold, Heading, Notice, Report, Table, Text
from evenhand.report.numbers import count
from evenhand.report.people_charts import ShareRow, composition
from evenhand.report.provenance import Provenance
from evenhand.report.sections import (
    MOST_ROWS,
    Words,
    how_many,
    in_short,
    method,
    missing,
    models_words,
    reproduce,
    tested,
    unseen,
)
from evenhand.report.sentences import verdict
from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.survey.measures import MEASURES
from evenhand.survey.reporting.groups import groups, traits
from evenhand.survey.reporting.labels import Labels, readable
from evenhand.survey.reporting.ratings import order, pair_shifts, ratings
from evenhand.survey.reporting.told import Told
from evenhand.survey.reporting.words import sentences
from evenhand.survey.results import About, Analysed, ConditionFacts

__all__ = ["SurveyFacts", "TextFacts", "report"]

MOST_CONDITIONS = 4
"""More runs than this are compared in numbers; pictures of every one would drown each other."""

MOST_LISTED = 2000
"""Beyond this many estimates the page leaves out single traits: a page of 9,000 rows is 4 MB."""

MOST_MISSING = 15
"""So many groups are drawn, those who miss most; the table has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFacts:
    """What an enrichment wrote: people with texts, texts that state an attribute, restated pairs.

    ``stated`` are (text, attribute, people) rows; ``restated`` are (text, variants) rows.
    """

    run: str
    people: int
    without: int
    stated: tuple[tuple[str, str, int], ...] = ()
    variants: int = 0
    restated: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFacts:
    """What a report says beside the estimates.

    ``shares`` are the rated people beside the population, by axis; ``texts`` what each condition's
    enrichment wrote, by condition label; ``assumed`` what the population's figures take for granted;
    ``labels`` the words for codes, those of the analysis when None.
    """

    run: Provenance
    shares: tuple[ShareRow, ...] = ()
    texts: Mapping[str | None, TextFacts] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    labels: Labels | None = None


def report(analysed: Analysed, facts: SurveyFacts) -> Report:
    """The report of analysed runs of ratings."""
    labels = facts.labels or Labels.of(analysed)
    shown = readable(analysed, labels)
    words = Words(
        measures=MEASURES,
        units="Ratings",
        done="ratings asked and answered",
        parts="By attribute, category and trait",
        conditions=_run_names(analysed),
    )
    rows = tuple(zip(shown.estimates, analysed.about, strict=True))
    told = Told(analysed=analysed, labels=labels, words=words, rows=rows)
    blocks = [
        *in_short(
            shown,
            facts.run.units,
            words,
            said=sentences(told),
            about=[e for e, a in told.rows if _is_whole(a)],
        ),
        *_harm(told),
        *_asked(analysed, facts, labels),
        *_people(analysed, facts),
        *_missing(told, shown),
        *_each_condition(told),
        *unseen(Result(tuple(_unseen(told)), ()), words),
        *method(shown, words, listed=_listed(told)),
        *reproduce(facts.run, words),
    ]
    n = sum(c.n_personas for c in analysed.conditions)
    title = ", ".join(dict.fromkeys(c.dataset_name for c in analysed.conditions))
    subtitle = (
        f"{models_words(facts.run.models)}: {count(n)} personas, "
        f"{how_many(analysed.traits, 'trait')}. Run {facts.run.run}."
    )
    return Report(f"Survey: {title}", subtitle, blocks, analysed.result)


def _run_names(analysed: Analysed) -> dict[str, str]:
    """Short names for several runs; what each of them is stands in the table of what was asked."""
    labels = [c.label for c in analysed.conditions if c.label is not None]
    return {label: f"run {place}" for place, label in enumerate(labels, 1)}


# ---------------------------------------------------------------------------- in short


def _is_whole(about: About) -> bool:
    return about.category is None and about.trait is None


def _differs(e: Estimate) -> bool:
    return verdict(e, MEASURES) == "differs"


def _harm(told: Told) -> Iterator[Block]:
    """Whom a difference harms, once for each kind of difference that stands."""
    stands = dict.fromkeys(e.name for e, _ in told.rows if _differs(e))
    harms = dict.fromkeys(MEASURES[n].harm for n in stands if n in MEASURES and MEASURES[n].harm)
    if harms:
        yield Notice(" ".join(harms))


def _listed(told: Told) -> list[Estimate]:
    """Every estimate; of thousands those that are about more than a single trait."""
    rows = told.rows
    return [e for e, a in rows if len(rows) <= MOST_LISTED or a.trait is None]


def _unseen(told: Told) -> list[Estimate]:
    """What is about single traits stands in the table of everything."""
    return [e for e, a in told.rows if a.trait is None]


# ---------------------------------------------------------------------------- what was asked


def _asked(analysed: Analysed, facts: SurveyFacts, labels: Labels) -> Iterator[Block]:
    yield Heading("What was asked")
    columns = [_asked_of(c, analysed, facts) for c in analysed.conditions]
    if len(columns) == 1:
        yield Facts(tuple((name, value) for name, value in columns[0].items() if value))
    else:
        names = [n for n in columns[0] if any(column.get(n) for column in columns)]
        rows = tuple((n, *(column.get(n, "") for column in columns)) for n in names)
        heads = _run_names(analysed).values()
        yield Table(("", *(name.capitalize() for name in heads)), rows, "Runs compared")
    for condition in analysed.conditions:
        yield from _texts(facts.texts.get(condition.label), labels)
    yield Fold(
        f"{how_many(analysed.traits, 'trait')} in words",
        (
            Table(
                ("Trait", "Adjective", "Category", "Side", "Opposite"),
                tuple(
                    (
                        t.id,
                        labels.trait(t.id),
                        t.category or "–",
                        _side(t.valence),
                        t.opposite or "–",
                    )
                    for t in analysed.traits
                ),
            ),
        ),
    )


def _side(valence: int | None) -> str:
    return {1: "good", -1: "bad", 0: "neither"}.get(2 if valence is None else valence, "not said")


def _asked_of(c: ConditionFacts, analysed: Analysed, facts: SurveyFacts) -> dict[str, str]:
    ask = c.ask
    orders = {"random": "its order drawn at random for each persona and trait"}
    texts = facts.texts.get(c.label)
    categories = dict.fromkeys(t.category for t in analysed.traits if t.category)
    return {
        "Run": c.run,
        "Model": c.model,
        "Dataset": f"{c.dataset_name} ({c.dataset_kind}, number {c.dataset})",
        "Personas rated": count(c.n_personas)
        + (f", in {count(c.n_pairs)} counterfactual pairs" if c.n_pairs else ""),
        "Youngest rated": f"{ask.rated_from} years",
        "Traits": f"{count(len(analysed.traits))}: {', '.join(categories)}"
        if categories
        else count(len(analysed.traits)),
        "Language": ask.language,
        "Scale": f"1 to 5, {orders.get(ask.scale_order, f'shown {ask.scale_order}')}",
        "Asked in both orders": f"{100 * ask.dual:g} % of persona-trait pairs ({count(c.n_dual)})"
        if ask.dual
        else "none",
        "Answer": "probability-weighted mean of the five options"
        if ask.answer == "expected"
        else "one sampled reply",
        "Rationale": "asked for" if ask.rationale else "not asked for",
        "Texts": f"name, appearance and biography from {texts.run}"
        if texts
        else "attributes only",
        "Ratings": ", ".join(f"{count(n)} {status}" for status, n in c.counts.items()),
    }


def _texts(texts: TextFacts | None, labels: Labels) -> Iterator[Block]:
    """What the prompts' texts give away beside the attributes."""
    if texts is None:
        return
    if texts.without:
        yield Notice(
            f"{count(texts.without)} of {count(texts.people)} people got no texts and were asked "
            "without.",
            "warning",
        )
    if texts.stated:
        yield Text(
            "Texts that a model wrote can state attributes, and so carry them into a pair or "
            "through a prompt that should not show them. Counted here is who has such a text."
        )
        rows = tuple(
            (text, labels.axis(attribute), n, f"{100 * n / max(texts.people, 1):.1f} %")
            for text, attribute, n in texts.stated
        )
        table = Table(("Text", "States", "People", "Share"), rows, "Attributes stated in texts")
        yield table if len(rows) <= MOST_ROWS else Fold("Attributes stated in texts", (table,))
    if texts.variants:
        told = ", ".join(f"{count(n)} {text}" for text, n in texts.restated) or "none"
        yield Text(
            f"Of {count(texts.variants)} counterfactual variants some have texts of their own, "
            f"because the source's texts state what was changed: {told}. The others share them, so "
            "that nothing but the attribute differs."
        )


# ---------------------------------------------------------------------------- whom it speaks of


def _people(analysed: Analysed, facts: SurveyFacts) -> Iterator[Block]:
    yield Heading("Whom the numbers speak of")
    for condition in {c.dataset: c for c in analysed.conditions}.values():
        yield Text(_speaks_of(condition))
    weighted = [n for n in analysed.result.notes if "weight" in n or "effective" in n]
    for note in weighted:
        yield Notice(note)
    charts = composition(facts.shares, title="Who was rated, beside the population", name="rated")
    if charts:
        yield Fold("The rated people beside the population, attribute by attribute", tuple(charts))
    if facts.assumed:
        table = Table(("What the population's figures take for granted",),
                      tuple((note,) for note in facts.assumed))  # fmt: skip
        yield Fold("What the population's figures take for granted", (table,))


def _speaks_of(c: ConditionFacts) -> str:
    who = f"Dataset {c.dataset_name} was drawn from {c.population}; rated from {c.ask.rated_from} years on."
    if c.dataset_kind == "pool" or c.dataset_kind == "reality":
        return (
            f"{who} It is a sample of that population, as far as the table of shares below says so; "
            "a mean over everybody speaks of it."
        )
    if c.dataset_kind == "balanced":
        return (
            f"{who} It is balanced: its shares are made even and are nobody's. A mean over everybody "
            "speaks of no population; means of groups and their differences do not depend on the "
            "shares of the groups, but on who else is in each."
        )
    if c.dataset_kind == "counterfactual":
        return (
            f"{who} It holds people and their variants with one attribute changed. Shifts within "
            "pairs speak of these people; groups are made of the people whom the variants were made "
            "from, and a mean over everybody speaks of no population."
        )
    return f"{who} How it was chosen is not known here, so a mean over everybody is the dataset's own."


# ---------------------------------------------------------------------------- what is missing


def _missing(told: Told, shown: Result) -> Iterator[Block]:
    whole = [row for row in shown.accounting if row.group is None]
    if not any(row.asked > row.answered for row in whole):
        yield Heading("What is missing")
        yield Text("Nothing: every answer asked for came and could be read.")
        return
    parts = [row for row in shown.accounting if row.group is not None and row.asked > row.answered]
    parts.sort(key=_lost, reverse=True)
    yield from missing(shown, told.words, rows=[*whole, *parts[:MOST_MISSING]])
    rates = [
        e
        for e in tested(shown, MEASURES)
        if e.name.startswith(("refusal", "unreadable")) and _differs(e)
    ]
    if rates:
        yield from told.forest(
            sorted(rates, key=lambda e: -abs(e.value)),
            title="Who is refused or not answered readably more often",
            name="missing-rates",
        )
    elif any(e.name.startswith(("refusal", "unreadable")) for e in tested(shown, MEASURES)):
        yield Text("Between groups no difference in what is missing stands after correction.")


def _lost(row: Accounting) -> float:
    return 1 - row.answered / row.asked if row.asked else 0.0


# ---------------------------------------------------------------------------- each condition


def _each_condition(told: Told) -> Iterator[Block]:
    """The sections that draw one run; of several, each under its own words."""
    conditions = told.analysed.conditions
    between = [e for e, a in told.named("condition_difference") if a.trait is None]
    if between:
        yield Heading("Differences between runs")
        yield from told.forest(between, title="The same personas and traits", name="runs")
    parts = (ratings, groups, traits, pair_shifts, order)
    for place, condition in enumerate(conditions[:MOST_CONDITIONS]):
        of = told.within(condition.label, f"-{place + 1}" if len(conditions) > 1 else "")
        for part in parts:
            yield from part(of)
    if len(conditions) > MOST_CONDITIONS:
        yield Text(
            f"The first {MOST_CONDITIONS} of {len(conditions)} runs are drawn; the table of every "
            "estimate has them all."
        )
