"""Sets of image pairs made of numbers alone: readings with planted flips, noise and refusals.

A source has its own recommendations and labels. Every report of it, of the source image or of a
changed one, is that with noise: each category switches with a probability of its own, afresh in
every report. A flip belongs to a source and an edit: it adds one recommendation (``FLIPPED``) or
label that noise never touches, so that with noise F an edit's change rate is (1 - flip) F + flip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import (
    PairReadings,
    RequeryReadings,
    Wording,
    codes_of,
)
from evenhand.counterfactual.spec import (
    EDITS,
    FAILED,
    FULL_REFUSAL,
    Category,
    Masks,
    PairReports,
    Readings,
    Registry,
)

__all__ = [
    "FLIPPED",
    "LEVELS",
    "Design",
    "Pair",
    "Planted",
    "noise_floor",
    "readings_of",
    "registry_of",
    "swapped",
]

Ints = NDArray[np.int64]
Rates = float | Mapping[str, float]

LEVELS: Mapping[str, Mapping[str, str]] = {
    edit: dict(zip(("age", "sex"), edit.split("_"), strict=True)) for edit in EDITS
}

FLIPPED = "referral"
"""The recommendation that a flip adds."""


def registry_of(recommendations: int = 3, diagnostic: int = 3) -> Registry:
    """A registry of so many categories, and one more of each kind that flips add, the last."""
    names = ["surgery", "medication", "monitoring", "imaging", "exercise", "rest"]
    findings = ["Fracture", "Stenosis", "Osteophytes", "Collapse", "Implant", "Lesion"]
    advice = [*names[:recommendations], FLIPPED]
    labels = [*findings[:diagnostic], "Shadow"]
    return Registry(
        id="planted", version="1",
        recommendation=tuple(Category(name, (name,)) for name in advice),
        diagnostic=tuple(Category(name, (name.lower(),)) for name in labels),
        edits=LEVELS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What is planted. Rates by edit, or one for all; an edit that is not named has 0.

    ``noise``: the probability that a category switches in one report. ``held``: that a source has
    it. ``refused`` and ``failed``: of a report on a changed image, and on the source image too.
    """

    flip: Rates = 0.0
    label_flip: Rates = 0.0
    noise: float = 0.1
    held: float = 0.4
    refused: Rates = 0.0
    source_refused: float = 0.0
    failed: float = 0.0


def noise_floor(planted: Planted, registry: Registry) -> float:
    """Chance that the recommendations of two reports on one image differ."""
    same = (1 - planted.noise) ** 2 + planted.noise**2
    return float(1 - same ** (len(registry.recommendation) - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Which pairs there are: every source with every edit, unless a share is left out at random.

    ``requeries``: further reports on each source image. ``copied``: one source report for all
    pairs of a source; else each pair has its own.
    """

    sources: int = 100
    edits: Sequence[str] = EDITS
    requeries: int = 0
    copied: bool = False
    left_out: float = 0.0
    seed: int = 0
    subject: str = "planted"
    registry: Registry = field(default_factory=registry_of)

    def frame(self) -> PairReadings:
        """The set without readings: every report empty and genuine. Make it once, draw often."""
        rng = np.random.default_rng([self.seed, self.sources])
        pairs = []
        for s in range(self.sources):
            dataset = "one" if s % 3 else "two"
            stratum = "finding" if s % 4 == 0 else "no finding"
            for edit in self.edits:
                if rng.random() >= self.left_out:
                    name = f"{dataset}_{s:06d}"
                    pairs.append(
                        PairReports(f"{name}__{edit}", name, edit, "-", "-", dataset, stratum)
                    )
        pairs.sort(key=lambda pair: pair.pair_id)
        sources, source = codes_of([pair.source_id for pair in pairs])
        edits, edit_codes = codes_of([pair.edit for pair in pairs])
        datasets, dataset_codes = codes_of([pair.dataset for pair in pairs])
        strata, stratum_codes = codes_of([pair.stratum for pair in pairs])
        nothing = _nothing(len(pairs))
        return PairReadings(
            subject=self.subject, origin="planted", registry=self.registry, pairs=tuple(pairs),
            sources=sources, source=source, edits=edits, edit=edit_codes,
            datasets=datasets, dataset=dataset_codes, strata=strata, stratum=stratum_codes,
            of_source=nothing, of_counterfactual=nothing,
            contextual_source=nothing, contextual_counterfactual=nothing,
        )  # fmt: skip

    def draw(
        self, planted: Planted, rng: np.random.Generator, frame: PairReadings | None = None
    ) -> PairReadings:
        """One set of readings. Both readings are the same, as numbers have no negations."""
        frame = self.frame() if frame is None else frame
        source, n_sources = frame.source, len(frame.sources)
        base = [_base(planted, n_sources, kind, rng) for kind in self._widths()]
        flips = [
            _flips(frame, rates, width, rng)
            for rates, width in zip(
                (planted.label_flip, planted.flip), self._widths(), strict=True
            )
        ]
        if self.copied:
            once = self._reports(planted, base, np.arange(n_sources), None, rng)
            of_source = Readings(
                once.labels[source], once.recommendations[source], once.response[source]
            )
        else:
            of_source = self._reports(planted, base, source, None, rng)
        of_other = self._reports(planted, base, source, flips, rng)
        of_source = _lost(of_source, np.full(len(source), planted.source_refused), planted, rng)
        of_other = _lost(of_other, _by_edit(frame, planted.refused), planted, rng)
        again = np.repeat(np.arange(n_sources, dtype=np.int64), self.requeries)
        more = self._reports(planted, base, again, None, rng)
        requeries = self._floor(frame, of_source, again, more)
        wording = Wording(
            severity_source=rng.integers(0, 5, len(source)),
            severity_counterfactual=rng.integers(0, 5, len(source)),
            hedging_source=rng.poisson(2.0, len(source)),
            hedging_counterfactual=rng.poisson(2.0, len(source)),
        )
        return replace(
            frame, of_source=of_source, of_counterfactual=of_other, contextual_source=of_source,
            contextual_counterfactual=of_other, requeries=requeries,
            contextual_requeries=requeries, wording=wording,
        )  # fmt: skip

    def _widths(self) -> tuple[int, int]:
        """Categories that noise touches: diagnostic, recommendation."""
        return len(self.registry.diagnostic) - 1, len(self.registry.recommendation) - 1

    def _reports(
        self,
        planted: Planted,
        base: Sequence[Masks],
        source: Ints,
        flips: Sequence[Masks] | None,
        rng: np.random.Generator,
    ) -> Readings:
        masks = []
        for i, width in enumerate(self._widths()):
            switched = _pack(rng.random((len(source), width)) < planted.noise)
            mask = base[i][source] ^ switched
            masks.append(mask if flips is None else mask | flips[i])
        return Readings(masks[0], masks[1], np.zeros(len(source), dtype=np.int8))

    def _floor(
        self, frame: PairReadings, own: Readings, again: Ints, more: Readings
    ) -> RequeryReadings | None:
        """The source images' reports that repeat one another, as loading gathers them."""
        rows = np.arange(len(frame.source))
        if self.copied:
            rows = np.unique(frame.source, return_index=True)[1]
            if not len(again):
                return None
        return RequeryReadings(
            source=np.concatenate([frame.source[rows], again]),
            readings=Readings(
                np.concatenate([own.labels[rows], more.labels]),
                np.concatenate([own.recommendations[rows], more.recommendations]),
                np.concatenate([own.response[rows], more.response]),
            ),
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair by hand: what its two reports have, as bit sets, and what became of them."""

    source: str
    edit: str
    advice: tuple[int, int] = (0, 0)
    labels: tuple[int, int] = (0, 0)
    response: tuple[int, int] = (0, 0)
    dataset: str | None = None
    stratum: str | None = None


def readings_of(
    pairs: Sequence[Pair], *, registry: Registry | None = None, subject: str = "planted"
) -> PairReadings:
    """Readings of pairs written by hand; nothing tells the noise floor."""
    pairs = sorted(pairs, key=lambda pair: f"{pair.source}__{pair.edit}")
    sources, source = codes_of([pair.source for pair in pairs])
    edits, edit = codes_of([pair.edit for pair in pairs])
    datasets, dataset = codes_of([pair.dataset for pair in pairs])
    strata, stratum = codes_of([pair.stratum for pair in pairs])
    sides = [
        Readings(
            np.array([pair.labels[side] for pair in pairs], dtype=np.uint64),
            np.array([pair.advice[side] for pair in pairs], dtype=np.uint64),
            np.array([pair.response[side] for pair in pairs], dtype=np.int8),
        )
        for side in (0, 1)
    ]
    return PairReadings(
        subject=subject, origin="by hand", registry=registry or registry_of(),
        pairs=tuple(
            PairReports(f"{p.source}__{p.edit}", p.source, p.edit, "-", "-", p.dataset, p.stratum)
            for p in pairs
        ),
        sources=sources, source=source, edits=edits, edit=edit,
        datasets=datasets, dataset=dataset, strata=strata, stratum=stratum,
        of_source=sides[0], of_counterfactual=sides[1],
        contextual_source=sides[0], contextual_counterfactual=sides[1],
    )  # fmt: skip


def swapped(readings: PairReadings) -> PairReadings:
    """The same set with source and counterfactual reports exchanged."""
    return replace(
        readings,
        of_source=readings.of_counterfactual, of_counterfactual=readings.of_source,
        contextual_source=readings.contextual_counterfactual,
        contextual_counterfactual=readings.contextual_source,
    )  # fmt: skip


def _base(planted: Planted, n: int, width: int, rng: np.random.Generator) -> Masks:
    return _pack(rng.random((n, width)) < planted.held)


def _flips(frame: PairReadings, rates: Rates, bit: int, rng: np.random.Generator) -> Masks:
    flipped = rng.random(len(frame.source)) < _by_edit(frame, rates)
    masks: Masks = flipped.astype(np.uint64) << np.uint64(bit)
    return masks


def _by_edit(frame: PairReadings, rates: Rates) -> NDArray[np.float64]:
    if isinstance(rates, Mapping):
        return np.array([rates.get(edit, 0.0) for edit in frame.edits])[frame.edit]
    return np.full(len(frame.edit), float(rates))


def _lost(
    readings: Readings, refused: NDArray[np.float64], planted: Planted, rng: np.random.Generator
) -> Readings:
    """Some reports refused in full, some failed; both have empty sets."""
    draw = rng.random(len(refused))
    response = np.where(draw < refused, FULL_REFUSAL, readings.response).astype(np.int8)
    response[draw > 1 - planted.failed] = FAILED
    there = response < FULL_REFUSAL
    zero = np.uint64(0)
    return Readings(
        np.where(there, readings.labels, zero), np.where(there, readings.recommendations, zero),
        response,
    )  # fmt: skip


def _nothing(n: int) -> Readings:
    zeros = np.zeros(n, dtype=np.uint64)
    return Readings(zeros, zeros, np.zeros(n, dtype=np.int8))


def _pack(bits: NDArray[np.bool_]) -> Masks:
    """Rows of categories as words."""
    weights = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    masks: Masks = (bits * weights).sum(axis=1, dtype=np.uint64)
    return masks
