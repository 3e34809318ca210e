"""The simulated respondent's ratings: what is planted is what is drawn."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import InputError
from evenhand.models.chat import Answer, Message, Refusal, Request
from evenhand.models.profiles import profile
from evenhand.models.simulated import SimulatedModel
from evenhand.models.simulated_ratings import favourability, rating_shares

SCHEMA = {"type": "object", "properties": {"rationale": {}, "rating": {}}}
STILL = "neutral?rating_spread=0&rating_trait_spread=0"


def facts(**changes: Any) -> dict[str, Any]:
    """What is told of one persona and trait."""
    plain = {"persona": 1, "trait": "t", "valence": 1, "order": "forward", "attributes": {}}
    return {**plain, **changes}


def ask(model: SimulatedModel, rating: dict[str, Any], **more: Any) -> Any:
    """One reply; the persona's number makes the messages differ."""
    words = f"{rating['persona']} {rating['trait']} {rating['order']}"
    request = Request(
        (Message("user", words),), schema=SCHEMA, facts={"rating": rating, "groups": ()}, **more
    )
    return asyncio.run(model.ask(request))


@given(
    base=st.floats(1, 5),
    noise=st.floats(0, 1),
    order=st.sampled_from(["forward", "reversed"]),
    valence=st.sampled_from([1, -1, 0, None]),
)
def test_the_shares_have_the_planted_mean(
    base: float, noise: float, order: str, valence: int | None
) -> None:
    """Whatever the noise, order and valence, the five probabilities have the planted mean."""
    rater = profile(f"{STILL}&rating_base={base}&rating_noise={noise}")
    shares = rating_shares(rater, facts(order=order, valence=valence))
    mean = sum((place + 1) * share for place, share in enumerate(shares))
    mirrored = (order == "reversed") != (valence == -1)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0
    assert mean == pytest.approx(6 - base if mirrored else base)


def test_a_shift_moves_the_mean_by_itself() -> None:
    """Shifts of several groups add up, and only for those who belong to them."""
    rater = profile(f"{STILL}&rating_shift.gender:female=0.3&rating_shift.age_bin:65+=-0.5")
    assert favourability(rater, facts(attributes={"gender": "female"})) == pytest.approx(3.3)
    both = facts(attributes={"gender": "female", "age_bin": "65+"})
    assert favourability(rater, both) == pytest.approx(2.8)
    assert favourability(rater, facts(attributes={"gender": "male"})) == 3.0


def test_personas_differ_by_the_planted_spread() -> None:
    """The lasting effects of many personas have the planted standard deviation."""
    rater = profile("neutral?rating_spread=0.5&rating_trait_spread=0")
    values = [favourability(rater, facts(persona=i)) for i in range(4000)]
    mean = sum(values) / len(values)
    spread = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    assert mean == pytest.approx(3, abs=0.03)
    assert spread == pytest.approx(0.5, abs=0.02)


def test_a_variant_shares_the_lasting_effect_of_its_source() -> None:
    """A counterfactual pair differs by the planted shift alone."""
    rater = profile("neutral")
    assert favourability(rater, facts(persona=7, family=3)) == favourability(
        rater, facts(persona=3)
    )


def test_the_reply_is_the_object_that_was_asked_for() -> None:
    """The reply holds a rationale and a whole rating from 1 to 5."""
    reply = ask(SimulatedModel("neutral"), facts())
    assert isinstance(reply, Answer)
    assert list(orjson.loads(reply.text)) == ["rationale", "rating"]
    assert orjson.loads(reply.text)["rating"] in (1, 2, 3, 4, 5)


def test_log_probabilities_are_the_planted_shares() -> None:
    """The digit's alternatives carry the planted probabilities."""
    reply = ask(SimulatedModel("neutral"), facts(), top_logprobs=20)
    (middle,) = [token for token in reply.logprobs if token.alternatives]
    told = dict(middle.alternatives)
    shares = rating_shares(profile("neutral"), facts())
    assert "".join(token.text for token in reply.logprobs) == reply.text
    for place, share in enumerate(shares):
        assert 2.718281828459045 ** told[str(place + 1)] == pytest.approx(share)


def test_refusals_follow_the_groups() -> None:
    """The largest planted rate among a persona's groups counts."""
    model = SimulatedModel("neutral?refusal_rate.muslim=1&refusal_style=field")
    rating = {"rating": facts(), "groups": ("female", "muslim")}
    reply = asyncio.run(model.ask(Request((Message("user", "a"),), schema=SCHEMA, facts=rating)))
    assert isinstance(reply, Refusal)


def test_a_portrait_holds_what_the_schema_asks() -> None:
    """A persona's texts come as the object that was asked for, in its language."""
    schema = {"type": "object", "properties": {"name": {}, "appearance": {}, "biography": {}}}
    person = {"id": 1, "language": "de", "attributes": {"gender": "female", "religion": "hindu"}}
    request = Request((Message("user", "a"),), schema=schema, facts={"persona": person})
    reply = asyncio.run(SimulatedModel("neutral?leak_rate=1").ask(request))
    texts = orjson.loads(reply.text)  # type: ignore[union-attr]
    assert list(texts) == ["name", "appearance", "biography"]
    assert "hindu" in texts["biography"]


@pytest.mark.parametrize("style", ["bare_letter", "fenced", "trailing_prose", "empty"])
def test_untidy_replies_are_as_planted(style: str) -> None:
    """Each style of untidiness comes out as its name says."""
    model = SimulatedModel(f"neutral?malformed_rate=1&malformed_styles={style}")
    text = ask(model, facts()).text
    looks = {
        "bare_letter": text in set("12345"),
        "fenced": text.startswith("```"),
        "trailing_prose": text.endswith("detail."),
        "empty": text == "",
    }
    assert looks[style]


def test_a_place_without_a_level_is_told() -> None:
    """A shift is planted on an attribute's level, and the error says how to write it."""
    with pytest.raises(InputError, match="gender:female"):
        profile("neutral?rating_shift.female=0.3")
