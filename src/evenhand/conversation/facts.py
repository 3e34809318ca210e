"""What a report says beside the estimates: the run itself, moves between answers, agreement."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import fields

from evenhand.conversation.analyse import Analysed
from evenhand.conversation.answers import speaker_words
from evenhand.conversation.report import RunFacts, report
from evenhand.conversation.run import Planned, work_of
from evenhand.report.blocks import Report
from evenhand.report.charts import RoundRow
from evenhand.report.flips import Transition
from evenhand.report.provenance import provenance
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow

__all__ = ["report_of", "run_facts"]


def report_of(ledger: Ledger, run_ids: Sequence[str], analysed: Analysed) -> Report:
    """The report of analysed runs."""
    facts = run_facts(ledger, run_ids, analysed)
    title = facts.name or "Conversations"
    return report(
        analysed.result,
        title=f"Conversations: {title}",
        facts=facts,
        transitions=list(_transitions(analysed)),
        consensus=list(_consensus(analysed)),
    )


def run_facts(ledger: Ledger, run_ids: Sequence[str], analysed: Analysed) -> RunFacts:
    """What was run, with what; of several runs the counts are summed and the rest is listed."""
    rows = [ledger.run(run_id) for run_id in run_ids]
    plans = [work_of(ledger, row.id) for row in rows]
    base = provenance(
        ledger,
        run_ids,
        models=(d.address for plan in plans for d in plan.models.values()),
        conditions=analysed.words,
        commands=_commands(rows),
    )
    return RunFacts(
        **{shared.name: getattr(base, shared.name) for shared in fields(base)},
        questions=tuple(_questions(plans)),
        agents=tuple(dict.fromkeys(_agents(plans))),
    )


def _questions(plans: Sequence[Planned]) -> Iterator[tuple[str, int]]:
    sizes: dict[str, int] = {}
    for plan in plans:
        for path, number in plan.work.question_counts():
            sizes[path.name] = number
    yield from sizes.items()


def _agents(plans: Sequence[Planned]) -> Iterator[tuple[str, str, str, str]]:
    for plan in plans:
        for condition in plan.spec.conditions:
            for agent in condition.agents:
                model = condition.models[agent.model].address
                yield agent.agent_id, agent.role, model, speaker_words(agent)


def _commands(rows: Sequence[RunRow]) -> Iterator[str]:
    for row in rows:
        asked = row.config["asked"]
        words = ["evenhand", "conversation", "run", row.source, "--seed", str(row.seed)]
        for model in asked["models"]:
            words += ["--model", model]
        for option in ("repeat", "limit", "template"):
            if asked[option] not in (None, 1):
                words += [f"--{option}", str(asked[option])]
        yield shlex.join(words)
    yield shlex.join(["evenhand", "conversation", "analyse", *(row.id for row in rows)])


def _transitions(analysed: Analysed) -> Iterator[Transition]:
    for label, moves in analysed.transitions.items():
        for (first, last), number in moves.items():
            yield Transition(first=first, last=last, count=number, condition=label)


def _consensus(analysed: Analysed) -> Iterator[RoundRow]:
    for estimate in analysed.result.estimates:
        if estimate.name == "consensus_rate" and estimate.condition and estimate.group:
            yield RoundRow(
                condition=estimate.condition,
                round=int(estimate.group.removeprefix("round ")),
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                n=estimate.n,
                n_clusters=estimate.n_clusters,
            )
