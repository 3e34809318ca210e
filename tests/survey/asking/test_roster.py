"""Who is asked, and in which order."""

from __future__ import annotations

import numpy as np

from evenhand.survey.asking.roster import Roster, arrange
from evenhand.survey.people.people import People
from support.populations import draw, tiny_population

POPULATION = tiny_population()
NOBODY = np.zeros(0, dtype=np.int64)


def people(n: int = 30) -> People:
    """Some people, ids from 1."""
    return draw(POPULATION, n, seed=4)


def test_variants_follow_their_source() -> None:
    """The plan goes by source; a limit keeps whole pairs together."""
    everyone = people(6)
    found = arrange(everyone, sources=np.array([2, 1, 3]), variants=np.array([6, 5, 4]))
    assert found.people.ids.tolist() == [1, 5, 2, 6, 3, 4]
    assert found.anchors.tolist() == [1, 1, 2, 2, 3, 3]
    some = arrange(everyone, sources=np.array([2, 1, 3]), variants=np.array([6, 5, 4]), limit=4)
    assert some.people.ids.tolist() == [1, 5, 2, 6]


def test_the_young_are_left_out_and_counted() -> None:
    """Nobody below the age is asked, and the number of them is told."""
    everyone = people(200)
    found = arrange(everyone, sources=NOBODY, variants=NOBODY, age_from=14)
    young = int((everyone.codes["age"] < 14).sum())
    assert young > 0
    assert found.n_young == young
    assert found.people.codes["age"].min() >= 14
    assert len(found.people) == 200 - young


def test_a_person_is_decoded_as_the_population_says() -> None:
    """Levels become their codes, in the population's order; groupings come beside."""
    everyone = people(5)
    roster = Roster(POPULATION, everyone, texts={2: {"name": "Ada"}})
    persona = roster.persona(1)
    assert list(persona.attributes) == [a.name for a in POPULATION.attributes]
    assert persona.attributes["age"] == str(everyone.codes["age"][1])
    assert persona.texts == {"name": "Ada"}
    assert set(roster.groups(1)) == {g.name for g in POPULATION.groupings}
    assert roster.persona(0).texts == {}


def test_the_digest_tells_any_change() -> None:
    """Another person, another level or another pair is another digest; the same people are not."""
    everyone = people(5)
    digest = Roster(POPULATION, everyone).digest()
    assert Roster(POPULATION, people(5)).digest() == digest
    codes = {name: column.copy() for name, column in everyone.codes.items()}
    codes["religion"][3] = (codes["religion"][3] + 1) % 5
    anchors = everyone.ids.copy()
    anchors[4] = 1
    others = (
        Roster(POPULATION, People(everyone.ids, codes)),
        Roster(POPULATION, people(4)),
        Roster(POPULATION, everyone, anchors=anchors),
    )
    assert len({digest, *(each.digest() for each in others)}) == 4
