"""The noise floor: how much of the change between two images is only asking twice.

Instability T: how far reports on a source image and on its counterfactual are apart. Noise floor F:
how far reports on the same source image are apart. What the edit does is the excess, T - F, or
``(T - F) / (1 - F)``: of two reports that would have agreed, the share that the edit parts. All are
means over sources, each with the same weight.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.changes import level_contrast
from evenhand.counterfactual.analysis.couples import level_couples
from evenhand.counterfactual.analysis.noise_cells import Noise, noise_of
from evenhand.counterfactual.analysis.noise_interval import (
    METHOD,
    agreement_of,
    excess_interval,
    excess_p,
    share_interval,
)
from evenhand.counterfactual.analysis.outcomes import Read
from evenhand.counterfactual.analysis.parts import Part, parts_of
from evenhand.counterfactual.analysis.rows import Kind, Rows, about_part
from evenhand.stats.equivalence import verdict
from evenhand.stats.totals import Floats, Statistic, ratio

__all__ = ["KINDS", "NAMES", "NO_FLOOR", "noise_name", "noise_rows"]

Bools = NDArray[np.bool_]

KINDS: tuple[Kind, ...] = ("recommendation", "diagnostic")

NAMES = (
    "instability_t",
    "noise_f",
    "excess",
    "excess_normalised",
    "excess_difference",
    "noise_f_counterfactual",
    "excess_symmetric",
)
"""Of recommendations; of the diagnosis they begin with ``diagnostic_``."""

NO_FLOOR = (
    "no noise floor: no source image has two usable reports of its own, so how much reports change "
    "cannot be told from how much they differ when the same image is asked twice; ask again "
    "(evenhand counterfactual run --requery 2) or give re-queries (--requeries FILE)"
)

_SHARE = (0.0, 1.0)
_SIGNED = (-1.0, 1.0)
_BELOW_ONE = (-math.inf, 1.0)
# A normalised excess whose interval reaches below this has none worth showing.
_FARTHEST = -100.0


def noise_name(name: str, kind: Kind) -> str:
    """What an estimate of this outcome is called.

    Example:
        >>> noise_name("excess", "recommendation"), noise_name("excess", "diagnostic")
        ('excess', 'diagnostic_excess')
    """
    return name if kind == "recommendation" else f"{kind}_{name}"


def noise_rows(rows: Rows, read: Read) -> None:
    """Instability, floor and excess of the whole and of every part; contrasts of levels.

    The excess of the whole and of each edit is tested against 0, and so are contrasts. Where
    nothing tells the floor there is a note and no row.
    """
    for kind in KINDS:
        noise = noise_of(read, kind)
        counted = np.zeros(0, np.bool_) if noise is None else noise.counted(read.readings.source)
        if noise is None or not counted.any():
            if rows.tested:
                rows.note(NO_FLOOR)
            return
        if kind == KINDS[0] and rows.tested:
            _note_sources(rows, read, noise, counted)
        for part in parts_of(read.readings):
            _part_rows(rows, read, part, noise, counted, kind)
        _contrasts(rows, read, noise, counted, kind)


def _part_rows(
    rows: Rows, read: Read, part: Part, noise: Noise, counted: Bools, kind: Kind
) -> None:
    inside = part.rows & counted
    totals = _totals(read, noise.instability, noise.floor[read.readings.source], inside)
    n = int(inside.sum())
    there = totals[:, 2] > 0
    _rate(rows, part, kind, "instability_t", totals, ratio(0, 2), n)
    _rate(rows, part, kind, "noise_f", totals, ratio(1, 2), int(noise.reports[there].sum()))
    _excess(rows, part, kind, totals, n)
    if part.kind in ("whole", "edit"):
        _symmetric(rows, read, part, noise, inside & np.isfinite(noise.edited_floor), kind)


def _totals(read: Read, values: Floats, floor: Floats, inside: Bools) -> Floats:
    """Instability, floor and one for every source, (S, 3); zeros where it has no counted pair."""
    source, n = read.readings.source[inside], len(read.readings.sources)
    count = np.bincount(source, minlength=n)
    columns = [
        np.bincount(source, weights=column[inside], minlength=n) / np.maximum(count, 1)
        for column in (values, floor)
    ]
    return np.stack([*columns, (count > 0).astype(np.float64)], axis=1)


def _rate(
    rows: Rows, part: Part, kind: Kind, name: str, totals: Floats, statistic: Statistic, n: int
) -> None:
    rows.add(
        about_part(part), noise_name(name, kind), totals, statistic, n=n, scale="proportion",
        limits=_SHARE, group=part.group,
    )  # fmt: skip


def _excess(rows: Rows, part: Part, kind: Kind, totals: Floats, n: int) -> None:
    """The excess and its normalised form, with the intervals that hold near 0 and 1."""
    asked = part.kind in ("whole", "edit")
    before = len(rows.about)
    rows.add(
        about_part(part), noise_name("excess", kind), totals, _over, n=n, scale="difference",
        limits=_SIGNED, null=0.0 if asked else None, group=part.group,
        planned=part.kind == "whole",
    )  # fmt: skip
    seen = totals[totals[:, 2] > 0]
    agreement = agreement_of(seen[:, 0], seen[:, 1]) if len(seen) > 1 else None
    level, plain = rows.inference.level, rows.inference.interval == "t"
    if len(rows.about) > before and agreement is not None and plain:
        _sharpen(rows, excess_interval(agreement, level=level), excess_p(agreement))
    before = len(rows.about)
    rows.add(
        about_part(part), noise_name("excess_normalised", kind), totals, _normalised, n=n,
        scale="difference", limits=_BELOW_ONE, group=part.group,
    )  # fmt: skip
    if len(rows.about) > before and agreement is not None:
        low = rows.findings.estimates[-1].low
        # All sources alike, and nothing bounds the share from below: no other interval serves.
        if plain or low is None or not math.isfinite(low):
            ends = share_interval(agreement, level=level)
            if ends[0] < _FARTHEST:
                rows.note(
                    f"{rows.findings.estimates[-1].name}{_of(part)}: two reports on one image hardly "
                    "ever agree, so nothing bounds the share of agreement that an edit parts"
                )
            _sharpen(rows, ends, None)


def _over(totals: Floats) -> Floats:
    """Instability minus floor."""
    excess: Floats = (totals[..., 0] - totals[..., 1]) / totals[..., 2]
    return excess


def _normalised(totals: Floats) -> Floats:
    """The excess as a share of what the floor leaves; undefined where the floor leaves nothing."""
    share: Floats = (totals[..., 0] - totals[..., 1]) / (totals[..., 2] - totals[..., 1])
    return share


def _sharpen(rows: Rows, ends: tuple[float, float], p: float | None) -> None:
    """Give the last row its interval, and its p where it has one, by recovered variances."""
    made, about = rows.findings.estimates.pop(), rows.about.pop()
    tested = None if made.p is None else p
    low, high = ends if ends[0] >= _FARTHEST else (None, None)
    made = replace(made, low=low, high=high, p=tested, method=METHOD)
    if about.verdict is not None and low is not None:
        about = replace(about, verdict=verdict(made, margin=rows.margin))
    rows.keep(about, made)


def _of(part: Part) -> str:
    return f" ({part.group})" if part.group else ""


def _symmetric(
    rows: Rows, read: Read, part: Part, noise: Noise, inside: Bools, kind: Kind
) -> None:
    """With repeats on counterfactual images: their own floor, and the excess over the mean floor."""
    if not inside.any():
        return
    both = (noise.floor[read.readings.source] + noise.edited_floor) / 2
    edited = _totals(read, noise.edited_floor, both, inside)
    n = int(inside.sum())
    _rate(rows, part, kind, "noise_f_counterfactual", edited, ratio(0, 2), n)
    rows.add(
        about_part(part), noise_name("excess_symmetric", kind),
        _totals(read, noise.instability, both, inside), _over, n=n, scale="difference",
        limits=_SIGNED, group=part.group,
    )  # fmt: skip


def _contrasts(rows: Rows, read: Read, noise: Noise, counted: Bools, kind: Kind) -> None:
    """Excess of one level minus that of the other, within sources: their floor is the same."""
    values = np.where(counted, noise.instability, 0.0)
    for couples in level_couples(read.readings):
        name = noise_name("excess_difference", kind)
        level_contrast(rows, read, couples, name, values, counted)


def _note_sources(rows: Rows, read: Read, noise: Noise, counted: Bools) -> None:
    sources = len(np.unique(read.readings.source[counted]))
    every = len(read.readings.sources)
    if sources < every:
        rows.note(
            f"the noise floor rests on {sources} of {every} sources: the others have fewer than 2 "
            "usable reports on the source image, or none on a counterfactual one"
        )
    most = int(noise.reports.max())
    rows.note(
        f"noise floor from {int(noise.reports.sum())} usable reports on source images, at most "
        f"{most} on one"
    )
