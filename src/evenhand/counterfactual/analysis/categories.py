"""Category by category: what a changed image adds and takes away, and who is told what.

``added_rate`` is the share of usable pairs whose counterfactual report has a category that the
source report has not, ``removed_rate`` the other way round, ``net_added_rate`` their difference.
``category_rate_difference`` leaves the source report out: it holds the reports on one level's
images against those on the other's, in couples of one source whose edits differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.changes import level_contrast, mean_bounds
from evenhand.counterfactual.analysis.couples import Couples, level_couples
from evenhand.counterfactual.analysis.outcomes import Read
from evenhand.counterfactual.analysis.parts import Part, parts_of
from evenhand.counterfactual.analysis.rows import (
    COUNTERFACTUAL_IMAGES,
    SOURCE_IMAGES,
    About,
    Kind,
    Rows,
    about_part,
    by_source,
    listed,
)
from evenhand.counterfactual.analysis.sign_flips import exact_sign_flip
from evenhand.counterfactual.spec import FULL_REFUSAL, Masks
from evenhand.errors import StatsError
from evenhand.stats.paired import cluster_mcnemar, mcnemar
from evenhand.stats.totals import ratio

__all__ = ["Category", "CategoryChange", "categories_of", "category_changes", "category_rows"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

PARTS = ("whole", "edit", "level")

KINDS: tuple[Kind, ...] = ("recommendation", "diagnostic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One category as columns over pairs, shape (n,): whether each report has it."""

    kind: Kind
    name: str
    words: str
    in_source: Bools
    in_counterfactual: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryChange:
    """Usable pairs by what became of one category, with tests that it is added as often as lost.

    ``group``: None for all pairs, else an edit or level. ``p_exact`` and ``p_mid`` are McNemar's
    and take pairs as independent; ``p_clustered`` is his test with sources as clusters and
    ``p_sign_flip`` flips whole sources, over all ways. 1 where nothing was added or lost; the
    last two are None with fewer than 2 sources.
    """

    group: str | None
    kind: Kind
    category: str
    both: int
    added: int
    removed: int
    neither: int
    p_exact: float
    p_mid: float
    p_clustered: float | None
    p_sign_flip: float | None


def categories_of(read: Read) -> tuple[list[Category], list[str]]:
    """Every category that a usable report names, and the names of those that none does."""
    found, silent = [], []
    registry, usable = read.readings.registry, read.usable
    taken = registry.names("recommendation") + registry.names("diagnostic")
    for kind in KINDS:
        masks = _masks(read, kind)
        for bit, name in enumerate(registry.names(kind)):
            one, other = (_has(mask, bit) for mask in masks)
            words = name if taken.count(name) == 1 else f"{name} ({kind})"
            if (one | other)[usable].any():
                found.append(
                    Category(
                        kind=kind, name=name, words=words, in_source=one, in_counterfactual=other
                    )
                )
            else:
                silent.append(words)
    return found, silent


def _masks(read: Read, kind: Kind) -> tuple[Masks, Masks]:
    if kind == "diagnostic":
        return read.source.labels, read.counterfactual.labels
    return read.source.recommendations, read.counterfactual.recommendations


def _has(masks: Masks, bit: int) -> Bools:
    has: Bools = (masks >> np.uint64(bit)) & np.uint64(1) != 0
    return has


@dataclass(frozen=True, slots=True)
class _Slice:
    """The usable pairs of one part: their rows and sources, and how many the part has in all."""

    part: Part
    at: Ints
    source: Ints
    asked: int


def _slices(read: Read, kinds: Sequence[str]) -> list[_Slice]:
    parts = [part for part in parts_of(read.readings) if part.kind in kinds]
    found = []
    for part in parts:
        at = np.flatnonzero(part.rows & read.usable)
        found.append(_Slice(part, at, read.readings.source[at], int(part.rows.sum())))
    return found


def category_rows(rows: Rows, read: Read, *, kinds: Sequence[str] = PARTS) -> None:
    """Rates by level, additions and removals by edit and level, and contrasts of levels.

    Args:
        kinds: the kinds of parts that get additions, removals and rates of their own.
    """
    categories, silent = categories_of(read)
    if silent:
        rows.note(f"no usable report names these categories, which have no rows: {listed(silent)}")
    slices, couples = _slices(read, kinds), level_couples(read.readings)
    # A report on a counterfactual image counts by itself, whatever became of its source's.
    came = read.counterfactual.response < FULL_REFUSAL
    for category in categories:
        for one in slices:
            _movement(rows, category, one)
        _image_rates(rows, read, category, [one.part for one in slices], came)
        for pair in couples:
            _level_rates(rows, read, category, pair, came)


def _about(category: Category, part: Part) -> About:
    return replace(about_part(part), kind=category.kind, category=category.name)


def _movement(rows: Rows, category: Category, one: _Slice) -> None:
    """``added_rate``, ``removed_rate``, ``net_added_rate`` of one category in one part."""
    before, after = category.in_source[one.at], category.in_counterfactual[one.at]
    added, removed = after & ~before, before & ~after
    n, gone = len(one.at), one.asked - len(one.at)
    totals = by_source(one.source, added, removed, None)
    group = ": ".join(filter(None, (category.words, one.part.group)))
    about = _about(category, one.part)
    sums = totals.sum(axis=0)
    for column, name in ((0, "added_rate"), (1, "removed_rate")):
        rows.add(
            about, name, totals[:, [column, 2]], ratio(), n=n, scale="proportion",
            limits=(0.0, 1.0), group=group, resampled=False,
            missing=(sums[column] / one.asked, (sums[column] + gone) / one.asked),
        )  # fmt: skip
    net = totals[:, 0] - totals[:, 1]
    whole, sum_net = one.part.kind == "whole", sums[0] - sums[1]
    rows.add(
        replace(about, against=SOURCE_IMAGES), "net_added_rate",
        np.stack([net, totals[:, 2]], axis=1), ratio(), n=n, scale="difference",
        limits=(-1.0, 1.0), null=0.0 if whole and net.any() else None, group=group,
        missing=((sum_net - gone) / one.asked, (sum_net + gone) / one.asked),
        planned=category.kind == "recommendation", resampled=False,
        flips=np.rint(net).astype(np.int64) if whole else None,
    )  # fmt: skip


def _image_rates(
    rows: Rows, read: Read, category: Category, parts: Sequence[Part], came: Bools
) -> None:
    """``category_rate`` among reports on source images and on counterfactual ones, by level."""
    everything = np.ones(len(came), dtype=np.bool_)
    told = read.source.response < FULL_REFUSAL
    one, other = category.in_source, category.in_counterfactual
    _image_rate(rows, read, category, SOURCE_IMAGES, everything, one, told)
    _image_rate(rows, read, category, COUNTERFACTUAL_IMAGES, everything, other, came)
    for part in parts:
        if part.kind != "whole":
            _image_rate(
                rows, read, category, part.group or "", part.rows, category.in_counterfactual, came,
                part=part,
            )  # fmt: skip


def _image_rate(
    rows: Rows,
    read: Read,
    category: Category,
    words: str,
    of: Bools,
    has: Bools,
    there: Bools,
    *,
    part: Part | None = None,
) -> None:
    inside = of & there
    values = has[inside].astype(np.float64)
    about = (
        About(part="image", name=words, kind=category.kind, category=category.name)
        if part is None
        else _about(category, part)
    )
    rows.add(
        about, "category_rate",
        by_source(read.readings.source[inside], values, None),
        ratio(), n=len(values), scale="proportion", limits=(0.0, 1.0),
        missing=mean_bounds(values, int(of.sum()), (0.0, 1.0)),
        group=f"{category.words}: {words}", resampled=False,
    )  # fmt: skip


def _level_rates(
    rows: Rows, read: Read, category: Category, couples: Couples, came: Bools
) -> None:
    level_contrast(
        rows, read, couples, "category_rate_difference",
        category.in_counterfactual.astype(np.float64), came,
        about=About(part="level", kind=category.kind, category=category.name),
        group=category.words, planned=category.kind == "recommendation", exact=True,
        resampled=False,
    )  # fmt: skip


def category_changes(read: Read) -> tuple[CategoryChange, ...]:
    """The table of additions and removals with every form of McNemar's test, by part."""
    categories, _ = categories_of(read)
    return tuple(_change(category, one) for one in _slices(read, PARTS) for category in categories)


def _change(category: Category, one: _Slice) -> CategoryChange:
    before, after = category.in_source[one.at], category.in_counterfactual[one.at]
    added, removed = after & ~before, before & ~after
    found = mcnemar(int(added.sum()), int(removed.sum()))
    both = int((before & after).sum())
    return CategoryChange(
        group=one.part.group, kind=category.kind, category=category.name, both=both,
        added=found.gained, removed=found.lost,
        neither=len(one.at) - both - found.gained - found.lost,
        p_exact=found.p_exact, p_mid=found.p_mid,
        p_clustered=_clustered(one.source, added, removed),
        p_sign_flip=_flipped(one.source, added, removed),
    )  # fmt: skip


def _clustered(source: Ints, added: Bools, removed: Bools) -> float | None:
    try:
        return cluster_mcnemar(source, added, removed).p
    except StatsError:
        return None


def _flipped(source: Ints, added: Bools, removed: Bools) -> float | None:
    if len(source) == 0 or (source == source[0]).all():
        return None
    gains, losses = by_source(source, added, removed).T
    return exact_sign_flip(np.rint(gains - losses).astype(np.int64))
