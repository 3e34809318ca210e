"""From one model's reports to readings: every distinct text is read once, in both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import (
    PairReadings,
    RequeryReadings,
    Wording,
    codes_of,
)
from evenhand.counterfactual.analysis.requeries import copied_sources
from evenhand.counterfactual.reading.read import read_contextual, read_reports
from evenhand.counterfactual.reading.wording import hedging_count, severity_bucket
from evenhand.counterfactual.spec import PairReports, Readings, Registry, ReportSet, Requery
from evenhand.errors import InputError

__all__ = ["read_set"]

Ints = NDArray[np.int64]


def read_set(reports: ReportSet, registry: Registry) -> PairReadings:
    """Read every report of a set; each distinct text once.

    The noise floor rests on the source images' repeated reports: the set's own re-queries and,
    where each pair has a source report of its own, those of a source across its edits. Reports
    that are one report copied (``copied_sources``) count once.

    Raises:
        InputError: there is no pair, or a pair id stands twice.
    """
    pairs = tuple(sorted(reports.pairs, key=lambda pair: pair.pair_id))
    _check(pairs, reports)
    sources, source = codes_of([pair.source_id for pair in pairs])
    edits, edit = codes_of([pair.edit for pair in pairs])
    datasets, dataset = codes_of([pair.dataset for pair in pairs])
    strata, stratum = codes_of([pair.stratum for pair in pairs])
    own = _own_repeats(pairs, source, reports)
    place, at_edit = ({name: i for i, name in enumerate(names)} for names in (sources, edits))
    again = [r for r in reports.requeries if r.image_role == "source" and r.source_id in place]
    edited = [
        r for r in reports.requeries
        if r.image_role == "counterfactual" and r.source_id in place and r.edit in at_edit
    ]  # fmt: skip
    texts = _Texts.of(
        [pair.source for pair in pairs],
        [pair.counterfactual for pair in pairs],
        [pairs[i].source for i in own.tolist()] + [r.report for r in again],
        [r.report for r in edited],
    )
    frozen = texts.spread(read_reports(texts.distinct, registry))
    contextual = texts.spread(read_contextual(texts.distinct, registry))
    enough = len(own) + len(again) > 0 and (bool(again) or len(own) > len(np.unique(source[own])))
    codes = np.concatenate([source[own], _codes(again, place)])
    edited_codes = (_codes(edited, place), np.array([at_edit[r.edit or ""] for r in edited], int))

    def floor(readings: Readings) -> RequeryReadings | None:
        return RequeryReadings(source=codes, readings=readings) if enough else None

    def on_edited(readings: Readings) -> RequeryReadings | None:
        if not edited:
            return None
        return RequeryReadings(source=edited_codes[0], readings=readings, edit=edited_codes[1])

    return PairReadings(
        subject=reports.subject, origin=reports.origin, registry=registry, pairs=pairs,
        sources=sources, source=source, edits=edits, edit=edit,
        datasets=datasets, dataset=dataset, strata=strata, stratum=stratum,
        of_source=frozen[0], of_counterfactual=frozen[1],
        contextual_source=contextual[0], contextual_counterfactual=contextual[1],
        requeries=floor(frozen[2]), contextual_requeries=floor(contextual[2]),
        counterfactual_requeries=on_edited(frozen[3]),
        contextual_counterfactual_requeries=on_edited(contextual[3]),
        wording=texts.wording(), reports=reports,
    )  # fmt: skip


def _check(pairs: Sequence[PairReports], reports: ReportSet) -> None:
    if not pairs:
        raise InputError("there is no pair of reports in it", where=reports.origin)
    for left, right in zip(pairs, pairs[1:], strict=False):
        if left.pair_id == right.pair_id:
            raise InputError(f"the pair {left.pair_id!r} stands twice", where=reports.origin)


def _own_repeats(pairs: Sequence[PairReports], source: Ints, reports: ReportSet) -> Ints:
    """Pairs whose source report is a report of its own: all, or the first of each source."""
    came = np.array([pair.source is not None for pair in pairs], dtype=np.bool_)
    rows = np.flatnonzero(came)
    if reports.requeried and not copied_sources(pairs):
        return rows.astype(np.int64)
    _, first = np.unique(source[rows], return_index=True)
    return rows[first].astype(np.int64)


def _codes(requeries: Sequence[Requery], place: dict[str, int]) -> Ints:
    return np.array([place[r.source_id] for r in requeries], dtype=np.int64)


class _Block(NamedTuple):
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Texts:
    """Several columns of texts as places among the distinct ones."""

    distinct: list[str | None]
    places: Ints
    blocks: tuple[_Block, ...]

    @classmethod
    def of(cls, *columns: Sequence[str | None]) -> _Texts:
        seen: dict[str | None, int] = {}
        places: list[int] = []
        blocks = []
        for column in columns:
            start = len(places)
            places += [seen.setdefault(text, len(seen)) for text in column]
            blocks.append(_Block(start, len(places)))
        return cls(list(seen), np.array(places, dtype=np.int64), tuple(blocks))

    def spread(self, read: Readings) -> list[Readings]:
        """The readings of the distinct texts, set out in the columns again."""
        rows = [self.places[block.start : block.stop] for block in self.blocks]
        return [
            Readings(read.labels[at], read.recommendations[at], read.response[at]) for at in rows
        ]

    def wording(self) -> Wording:
        """Of the first two columns."""
        used = np.unique(self.places[: self.blocks[1].stop])
        severity, hedging = np.zeros((2, len(self.distinct)), dtype=np.int64)
        for place in used.tolist():
            text = self.distinct[place]
            if text is not None:
                severity[place] = severity_bucket(text)
                hedging[place] = hedging_count(text)
        one, other = (self.places[block.start : block.stop] for block in self.blocks[:2])
        return Wording(
            severity_source=severity[one], severity_counterfactual=severity[other],
            hedging_source=hedging[one], hedging_counterfactual=hedging[other],
        )  # fmt: skip
