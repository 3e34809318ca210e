"""The plan of a run of ratings, and how one rating is asked for.

Persona after persona, and within a persona trait after trait, so that a server's prefix cache
holds the persona's text while all its traits are asked. A pair of persona and trait that is asked
in both orders has its second unit right after its first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from evenhand.errors import SubjectError
from evenhand.models.chat import Answer, Decoding, Failure, Refusal, Reply, Request
from evenhand.runs.asking import ask_until, encodable, seed_of
from evenhand.runs.one_model import CONDITION
from evenhand.runs.snapshot import sha256
from evenhand.runs.work import Lane, Outcome, Step, Unit, UnitSoFar
from evenhand.survey.asking.orders import Places, draw_dual, first_order, other_order
from evenhand.survey.asking.prompts import Template
from evenhand.survey.asking.roster import Roster
from evenhand.survey.read import expected_rating, read_rating
from evenhand.survey.spec import AskSpec, Order, Persona, Reading, Trait
from evenhand.survey.traits import as_json

__all__ = ["INSTRUMENT", "RatingWork", "Slot", "parts_of_key"]

INSTRUMENT = "survey"
# As many alternatives per token as OpenAI's servers give.
TOP_LOGPROBS = 20
ORDERS: tuple[Order, ...] = ("forward", "reversed")


class Slot(NamedTuple):
    """What a rating unit is made of. ``place`` is the persona's in the roster."""

    place: int
    persona: Persona
    trait: Trait
    order: Order


class RatingWork:
    """The work of one run of ratings. Pure but for ``perform``.

    Its condition is always ``c0001``; a unit's key is ``PERSONA_ID/TRAIT_ID/ORDER``.
    """

    instrument = INSTRUMENT

    def __init__(
        self,
        roster: Roster,
        traits: Sequence[Trait],
        spec: AskSpec,
        *,
        model: str,
        decoding: Decoding,
        template: Template,
        seed: int,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        """``model`` is the model's name in the plan; ``identity`` joins the plan's hash."""
        self.roster = roster
        self.traits = tuple(traits)
        self.spec = spec
        self.model = model
        self.seed = seed
        self._decoding = decoding
        self._template = template
        self._schema = template.schema(spec.rationale)
        self._shown = {
            (trait.id, order): template.scale(trait, order)
            for trait in self.traits
            for order in ORDERS
        }
        n_pairs = len(roster) * len(self.traits)
        self._places = Places(n_pairs, draw_dual(n_pairs, spec.dual, seed=seed))
        self._recent: tuple[int, Persona, dict[str, Any], list[str]] | None = None
        self._logprobs_seen = False
        self.plan_hash = self._hash(identity or {})

    def __len__(self) -> int:
        return len(self._places)

    @property
    def template(self) -> str:
        """The prompt template's version and digest, for the record."""
        return f"{self._template.version} {self._template.digest[:16]}"

    def slot(self, ordinal: int) -> Slot:
        """Who is asked what, at one place in the plan. Raises ``IndexError``."""
        pair, second = self._places.pair(ordinal)
        index, which = divmod(pair, len(self.traits))
        trait = self.traits[which]
        order = first_order(
            self.spec.scale_order,
            seed=self.seed,
            # A variant is asked as its source is, so that nothing else differs between them.
            persona=int(self.roster.anchors[index]),
            trait=trait.id,
        )
        return Slot(index, self._person(index)[1], trait, other_order(order) if second else order)

    def unit(self, ordinal: int) -> Unit:
        """The rating at one place in the plan."""
        slot = self.slot(ordinal)
        key = f"{slot.persona.id}/{slot.trait.id}/{slot.order}"
        return Unit(ordinal, key, CONDITION, slot)

    def shown(self, slot: Slot) -> tuple[str, ...]:
        """The five options as a unit shows them, number 1 first."""
        return self._shown[slot.trait.id, slot.order]

    def lanes(self) -> Sequence[Lane]:
        """One lane: everything waits for the one model."""
        return [Lane(self.model, (self.model,), self._ordinals)]

    def request(self, unit: Unit) -> Request:
        """What is asked first for a unit."""
        slot: Slot = unit.payload
        spec = self.spec
        messages = self._template.messages(
            slot.persona,
            slot.trait,
            order=slot.order,
            rationale=spec.rationale,
            answer=spec.answer,
            population=self.roster.population,
        )
        return Request(
            messages,
            decoding=self._decoding,
            schema=self._schema,
            seed=seed_of(self.seed, unit.key, 0),
            top_logprobs=TOP_LOGPROBS if spec.answer == "expected" else 0,
            facts=self._facts(unit.key, slot),
        )

    async def perform(self, unit: Unit, so_far: UnitSoFar) -> Outcome:
        """Ask for one rating, again while it cannot be read.

        Raises:
            SubjectError: expectations are asked for and the model gives no log-probabilities.
        """
        if so_far.steps:
            # Its answer was committed, and the process died before it could say so.
            return _outcome(so_far.steps[0]["reading"]["kind"])
        slot: Slot = unit.payload
        shown = self.shown(slot)

        def read(reply: Reply) -> tuple[Reading, str | None]:
            return self._read(reply, shown)

        heard = await ask_until(
            so_far.ask, self.model, self.request(unit), read=read, seed=self.seed, key=unit.key
        )
        reply = heard.reply
        if isinstance(reply, Failure) or heard.reading is None:
            return Outcome("failed", reply.error if isinstance(reply, Failure) else None)
        if heard.reading.rule == "no_logprobs" and not self._logprobs_seen:
            # Said once, rather than 60,000 times that nothing was readable.
            raise SubjectError(
                "gives no log-probabilities, so no expectation can be computed; "
                "ask with --answer sampled",
                model=self.model.partition("#")[0],
            )
        so_far.commit(_step(reply, heard.reading, heard.rejected, heard.timing))
        return _outcome(heard.reading.kind)

    def _read(self, reply: Reply, shown: Sequence[str]) -> tuple[Reading, str | None]:
        if isinstance(reply, Refusal):
            return Reading("refusal", rule=f"by_{reply.by}"), None
        if not isinstance(reply, Answer):
            return Reading("unreadable", rule="failed"), None
        if self.spec.answer == "expected":
            self._logprobs_seen = self._logprobs_seen or bool(reply.logprobs)
            reading = expected_rating(
                reply.text, reply.logprobs, truncated=reply.truncated, labels=shown
            )
        else:
            reading = read_rating(reply.text, truncated=reply.truncated, labels=shown)
        complaint = self._template.retry_suffix if reading.kind == "unreadable" else None
        return reading, complaint

    def _facts(self, key: str, slot: Slot) -> dict[str, Any]:
        """What only a simulated or recorded respondent is told."""
        _, _, attributes, groups = self._person(slot.place)
        rating: dict[str, Any] = {
            "persona": slot.persona.id,
            "trait": slot.trait.id,
            "valence": slot.trait.valence,
            "order": slot.order,
            "attributes": attributes,
        }
        family = int(self.roster.anchors[slot.place])
        if family != slot.persona.id:
            rating["family"] = family
        return {"unit": key, "rating": rating, "groups": groups}

    def _person(self, index: int) -> tuple[int, Persona, dict[str, Any], list[str]]:
        # Neighbouring units share their persona, and requests are made in about plan order.
        recent = self._recent
        if recent is None or recent[0] != index:
            persona = self.roster.persona(index)
            attributes = {**persona.attributes, **self.roster.groups(index)}
            recent = self._recent = (index, persona, attributes, list(attributes.values()))
        return recent

    def _ordinals(self) -> Iterator[int]:
        return iter(range(len(self)))

    def _hash(self, identity: Mapping[str, Any]) -> str:
        parts = {
            "people": self.roster.digest(),
            "traits": [as_json(trait) for trait in self.traits],
            "ask": asdict(replace(self.spec, template=None)),
            "template": self.template,
            "seed": self.seed,
            **identity,
        }
        return sha256(parts)


def parts_of_key(key: str) -> tuple[int, str, str]:
    """Persona id, trait id and order of a rating's key; a trait's id may itself hold slashes.

    Example:
        >>> parts_of_key("17/warm/kind/reversed")
        (17, 'warm/kind', 'reversed')
    """
    persona, _, rest = key.partition("/")
    trait, _, order = rest.rpartition("/")
    return int(persona), trait, order


def _step(
    reply: Answer | Refusal, reading: Reading, rejected: Sequence[str], timing: Mapping[str, Any]
) -> Step:
    read: dict[str, Any] = {
        "kind": reading.kind,
        "value": reading.value,
        "rule": reading.rule,
        "rationale": encodable(reading.rationale),
    }
    if reading.probabilities is not None:
        read["probabilities"] = list(reading.probabilities)
    body: dict[str, Any] = {"text": encodable(reply.text), "reading": read}
    if isinstance(reply, Refusal):
        body["refused_by"] = reply.by
    elif reply.truncated:
        body["truncated"] = True
    if rejected:
        body["rejected"] = list(rejected)
    body["timing"] = timing
    return body


def _outcome(kind: str) -> Outcome:
    return Outcome("answered", None, int(kind == "refusal"), int(kind == "unreadable"))
