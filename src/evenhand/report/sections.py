"""The sections that every instrument's report has, so that all of them say the same things alike.

In short, what is missing, what was seen measure by measure, what could not have been seen, how it
was computed, and how to do it again. An instrument gives its ``Words`` and adds sections of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from evenhand.report.blocks import (
    Block,
    Code,
    Facts,
    Fold,
    Heading,
    Items,
    Notice,
    Table,
    Text,
    Tile,
    Tiles,
)
from evenhand.report.charts import accounting, accounting_table
from evenhand.report.forest import estimate_table, forests, row_label
from evenhand.report.numbers import Measure, count, measure_of, null_of, number, percent
from evenhand.report.provenance import Provenance
from evenhand.report.sentences import cautions, finding, verdict
from evenhand.stats.estimate import Accounting, Estimate, Result

__all__ = [
    "MOST_PLOTTED",
    "MOST_ROWS",
    "Words",
    "how_many",
    "in_short",
    "is_part",
    "meanings",
    "method",
    "missing",
    "models_words",
    "plots",
    "reproduce",
    "tested",
    "tiles",
    "total",
    "unseen",
]

MOST_FINDINGS = 8
"""More sentences than this are not read; the rest stand in the tables."""

MOST_PLOTTED = 360
"""Beyond this many, estimates stand in the tables only: nobody reads ten forest plots."""

MOST_ROWS = 20
"""Longer lists are folded."""

SCALES = {
    "proportion": "Shares",
    "difference": "Differences",
    "score": "Scores",
    "log_odds": "Log odds ratios",
}
"""Captions of forest plots, by scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How an instrument speaks of its estimates.

    ``units`` names its pieces of work (``Conversations``), ``done`` what became of those that were
    answered (``conversations held to the end``), ``parts`` what its partial estimates are about
    (``By category and round``). ``conditions`` gives words for condition ids, and
    for any group that is a code. ``rank`` orders findings of equal strength; smaller comes first.
    """

    measures: Mapping[str, Measure]
    units: str
    done: str
    parts: str
    conditions: Mapping[str, str] = field(default_factory=dict)


def is_part(estimate: Estimate) -> bool:
    """Whether it is about a part of the answers: a category, a round, a speaker."""
    return estimate.group is not None and estimate.baseline is None


def how_many(items: Sequence[object], noun: str) -> str:
    """A number with its noun.

    Example:
        >>> how_many([1], "note"), how_many([], "note")
        ('1 note', '0 notes')
    """
    return f"{count(len(items))} {noun}{'' if len(items) == 1 else 's'}"


def models_words(models: Sequence[str]) -> str:
    """The models by name, or how many there are."""
    return ", ".join(models) if len(models) <= 3 else f"{len(models)} models"


def tested(result: Result, measures: Mapping[str, Measure]) -> list[Estimate]:
    """The estimates that have a value of no difference."""
    return [e for e in result.estimates if null_of(e, measures) is not None]


def total(result: Result) -> Accounting | None:
    """What became of everything asked, where that is known."""
    whole = (row for row in result.accounting if row.condition is None and row.group is None)
    return next(whole, None)


def in_short(
    result: Result,
    units: Mapping[str, int],
    words: Words,
    *,
    said: Sequence[str] | None = None,
    about: Sequence[Estimate] | None = None,
) -> Iterator[Block]:
    """The figures that the eye meets first, and the strongest findings in sentences.

    Args:
        result: everything that was estimated.
        units: pieces of work by status.
        words: the instrument's.
        said: sentences about differences that stand; the surest ones are told when None.
        about: the estimates whose leads and nulls are told; all of them when None.
    """
    yield Heading("In short")
    yield tiles(result, units, words)
    compared = tested(result, words.measures)
    seen = [e for e in compared if verdict(e, words.measures) == "differs"]
    if seen:
        order = sorted(seen, key=lambda e: (is_part(e), _holm(e), e.name))
        told = said or [_say(e, words) for e in order[:MOST_FINDINGS]]
        yield Items(tuple(told))
        if len(seen) > len(told):
            yield Text(
                f"{count(len(seen) - len(told))} more differences are in the sections below."
            )
    yield from _weaker(result.estimates if about is None else about, words, any_seen=bool(seen))
    if not compared:
        yield Text("This analysis holds levels only; nothing in it is a comparison.")
    for caution in cautions(result.estimates):
        yield Notice(caution, "warning")


def _weaker(estimates: Sequence[Estimate], words: Words, *, any_seen: bool) -> Iterator[Block]:
    """Leads, and how small a difference could have been seen where none was."""
    verdicts = [(e, verdict(e, words.measures)) for e in estimates]
    leads = [e for e, kind in verdicts if kind in ("corrected_away", "uncorrected")]
    if leads and not any_seen:
        yield Text("No difference stands after correction for all the tests made.")
    if leads:
        yield Text(
            f"{how_many(leads, 'comparison')} would exclude no difference alone, but "
            f"{'does' if len(leads) == 1 else 'do'} not stand as a finding: read as a lead."
        )
    nothing = [e for e, kind in verdicts if kind == "not_seen"]
    if nothing:
        yield Text(_unseen_sentence(nothing))


def _holm(e: Estimate) -> float:
    return e.p_holm if e.p_holm is not None else 1.0


def _say(e: Estimate, words: Words) -> str:
    return finding(e, measures=words.measures, conditions=words.conditions).text


def _unseen_sentence(estimates: Sequence[Estimate]) -> str:
    text = f"In {how_many(estimates, 'comparison')} no difference was seen"
    for scale, same in groupby(sorted(estimates, key=lambda e: e.scale), key=lambda e: e.scale):
        least = [e.mde for e in same if e.mde is not None]
        if least:
            span = number(min(least))
            if max(least) > min(least):
                span += f" to {number(max(least))}"
            text += f"; on the {scale.replace('_', ' ')} scale they could not have seen less than {span}"
    return f"{text} (power 0.8)." if "less than" in text else f"{text}."


def tiles(result: Result, units: Mapping[str, int], words: Words) -> Tiles:
    """How much was asked, how much could be read, how much of it differs."""
    made = []
    if units:
        done = units.get("answered", 0)
        planned = units.get("planned", done)
        remark = "" if done == planned else f"of {count(planned)} planned"
        made.append(Tile(count(done), words.done, remark))
    whole = total(result)
    if whole is not None:
        lost = whole.asked - whole.answered
        made.append(
            Tile(percent(whole.answered, whole.asked), f"of {count(whole.asked)} answers read")
        )
        made.append(Tile(count(lost), "refused, unreadable or failed"))
    compared = tested(result, words.measures)
    seen = sum(verdict(e, words.measures) == "differs" for e in compared)
    if compared:
        made.append(
            Tile(f"{count(seen)} of {count(len(compared))}", "comparisons differ after correction")
        )
    return Tiles(tuple(made))


def missing(
    result: Result, words: Words, *, rows: Sequence[Accounting] | None = None
) -> Iterator[Block]:
    """Who was refused, who could not be read, whom nobody answered: a picture, and all counts.

    ``rows`` are drawn; the total and every group over all conditions when None.
    """
    if not any(row.asked for row in result.accounting):
        return
    yield Heading("What is missing")
    yield Text(
        "An answer that did not come, or that nobody could read with certainty, is missing: it is "
        "counted here by group and is never scored as right or wrong."
    )
    yield accounting(
        _drawn(result) if rows is None else rows,
        title="What became of the answers asked for",
        conditions=words.conditions,
    )
    yield Fold(
        "Every condition and group in counts",
        (accounting_table(result.accounting, words.conditions),),
    )


def _drawn(result: Result) -> list[Accounting]:
    by_group = [row for row in result.accounting if row.group is not None]
    by_condition = [row for row in result.accounting if row.group is None]
    whole = total(result)
    rows = ([whole] if whole else []) + [row for row in by_group if row.condition is None]
    return rows if len(rows) > 1 else by_condition or by_group


def meanings(estimates: Iterable[Estimate], measures: Mapping[str, Measure]) -> Iterator[Block]:
    """What each measure means and whom it concerns, once."""
    names = dict.fromkeys(e.name for e in estimates)
    known = [measures[name] for name in names if name in measures]
    said = tuple(f"{m.label}: {m.meaning} {m.harm}".strip() for m in known if m.meaning)
    if said:
        yield Items(said)


def plots(estimates: Sequence[Estimate], name: str, words: Words) -> Iterator[Block]:
    """Forest plots: what is about all answers in the open, what is about parts of them in a fold."""
    whole = [e for e in estimates if not is_part(e)]
    parts = [e for e in estimates if is_part(e)]
    if not whole:
        whole, parts = parts, []
    yield from _by_scale(whole, name, words)
    if parts:
        summary = f"{words.parts} ({how_many(parts, 'estimate')})"
        yield Fold(summary, tuple(_by_scale(parts, f"{name}-parts", words)))


def _by_scale(estimates: Sequence[Estimate], name: str, words: Words) -> Iterator[Block]:
    """One axis per scale; what is too much to look at stands in a table."""
    for scale, same in groupby(sorted(estimates, key=lambda e: e.scale), key=lambda e: e.scale):
        group = list(same)
        title = SCALES.get(scale, f"Estimates, {scale.replace('_', ' ')} scale")
        if len(group) > MOST_PLOTTED:
            yield Text(f"{title}: {count(len(group))} estimates are too many to draw.")
            yield estimate_table(
                group, measures=words.measures, conditions=words.conditions, caption=title
            )
            continue
        charts = forests(
            group,
            title=title,
            measures=words.measures,
            conditions=words.conditions,
            name=f"{name}-{scale}",
        )
        yield charts[0]
        if len(charts) > 1:
            pictures = "picture" if len(charts) == 2 else "pictures"
            yield Fold(f"{len(charts) - 1} more {pictures} of this scale", charts[1:])


def unseen(result: Result, words: Words) -> Iterator[Block]:
    """The least difference that could have been seen, wherever none was seen."""
    estimates = [
        e for e in tested(result, words.measures) if verdict(e, words.measures) == "not_seen"
    ]
    if not estimates:
        return
    yield Heading("What could not have been seen")
    yield Text(
        "Where no difference was seen, there may still be one. The table gives the smallest true "
        "difference that this design would have found in four of five repetitions (power 0.8)."
    )
    several = len({e.subject for e in estimates}) > 1
    rows = tuple(
        (
            measure_of(e.name, words.measures).label,
            row_label(e, words.conditions, subject=several),
            number(e.value),
            "not computed" if e.mde is None else number(e.mde),
            e.n_clusters,
        )
        for e in estimates
    )
    columns = ("Measure", "Of", "Value", "Could not have seen less than", "Clusters")
    table = Table(columns, rows, "No difference was seen here")
    yield table if len(rows) <= MOST_ROWS else Fold(how_many(rows, "comparison"), (table,))


def method(
    result: Result, words: Words, *, listed: Sequence[Estimate] | None = None
) -> Iterator[Block]:
    """What the intervals and tests are, what was corrected together, and every number.

    ``listed`` are the estimates that stand on the page; all of them when None. The record beside
    the page, ``report.json``, always has all.
    """
    yield Heading("Method")
    clusters = sorted({e.cluster for e in result.estimates if e.cluster})
    families = sorted({e.family for e in result.estimates if e.family})
    methods = sorted({e.method for e in result.estimates if e.method})
    if clusters:
        yield Text(
            f"Answers that share a {' or '.join(clusters)} are not independent, so every interval "
            "and test works by cluster."
        )
    for family in families:
        size = sum(e.family == family and e.p is not None for e in result.estimates)
        yield Text(
            f"The {count(size)} tests of the family {family} are corrected together, by Holm (few "
            "false findings at all) and by Benjamini and Hochberg (a small share of false findings)."
        )
    if methods:
        yield Text(f"Intervals and tests: {'; '.join(methods)}.")
    if result.notes:
        notes = Items(result.notes)
        few = len(result.notes) <= MOST_ROWS
        yield notes if few else Fold(how_many(result.notes, "note"), (notes,))
    shown = result.estimates if listed is None else listed
    some = len(shown) < len(result.estimates)
    table = estimate_table(
        shown,
        measures=words.measures,
        conditions=words.conditions,
        caption="Estimates" if some else "Every estimate",
    )
    rest = f" of {count(len(result.estimates))}; all are in report.json" if some else " in numbers"
    which = "" if some else "All "
    yield Fold(f"{which}{how_many(shown, 'estimate')}{rest}", (table,))


def reproduce(facts: Provenance, words: Words) -> Iterator[Block]:
    """The commands, and everything that decides what they do."""
    yield Heading("Doing it again")
    if facts.commands:
        yield Code("\n".join(facts.commands))
    numbers = {
        "Seed": None if facts.seed is None else str(facts.seed),
        "Requests": None if facts.requests is None else count(facts.requests),
        "Prompt tokens": None if facts.prompt_tokens is None else count(facts.prompt_tokens),
        "Reply tokens": None if facts.reply_tokens is None else count(facts.reply_tokens),
    }
    rows = {
        "Run": f"{facts.run} {facts.name}".strip(),
        "Models": ", ".join(facts.models),
        "Config": facts.config,
        "Config hash": facts.config_hash,
        "Plan hash": facts.plan_hash,
        "Prompt template": facts.template,
        **numbers,
        words.units: ", ".join(f"{count(n)} {name}" for name, n in facts.units.items()),
        "Started": facts.started,
        "Finished": facts.finished,
        "Evenhand": facts.version,
    }
    yield Facts(tuple((name, value) for name, value in rows.items() if value))
