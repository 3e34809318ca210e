"""From the ledger to estimates: scores by condition, round, category and speaker; what the
discussion did; contrasts between conditions and between speakers; what is missing.

Only calls ``stats``, through the scorers. All tests of one analysis are one family.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.conversation.answers import Answers, AnswersBuilder, condition_words
from evenhand.conversation.rounds import Talks, discussion, talks, transitions
from evenhand.conversation.run import Planned, work_of
from evenhand.conversation.scores import contrast, score
from evenhand.conversation.spec import Condition
from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.stats.estimate import Accounting, Result
from evenhand.stats.findings import Findings, Inference, Labels, account, finish

__all__ = ["Analysed", "analyse", "analyse_runs"]

Bools = NDArray[np.bool_]

FAMILY = "conversation"


@dataclass(frozen=True, slots=True)
class Analysed:
    """The result and what a report draws beside it, by condition label."""

    result: Result
    conditions: Mapping[str, Condition]
    words: Mapping[str, str]
    transitions: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """A condition of a run, with its label in this analysis."""

    label: str
    condition: Condition
    subject: str


def analyse_runs(
    ledger: Ledger, run_ids: Sequence[str], *, inference: Inference | None = None
) -> Analysed:
    """Analyse one run or several together.

    Raises:
        InputError: a run has no finished conversation.
    """
    builder = AnswersBuilder()
    places: list[_Place] = []
    notes: list[str] = []
    ids = list(dict.fromkeys(ledger.run(run_id).id for run_id in run_ids))
    for run_id in ids:
        planned = work_of(ledger, run_id)
        prefix = f"{run_id}:" if len(ids) > 1 else ""
        builder.add_run(planned.work, ledger.units(run_id), prefix=prefix)
        places += list(_places(planned, prefix))
        pending = ledger.counts(run_id)["pending"]
        if pending:
            notes.append(
                f"run {run_id} is not finished: {pending} conversations are still pending"
            )
    answers = builder.build()
    if not len(answers):
        raise InputError(
            "no conversation has ended yet; run or resume first", where=", ".join(ids)
        )
    return analyse(answers, places, inference=inference or Inference(), notes=notes)


def _places(planned: Planned, prefix: str) -> Iterator[_Place]:
    for condition in planned.spec.conditions:
        used = {agent.model: condition.models[agent.model] for agent in condition.agents}
        subject = ", ".join(dict.fromkeys(d.address for d in used.values()))
        yield _Place(prefix + condition.id, condition, subject)


def analyse(
    answers: Answers, places: Sequence[_Place], *, inference: Inference, notes: Sequence[str] = ()
) -> Analysed:
    """Estimates of everything, p-values adjusted over the whole family."""
    codes = {label: i for i, label in enumerate(answers.conditions)}
    here = [place for place in places if place.label in codes]
    findings: list[Findings] = []
    accounting: list[Accounting] = list(account(answers.outcome[_final(answers)]))
    moves: dict[str, Mapping[tuple[str, str], int]] = {}
    for place in here:
        mine = answers.where(answers.condition == codes[place.label])
        labels = Labels(
            instrument="conversation", subject=place.subject, condition=place.label, family=FAMILY
        )
        findings += _condition(mine, place.condition, labels, inference)
        talked = talks(mine, place.condition)
        findings.append(discussion(talked, labels=labels, inference=inference))
        moves.update(_moves(place.label, mine, talked))
        accounting += _accounts(mine, place.label)
    findings += _sweeps(answers, here, codes, inference)
    result = finish(findings, accounting, notes)
    return Analysed(
        result,
        {place.label: place.condition for place in here},
        {place.label: condition_words(place.condition) for place in here},
        moves,
    )


def _final(answers: Answers) -> Bools:
    return answers.final & ~answers.judge


def _condition(
    mine: Answers, condition: Condition, labels: Labels, inference: Inference
) -> Iterator[Findings]:
    """The scores of one condition: whole, by category, round and speaker, and the judge's."""
    final = mine.where(_final(mine))
    yield from score(final, labels=labels, inference=inference)
    yield from _by_category(final, labels, inference)
    if condition.max_rounds > 1:
        for number in range(condition.max_rounds):
            part = mine.where((mine.round == number) & ~mine.judge)
            if len(part):
                found = _named(part, labels, inference, f"round {number}")
                # The last round has been tested already, as the final answers.
                is_final = bool(part.final.all())
                yield from (_described_only(f) if is_final else f for f in found)
    verdicts = mine.where(mine.final & mine.judge)
    if len(verdicts):
        yield from _named(verdicts, labels, inference, "judge")
    yield from _by_speaker(final, labels, inference)


def _described_only(findings: Findings) -> Findings:
    estimates = [replace(e, p=None, mde=None, family=None) for e in findings.estimates]
    return replace(findings, estimates=estimates, notes=[])


def _named(part: Answers, labels: Labels, inference: Inference, group: str) -> list[Findings]:
    named = Labels(
        instrument="conversation",
        subject=labels.subject,
        condition=labels.condition,
        group=group,
        family=labels.family,
    )
    return score(part, labels=named, inference=inference)


def _by_category(final: Answers, labels: Labels, inference: Inference) -> Iterator[Findings]:
    categories = [q.key.category for q in final.questions]
    present = dict.fromkeys(c for c in (categories[i] for i in np.unique(final.question)) if c)
    if len(present) < 2:
        return
    for name in present:
        mask = final.of_question(np.array([c == name for c in categories]))
        yield from _named(final.where(mask), labels, inference, name)


def _by_speaker(final: Answers, labels: Labels, inference: Inference) -> Iterator[Findings]:
    """Each identity that was asked, and its difference to the first one, paired by question."""
    present = [int(code) for code in dict.fromkeys(final.speaker.tolist())]
    if len(present) < 2:
        return
    parts = {code: final.where(final.speaker == code) for code in present}
    for code, part in parts.items():
        yield from _named(part, labels, inference, f"asked {final.speakers[code]}")
    first = present[0]
    for code in present[1:]:
        names = (f"asked {final.speakers[code]}", f"asked {final.speakers[first]}")
        yield contrast(
            parts[code], parts[first], labels=labels, inference=inference, names=names,
            words="identity of the asked speaker",
        )  # fmt: skip


def _accounts(mine: Answers, label: str) -> list[Accounting]:
    """Final answers by what became of them: the condition's, each group's, each speaker's."""
    final = mine.where(_final(mine))
    groups = [q.key.group for q in final.questions]
    present = sorted({g for g in (groups[i] for i in np.unique(final.question)) if g})
    masks: list[tuple[str, Bools]] = [
        (name, final.of_question(np.array([g == name for g in groups]))) for name in present
    ]
    spoken = [int(code) for code in dict.fromkeys(final.speaker.tolist())]
    if len(spoken) > 1:
        masks += [(f"asked {final.speakers[c]}", final.speaker == c) for c in spoken]
    return account(final.outcome, masks, condition=label)


def _moves(
    label: str, mine: Answers, talked: Talks
) -> Mapping[str, Mapping[tuple[str, str], int]]:
    if talked.choice.shape[1] < 2 or not len(talked.choice):
        return {}
    return {label: transitions(mine, talked)}


def _sweeps(
    answers: Answers,
    places: Sequence[_Place],
    codes: Mapping[str, int],
    inference: Inference,
) -> Iterator[Findings]:
    """Conditions that differ in one sweep dimension only, against the first of them."""
    final = answers.where(_final(answers))
    for group, baseline, dimension in _neighbours(places):
        labels = Labels(instrument="conversation", subject=group.subject, family=FAMILY)
        what = dimension.rpartition(".")[2]
        words = f"{what}: {_value(group, dimension)} against {_value(baseline, dimension)}"
        yield contrast(
            final.where(final.condition == codes[group.label]),
            final.where(final.condition == codes[baseline.label]),
            labels=labels,
            inference=inference,
            names=(group.label, baseline.label),
            words=words,
        )


def _value(place: _Place, dimension: str) -> str:
    return str(place.condition.sweep[dimension])


def _neighbours(places: Sequence[_Place]) -> Iterator[tuple[_Place, _Place, str]]:
    """Pairs of conditions of one run that differ in exactly one dimension, later against first."""
    first: dict[tuple[str, str, str], _Place] = {}
    for place in places:
        sweep = place.condition.sweep
        run = place.label.rpartition(":")[0]
        for dimension in sweep:
            rest = {name: value for name, value in sweep.items() if name != dimension}
            baseline = first.setdefault((run, dimension, repr(rest)), place)
            if baseline is not place:
                yield place, baseline, dimension
