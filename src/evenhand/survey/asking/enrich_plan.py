"""The plan of an enrichment, and how a family gets its name, appearance and biography.

A *family* is a persona and the counterfactual variants made from it. It is one unit: the first
step is the persona's, each further step one variant's. A variant shares the texts of its family,
but for those that state what was changed in it: these alone are asked anew, so that a pair
differs in as little as can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.models.chat import Answer, Decoding, Failure, Message, Refusal, Reply, Request
from evenhand.runs.asking import Heard, ask_until, encodable, seed_of
from evenhand.runs.one_model import CONDITION
from evenhand.runs.snapshot import sha256
from evenhand.runs.work import Lane, Outcome, Step, Unit, UnitSoFar
from evenhand.survey.asking.leakage import NAMED_BY, Lexicon
from evenhand.survey.asking.portraits import Portrait, read_portrait
from evenhand.survey.asking.prompts import TEXT_LIMITS, Template, persona_lines
from evenhand.survey.asking.roster import Roster
from evenhand.survey.plan import INSTRUMENT
from evenhand.survey.spec import Persona

__all__ = ["EnrichWork", "Family", "changed_between", "to_restate"]


class Family(NamedTuple):
    """What an enrichment unit is made of: places in the roster, from ``start`` to before ``end``."""

    start: int
    end: int


class EnrichWork:
    """The work of one enrichment. Pure but for ``perform``.

    Its condition is always ``c0001``; a unit's key is the id of the family's first persona.
    """

    instrument = INSTRUMENT

    def __init__(
        self,
        roster: Roster,
        *,
        model: str,
        decoding: Decoding,
        template: Template,
        seed: int,
    ) -> None:
        self.roster = roster
        self.model = model
        self.seed = seed
        self._decoding = decoding
        self._template = template
        self._schema = template.enrichment_schema()
        self._lexicon = Lexicon(roster.population, template.language)
        self._starts = _starts(roster.anchors)
        self.plan_hash = self._hash()

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def template(self) -> str:
        """The prompt template's version and digest, for the record."""
        return f"{self._template.version} {self._template.digest[:16]}"

    def unit(self, ordinal: int) -> Unit:
        """The family at one place in the plan. Raises ``IndexError``."""
        if not 0 <= ordinal < len(self):
            raise IndexError(ordinal)
        start, end = int(self._starts[ordinal]), int(self._starts[ordinal + 1])
        return Unit(ordinal, str(self.roster.people.ids[start]), CONDITION, Family(start, end))

    def lanes(self) -> Sequence[Lane]:
        """One lane: everything waits for the one model."""
        return [Lane(self.model, (self.model,), self._ordinals)]

    def request(self, unit: Unit) -> Request:
        """What is asked first for a unit: all texts of the family's first persona."""
        family: Family = unit.payload
        return self._whole(unit.key, family.start)

    def requests(self, unit: Unit) -> Iterator[tuple[str, Request]]:
        """Everyone of a family with a request for all texts.

        Of a variant's reply only the texts that it needs of its own are taken.
        """
        family: Family = unit.payload
        for index in range(family.start, family.end):
            yield str(self.roster.people.ids[index]), self._whole(unit.key, index)

    def _whole(self, key: str, index: int) -> Request:
        return self._request(key, index, self.roster.persona(index), tuple(TEXT_LIMITS), {})

    async def perform(self, unit: Unit, so_far: UnitSoFar) -> Outcome:
        """Ask for the family's texts, then for those that a variant needs of its own."""
        family: Family = unit.payload
        steps: list[Step] = list(so_far.steps)
        first = self.roster.persona(family.start)
        for index in range(family.start + len(steps), family.end):
            persona = self.roster.persona(index)
            if not steps:
                step = await self._write(unit.key, index, persona, so_far)
            else:
                step = await self._vary(unit.key, index, persona, first, steps[0], so_far)
            if isinstance(step, Failure):
                return _outcome("partial" if steps else "failed", steps, step.error)
            so_far.commit(step)
            steps.append(step)
        return _outcome("answered", steps)

    async def _write(
        self, key: str, index: int, persona: Persona, so_far: UnitSoFar
    ) -> Step | Failure:
        """All texts of a persona."""
        fields = tuple(TEXT_LIMITS)
        heard = await self._ask(key, index, persona, fields, {}, so_far)
        if isinstance(heard.reply, Failure) or heard.reading is None:
            return heard.reply if isinstance(heard.reply, Failure) else Failure("nothing was read")
        return self._step(persona, heard.reading.texts, heard)

    async def _vary(
        self,
        key: str,
        index: int,
        persona: Persona,
        first: Persona,
        source: Step,
        so_far: UnitSoFar,
    ) -> Step | Failure:
        """A variant's texts: the family's, but for those that state what was changed."""
        changed = changed_between(first, persona)
        fields = to_restate(source["texts"], source["leaks"], changed)
        kept = {name: text for name, text in source["texts"].items() if name not in fields}
        if not fields:
            return self._shared(persona, kept)
        heard = await self._ask(key, index, persona, fields, kept, so_far)
        if isinstance(heard.reply, Failure) or heard.reading is None:
            return heard.reply if isinstance(heard.reply, Failure) else Failure("nothing was read")
        texts = {**kept, **heard.reading.texts}
        whole = {name: texts[name] for name in TEXT_LIMITS if name in texts}
        return {**self._step(persona, whole, heard), "restated": list(fields)}

    def _ask(
        self,
        key: str,
        index: int,
        persona: Persona,
        fields: Sequence[str],
        kept: Mapping[str, str],
        so_far: UnitSoFar,
    ) -> Any:
        def read(reply: Reply) -> tuple[Portrait, str | None]:
            return self._read(reply, fields)

        return ask_until(
            so_far.ask,
            self.model,
            self._request(key, index, persona, fields, kept),
            read=read,
            seed=self.seed,
            key=f"{key}/{persona.id}",
        )

    def _read(self, reply: Reply, fields: Sequence[str]) -> tuple[Portrait, str | None]:
        if isinstance(reply, Refusal):
            return Portrait("refusal", rule=f"by_{reply.by}"), None
        if not isinstance(reply, Answer):
            return Portrait("unreadable", rule="failed"), None
        portrait = read_portrait(reply.text, fields, limits=TEXT_LIMITS, truncated=reply.truncated)
        fine = portrait.kind == "refusal" or (portrait.kind == "texts" and not portrait.overlong)
        return portrait, None if fine else self._template.enrichment_retry

    def _request(
        self,
        key: str,
        index: int,
        persona: Persona,
        fields: Sequence[str],
        kept: Mapping[str, str],
    ) -> Request:
        messages = self._template.enrichment(persona, self.roster.population)
        schema = self._schema
        if kept:
            # What stays is shown as further facts of the person, and is not asked for.
            shown = replace(persona, texts=kept)
            lines = persona_lines(shown, self.roster.population, self._template)
            text = "\n".join([line for _, line in lines])
            messages = (*messages[:-1], Message("user", text))
        if len(fields) < len(TEXT_LIMITS):
            inside = {name: schema["properties"][name] for name in fields}
            schema = {**schema, "properties": inside, "required": list(fields)}
        attributes = {**persona.attributes, **self.roster.groups(index)}
        facts = {
            "unit": key,
            "persona": {
                "id": persona.id,
                "attributes": attributes,
                "language": self._template.language,
            },
            "agent": {"id": str(persona.id)},
            "groups": list(attributes.values()),
        }
        seed = seed_of(self.seed, f"{key}/{persona.id}", 0)
        return Request(messages, decoding=self._decoding, schema=schema, seed=seed, facts=facts)

    def _shared(self, persona: Persona, texts: Mapping[str, str]) -> Step:
        leaks = {name: list(names) for name, names in self._lexicon.stated(texts, persona).items()}
        return {"persona": persona.id, "texts": dict(texts), "leaks": leaks, "restated": []}

    def _step(self, persona: Persona, texts: Mapping[str, str], heard: Heard[Portrait]) -> Step:
        portrait = heard.reading
        body: dict[str, Any] = dict(self._shared(persona, texts))
        del body["restated"]
        if portrait is not None and portrait.kind != "texts":
            body["reading"] = {"kind": portrait.kind, "rule": portrait.rule}
        if portrait is not None and portrait.overlong:
            body["overlong"] = list(portrait.overlong)
        body["text"] = "" if isinstance(heard.reply, Failure) else encodable(heard.reply.text)
        if heard.rejected:
            body["rejected"] = list(heard.rejected)
        body["timing"] = heard.timing
        return body

    def _ordinals(self) -> Iterator[int]:
        return iter(range(len(self)))

    def _hash(self) -> str:
        return sha256(
            {
                "people": self.roster.digest(),
                "limits": dict(TEXT_LIMITS),
                "template": self.template,
                "seed": self.seed,
            }
        )


def changed_between(first: Persona, second: Persona) -> frozenset[str]:
    """The attributes in which two personas differ.

    Example:
        >>> changed_between(Persona(1, {"age": "30"}), Persona(2, {"age": "70"}))
        frozenset({'age'})
    """
    return frozenset(
        name for name, level in first.attributes.items() if second.attributes.get(name) != level
    )


def to_restate(
    texts: Mapping[str, str], leaks: Mapping[str, Sequence[str]], changed: frozenset[str]
) -> tuple[str, ...]:
    """Which texts of its family a variant cannot share: those that state what was changed.

    A name goes whenever gender or origin was changed, though it may state neither.

    Example:
        >>> to_restate({"name": "Ada", "biography": "She sings."}, {"biography": ["gender"]},
        ...            frozenset({"gender"}))
        ('name', 'biography')
    """
    return tuple(
        name
        for name in texts
        if not changed.isdisjoint(leaks.get(name, ()))
        or (name == "name" and not changed.isdisjoint(NAMED_BY))
    )


def _starts(anchors: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each family begins, and the end: shape (families + 1,)."""
    if not len(anchors):
        return np.zeros(1, dtype=np.int64)
    inner = np.flatnonzero(anchors[1:] != anchors[:-1]) + 1
    return np.concatenate(([0], inner, [len(anchors)])).astype(np.int64)


def _outcome(status: Any, steps: Sequence[Step], error: str | None = None) -> Outcome:
    kinds = [step.get("reading", {}).get("kind") for step in steps]
    return Outcome(status, error, kinds.count("refusal"), kinds.count("unreadable"))
