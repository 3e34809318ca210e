"""From a bundle's rankings and attributes to estimates: representation, MaxSkew, NDKL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.parity.target import Target
from evenhand.errors import InputError
from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.stats.findings import Findings, Inference, Labels, finish
from evenhand.stats.parity import (
    attribute_permutation_test,
    max_skew,
    min_skew,
    ndkl,
    shares_at_k,
)
from evenhand.stats.resample import ratio, ratio_difference
from evenhand.stats.totals import Floats

__all__ = ["Attribute", "Parity", "analyse_parity", "attribute_of", "rankings_of"]

MOST_VALUES = 20
"""An attribute of more values is a name or a number, not a group of people."""

PERMUTATIONS = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute of a dataset with its target.

    ``codes``, shape (n_images,), are places in ``values``; -1 is unknown. ``target``, shape (V,).
    """

    name: str
    values: tuple[str, ...]
    codes: NDArray[np.int32]
    target: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What was measured, and on what: the record, and what a report says around it."""

    result: Result
    dataset: str
    version: str
    titles: dict[str, str]
    k: int
    kept: int
    """Places that the rankings hold; NDKL looks at all of them."""
    target: str
    attributes: tuple[Attribute, ...]
    n_queries: int


def analyse_parity(
    bundle: Bundle,
    *,
    attributes: Sequence[str] | None = None,
    k: int = 10,
    target: Target | None = None,
    inference: Inference | None = None,
    permutations: int = PERMUTATIONS,
) -> Parity:
    """Measure whom every model shows first, for every query of a bundle.

    Estimates per model (``subject``) and attribute (``condition``): ``representation`` of each
    value (``group``) against its target share, ``max_skew``, ``min_skew`` and ``ndkl`` with what
    chance alone would show beside them (``max_skew_by_chance``, ``ndkl_by_chance``), and
    ``max_skew_difference`` between every two models on the same queries. The cluster is the
    query; p of ``max_skew`` and ``ndkl`` is of the permutation test.

    Args:
        bundle: with attributes.
        attributes: their names; None takes every one of 2 to ``MOST_VALUES`` values.
        k: how many of the first places count.
        target: the dataset's own shares when None.
        inference: how intervals are made.
        permutations: of the test that rankings ignore the attribute.

    Raises:
        InputError: no attributes in the bundle, or none of that name; ``k`` beyond the places
            that are kept; a target that does not fit.
    """
    aim, how = target or Target(), inference or Inference()
    notes: list[str] = []
    chosen = [attribute_of(bundle, name, aim) for name in _names(bundle, attributes, notes)]
    tables = {model: rankings_of(bundle, model) for model in bundle.models}
    kept = min(table.shape[1] for table in tables.values())
    if not 1 <= k <= kept:
        raise InputError(f"k is {k}; the rankings hold {kept} places, so 1 to that", where="--k")
    findings: list[Findings] = []
    accounting: list[Accounting] = []
    for attribute in chosen:
        shown = {model: attribute.codes[table] for model, table in tables.items()}
        accounting.append(_accounting(attribute, shown, k))
        for model in bundle.models:
            findings.append(_representation(model, attribute, shown[model], k, how))
            findings.append(_skews(model, attribute, tables[model], k, how, permutations))
        findings += _differences(attribute, shown, k, how)
    total = Accounting(
        asked=sum(row.asked for row in accounting), answered=sum(r.answered for r in accounting),
        failed=sum(row.failed for row in accounting),
    )  # fmt: skip
    return Parity(
        result=finish(findings, [total, *accounting], notes), dataset=bundle.dataset,
        version=bundle.version, titles=dict(bundle.titles), k=k, kept=kept, target=aim.kind,
        attributes=tuple(chosen), n_queries=len(bundle.queries),
    )  # fmt: skip


def attribute_of(bundle: Bundle, name: str, target: Target) -> Attribute:
    """An attribute of the bundle with its target.

    Raises:
        InputError: none of that name, or of fewer than 2 values; a target that does not fit.
    """
    found = bundle.attribute_codes.get(name)
    if found is None:
        known = ", ".join(bundle.attribute_codes) or "none"
        raise InputError(
            f"the bundle has no attribute {name!r}; it has {known}", where="--attribute"
        )
    values, codes = found
    # The last value stands for unknown. Values that nobody has are left to the target.
    used = [at for at in range(len(values) - 1) if bool((codes == at).any()) and values[at]]
    if len(used) < 2:
        raise InputError(
            f"attribute {name!r} has {len(used)} value in this dataset; parity needs at least 2",
            where="--attribute",
        )
    renamed = np.full(len(values), -1, dtype=np.int32)
    renamed[used] = np.arange(len(used))
    packed = renamed[codes]
    names, shares = target.of(name, [str(values[at]) for at in used], packed)
    return Attribute(name=name, values=names, codes=packed, target=shares)


def rankings_of(bundle: Bundle, model: str) -> NDArray[np.int64]:
    """The places that a model's rankings of all queries have in common, shape (Q, n)."""
    rows = [np.asarray(bundle.ranking(model, query)) for query in bundle.queries]
    if not rows:
        raise InputError("the bundle has no queries", where=bundle.dataset)
    n = min(len(row) for row in rows)
    return np.stack([row[:n] for row in rows]).astype(np.int64)


def _names(bundle: Bundle, wanted: Sequence[str] | None, notes: list[str]) -> list[str]:
    if not bundle.attribute_codes:
        raise InputError(
            "the bundle says nothing of whom its images show; precompute it from a table with "
            "attribute_columns",
            where=str(bundle.path.name),
        )
    if wanted:
        return list(dict.fromkeys(wanted))
    found = []
    for name, (_, codes) in bundle.attribute_codes.items():
        n_values = len(np.unique(codes[codes >= 0]))
        if 2 <= n_values <= MOST_VALUES:
            found.append(name)
        else:
            notes.append(
                f"{name} has {n_values} values and is left out; name it with --attribute to have it"
            )
    if not found:
        raise InputError(f"no attribute has 2 to {MOST_VALUES} values; name one with --attribute")
    return found


def _accounting(attribute: Attribute, shown: dict[str, NDArray[np.int32]], k: int) -> Accounting:
    """Rankings asked for; those of which the first places are all unknown failed."""
    known = sum(int((codes[:, :k] >= 0).any(axis=1).sum()) for codes in shown.values())
    asked = sum(len(codes) for codes in shown.values())
    return Accounting(condition=attribute.name, asked=asked, answered=known, failed=asked - known)


def _representation(
    model: str, attribute: Attribute, shown: NDArray[np.int32], k: int, how: Inference
) -> Findings:
    """The share of each value among the first k, over queries, against its target."""
    labels = Labels(
        instrument="arena", subject=model, condition=attribute.name, family="representation"
    )
    found = Findings(how, labels, "query")
    shares = shares_at_k(shown, n_values=len(attribute.values), k=k)
    defined = np.isfinite(shares).all(axis=1)
    for at, value in enumerate(attribute.values):
        totals = _totals(shares[defined, at])
        aim = float(attribute.target[at])
        found.add(
            "representation", totals, ratio(), n=int(defined.sum()) * k, scale="proportion",
            null=aim, limits=(0.0, 1.0), group=value, contrast=f"against a target of {aim:.3f}",
        )  # fmt: skip
    return found


def _skews(
    model: str,
    attribute: Attribute,
    table: NDArray[np.int64],
    k: int,
    how: Inference,
    permutations: int,
) -> Findings:
    """MaxSkew, MinSkew and NDKL, with what chance alone would show."""
    labels = Labels(instrument="arena", subject=model, condition=attribute.name, family="parity")
    found = Findings(how, labels, "query")
    shown, aim = attribute.codes[table], attribute.target
    most = float(np.log(1 / aim.min()))
    for name, statistic, limits, depth in (
        ("max_skew", partial(max_skew, target=aim, k=k), (0.0, most), k),
        ("ndkl", partial(ndkl, target=aim), (0.0, most), table.shape[1]),
    ):
        values = statistic(shown)
        _one(found, name, values, limits, depth)
        if np.isfinite(values).any():
            test = attribute_permutation_test(
                table, attribute.codes, statistic, draws=permutations, seed=how.seed
            )
            _with_chance(found, name, test.value, test.expected, test.p, permutations)
    least = min_skew(shown, aim, k=k)
    _one(found, "min_skew", least, (-float(np.log(k + 1)), 0.0), k)
    return found


def _one(
    found: Findings, name: str, values: Floats, limits: tuple[float, float], depth: int
) -> None:
    values = values[np.isfinite(values)]
    if len(values) >= 2:
        found.add(
            name, _totals(values), ratio(), n=len(values) * depth, scale="log_ratio",
            limits=limits,
        )  # fmt: skip
    elif len(values):
        # One query has a value and a permutation test, but nothing tells how queries differ.
        found.notes.append(
            f"{name} ({found.labels.condition}): one query has no interval; only the permutation "
            "test can be had"
        )
        found.estimates.append(
            Estimate(
                instrument="arena", subject=found.labels.subject, name=name,
                condition=found.labels.condition, scale="log_ratio", value=float(values[0]),
                family=found.labels.family, n=depth, n_clusters=1, cluster="query",
            )
        )  # fmt: skip


def _with_chance(
    found: Findings, name: str, value: float, expected: float, p: float, permutations: int
) -> None:
    """Give an estimate the permutation test's p, and what chance alone shows beside it."""
    for at, estimate in enumerate(found.estimates):
        if estimate.name == name:
            method = f"{estimate.method}; p: permutation of the attribute over images"
            found.estimates[at] = replace(
                estimate, p=p, contrast=f"chance alone shows {expected:.3f}",
                method=method if estimate.method else "permutation of the attribute over images",
            )  # fmt: skip
    found.estimates.append(
        Estimate(
            instrument="arena", subject=found.labels.subject, name=f"{name}_by_chance",
            condition=found.labels.condition, scale="log_ratio", value=expected,
            method=f"mean over {permutations} permutations", seed=found.inference.seed,
        )
    )  # fmt: skip


def _differences(
    attribute: Attribute, shown: dict[str, NDArray[np.int32]], k: int, how: Inference
) -> Iterator[Findings]:
    """How much more one model favours than another, on the same queries."""
    skews = {model: max_skew(codes, attribute.target, k=k) for model, codes in shown.items()}
    most = float(np.log(1 / attribute.target.min()))
    for one, other in combinations(skews, 2):
        labels = Labels(
            instrument="arena", subject=one, condition=attribute.name, family="parity_difference"
        )
        found = Findings(how, labels, "query")
        both = np.isfinite(skews[one]) & np.isfinite(skews[other])
        ones = np.ones(int(both.sum()))
        totals = np.column_stack((skews[one][both], ones, skews[other][both], ones))
        if len(totals) >= 2:
            found.add(
                "max_skew_difference", totals, ratio_difference(), n=len(totals) * k,
                scale="difference", null=0.0, limits=(-most, most), group=one, baseline=other,
                contrast="on the same queries",
            )  # fmt: skip
        yield found


def _totals(values: Floats) -> Floats:
    return np.column_stack((values, np.ones(len(values))))
