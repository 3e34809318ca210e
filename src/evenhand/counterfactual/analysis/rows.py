"""Where the estimates of one set of pairs gather, each with what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.counterfactual.analysis.parts import Part
from evenhand.counterfactual.analysis.sign_flips import exact_sign_flip
from evenhand.counterfactual.spec import INSTRUMENT
from evenhand.stats.equivalence import verdict
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Findings, Inference, Labels
from evenhand.stats.totals import Statistic, ratio

__all__ = [
    "CLUSTER",
    "COUNTERFACTUAL_IMAGES",
    "FAMILY",
    "SOURCE_IMAGES",
    "About",
    "Kind",
    "Reading",
    "Rows",
    "about_part",
    "by_source",
    "listed",
]

Kind = Literal["recommendation", "diagnostic"]

Reading = Literal["frozen", "contextual"]

FAMILY = INSTRUMENT
CLUSTER = "source"
SOURCE_IMAGES, COUNTERFACTUAL_IMAGES = "source images", "counterfactual images"

# So many names stand in a note.
NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What one estimate is about, beside its texts ``group`` and ``baseline``.

    ``part``: ``whole``, ``edit``, ``level``, ``dataset``, ``stratum``, ``image`` (all source images,
    or all counterfactual ones) or ``model``; ``name`` which of them, ``attribute`` of a level.
    ``against``: the other side of a contrast, by name; None for a rate. ``kind`` and ``category``
    are set where the row is about one category. ``verdict`` is what the interval alone, not
    corrected for other tests, says of the margin, of contrasts only.
    """

    part: str
    name: str | None = None
    attribute: str | None = None
    against: str | None = None
    kind: Kind | None = None
    category: str | None = None
    reading: Reading = "frozen"
    verdict: str | None = None


def about_part(part: Part, reading: Reading = "frozen") -> About:
    """What a row of a part is about."""
    return About(part=part.kind, name=part.name, attribute=part.attribute, reading=reading)


@dataclass(slots=True)
class Rows:
    """The estimates of one set in one reading.

    ``margin`` is the smallest difference that matters; every contrast is held against it.
    ``tested`` False: this reading stands beside the headline's and is described, not tested.
    ``thin`` gathers what fewer than two sources tell of, for the one note of ``close``.
    """

    inference: Inference
    subject: str | None
    condition: str | None
    margin: float
    reading: Reading = "frozen"
    tested: bool = True
    findings: Findings = field(init=False)
    about: list[About] = field(default_factory=list)
    thin: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        labels = Labels(
            instrument=INSTRUMENT, subject=self.subject, condition=self.condition, family=FAMILY
        )
        self.findings = Findings(self.inference, labels, CLUSTER)

    def note(self, text: str) -> None:
        """Something a reader must know, said once."""
        where = "" if self.condition is None else f"{self.condition}: "
        self.findings.notes.append(where + text)

    def add(
        self,
        about: About,
        name: str,
        totals: ArrayLike,
        statistic: Statistic,
        *,
        n: int,
        scale: str,
        limits: tuple[float, float] | None,
        null: float | None = None,
        missing: tuple[float, float] | None = None,
        group: str | None = None,
        baseline: str | None = None,
        contrast: str | None = None,
        planned: bool | None = None,
        flips: NDArray[np.int64] | None = None,
        resampled: bool = True,
        judged: bool = True,
    ) -> None:
        """Estimate one number from sums by source; a note where the data do not determine it.

        Args:
            null: what the number is when nothing differs; tested where this reading is.
            planned: whether a test of it is one of the questions set before looking.
            flips: shape (G,), whole sums by source whose exact sign-flip p stands in the record.
            resampled: False keeps the t interval whatever was chosen (rows of single categories).
            judged: hold a contrast against the margin; False where its unit is another.
        """
        table = np.asarray(totals, dtype=np.float64)
        if np.count_nonzero(np.logical_or.reduce([column != 0 for column in table.T])) < 2:
            self.thin.append(group or name)
            return
        asked = null if self.tested else None
        # One table per row would hold on to gigabytes; nothing contrasts them later.
        self.findings.scored.clear()
        self.findings.inference = (
            self.inference if resampled else replace(self.inference, interval="t")
        )
        before = len(self.findings.estimates)
        self.findings.add(
            name, table, statistic, n=n, scale=scale, null=asked, limits=limits,
            missing=None if missing is None else (float(missing[0]), float(missing[1])),
            group=group, baseline=baseline, contrast=contrast,
        )  # fmt: skip
        if len(self.findings.estimates) == before:
            return
        made = self.findings.estimates.pop()
        if made.p is not None and flips is not None:
            made = replace(
                made, p=exact_sign_flip(flips), method=f"{made.method}; exact sign-flip p",
                planned=planned,
            )  # fmt: skip
        elif made.p is not None:
            made = replace(made, planned=planned)
        # A contrast, or a score that is 0 when nothing differs; gaps of two outcomes are neither.
        contrasted = about.against is not None or null is not None
        held = judged and contrasted and scale == "difference"
        if held and made.low is not None and made.high is not None:
            about = replace(about, verdict=verdict(made, margin=self.margin))
        self.keep(about, made)

    def close(self) -> None:
        """Say, once, what has no row for want of sources."""
        names = list(dict.fromkeys(self.thin))
        if names:
            self.note(
                f"{len(names)} groups with fewer than 2 sources that answered have no interval and "
                f"no row: {listed(names)}"
            )
        self.thin.clear()

    def keep(self, about: About, made: Estimate) -> None:
        """One estimate that is made already."""
        self.findings.estimates.append(made)
        alike = about.reading == self.reading
        self.about.append(about if alike else replace(about, reading=self.reading))

    def paired(
        self,
        about: About,
        name: str,
        source: NDArray[np.int64],
        difference: ArrayLike,
        *,
        limits: tuple[float, float] | None = (-1.0, 1.0),
        missing: tuple[float, float] | None = None,
        group: str | None = None,
        baseline: str | None = None,
        planned: bool = True,
        exact: bool = False,
        resampled: bool = True,
        judged: bool = True,
    ) -> None:
        """The mean of differences within a source, tested against 0.

        Where no difference is other than 0 there is nothing to test: an interval and no p.

        Args:
            source: shape (m,), each difference's source.
            difference: shape (m,).
            missing: the mean had what is missing gone one way or the other.
            exact: take p from the exact sign-flip test, for whole differences.
        """
        values = np.asarray(difference, dtype=np.float64)
        totals = by_source(source, values, None)
        moves = bool((totals[:, 0] != 0).any())
        self.add(
            about, name, totals, ratio(), n=len(values), scale="difference", limits=limits,
            null=0.0 if moves else None, missing=missing, group=group, baseline=baseline,
            planned=planned, resampled=resampled, judged=judged,
            flips=np.rint(totals[:, 0]).astype(np.int64) if exact and moves else None,
        )  # fmt: skip


def by_source(
    source: NDArray[np.int64], *columns: NDArray[np.float64] | NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Sum columns within each source, shape (G, K); None stands for a column of ones.

    ``cluster_totals`` without its sorting and checks: codes of readings run from 0, and sources
    without a row here are rows of zeros, which the estimates leave out.

    Example:
        >>> by_source(np.array([0, 0, 1]), np.array([1.0, 0.0, 1.0]), None)
        array([[1., 2.],
               [1., 1.]])
    """
    return np.stack([np.bincount(source, weights=c).astype(np.float64) for c in columns], axis=1)


def listed(names: Sequence[str]) -> str:
    """Some names for a note, and how many more there are.

    Example:
        >>> listed(["a", "b"])
        'a, b'
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
