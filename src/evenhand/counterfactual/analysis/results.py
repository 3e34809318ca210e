"""What an analysis of image pairs returns: the one record, what each row is about, its tables."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.counterfactual.analysis.categories import CategoryChange
from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.analysis.rows import About, Kind, Reading
from evenhand.stats.estimate import Estimate, Result

__all__ = ["Analysed", "BothEmpty", "CategoryAgreement", "ReadingAgreement", "SetFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BothEmpty:
    """Usable pairs in whose two reports no diagnostic category was found, and what they do.

    The frozen rule counts such a pair as wholly consistent. ``as_one`` is that mean; ``left_out``
    the mean of the other pairs, None where there is none; ``as_zero`` with 0.0 for each. Means are
    None where no pair is usable.
    """

    usable: int
    both_empty: int
    as_one: float | None
    left_out: float | None
    as_zero: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryAgreement:
    """Reports by whether the frozen and the contextual reading find a category in them.

    ``kappa`` is Cohen's, None where chance alone would agree always.
    """

    kind: Kind
    category: str
    both: int
    frozen_only: int
    contextual_only: int
    neither: int
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingAgreement:
    """How alike the two readings are over the n reports of usable pairs.

    ``same_labels`` and ``same_recommendations`` are shares of reports of which both readings give
    the same set; the Jaccard indices are means; all None without a report.
    """

    reports: int
    same_labels: float | None
    same_recommendations: float | None
    jaccard_labels: float | None
    jaccard_recommendations: float | None
    categories: tuple[CategoryAgreement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """One analysed set: its ``label`` in contrasts of models, its condition, and its tables.

    Tables are of the headline's reading; ``both_empty`` is of the frozen one, which it is about.
    """

    label: str
    condition: str | None
    readings: PairReadings
    changes: tuple[CategoryChange, ...]
    agreement: ReadingAgreement
    both_empty: BothEmpty


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """Everything a report of image pairs draws. ``about[i]`` belongs to ``result.estimates[i]``.

    ``reading`` is the headline's, whose contrasts are tested; the other's rows stand beside it.
    ``margin`` is the smallest difference that matters, on the scale of rates.
    """

    result: Result
    about: tuple[About, ...]
    sets: tuple[SetFacts, ...]
    reading: Reading
    margin: float
    level: float

    def rows(self, *names: str) -> list[tuple[Estimate, About]]:
        """The estimates of these names with what they are about, in order; all without a name."""
        both = zip(self.result.estimates, self.about, strict=True)
        return [(e, a) for e, a in both if not names or e.name in names]
