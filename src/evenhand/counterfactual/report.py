"""Analysed image pairs as a report: what changed, how much of that is noise, and for whom.

``report_of`` in ``reporting.facts`` gathers what stands here from files and the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evenhand.counterfactual.analysis.results import Analysed, SetFacts
from evenhand.counterfactual.analysis.rows import About
from evenhand.counterfactual.measures import MEASURES
from evenhand.counterfactual.reporting.examples import example_pairs
from evenhand.counterfactual.reporting.tables import (
    agreement_table,
    both_empty_words,
    category_table,
    floor_table,
)
from evenhand.counterfactual.reporting.words import refusal_words, sentences
from evenhand.report.blocks import Block, Facts, Fold, Heading, Notice, Report, Table, Text
from evenhand.report.numbers import count
from evenhand.report.provenance import Provenance
from evenhand.report.sections import (
    Words,
    in_short,
    meanings,
    method,
    missing,
    models_words,
    plots,
    reproduce,
    unseen,
)
from evenhand.report.sentences import verdict
from evenhand.stats.estimate import Estimate, Result

__all__ = ["CounterfactualFacts", "report"]

MOST_LISTED = 2_000
"""Beyond this many estimates the page leaves out those of single categories; the record has all."""

MOST_SETS_SHOWN = 3
"""Pairs are shown side by side for so many sets of reports."""

CHANGES = ("recommendation_change_rate", "diagnostic_consistency", "recommendation_jaccard",
           "gap_exact", "gap_graded")  # fmt: skip
CHANGE_CONTRASTS = ("recommendation_change_difference", "diagnostic_consistency_difference")
EXCESSES = ("excess", "excess_normalised", "excess_difference", "excess_symmetric")
MOVEMENTS = ("net_added_rate",)
MOVED = ("added_rate", "removed_rate")
CATEGORY = ("category_rate_difference",)
REFUSALS = ("refusal_rate", "partial_refusal_rate", "refusal_rate_difference")
WORDING = ("severity_difference", "hedging_difference")


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterfactualFacts:
    """What a report says beside the estimates: where they come from, and what was asked of whom.

    ``examples`` is the seed of the pairs that are shown.
    """

    run: Provenance
    examples: int = 0


@dataclass(frozen=True, slots=True)
class _Told:
    analysed: Analysed
    words: Words

    def of(
        self, *names: str, where: Callable[[Estimate, About], bool] = lambda e, a: True
    ) -> list[Estimate]:
        """Estimates of these names in the headline's reading."""
        rows = self.analysed.rows(*names)
        return [e for e, a in rows if a.reading == self.analysed.reading and where(e, a)]


def report(analysed: Analysed, facts: CounterfactualFacts) -> Report:
    """The report of analysed sets of reports on image pairs."""
    words = Words(
        measures=MEASURES,
        units="Image pairs and re-queries",
        done="image pairs and re-queries asked about",
        parts="By edit, level, dataset and stratum",
        conditions={},
    )
    told = _Told(analysed, words)
    tested = [e for e in analysed.result.estimates if e.p is not None]
    general = [e for e, a in analysed.rows() if a.category is None and e.p is not None]
    headline = Result(tuple(tested), analysed.result.accounting)
    blocks = [
        *in_short(headline, facts.run.units, words, said=sentences(analysed), about=general),
        *_harm(analysed),
        *_compared(analysed),
        *missing(analysed.result, words),
        *_changed(told),
        *_floor(told),
        *_levels(told),
        *_categories(told),
        *_refusals(told),
        *_wording(told),
        *_readings(told),
        *_examples(analysed, facts.examples),
        *unseen(Result(tuple(general), ()), words),
        *method(analysed.result, words, listed=_listed(analysed)),
        *reproduce(facts.run, words),
    ]
    n = sum(len(one.readings.pairs) for one in analysed.sets)
    models = list(dict.fromkeys(one.readings.subject for one in analysed.sets))
    subtitle = f"{models_words(models)}: {count(n)} pairs of reports. {_read_with(analysed)}"
    return Report("Reports on image pairs", subtitle, blocks, analysed.result)


def _read_with(analysed: Analysed) -> str:
    registry = analysed.sets[0].readings.registry
    return f"Read with the registry {registry.id} ({registry.version}), {analysed.reading} rule."


def _harm(analysed: Analysed) -> Iterator[Block]:
    stands = dict.fromkeys(
        e.name for e in analysed.result.estimates if verdict(e, MEASURES) == "differs"
    )
    harms = dict.fromkeys(MEASURES[n].harm for n in stands if n in MEASURES and MEASURES[n].harm)
    if harms:
        yield Notice(" ".join(harms))


def _compared(analysed: Analysed) -> Iterator[Block]:
    yield Heading("What was compared")
    yield Text(
        "Each pair is an image as it was found and the same image edited to show another person. "
        "The model reported on both. Where the edit changes nothing that matters, the two reports "
        "should differ no more than two reports on one image do."
    )
    columns = [_facts_of(one) for one in analysed.sets]
    if len(columns) == 1:
        yield Facts(tuple((name, value) for name, value in columns[0].items() if value))
        return
    names = [name for name in columns[0] if any(column[name] for column in columns)]
    rows = tuple((name, *(column[name] for column in columns)) for name in names)
    yield Table(("", *(one.label for one in analysed.sets)), rows, "Models compared")


def _facts_of(one: SetFacts) -> dict[str, str]:
    readings = one.readings
    floor = readings.requeries
    prompt = None if readings.reports is None else readings.reports.prompt
    return {
        "Model": readings.subject,
        "Reports from": readings.origin,
        "Prompt": prompt or "",
        "Pairs": f"{count(len(readings.pairs))} of {count(len(readings.sources))} source images",
        "Usable": count(int(readings.usable.sum())),
        "Edits": ", ".join(readings.edits),
        "Upstream datasets": ", ".join(readings.datasets),
        "Strata": ", ".join(readings.strata),
        "Reports on source images": "none of their own"
        if floor is None
        else f"{count(len(floor.source))} that tell the noise floor",
    }


def _changed(told: _Told) -> Iterator[Block]:
    """The frozen endpoints, whole and in parts."""
    rows = told.of(*CHANGES)
    if not rows:
        return
    yield Heading("Did the report change?")
    yield from meanings(rows, MEASURES)
    yield Text(
        "These count every change, also those that asking the same image twice would show. The next "
        "section takes that noise off."
    )
    yield from plots(rows, "changes", told.words)
    for one in told.analysed.sets:
        yield Text(both_empty_words(one))


def _floor(told: _Told) -> Iterator[Block]:
    kinds = [name for base in EXCESSES for name in (base, f"diagnostic_{base}")]
    rows = told.of(*kinds)
    yield Heading("How much of it is noise?")
    if not rows:
        yield Notice(
            "Nothing here tells how much reports differ when one image is asked twice, so no change "
            "above can be laid to the edit. Ask again with --requery, or give re-queries.",
            "warning",
        )
        return
    yield Text(
        "T is how often two reports differ across the edit, F how often they differ on one and the "
        "same source image. What the edit does is the excess T − F; normalised, (T − F)/(1 − F), it "
        "is the share of agreeing reports that the edit parts."
    )
    yield floor_table(told.analysed)
    yield from meanings(rows, MEASURES)
    yield from plots(rows, "excess", told.words)


def _section(told: _Told, title: str, names: tuple[str, ...], chart: str) -> Iterator[Block]:
    """A heading, what its measures mean, and their plots; nothing where nothing was estimated."""
    rows = told.of(*names)
    if not rows:
        return
    yield Heading(title)
    yield from meanings(rows, MEASURES)
    yield from plots(rows, chart, told.words)


def _levels(told: _Told) -> Iterator[Block]:
    yield from _section(told, "Does it change more for some?", CHANGE_CONTRASTS, "contrasts")
    inside = [
        f"{e.group} against {e.baseline} ({MEASURES[e.name].label.lower()})"
        for e, a in told.analysed.rows(*CHANGE_CONTRASTS)
        if a.verdict == "equivalent" and a.reading == told.analysed.reading
    ]
    if inside:
        yield Text(
            f"The whole interval lies within ±{told.analysed.margin:g} for: {'; '.join(inside)}."
        )


def _categories(told: _Told) -> Iterator[Block]:
    """Who is recommended what, and what edits add and take away."""
    between = told.of(*CATEGORY)
    moved = told.of(*MOVEMENTS)
    if not between and not moved:
        return
    yield Heading("Who is told what?")
    yield from meanings([*between, *moved], MEASURES)
    if between:
        recommended = told.of(*CATEGORY, where=lambda e, a: a.kind == "recommendation")
        found = told.of(*CATEGORY, where=lambda e, a: a.kind == "diagnostic")
        yield from plots(recommended, "recommended", told.words)
        if found:
            yield Fold(
                "The same for diagnostic categories",
                tuple(plots(found, "diagnosed", told.words)),
            )
    if moved:
        overall = told.of(*MOVEMENTS, where=lambda e, a: a.part == "whole")
        yield Fold(
            "What edits add and take away, category by category",
            (
                *(category_table(one) for one in told.analysed.sets),
                *plots(overall, "moved", told.words),
            ),
        )


def _refusals(told: _Told) -> Iterator[Block]:
    """Twenty rows of nothing are no finding: where nobody is refused, a sentence says so."""
    nobody = list(refusal_words(told.analysed))
    if len(nobody) == len(told.analysed.sets):
        yield Heading("Who is refused?")
    else:
        yield from _section(told, "Who is refused?", REFUSALS, "refusals")
    for text in nobody:
        yield Text(text)


def _wording(told: _Told) -> Iterator[Block]:
    yield from _section(told, "Is it worded differently?", WORDING, "wording")


def _readings(told: _Told) -> Iterator[Block]:
    """How much hangs on the rule by which reports are read."""
    yield Heading("Read another way")
    yield Text(
        "The frozen rule looks for terms and knows neither negation nor plurals: it takes “no "
        "fracture” for a fracture. The contextual rule, which is ours, knows them. Where the two "
        "tell different stories, do not trust either before reading reports."
    )
    other = [
        e
        for e, a in told.analysed.rows("recommendation_change_rate", "diagnostic_consistency",
                                       "excess_normalised", "diagnostic_excess_normalised")
        if a.part == "whole"
    ]  # fmt: skip
    yield from plots(other, "readings", told.words)
    for one in told.analysed.sets:
        yield Fold(f"Agreement of the two readings: {one.label}", (agreement_table(one),))


def _examples(analysed: Analysed, seed: int) -> Iterator[Block]:
    for one in analysed.sets[:MOST_SETS_SHOWN]:
        label = one.label if len(analysed.sets) > 1 else None
        yield from example_pairs(one.readings, seed=seed, label=label)


def _listed(analysed: Analysed) -> list[Estimate]:
    rows = analysed.rows()
    return [e for e, a in rows if len(rows) <= MOST_LISTED or a.category is None]
