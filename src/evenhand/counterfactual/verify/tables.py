"""Checks that compute panel figures again: one pair, Table 2, the stability gap, empty labels."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from evenhand.counterfactual.analysis.readings import jaccard
from evenhand.counterfactual.frozen.bootstrap import clustered_interval
from evenhand.counterfactual.frozen.streams import Stream
from evenhand.counterfactual.reading.matching import names_of
from evenhand.counterfactual.reading.read import read_reports
from evenhand.counterfactual.spec import FULL_REFUSAL, Registry
from evenhand.counterfactual.verify.bundle import ANALYSIS, Bundle
from evenhand.counterfactual.verify.endpoints import Endpoints, endpoints_of
from evenhand.counterfactual.verify.lines import Line, WrongOption, first_of
from evenhand.counterfactual.verify.records import models_of, paired_records, panel_of
from evenhand.counterfactual.verify.values import Value
from evenhand.errors import InputError, StatsError

__all__ = [
    "ALL",
    "Recomputation",
    "check_both_empty",
    "check_gap",
    "check_one_pair",
    "check_scoring",
    "check_table2",
]

ALL = "all"
"""Stands for every model of the bundle's panels."""

SUMMARY = f"{ANALYSIS}/common_core_1000_summary.json"

CLOSE = 1e-12
"""How far a recomputed figure may be from the frozen one."""

FROZEN_SEED = 42

_LABELS = {
    "stdlib": "source_clustered_percentile",
    "pcg64": "source_clustered_percentile_numpy_pcg64",
}

_GAP_COLUMNS = (
    "model",
    "usable_pairs",
    "rec_change",
    "rec_exact_stability",
    "rec_jaccard",
    "diag_jaccard",
    "gap_exact",
    "gap_graded",
)
_EMPTY_COLUMNS = ("model", "usable_pairs", "both_empty_diagnostic_label_pairs", "rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputation:
    """How intervals are computed again. ``pcg64`` is the stream that the frozen ones come from."""

    iterations: int = 10_000
    seed: int = FROZEN_SEED
    stream: Stream = "pcg64"


def check_scoring(registry: Registry) -> Iterator[Line]:
    """How diagnostic labels are scored: which registry, and what two empty sets are worth."""
    names = sorted(registry.names("diagnostic"))
    yield Line(
        "Diagnostic scoring of Table 2: literal terms of the registry, then the Jaccard index"
    )
    yield Line(
        f"Diagnostic categories of the registry: {len(names)}",
        figures={"categories": len(names)},
    )
    yield Line(f"Their names: {', '.join(names)}", figures={"names": names})
    empty = read_reports([""], registry).labels
    both = float(jaccard(empty, empty)[0])
    yield Line(f"Consistency of two reports without any: {both:.1f}", figures={"both_empty": both})


def check_one_pair(bundle: Bundle, registry: Registry, *, model: str) -> Iterator[Line]:
    """What is read in the model's first usable pair; of all models, in the first model's.

    Raises:
        StatsError: no pair is usable.
    """
    model = _models(bundle, model)[0]
    for record in paired_records(bundle, model):
        read = read_reports([record.source, record.counterfactual], registry)
        if read.response.max() < FULL_REFUSAL:
            break
    else:
        raise StatsError(f"{model}: no pair is usable")
    yield Line(f"Model: {model}", figures={"model": model})
    yield Line(f"Pair ID: {record.pair_id}", figures={"pair_id": record.pair_id})
    kinds = (
        ("recommendation categories", read.recommendations, registry.recommendation),
        ("diagnostic labels", read.labels, registry.diagnostic),
    )
    for kind, masks, categories in kinds:
        for role, mask in zip(("Source", "Generated"), masks.tolist(), strict=True):
            names = names_of(mask, categories)
            yield Line(f"{role} {kind}: {names}", figures={"names": names})
    shared = float(jaccard(read.labels[:1], read.labels[1:])[0])
    yield Line(f"Diagnostic-label Jaccard: {shared:.3f}", figures={"jaccard": shared})


def check_table2(
    bundle: Bundle, registry: Registry, *, model: str, recompute: Recomputation | None
) -> Iterator[Line]:
    """Point estimates, and intervals when asked for, against the frozen summary, to 1e-12.

    Intervals of the ``stdlib`` stream are told and not compared: the frozen ones are not of it.

    Raises:
        WrongOption: intervals are compared at iterations or a seed that the frozen ones have not.
    """
    summary = bundle.json(SUMMARY)
    if recompute is not None and recompute.stream == "pcg64":
        _refuse_other_settings(summary, recompute)
    for ends in _endpoints(bundle, registry, model):
        if isinstance(ends, Line):
            yield ends
            continue
        try:
            frozen = _frozen(summary, panel_of(bundle, ends.model), ends.model)
        except InputError as error:
            yield Line(str(error), ok=False)
            continue
        yield from _table2_of(ends, frozen, recompute)
    if model == ALL:
        yield from _left_out(bundle, summary)


def check_gap(bundle: Bundle, registry: Registry, *, model: str) -> Iterator[Line]:
    """Consistency of labels minus stability of recommendations, exact and graded, per model."""
    yield Line(",".join(_GAP_COLUMNS))
    exact, graded = [], []
    for ends in _endpoints(bundle, registry, model):
        if isinstance(ends, Line):
            yield ends
            continue
        exact.append(ends.gap_exact)
        graded.append(ends.gap_graded)
        yield _row(ends)
    if not exact:
        return
    for what, gaps in (("gap_exact", exact), ("gap_graded", graded)):
        middle = statistics.median(gaps)
        yield Line(f"median_{what}: {middle:.6f}", figures={f"median_{what}": middle})
    below = sum(gap < 0 for gap in graded)
    yield Line(
        f"gap_graded_negative_models: {below}/{len(graded)}",
        figures={"negative": below, "models": len(graded)},
    )


def check_both_empty(bundle: Bundle, registry: Registry, *, model: str) -> Iterator[Line]:
    """Usable pairs in neither of whose reports a label was found; they count as consistent."""
    yield Line(",".join(_EMPTY_COLUMNS))
    empty = usable = 0
    for ends in _endpoints(bundle, registry, model):
        if isinstance(ends, Line):
            yield ends
            continue
        empty += ends.both_empty
        usable += ends.n
        share = ends.both_empty / ends.n
        cells = (ends.model, ends.n, ends.both_empty, share)
        yield Line(
            f"{ends.model},{ends.n},{ends.both_empty},{share:.4%}",
            figures=dict(zip(_EMPTY_COLUMNS, cells, strict=True)),
        )
    if usable:
        yield Line(
            f"pooled_both_empty: {empty}/{usable} ({empty / usable:.4%})",
            figures={"both_empty": empty, "usable_pairs": usable, "rate": empty / usable},
        )


def _endpoints(bundle: Bundle, registry: Registry, model: str) -> Iterator[Endpoints | Line]:
    """Each model's endpoints, or the line that says what is wrong with its reports.

    One model's faulty rows say nothing of the next model's.
    """
    for name in _models(bundle, model):
        try:
            yield endpoints_of(bundle, name, registry)
        except (InputError, StatsError) as error:
            yield Line(str(error), ok=False)


def _models(bundle: Bundle, model: str) -> tuple[str, ...]:
    """The models that are meant; there is at least one, and each is in a panel."""
    if model != ALL:
        panel_of(bundle, model)
        return (model,)
    every = tuple(name for models in models_of(bundle).values() for name in models)
    if not every:
        raise InputError("the panels name no model", where="panel_manifest.json")
    return every


def _row(ends: Endpoints) -> Line:
    numbers = (
        ends.change,
        ends.agreement,
        ends.stability_graded,
        ends.consistency,
        ends.gap_exact,
        ends.gap_graded,
    )
    text = ",".join([ends.model, str(ends.n), *(f"{number:.6f}" for number in numbers)])
    cells = (ends.model, ends.n, *numbers)
    return Line(text, figures=dict(zip(_GAP_COLUMNS, cells, strict=True)))


def _refuse_other_settings(summary: Value, recompute: Recomputation) -> None:
    frozen = summary["source_clustered_bootstrap"]["iterations"].count()
    if (recompute.iterations, recompute.seed) != (frozen, FROZEN_SEED):
        raise WrongOption(
            f"the frozen intervals rest on {frozen:,} iterations and seed {FROZEN_SEED}, not on "
            f"{recompute.iterations:,} and {recompute.seed}; leave both options out, or take "
            "--stream stdlib, whose intervals are told and not compared",
            where="--recompute-ci",
        )


@dataclass(frozen=True, slots=True)
class _Frozen:
    """What the summary says of one model."""

    usable: int
    full: int
    partial: int
    change: float
    consistency: float
    change_interval: tuple[float, float]
    consistency_interval: tuple[float, float]


def _frozen(summary: Value, panel: str, model: str) -> _Frozen:
    row = summary["panels"][panel]["models"][model]
    quality, stats = row["data_quality"], row["primary_secondary_stats"]
    agreement = stats["recommendation"]["bootstrap_ci"]
    labels = stats["diagnostic_label"]["bootstrap_ci"]
    return _Frozen(
        usable=quality["pair_usable"].count(),
        full=quality["pair_full_refusals"].count(),
        partial=quality["pair_partial_refusals"].count(),
        # The summary keeps agreement; what changed is the rest, ends swapped.
        change=1.0 - stats["recommendation"]["agreement_rate"].number(),
        consistency=stats["diagnostic_label"]["mean"].number(),
        change_interval=(
            1.0 - agreement["upper"].number(),
            1.0 - agreement["lower"].number(),
        ),
        consistency_interval=(labels["lower"].number(), labels["upper"].number()),
    )


def _table2_of(
    ends: Endpoints, frozen: _Frozen, recompute: Recomputation | None
) -> Iterator[Line]:
    yield Line(f"Model: {ends.model}", figures={"model": ends.model})
    yield _same(f"Usable pairs: {ends.n}", ends.n, frozen.usable)
    yield _same(
        f"Full-refusal pairs excluded: {ends.full_refusals}", ends.full_refusals, frozen.full
    )
    yield _same(
        f"Partial-refusal pairs included: {ends.partial_refusals}",
        ends.partial_refusals,
        frozen.partial,
    )
    yield Line(f"Frozen summary usable pairs: {frozen.usable}", figures={"frozen": frozen.usable})
    yield from _endpoint(
        "recommendation change", ends.change, frozen.change, frozen.change_interval
    )
    yield from _endpoint(
        "diagnostic consistency",
        ends.consistency,
        frozen.consistency,
        frozen.consistency_interval,
    )
    if recompute is None:
        yield Line("CI mode: read from the frozen summary; --recompute-ci computes them again")
    else:
        yield from _intervals(ends, frozen, recompute)


def _left_out(bundle: Bundle, summary: Value) -> Iterator[Line]:
    """Models that the summary tells of and that no panel has: a table that has lost rows."""
    for panel, models in models_of(bundle).items():
        told = summary["panels"][panel]["models"].object()
        lost = sorted(told.keys() - set(models))
        if lost:
            yield Line(
                f"The summary tells of {first_of(lost)}, the {panel} panel does not", ok=False
            )


def _same(text: str, counted: int, frozen: int) -> Line:
    ok = counted == frozen
    figures = {"value": counted, "frozen": frozen}
    return Line(text if ok else f"{text}, but the frozen summary has {frozen}", ok, figures)


def _endpoint(
    what: str, value: float, frozen: float, interval: tuple[float, float]
) -> Iterator[Line]:
    ok = abs(value - frozen) <= CLOSE
    text = f"Recomputed {what}: {value:.6f} (rounded: {value:.3f})"
    if not ok:
        text += f", but the frozen summary has {frozen!r} and this is {value!r}"
    yield Line(text, ok, {"value": value, "frozen": frozen})
    yield Line(
        f"Frozen summary {what}: {frozen:.6f} (rounded: {frozen:.3f})", figures={"value": frozen}
    )
    low, high = interval
    yield Line(
        f"Frozen summary {what} 95% CI (read, not recomputed): [{low:.3f}, {high:.3f}]",
        figures={"low": low, "high": high},
    )


def _intervals(ends: Endpoints, frozen: _Frozen, recompute: Recomputation) -> Iterator[Line]:
    for what, values, wanted in (
        ("recommendation change", ends.changed, frozen.change_interval),
        ("diagnostic consistency", ends.label_jaccard, frozen.consistency_interval),
    ):
        low, high = clustered_interval(
            values,
            ends.sources,
            iterations=recompute.iterations,
            seed=recompute.seed,
            stream=recompute.stream,
        )
        text = f"Recomputed {what} 95% CI: [{low:.3f}, {high:.3f}]"
        compared = recompute.stream == "pcg64"
        ok = not compared or max(abs(low - wanted[0]), abs(high - wanted[1])) <= CLOSE
        if not ok:
            text += f", but the frozen summary has [{wanted[0]!r}, {wanted[1]!r}]"
        yield Line(text, ok, {"low": low, "high": high, "compared": compared})
    yield Line(
        f"CI recomputation settings: {_LABELS[recompute.stream]} "
        f"iterations={recompute.iterations} seed={recompute.seed}"
    )
