"""The summary in the one record that every command prints."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.counterfactual.mitigation.conditions import OUTCOMES
from evenhand.counterfactual.mitigation.gate import INCLUDED
from evenhand.counterfactual.mitigation.summary import (
    CONDITION_C,
    Compared,
    ModelSummary,
    Summary,
)
from evenhand.counterfactual.spec import INSTRUMENT
from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.stats.multiplicity import adjust

__all__ = ["FAMILY", "result_of"]

FAMILY = "mitigation"

METHOD = "source-clustered percentile bootstrap"


def result_of(summary: Summary) -> Result:
    """Levels of every condition, differences to condition A, and what became of every side.

    With several models ``group`` names the model too, so that no two rows are named alike.
    """
    several = len(summary.models) > 1
    estimates = [
        estimate
        for _, one in sorted(summary.models.items())
        for key, compared in one.conditions.items()
        for estimate in _estimates(one, key, compared, one.model if several else None)
    ]
    accounting = [
        _accounting(model, compared)
        for model, one in sorted(summary.models.items())
        for compared in one.conditions.values()
    ]
    return Result.of(adjust(estimates), accounting, tuple(_notes(summary)))


def _estimates(
    one: ModelSummary, key: str, compared: Compared, group: str | None
) -> Iterator[Estimate]:
    level, against = compared.level, compared.against
    seed, label = compared.pairs.condition.seed, _label(compared)

    def made(
        name: str,
        value: float,
        ends: tuple[float, float],
        seed: int,
        p: float | None = None,
    ) -> Estimate:
        difference = name.endswith("_difference")
        tested = difference and key != CONDITION_C.key
        return Estimate(
            instrument=INSTRUMENT, subject=one.model, name=name, condition=label,
            group=group,
            contrast=f"{label} - A" if difference else None,
            scale="difference" if difference else "proportion",
            value=value, low=ends[0], high=ends[1], level=0.95, p=p if tested else None,
            family=FAMILY if tested else None, planned=True if tested else None,
            n=level.n_pairs, n_clusters=one.n_sources, cluster="source", method=METHOD, seed=seed,
        )  # fmt: skip

    yield made("recommendation_change_rate", level.rec_change, level.rec_change_ci, seed)
    yield made("diagnostic_consistency", level.diag_consistency, level.diag_consistency_ci, seed)
    if against is not None:
        yield made(
            "recommendation_change_difference", against.delta_rec, against.delta_rec_ci,
            seed + 2, against.p_rec,
        )  # fmt: skip
        yield made(
            "diagnostic_consistency_difference", against.delta_diag, against.delta_diag_ci,
            seed + 3, against.p_diag,
        )  # fmt: skip


def _label(compared: Compared) -> str:
    return compared.pairs.condition.label.replace("BPRIME", "B'")


def _accounting(model: str, compared: Compared) -> Accounting:
    """Sides of pairs. A partial refusal is an answer, as it is compared."""
    counts = {name: compared.pairs.count(code) for code, name in enumerate(OUTCOMES)}
    return Accounting(
        condition=_label(compared),
        group=model,
        asked=sum(counts.values()),
        answered=counts["genuine"] + counts["partial_refusal"],
        refused=counts["full_refusal"],
        unreadable=counts["parse_failure"],
        failed=counts["api_failure"],
    )


def _notes(summary: Summary) -> Iterator[str]:
    for model, gate in sorted(summary.gates.items()):
        if gate.decision != INCLUDED:
            yield (
                f"{model}: the stage-1 gate says {gate.decision}: {gate.passed} of "
                f"{gate.sample_size} stage-1 texts state a diagnosis"
            )
    for model, one in sorted(summary.models.items()):
        a, b = one.conditions["condition_a"].level, one.conditions["condition_b"]
        yield (
            f"{model}: condition B {'passes' if b.rule else 'fails'} the binding rule: advice "
            f"changes in {b.level.rec_change:.3f} of the pairs (A: {a.rec_change:.3f}), diagnostic "
            f"consistency is {b.level.diag_consistency:.3f} (A: {a.diag_consistency:.3f})"
        )
    yield (
        "condition A reads diagnoses from whole reports, the others from one line of stage 1: "
        "differences in diagnostic consistency are also differences in how much was read"
    )
    yield "p-values take pairs for independent; the intervals take sources for so"
