"""What an enrichment wrote: the texts of each persona, which were restated, what they give away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow
from evenhand.runs.snapshot import sha256
from evenhand.runs.work import Step
from evenhand.survey.plan import INSTRUMENT

__all__ = ["Written", "enrichment_run", "restated_of", "texts_digest", "texts_of", "written"]


def enrichment_run(ledger: Ledger, run_id: str) -> RunRow:
    """The run of an enrichment, by its id or a unique beginning.

    Raises:
        NotFound: there is no such run.
        InputError: it is no enrichment.
    """
    row = ledger.run(run_id)
    kind = row.config.get("kind") if row.instrument == INSTRUMENT else row.instrument
    if kind != "enrichment":
        raise InputError(f"is a run of {kind}, not of enrichment", where=row.id)
    return row


def texts_of(ledger: Ledger, run_id: str) -> dict[int, Mapping[str, str]]:
    """The texts that an enrichment wrote, by persona id; who has none is left out.

    About a kilobyte of memory a persona.
    """
    return {step["persona"]: step["texts"] for step in _steps(ledger, run_id) if step["texts"]}


def restated_of(ledger: Ledger, run_id: str) -> dict[int, tuple[str, ...]]:
    """The texts that each variant has of its own, by persona id; variants that share all are
    there with none, and personas that are no variants are left out."""
    return {
        step["persona"]: tuple(step["restated"])
        for step in _steps(ledger, run_id)
        if "restated" in step
    }


def texts_digest(texts: Mapping[int, Mapping[str, str]]) -> str:
    """SHA-256 of the texts, in hex: it changes when an enrichment is repaired.

    Example:
        >>> texts_digest({1: {"name": "Ada"}}) == texts_digest({1: {"name": "Eve"}})
        False
    """
    return sha256([[id, dict(texts[id])] for id in sorted(texts)])


@dataclass(slots=True)
class Written:
    """What an enrichment came to: people with texts and without, and what the texts give away.

    ``stated`` counts, by text and attribute, the personas whose text states that attribute.
    ``restated`` counts the variants with texts of their own, by how these are called.
    """

    people: int = 0
    without: int = 0
    overlong: int = 0
    variants: int = 0
    stated: dict[str, Counter[str]] = field(default_factory=dict)
    restated: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """The counts as lines to read."""
        lines = []
        if self.without:
            lines.append(f"note: {self.without:,} of {self.people:,} people got no texts")
        if self.overlong:
            lines.append(f"note: {self.overlong:,} people have a text longer than was asked")
        for name, counts in self.stated.items():
            told = ", ".join(f"{attribute} {n:,}" for attribute, n in sorted(counts.items()))
            lines.append(f"{name} states: {told}")
        if self.variants:
            told = ", ".join(f"{name} {n:,}" for name, n in sorted(self.restated.items()))
            lines.append(f"of {self.variants:,} variants were restated: {told or 'none'}")
        return lines


def written(ledger: Ledger, run_id: str) -> Written:
    """Count what an enrichment wrote."""
    found = Written()
    for step in _steps(ledger, run_id):
        found.people += 1
        found.without += not step["texts"]
        found.overlong += "overlong" in step
        found.variants += "restated" in step
        found.restated.update(step.get("restated", ()))
        for name, attributes in step["leaks"].items():
            found.stated.setdefault(name, Counter()).update(attributes)
    return found


def _steps(ledger: Ledger, run_id: str) -> Iterator[Step]:
    for record in ledger.units(enrichment_run(ledger, run_id).id):
        yield from record.steps
