"""Parts of a set of pairs, and couples of pairs that differ in one attribute."""

from __future__ import annotations

from evenhand.counterfactual.analysis.couples import level_couples, table_of_pairs
from evenhand.counterfactual.analysis.parts import attributes_of, parts_of
from evenhand.counterfactual.spec import Category, Registry
from support.planted_pairs import Design, Pair, readings_of, registry_of


def test_parts_are_the_whole_edits_levels_datasets_and_strata() -> None:
    """Every edit, level, dataset and stratum is a part with its pairs."""
    parts = {part.group: part for part in parts_of(Design(sources=12).frame())}
    assert list(parts) == [
        None, "elderly_female", "elderly_male", "young_female", "young_male",
        "young", "elderly", "female", "male",
        "dataset one", "dataset two", "stratum finding", "stratum no finding",
    ]  # fmt: skip
    assert parts[None].rows.sum() == 48
    assert parts["young"].rows.sum() == parts["male"].rows.sum() == 24
    assert parts["dataset two"].rows.sum() == 16


def test_a_part_that_is_everything_is_left_out() -> None:
    """One dataset and one edit say nothing that the whole does not."""
    pairs = [Pair(s, "young_male", dataset="only") for s in "abc"]
    assert [part.kind for part in parts_of(readings_of(pairs))] == ["whole"]


def test_couples_share_source_and_every_other_attribute() -> None:
    """Elderly against young women of one source, elderly against young men, and never across."""
    readings = readings_of(
        [Pair("a", edit) for edit in ("young_female", "elderly_female", "elderly_male")]
        + [Pair("b", edit) for edit in ("young_male", "elderly_male")]
    )
    found = {
        couples.level.level: [
            (readings.pairs[i].pair_id, readings.pairs[j].pair_id)
            for i, j in zip(couples.one, couples.other, strict=True)
        ]
        for couples in level_couples(readings)
    }
    assert found == {
        "elderly": [
            ("a__elderly_female", "a__young_female"),
            ("b__elderly_male", "b__young_male"),
        ],
        "male": [("a__elderly_male", "a__elderly_female")],
    }


def test_the_same_edit_twice_makes_two_slots() -> None:
    """Pairs of one source and edit each stand in one place of the table."""
    pairs = [Pair("a", "young_male"), Pair("a", "young_male"), Pair("a", "elderly_male")]
    table = table_of_pairs(readings_of(pairs))
    assert sorted(table.ravel().tolist()) == [-1, 0, 1, 2]
    assert table.shape == (2, 2)


def test_levels_of_like_name_are_told_apart() -> None:
    """Where two attributes share a level's name, the attribute goes before it."""
    known = registry_of()
    registry = Registry(
        id="own", version="1", diagnostic=known.diagnostic, recommendation=known.recommendation,
        edits={"x": {"light": "high", "noise": "high"}, "y": {"light": "low", "noise": "low"}},
    )  # fmt: skip
    readings = readings_of([Pair("a", "x"), Pair("a", "y")], registry=registry)
    words = [level.words for levels in attributes_of(readings).values() for level in levels]
    assert words == ["light high", "light low", "noise high", "noise low"]


def test_edits_that_the_registry_does_not_know_have_no_levels() -> None:
    """A user's own edits without attributes are parts, and have no couples."""
    registry = Registry(
        id="own", version="1",
        diagnostic=(Category("a", ("a",)),), recommendation=(Category("b", ("b",)),),
    )  # fmt: skip
    readings = readings_of([Pair("s", "x"), Pair("s", "y")], registry=registry)
    assert [part.group for part in parts_of(readings)] == [None, "x", "y"]
    assert level_couples(readings) == []
