"""A conversation run as a report: what was asked, what was seen, what could not have been seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evenhand.conversation.measures import MEASURES, ROUND_MEASURES
from evenhand.report.blocks import Block, Chart, Fold, Heading, Report, Table, Text
from evenhand.report.charts import RoundRow, rounds
from evenhand.report.flips import Transition, flips
from evenhand.report.numbers import count, null_of
from evenhand.report.provenance import Provenance
from evenhand.report.sections import (
    MOST_ROWS,
    Words,
    in_short,
    meanings,
    method,
    missing,
    models_words,
    plots,
    reproduce,
    tested,
    unseen,
)
from evenhand.stats.estimate import Estimate, Result

__all__ = ["RunFacts", "report"]

MOST_FLIP_CHARTS = 12

GROUPS, CONDITIONS, SPEAKERS = "differences", "conditions", "speakers"
COMPARISONS = {
    GROUPS: ("Differences between groups", ""),
    CONDITIONS: (
        "Differences between conditions",
        "Conditions are compared on the same questions, pair by pair.",
    ),
    SPEAKERS: (
        "Differences by who was asked",
        "Speakers of one condition are compared on the same questions, pair by pair.",
    ),
}
"""Comparisons by what is compared: heading and words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts(Provenance):
    """What a report says of the run itself; its units are conversations.

    ``questions`` are (category or file, number) pairs. ``agents`` are (id, role, model, identity)
    rows.
    """

    questions: tuple[tuple[str, int], ...] = ()
    agents: tuple[tuple[str, str, str, str], ...] = ()


def report(
    result: Result,
    *,
    title: str,
    facts: RunFacts,
    transitions: Sequence[Transition] = (),
    consensus: Sequence[RoundRow] = (),
) -> Report:
    """The report of an analysed run.

    Args:
        result: estimates, accounting and notes.
        title: the page's title.
        facts: what was run, with what.
        transitions: counts of answers by kind, first round to last, per condition.
        consensus: consensus by round and condition.
    """
    words = Words(
        measures=MEASURES,
        units="Conversations",
        done="conversations held to the end",
        parts="By category, round and speaker",
        conditions=facts.conditions,
    )
    blocks = [
        *in_short(result, facts.units, words),
        *_asked(facts),
        *missing(result, words),
        *_levels(result, words),
        *_differences(result, words),
        *_rounds(result, words, transitions, consensus),
        *unseen(result, words),
        *method(result, words),
        *reproduce(facts, words),
    ]
    subtitle = f"{models_words(facts.models)}, {_questions(facts)}. Run {facts.run}."
    return Report(title, subtitle, blocks, result)


def _questions(facts: RunFacts) -> str:
    total = sum(n for _, n in facts.questions)
    return f"{count(total)} questions" if total else "questions as configured"


def _is_round(e: Estimate) -> bool:
    return e.name in ROUND_MEASURES


def _asked(facts: RunFacts) -> Iterator[Block]:
    yield Heading("What was asked")
    if facts.questions:
        rows = tuple((category, n) for category, n in facts.questions)
        yield Table(("Questions", "Number"), rows, "Questions by category")
    if facts.agents:
        yield Table(("Speaker", "Role", "Model", "Identity"), facts.agents, "Speakers")
    if facts.conditions:
        rows_ = tuple(facts.conditions.items())
        table = Table(("Condition", "What is different in it"), rows_, "Conditions")
        yield table if len(rows_) <= MOST_ROWS else Fold(f"{len(rows_)} conditions", (table,))


def _levels(result: Result, words: Words) -> Iterator[Block]:
    levels = [e for e in result.estimates if null_of(e, MEASURES) is None and not _is_round(e)]
    if not levels:
        return
    yield Heading("How it was answered")
    yield from meanings(levels, MEASURES)
    yield from plots(levels, "levels", words)


def _differences(result: Result, words: Words) -> Iterator[Block]:
    sections: dict[str, list[Estimate]] = {GROUPS: [], CONDITIONS: [], SPEAKERS: []}
    for e in tested(result, MEASURES):
        if not _is_round(e):
            sections[_section(e, words.conditions)].append(e)
    for name, (heading, text) in COMPARISONS.items():
        if sections[name]:
            yield Heading(heading)
            if text:
                yield Text(text)
            yield from meanings(sections[name], MEASURES)
            yield from plots(sections[name], name, words)


def _section(e: Estimate, conditions: Mapping[str, str]) -> str:
    """Whether groups of people, conditions, or the identities of the asked are compared."""
    if e.baseline in conditions:
        return CONDITIONS
    return SPEAKERS if e.contrast is not None and e.condition is not None else GROUPS


def _rounds(
    result: Result,
    words: Words,
    transitions: Sequence[Transition],
    consensus: Sequence[RoundRow],
) -> Iterator[Block]:
    estimates = [e for e in result.estimates if _is_round(e)]
    if not (estimates or transitions or consensus):
        return
    yield Heading("The discussion")
    yield from meanings(estimates, MEASURES)
    if consensus:
        yield rounds(
            consensus, title="Consensus by round", conditions=words.conditions, name="consensus"
        )
    if any(move.count for move in transitions):
        yield flips(transitions, title="Answers in the first round and in the last")
        yield from _flips_by_condition(transitions, words.conditions)
    for is_tested in (False, True):
        part = [e for e in estimates if (null_of(e, MEASURES) is not None) == is_tested]
        yield from plots(part, "rounds-tested" if is_tested else "rounds", words)


def _flips_by_condition(
    transitions: Sequence[Transition], conditions: Mapping[str, str]
) -> Iterator[Block]:
    names = dict.fromkeys(move.condition for move in transitions if move.condition and move.count)
    if not 2 <= len(names) <= MOST_FLIP_CHARTS:
        return
    charts: tuple[Chart, ...] = tuple(
        flips(
            [move for move in transitions if move.condition == name],
            title=f"First and last round, {conditions.get(name, name)}",
            name=f"flips-{name}",
        )
        for name in names
    )
    yield Fold("The same for each condition", charts)
