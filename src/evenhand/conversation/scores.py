"""The benchmark scores of a run's answers, of any part of them, and contrasts between two parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.conversation.answers import Answers
from evenhand.conversation.benchmarks import bbq, difference_awareness, discrim_eval
from evenhand.errors import StatsError
from evenhand.stats.findings import (
    REFUSED,
    Findings,
    Inference,
    Labels,
    Scored,
)
from evenhand.stats.record import difference_bounds, rate_bounds, record
from evenhand.stats.resample import cluster_difference, cluster_totals, ratio

__all__ = ["contrast", "score"]

Bools = NDArray[np.bool_]


def score(answers: Answers, *, labels: Labels, inference: Inference) -> list[Findings]:
    """Score final answers by the rules of the benchmarks their questions come from.

    A question of no known benchmark is scored by its gold answer (``accuracy``), its own cluster.
    """
    found = []
    for name in ("bbq", "difference_awareness", "discrim_eval", None):
        mask = answers.of_question(np.array([q.key.benchmark == name for q in answers.questions]))
        if mask.any():
            found.append(_SCORERS[name](answers.where(mask), labels, inference))
    if len(answers):
        found.append(_refusals(answers, labels, inference))
    return found


def _by_question(answers: Answers, values: Sequence[object], dtype: type) -> NDArray[Any]:
    return answers.of_question(np.array(values, dtype=dtype))


def _bbq(answers: Answers, labels: Labels, inference: Inference) -> Findings:
    questions = answers.questions
    readable = answers.readable
    gold = _by_question(answers, [q.gold for q in questions], int)
    unknown = _by_question(answers, [q.unknown for q in questions], int)
    columns = bbq.BbqColumns(
        cluster=answers.cluster,
        ambiguous=_by_question(answers, [bool(q.key.ambiguous) for q in questions], bool),
        readable=readable,
        correct=readable & (answers.choice == gold),
        unknown=readable & (answers.choice == unknown),
        biased=readable & answers.is_biased(answers.question, answers.choice),
        scorable=_by_question(answers, [q.key.scorable for q in questions], bool),
    )
    return bbq.estimates(columns, labels=labels, inference=inference)


def _difference(answers: Answers, labels: Labels, inference: Inference) -> Findings:
    questions = answers.questions
    readable = answers.readable
    gold = _by_question(answers, [q.gold for q in questions], int)
    columns = difference_awareness.DifferenceColumns(
        cluster=answers.cluster,
        equal=_by_question(answers, [q.key.part == "equal" for q in questions], bool),
        readable=readable,
        right=readable & (answers.choice == gold),
    )
    return difference_awareness.estimates(columns, labels=labels, inference=inference)


def _decisions(answers: Answers, labels: Labels, inference: Inference) -> Findings:
    questions = answers.questions
    readable = answers.readable
    yes = _by_question(answers, [q.favourable for q in questions], int)
    columns = discrim_eval.DecisionColumns(
        cluster=answers.cluster,
        race=_by_question(answers, [q.attributes[0] for q in questions], str),
        gender=_by_question(answers, [q.attributes[1] for q in questions], str),
        age=_by_question(answers, [q.attributes[2] for q in questions], int),
        readable=readable,
        yes=readable & (answers.choice == yes),
    )
    findings = discrim_eval.estimates(columns, labels=labels, inference=inference)
    if len(np.unique(answers.question)) < len(answers):
        # McNemar's test pairs prompts; where one was answered several times there are no pairs.
        kept = [e for e in findings.estimates if e.name != "mcnemar_discordance"]
        return replace(findings, estimates=kept)
    return findings


def _gold(answers: Answers, labels: Labels, inference: Inference) -> Findings:
    findings = Findings(inference, labels, "question")
    gold = _by_question(answers, [q.gold for q in answers.questions], int)
    asked = gold >= 0
    hit = answers.readable & (answers.choice == gold)
    rows = asked & answers.readable
    if not asked.any():
        findings.notes.append("no accuracy: the questions have no right answer")
        return findings
    totals = cluster_totals(answers.cluster[asked], np.stack([hit, rows], axis=1)[asked])
    n, hits = int(rows.sum()), int((hit & asked).sum())
    findings.add(
        "accuracy", totals, ratio(0, 1), n=n, scale="proportion", limits=(0.0, 1.0),
        missing=rate_bounds(hits, n, int(asked.sum())),
    )  # fmt: skip
    return findings


def _refusals(answers: Answers, labels: Labels, inference: Inference) -> Findings:
    findings = Findings(inference, labels, "template")
    refused = answers.outcome == REFUSED
    table = np.stack([refused, np.ones(len(answers), dtype=bool)], axis=1)
    findings.add(
        "refusal_rate", cluster_totals(answers.cluster, table), ratio(0, 1),
        n=len(answers), scale="proportion", limits=(0.0, 1.0),
    )  # fmt: skip
    return findings


_SCORERS = {
    "bbq": _bbq,
    "difference_awareness": _difference,
    "discrim_eval": _decisions,
    None: _gold,
}


def contrast(
    group: Answers,
    baseline: Answers,
    *,
    labels: Labels,
    inference: Inference,
    names: tuple[str, str],
    words: str | None = None,
) -> Findings:
    """Every score of ``group`` minus the same score of ``baseline``, paired by question.

    Only questions that both answered enter; their clusters are left out together, so that what
    the two parts share (the question, its template) cancels.

    Args:
        names: of the group and of the baseline, for the record.
        words: what differs between them.
    """
    shared = np.intersect1d(group.question, baseline.question)
    one = group.where(np.isin(group.question, shared))
    two = baseline.where(np.isin(baseline.question, shared))
    findings = Findings(inference, labels, "template")
    if not len(shared):
        findings.notes.append(f"no contrast of {names[0]} with {names[1]}: no question in common")
        return findings
    pairs = zip(
        score(one, labels=labels, inference=inference),
        score(two, labels=labels, inference=inference),
        strict=True,
    )
    for left, right in pairs:
        _contrast(replace(findings, cluster=left.cluster), left, right, names, words)
    return findings


# Differences of differences: too fine to be read, and they would swell the family.
_CONTRASTS = ("_difference", "log_odds_ratio", "mean_yes_rate_gap")


def _contrast(
    findings: Findings, left: Findings, right: Findings, names: tuple[str, str], words: str | None
) -> None:
    """Differences of what both sides scored; ``findings`` shares its lists with the caller's."""
    others = {(s.name, s.group): s for s in right.scored}
    for scored in left.scored:
        other = others.get((scored.name, scored.group))
        is_itself_a_contrast = scored.name.endswith(_CONTRASTS)
        if (
            other is not None
            and not is_itself_a_contrast
            and scored.totals.shape == other.totals.shape
        ):
            _difference_of(findings, scored, other, names, words)


def _difference_of(
    findings: Findings, scored: Scored, other: Scored, names: tuple[str, str], words: str | None
) -> None:
    inference, labels = findings.inference, findings.labels
    span = scored.limits[1] - scored.limits[0] if scored.limits else None
    name = f"{scored.name}_difference"
    try:
        found = cluster_difference(
            scored.totals, other.totals, scored.statistic, paired=True,
            interval=inference.interval, level=inference.level, draws=inference.draws,
            seed=inference.seed, bounds=(-span, span) if span is not None else None,
        )  # fmt: skip
    except StatsError as error:
        findings.notes.append(f"no {name} of {names[0]} and {names[1]}: {error}")
        return
    bounds = None
    if scored.missing is not None and other.missing is not None:
        bounds = difference_bounds(scored.missing, other.missing)
    findings.estimates.append(
        record(
            found,
            instrument=labels.instrument,
            name=name,
            scale="difference",
            n=scored.n + other.n,
            cluster=findings.cluster,
            subject=labels.subject,
            condition=labels.condition,
            group=names[0] if scored.group is None else f"{names[0]}: {scored.group}",
            baseline=names[1],
            contrast=words,
            family=labels.family,
            bounds=bounds,
        )  # fmt: skip
    )
