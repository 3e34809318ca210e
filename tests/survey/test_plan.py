"""The plan of a run of ratings, and how one rating is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evenhand.errors import SubjectError
from evenhand.models.chat import Answer, Decoding, Failure, Refusal, Reply, Request, Token, Usage
from evenhand.runs.work import Outcome, Step, UnitSoFar
from evenhand.survey.asking.prompts import load_template
from evenhand.survey.asking.roster import Roster
from evenhand.survey.plan import RatingWork, parts_of_key
from evenhand.survey.spec import AskSpec, Trait
from support.populations import draw, tiny_population
from support.surveys import TRAITS

POPULATION = tiny_population()
GOOD = '{"rationale": "so", "rating": 4}'


def work(
    n: int = 6,
    *,
    traits: Sequence[Trait] = TRAITS,
    seed: int = 1,
    anchors: Sequence[int] | None = None,
    texts: dict[int, dict[str, str]] | None = None,
    language: str = "en",
    **how: Any,
) -> RatingWork:
    """The work of some people of the tiny population."""
    people = draw(POPULATION, n, seed=3)
    at = None if anchors is None else np.array(anchors, dtype=np.int64)
    return RatingWork(
        Roster(POPULATION, people, anchors=at, texts=texts),
        traits,
        AskSpec(dataset=1, language=language, **how),
        model="simulated/neutral#0",
        decoding=Decoding(temperature=0.0, max_tokens=256),
        template=load_template(language),
        seed=seed,
    )


def performed(
    of: RatingWork, *replies: Reply, ordinal: int = 0, steps: Sequence[Step] = ()
) -> tuple[Outcome, list[Step], list[Request]]:
    """One unit, answered with these replies in turn: how it ended, its steps, what was asked."""
    asked: list[Request] = []
    committed: list[Step] = []
    left = list(replies)

    async def ask(model: str, request: Request, /) -> Reply:
        """The next reply."""
        assert model == of.model
        asked.append(request)
        return left.pop(0)

    outcome = asyncio.run(of.perform(of.unit(ordinal), UnitSoFar(ask, steps, committed.append)))
    assert not left, "not every reply was asked for"
    return outcome, committed, asked


def test_a_person_s_traits_stand_next_to_each_other() -> None:
    """Persona after persona, trait after trait: a prefix cache sees each person once."""
    keys = [parts_of_key(work().unit(at).key) for at in range(18)]
    assert keys == [(p, t.id, "forward") for p in range(1, 7) for t in TRAITS]


def test_dual_units_follow_their_first_and_take_the_other_order() -> None:
    """``floor(share * pairs)`` pairs come twice, at once, with both orders; no key comes twice."""
    plan = work(7, dual=0.5, scale_order="random")
    units = [plan.unit(at) for at in range(len(plan))]
    assert len(plan) == 21 + 10
    assert len({unit.key for unit in units}) == 31
    parts = [parts_of_key(unit.key) for unit in units]
    twice = [(one, two) for one, two in zip(parts, parts[1:], strict=False) if one[:2] == two[:2]]
    assert len(twice) == 10
    assert all({one[2], two[2]} == {"forward", "reversed"} for one, two in twice)
    assert {one[2] for one, _ in twice} == {"forward", "reversed"}


def test_a_variant_is_asked_in_the_order_of_its_source() -> None:
    """A random order must not be a second difference between the two of a pair."""
    plan = work(2, anchors=[1, 1], scale_order="random", traits=many(40))
    orders = [parts_of_key(plan.unit(at).key)[2] for at in range(80)]
    assert orders[:40] == orders[40:]
    assert set(orders) == {"forward", "reversed"}


def many(n: int) -> list[Trait]:
    """So many traits."""
    return [Trait(f"t{i}", {"en": f"word{i}"}, None, 1) for i in range(n)]


def test_a_plan_is_the_same_every_time_and_entered_anywhere() -> None:
    """Units come out alike in any order of asking, from two plans of one seed."""
    one, two = (work(8, dual=0.3, scale_order="random") for _ in range(2))
    forwards = [one.unit(at) for at in range(len(one))]
    backwards = [two.unit(at) for at in reversed(range(len(two)))]
    assert forwards == backwards[::-1]
    assert one.plan_hash == two.plan_hash


def test_whatever_changes_the_questions_changes_the_hash() -> None:
    """People, traits, order, share, rationale, language, seed: each is another plan."""
    plans = [
        work(),
        work(7),
        work(traits=TRAITS[:2]),
        work(traits=(*TRAITS[:2], replace(TRAITS[2], adjective={"en": "capable"}))),
        work(scale_order="reversed"),
        work(dual=0.5),
        work(rationale=False),
        work(answer="expected"),
        work(seed=2),
        work(anchors=[1, 1, 3, 4, 5, 6]),
    ]
    assert len({plan.plan_hash for plan in plans}) == len(plans)


def test_the_request_says_all_and_the_facts_the_rest() -> None:
    """Messages, schema, seed and decoding; what only a simulated respondent may see is apart."""
    plan = work(3, anchors=[1, 1, 3])
    request = plan.request(plan.unit(4))
    assert request.decoding == Decoding(temperature=0.0, max_tokens=256)
    assert request.schema is not None
    assert list(request.schema["properties"]) == ["rationale", "rating"]
    assert request.facts is not None
    rating = request.facts["rating"]
    assert request.facts["unit"] == "2/rude/forward"
    assert (rating["persona"], rating["family"], rating["trait"]) == (2, 1, "rude")
    assert (rating["valence"], rating["order"]) == (-1, "forward")
    assert {"gender", "age_bin", "subregion"} <= rating["attributes"].keys()
    assert "family" not in (plan.request(plan.unit(0)).facts or {})["rating"]
    assert request.seed is not None
    assert request.seed != plan.request(plan.unit(3)).seed


def test_an_expectation_asks_for_log_probabilities() -> None:
    """Only then are alternatives asked for."""
    assert work(answer="expected").request(work().unit(0)).top_logprobs == 20
    assert work().request(work().unit(0)).top_logprobs == 0


def test_a_rating_is_stored_as_it_was_shown() -> None:
    """The step holds the reply, the reading and what it took."""
    outcome, [step], [asked] = performed(work(), Answer(GOOD, Usage(100, 9)))
    assert outcome == Outcome("answered")
    assert step["text"] == GOOD
    assert step["reading"]["kind"] == "rating"
    assert step["reading"]["value"] == 4
    assert step["reading"]["rationale"] == "so"
    assert step["timing"]["prompt_tokens"] == 100
    assert "rejected" not in step
    assert asked.seed is not None


def test_what_cannot_be_read_is_asked_again_twice() -> None:
    """Each time with another seed and the retry words once; what was rejected is kept."""
    outcome, [step], asked = performed(
        work(), Answer("hm"), Answer("", Usage(), truncated=True), Answer(GOOD)
    )
    assert outcome.unreadable == 0
    assert step["rejected"] == ["hm", ""]
    assert step["timing"]["calls"] == 3
    assert len({request.seed for request in asked}) == 3
    first, second, third = (request.messages[-1].text for request in asked)
    retry = load_template("en").retry_suffix
    assert second == third == f"{first}\n\n{retry}"


def test_after_three_requests_unreadable_is_the_answer() -> None:
    """It is counted, and stored with the last reply."""
    outcome, [step], _ = performed(work(), Answer("hm"), Answer("ha"), Answer("ho"))
    assert outcome == Outcome("answered", None, 0, 1)
    assert step["text"] == "ho"
    assert step["reading"]["kind"] == "unreadable"
    assert step["reading"]["value"] is None


@pytest.mark.parametrize("by", ["model", "provider"])
def test_a_refusal_in_its_own_field_is_not_asked_again(by: Any) -> None:
    """It says who refused."""
    outcome, [step], _ = performed(work(), Refusal("no", by))
    assert outcome == Outcome("answered", None, 1, 0)
    assert step["reading"]["kind"] == "refusal"
    assert step["refused_by"] == by


def test_a_failure_leaves_no_step() -> None:
    """Missing is missing: the unit failed and can be asked again."""
    outcome, steps, _ = performed(work(), Failure("HTTP 400: no"))
    assert outcome == Outcome("failed", "HTTP 400: no")
    assert steps == []


def test_a_committed_answer_is_not_asked_for_again() -> None:
    """A unit whose step was written before the process died only says how it ended."""
    _, [step], _ = performed(work(), Refusal("no", "model"))
    outcome, steps, asked = performed(work(), steps=[step])
    assert outcome == Outcome("answered", None, 1, 0)
    assert steps == []
    assert asked == []


def test_half_a_surrogate_pair_is_stored() -> None:
    """What UTF-8 cannot hold becomes a question mark, and the run goes on."""
    _, [step], _ = performed(work(), Answer("\ud800"), Answer("\ud800"), Answer("a\ud800"))
    assert step["text"] == "a?"
    assert step["rejected"] == ["?", "?"]


FOUR = Token("4", -0.1, (("4", -0.1), ("3", -2.4)))
WITH_LOGPROBS = Answer(
    '{"rating": 4}', logprobs=(Token('{"rating": ', 0.0), FOUR, Token("}", 0.0))
)


def test_an_expectation_keeps_its_five_probabilities() -> None:
    """They sum to one, and the value is their mean."""
    _, [step], _ = performed(work(answer="expected", rationale=False), WITH_LOGPROBS)
    shares = step["reading"]["probabilities"]
    assert sum(shares) == pytest.approx(1.0)
    mean = sum(point * share for point, share in enumerate(shares, 1))
    assert step["reading"]["value"] == pytest.approx(mean)


def test_a_model_without_log_probabilities_is_told_once() -> None:
    """At the first reply the run ends with one sentence, and nothing is stored of it."""
    plan = work(answer="expected", rationale=False)
    with pytest.raises(SubjectError, match="simulated/neutral: gives no log-probabilities"):
        performed(plan, *[Answer('{"rating": 4}')] * 3)


def test_one_reply_without_log_probabilities_is_only_unreadable() -> None:
    """Once a model has given some, a reply without them is one missing answer."""
    plan = work(answer="expected", rationale=False)
    performed(plan, WITH_LOGPROBS)
    outcome, [step], _ = performed(plan, *[Answer('{"rating": 4}')] * 3, ordinal=1)
    assert outcome.unreadable == 1
    assert step["reading"]["rule"] == "no_logprobs"


def test_a_trait_s_id_may_hold_slashes() -> None:
    """The persona is before the first slash, the order behind the last."""
    trait = Trait("warm/kind", {"en": "kind"})
    assert parts_of_key(work(traits=[trait]).unit(0).key) == (1, "warm/kind", "forward")
