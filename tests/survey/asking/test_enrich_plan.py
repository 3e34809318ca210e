"""How a family gets its name, appearance and biography."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from evenhand.models.chat import Answer, Decoding, Failure, Refusal, Reply, Request
from evenhand.runs.work import Outcome, Step, UnitSoFar
from evenhand.survey.asking.enrich_plan import EnrichWork
from evenhand.survey.asking.prompts import TEXT_LIMITS, load_template
from evenhand.survey.asking.roster import Roster
from evenhand.survey.people.people import People
from support.populations import people_of, tiny_population

POPULATION = tiny_population()
BASE = {
    "age": "40", "gender": "female", "marital_status": "married", "education": "higher_entrance",
    "migration_status": "without_migration", "origin": "DE", "religion": "christian",
    "occupation": "doctor", "sexuality": "heterosexual",
}  # fmt: skip
PLAIN = {"name": "Ada Brandt", "appearance": "Tall.", "biography": "Keeps bees."}


def work(*changes: Mapping[str, str], anchors: Sequence[int] | None = None) -> EnrichWork:
    """A person and one variant per further change; all of one family unless anchors say else."""
    known = {a.name for a in POPULATION.attributes}
    people = people_of(
        POPULATION,
        *(
            {k: v for k, v in {**BASE, **change}.items() if k in known}
            for change in ({}, *changes)
        ),
    )
    at = np.array(anchors if anchors is not None else [1] * len(people), dtype=np.int64)
    return EnrichWork(
        Roster(POPULATION, people, anchors=at),
        model="simulated/neutral#0",
        decoding=Decoding(temperature=0.7, max_tokens=512),
        template=load_template("en"),
        seed=1,
    )


def said(**texts: str) -> Answer:
    """A reply with these texts."""
    return Answer(orjson.dumps(texts).decode())


def performed(
    of: EnrichWork, *replies: Reply, steps: Sequence[Step] = ()
) -> tuple[Outcome, list[Step], list[Request]]:
    """The first unit, answered with these replies in turn."""
    asked: list[Request] = []
    committed: list[Any] = []
    left = list(replies)

    async def ask(_model: str, request: Request, /) -> Reply:
        """The next reply."""
        asked.append(request)
        return left.pop(0)

    outcome = asyncio.run(of.perform(of.unit(0), UnitSoFar(ask, steps, committed.append)))
    assert not left, "not every reply was asked for"
    return outcome, committed, asked


def test_a_family_is_one_unit() -> None:
    """Units are families, by the id of the first; everybody is in one."""
    plan = work({"religion": "muslim"}, {}, {}, anchors=[1, 1, 3, 4])
    units = [plan.unit(at) for at in range(len(plan))]
    assert [unit.key for unit in units] == ["1", "3", "4"]
    assert [tuple(unit.payload) for unit in units] == [(0, 2), (2, 3), (3, 4)]
    with pytest.raises(IndexError):
        plan.unit(3)


def test_a_person_gets_three_texts_and_is_told_what_they_state() -> None:
    """One request; the step has texts, what they give away, and the reply."""
    reply = said(**{**PLAIN, "biography": "She sings in church."})
    outcome, [step], [asked] = performed(work(), reply)
    assert outcome == Outcome("answered")
    assert step["persona"] == 1
    assert step["texts"]["name"] == "Ada Brandt"
    assert step["leaks"] == {"name": ["gender"], "biography": ["gender", "religion"]}
    assert "restated" not in step
    assert asked.schema is not None
    assert list(asked.schema["properties"]) == list(TEXT_LIMITS)
    assert asked.facts is not None
    assert asked.facts["persona"]["attributes"]["religion"] == "christian"


def test_a_variant_shares_what_states_nothing_of_the_change() -> None:
    """Religion was changed and no text speaks of it: nothing is asked, all texts are the same."""
    outcome, steps, asked = performed(work({"religion": "muslim"}), said(**PLAIN))
    assert outcome == Outcome("answered")
    assert len(asked) == 1
    assert [step["persona"] for step in steps] == [1, 2]
    assert steps[1]["texts"] == steps[0]["texts"] == PLAIN
    assert steps[1]["restated"] == []


def test_only_the_text_that_states_the_change_is_asked_anew() -> None:
    """The biography speaks of church: it alone is restated, beside the name and looks that stay."""
    first = said(**{**PLAIN, "biography": "Sings in church."})
    again = said(name="Eve", appearance="Short.", biography="Sings at home.")
    _, [one, two], [_, asked] = performed(work({"religion": "muslim"}), first, again)
    assert one["texts"]["biography"] == "Sings in church."
    assert two["texts"] == {**PLAIN, "biography": "Sings at home."}
    assert two["restated"] == ["biography"]
    assert asked.schema is not None
    assert list(asked.schema["properties"]) == ["biography"]
    shown = asked.messages[-1].text
    assert "Ada Brandt" in shown
    assert "Tall." in shown
    assert "Sings in church." not in shown


@pytest.mark.parametrize("change", [{"gender": "male"}, {"origin": "TR"}])
def test_a_name_goes_with_gender_and_origin(change: dict[str, str]) -> None:
    """Whether a name states them cannot be known, so it is always asked anew."""
    _, [_, two], _ = performed(work(change), said(**PLAIN), said(name="Cem Winter"))
    assert two["texts"] == {**PLAIN, "name": "Cem Winter"}
    assert two["restated"] == ["name"]


def test_several_variants_are_several_steps() -> None:
    """Each is compared with the family's first person."""
    plan = work({"religion": "muslim"}, {"gender": "male"})
    _, steps, asked = performed(plan, said(**PLAIN), said(name="Cem Winter"))
    assert [step["persona"] for step in steps] == [1, 2, 3]
    assert len(asked) == 2


def test_a_family_goes_on_after_its_last_step() -> None:
    """Killed between two steps, only what is missing is asked."""
    plan = work({"gender": "male"})
    _, [one, two], _ = performed(plan, said(**PLAIN), said(name="Cem Winter"))
    outcome, steps, asked = performed(plan, said(name="Cem Winter"), steps=[one])
    assert outcome == Outcome("answered")
    assert [{**step, "timing": 0} for step in steps] == [{**two, "timing": 0}]
    assert len(asked) == 1
    outcome, steps, asked = performed(plan, steps=[one, two])
    assert (outcome, steps, asked) == (Outcome("answered"), [], [])


def test_a_failure_is_failed_or_partial() -> None:
    """Before the first step nothing is kept; after it, the first person's texts are."""
    outcome, steps, _ = performed(work(), Failure("HTTP 400"))
    assert (outcome, steps) == (Outcome("failed", "HTTP 400"), [])
    outcome, steps, _ = performed(work({"gender": "male"}), said(**PLAIN), Failure("HTTP 400"))
    assert (outcome.status, len(steps)) == ("partial", 1)


def test_a_refusal_leaves_the_family_without_texts() -> None:
    """It is counted once per person asked, and variants are not asked."""
    outcome, steps, asked = performed(work({"gender": "male"}), Refusal("no", "model"))
    assert outcome == Outcome("answered", None, 1, 0)
    assert [step["texts"] for step in steps] == [{}, {}]
    assert steps[0]["reading"] == {"kind": "refusal", "rule": "by_model"}
    assert len(asked) == 1


def test_a_text_too_long_is_asked_again_and_then_kept() -> None:
    """After three requests it is kept whole and told."""
    long = said(**{**PLAIN, "name": "A" * 60})
    outcome, [step], asked = performed(work(), long, long, long)
    assert outcome == Outcome("answered")
    assert step["overlong"] == ["name"]
    assert len(step["rejected"]) == 2
    assert asked[1].messages[-1].text.endswith(load_template("en").enrichment_retry)


def test_what_cannot_be_read_is_asked_again_twice() -> None:
    """Then the person has no texts, and the reason is stored."""
    outcome, [step], asked = performed(work(), said(name="Ada"), Answer(""), Answer("hm"))
    assert outcome == Outcome("answered", None, 0, 1)
    assert (step["texts"], step["reading"]["rule"]) == ({}, "no JSON object")
    assert len({request.seed for request in asked}) == 3


def test_a_variant_that_cannot_be_restated_keeps_what_it_shares() -> None:
    """The text that would contradict it is left out rather than kept."""
    bad = [Answer("hm")] * 3
    outcome, [_, two], _ = performed(work({"gender": "male"}), said(**PLAIN), *bad)
    assert outcome.unreadable == 1
    assert two["texts"] == {name: PLAIN[name] for name in ("appearance", "biography")}


def test_everybody_has_a_request_for_elsewhere() -> None:
    """One per person, told apart by the persona's id."""
    plan = work({"gender": "male"})
    asked = list(plan.requests(plan.unit(0)))
    assert [persona for persona, _ in asked] == ["1", "2"]
    assert asked[0][1].messages != asked[1][1].messages


def test_the_plan_is_hashed() -> None:
    """Another person or another family is another plan."""
    plans = [work(), work({"gender": "male"}), work({"gender": "male"}, anchors=[1, 2])]
    assert len({plan.plan_hash for plan in plans}) == 3
    assert isinstance(plans[0].roster.people, People)
