"""What a survey asks: traits, personas as prompts see them, how it is asked, and what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "POINTS",
    "AnswerKind",
    "AskSpec",
    "Language",
    "Order",
    "Persona",
    "Reading",
    "ScaleOrder",
    "Trait",
]

POINTS = 5
"""Points of the Likert scale; 1 is the first option shown."""

Language = str
"""A language with prompt templates and labels: ``de``, ``en``, or one that a user adds."""

Order = Literal["forward", "reversed"]
"""Which way the scale was shown: ``forward`` has 1 = "not at all", ``reversed`` 1 = "very"."""

ScaleOrder = Literal["forward", "reversed", "random"]
AnswerKind = Literal["sampled", "expected"]


@dataclass(frozen=True, slots=True)
class Trait:
    """What a persona is rated on.

    ``adjective`` by language. ``valence`` is 1 for a good trait, -1 for a bad one, 0 for neither,
    None where nobody has said. ``opposite`` is the id of its reverse-keyed partner.
    """

    id: str
    adjective: Mapping[Language, str]
    category: str | None = None
    valence: int | None = None
    opposite: str | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """One persona as a prompt shows it.

    ``attributes`` maps attribute to level code, in the population's order; ``texts`` holds name,
    appearance and biography where an enrichment wrote them.
    """

    id: int
    attributes: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSpec:
    """How a dataset is asked; stored with the run.

    ``scale_order`` ``random`` draws an order per persona and trait from the seed. ``dual`` is the
    share of persona-trait pairs asked in both orders. ``rated_from`` is the youngest age that is
    rated. ``attributes_run`` names the enrichment whose texts stand in the prompt.
    """

    dataset: int
    language: Language = "de"
    scale_order: ScaleOrder = "forward"
    dual: float = 0.0
    rationale: bool = True
    answer: AnswerKind = "sampled"
    rated_from: int = 14
    attributes_run: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says: a ``rating``, a ``refusal``, or nothing readable.

    ``value`` is on the scale as it was shown, 1..5, whole when sampled and fractional when it is
    an expectation; ``probabilities`` of the five options belong to an expectation. ``rule`` says
    how it was read, or why it could not be.
    """

    kind: Literal["rating", "refusal", "unreadable"]
    value: float | None = None
    rule: str = ""
    rationale: str = ""
    probabilities: tuple[float, ...] | None = None
