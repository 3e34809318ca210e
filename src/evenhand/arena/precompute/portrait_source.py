"""Portraits drawn on the spot, whose every attribute is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL.Image import Image

from evenhand.arena.config import DatasetEntry
from evenhand.arena.portraits.captions import caption
from evenhand.arena.portraits.drawing import draw
from evenhand.arena.portraits.person import Person, people
from evenhand.arena.precompute.sources import Facts

__all__ = ["Portraits"]

SIZE = 256
DEFAULT = 2000


@dataclass(frozen=True, slots=True)
class Portraits:
    """``max_images`` people of an entry's ``seed``, drawn when they are read."""

    seed: int
    drawn: Sequence[Person]
    facts: Facts

    @classmethod
    def of(cls, entry: DatasetEntry) -> Portraits:
        """The portraits of an entry."""
        drawn = people(entry.max_images or DEFAULT, entry.seed)
        known = [person.attributes() for person in drawn]
        facts = Facts(
            ids=[f"portrait-{at:05d}" for at in range(len(drawn))],
            captions=[caption(person) for person in drawn],
            attributes={name: [one[name] for one in known] for name in known[0]},
        )
        return cls(entry.seed, drawn, facts)

    def read(self, at: int) -> Image:
        """The portrait."""
        return draw(self.drawn[at], SIZE)

    def stamp(self) -> str:
        """Seed and number say everything."""
        return f"portraits {self.seed} {len(self.drawn)}"

    def about(self) -> Mapping[str, str]:
        """How they were drawn."""
        return {"source": "portraits", "seed": str(self.seed), "size": str(SIZE)}
