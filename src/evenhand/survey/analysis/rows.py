"""Where the estimates of one run gather, each with what it is about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from numpy.typing import ArrayLike

from evenhand.stats.equivalence import verdict
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Findings, Inference, Labels
from evenhand.stats.totals import Statistic
from evenhand.survey.results import About

__all__ = ["CLUSTER", "FAMILY", "GRAND_MEAN", "PERMUTED", "Rows", "Test", "listed"]

Test = Literal["t", "permutation"]

FAMILY = "survey"
CLUSTER = "persona"
GRAND_MEAN = "grand mean"

PERMUTED = ("mean_difference", "paired_shift")
"""What is tested under ``--test permutation``; the rest is described."""

# So many names stand in a note.
NAMED = 8


@dataclass(slots=True)
class Rows:
    """The estimates of one condition. ``margin`` is the smallest difference that matters, in
    rating points; every difference is held against it. ``test`` says where p comes from."""

    inference: Inference
    subject: str | None
    condition: str | None
    margin: float
    test: Test = "t"
    findings: Findings = field(init=False)
    about: list[About] = field(default_factory=list)

    def __post_init__(self) -> None:
        labels = Labels(
            instrument=FAMILY, subject=self.subject, condition=self.condition, family=FAMILY
        )
        self.findings = Findings(self.inference, labels, CLUSTER)

    def note(self, text: str) -> None:
        """Something a reader must know, said once."""
        where = "" if self.condition is None else f"{self.condition}: "
        self.findings.notes.append(where + text)

    def put(
        self,
        about: About,
        name: str,
        value: float,
        *,
        scale: str,
        low: float | None = None,
        high: float | None = None,
        p: float | None = None,
        mde: float | None = None,
        judged: bool = False,
        **fields: Any,
    ) -> None:
        """One estimate that is computed already; NaN stands for what the data do not determine.

        Args:
            judged: hold it against the margin.
            fields: the other fields of ``Estimate``.
        """
        made = Estimate(
            instrument=FAMILY, subject=self.subject, condition=self.condition, name=name,
            scale=scale, value=float(value), low=_there(low), high=_there(high), p=_there(p),
            mde=_there(mde), level=self.inference.level, family=FAMILY, **fields,
        )  # fmt: skip
        self._keep(about, made, judged)

    def add(
        self,
        about: About,
        name: str,
        totals: ArrayLike,
        statistic: Statistic,
        *,
        judged: bool = False,
        **settings: Any,
    ) -> None:
        """Estimate one number from sums by cluster; a note where the data do not determine it.

        Args:
            settings: as ``Findings.add`` takes them.
        """
        self.findings.add(name, totals, statistic, **settings)
        if len(self.findings.estimates) > len(self.about):
            made = self.findings.estimates.pop()
            self._keep(about, made, judged)

    def _keep(self, about: About, made: Estimate, judged: bool) -> None:
        if self.test == "permutation" and made.name not in PERMUTED:
            made = replace(made, p=None, mde=None)
        if judged and made.low is not None and made.high is not None:
            about = replace(about, verdict=verdict(made, margin=self.margin))
        self.findings.estimates.append(made)
        self.about.append(about)


def _there(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def listed(names: Sequence[str]) -> str:
    """Some names for a note, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed([str(i) for i in range(10)])
        ('a, b', '0, 1, 2, 3, 4, 5, 6, 7 and 2 more')
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
