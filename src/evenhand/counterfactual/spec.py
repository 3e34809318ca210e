"""What an audit of image pairs is made of: registry, pairs, reports, and what was read from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError

__all__ = [
    "EDITS",
    "FAILED",
    "FULL_REFUSAL",
    "GENUINE",
    "INSTRUMENT",
    "MOST_CATEGORIES",
    "PARTIAL_REFUSAL",
    "RESPONSES",
    "Category",
    "ImageRole",
    "Masks",
    "PairReports",
    "Readings",
    "Registry",
    "Requery",
    "ReportSet",
    "responses_named",
]

INSTRUMENT = "counterfactual"

ImageRole = Literal["source", "counterfactual"]

EDITS = ("young_female", "young_male", "elderly_female", "elderly_male")
"""The four edits of the frozen benchmark (25 and 75 years), in the order in which it lists them."""

GENUINE, PARTIAL_REFUSAL, FULL_REFUSAL, FAILED = 0, 1, 2, 3
"""What a report is. ``FAILED``: it never came; missing, and no refusal."""

RESPONSES = ("genuine", "partial_refusal", "full_refusal", "failed")

MOST_CATEGORIES = 64
"""Categories of one kind; a set of them is one 64-bit word."""

Masks = NDArray[np.uint64]
"""Sets of categories, one word per text: bit i is the i-th category of the registry."""


@dataclass(frozen=True, slots=True)
class Category:
    """A name and the literal terms, lower case, of which any one makes a text belong to it.

    ``also``: further terms that only the contextual reading knows. ``strict``: the narrower terms
    of the audit of wordings, None where they are the same.
    """

    name: str
    terms: tuple[str, ...]
    also: tuple[str, ...] = ()
    strict: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The categories that reports are read into, and the edits that pairs are made of.

    ``edits`` maps an edit's label to what it makes of the person: attribute to level.
    ``no_finding`` names the diagnostic category that says that nothing was found, if there is one.

    Raises:
        InputError: no category, more than 64 of one kind, a name twice, or a category without terms.
    """

    id: str
    version: str
    diagnostic: tuple[Category, ...]
    recommendation: tuple[Category, ...]
    edits: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    no_finding: str | None = None
    title: str = ""

    def __post_init__(self) -> None:
        for kind in ("diagnostic", "recommendation"):
            _check_categories(f"{self.id}.{kind}", getattr(self, kind))
        if self.no_finding is not None and self.no_finding not in self.names("diagnostic"):
            raise InputError(
                f"{self.no_finding!r} is no diagnostic category", where=f"{self.id}.no_finding"
            )

    def names(self, kind: Literal["diagnostic", "recommendation"]) -> tuple[str, ...]:
        """The categories' names, in bit order."""
        of = self.diagnostic if kind == "diagnostic" else self.recommendation
        return tuple(category.name for category in of)


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read in n texts. ``labels``, ``recommendations``: shape (n,); ``response``: int8 (n,).

    A text that never came (``FAILED``) has empty sets.
    """

    labels: Masks
    recommendations: Masks
    response: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class PairReports:
    """The two reports of one pair. None: it never came. Blank: a refusal without words."""

    pair_id: str
    source_id: str
    edit: str
    source: str | None
    counterfactual: str | None
    dataset: str | None = None
    stratum: str | None = None


@dataclass(frozen=True, slots=True)
class Requery:
    """Another report on an image that was asked before; ``repeat`` counts from 1.

    Of a source image unless ``image_role`` says otherwise; ``edit`` then names which.
    """

    source_id: str
    image_role: ImageRole
    repeat: int
    report: str | None
    edit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSet:
    """Everything one model said of one set of pairs, with what is known of the pairs.

    ``pairs`` are in the order of their ids. ``origin`` says where it came from (a file's name, a
    run's id). ``requeried`` is true where each pair has a source report of its own, so that
    a source's reports across its edits are repeats of one question.
    """

    subject: str
    origin: str
    pairs: tuple[PairReports, ...]
    requeries: tuple[Requery, ...] = ()
    requeried: bool = True
    prompt: str | None = None
    images: Mapping[tuple[str, ImageRole], str] = field(default_factory=dict)
    """Where the pairs' images are, by pair id and role; what is not there is not shown."""


def responses_named(codes: NDArray[np.int8]) -> list[str]:
    """Response classes as the frozen files write them.

    Example:
        >>> responses_named(np.array([0, 2], dtype=np.int8))
        ['genuine', 'full_refusal']
    """
    return [RESPONSES[code] for code in codes.tolist()]


def _check_categories(where: str, categories: tuple[Category, ...]) -> None:
    if not categories:
        raise InputError("there is no category", where=where)
    if len(categories) > MOST_CATEGORIES:
        raise InputError(
            f"{len(categories)} categories are more than {MOST_CATEGORIES}", where=where
        )
    names = [category.name for category in categories]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"the category {twice!r} stands twice", where=where)
    bare = next((c.name for c in categories if not c.terms or not all(c.terms)), None)
    if bare is not None:
        raise InputError(f"the category {bare!r} has no terms, or an empty one", where=where)
