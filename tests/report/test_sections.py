"""The sections that instruments share, with words of another instrument than those that exist."""

from __future__ import annotations

from dataclasses import replace

from evenhand.report.blocks import Block, Code, Facts, Fold, Heading, Items, Text, Tiles
from evenhand.report.numbers import Measure
from evenhand.report.provenance import Provenance
from evenhand.report.sections import (
    Words,
    how_many,
    in_short,
    method,
    missing,
    models_words,
    reproduce,
    unseen,
)
from evenhand.stats.estimate import Accounting, Estimate, Result

WORDS = Words(
    measures={"gap": Measure("Gap", "how far apart.", null=0.0)},
    units="Pictures",
    done="pictures shown",
    parts="By part",
)
GAP = Estimate(
    instrument="x", name="gap", scale="difference", value=0.2, low=0.1, high=0.3, level=0.95,
    p=0.0001, p_holm=0.002, q_bh=0.001, family="f", cluster="picture", n=90, n_clusters=30,
    group="a", baseline="b", method="jackknife", mde=0.15,
)  # fmt: skip
NOTHING = replace(GAP, value=0.0, low=-0.1, high=0.1, p_holm=1.0, q_bh=1.0, group="c")
RESULT = Result((GAP, NOTHING), (Accounting(asked=10, answered=9, refused=1),), ("a note",))


def of(blocks: list[Block], kind: type[Block]) -> list[Block]:
    """The blocks of that kind."""
    return [block for block in blocks if isinstance(block, kind)]


def test_figures_count_units_in_the_instruments_words() -> None:
    """Units done of those planned, what was read, and how many comparisons differ."""
    blocks = list(in_short(RESULT, {"planned": 12, "answered": 10}, WORDS))
    (made,) = of(blocks, Tiles)
    assert isinstance(made, Tiles)
    assert [(t.value, t.label) for t in made.tiles] == [
        ("10", "pictures shown"),
        ("90.0 %", "of 10 answers read"),
        ("1", "refused, unreadable or failed"),
        ("1 of 2", "comparisons differ after correction"),
    ]
    assert made.tiles[0].remark == "of 12 planned"


def test_sentences_may_be_given_and_nulls_narrowed() -> None:
    """What the instrument says stands in place of the usual sentence; nulls only of what it names."""
    blocks = list(in_short(RESULT, {}, WORDS, said=["A is told more."], about=[GAP]))
    assert of(blocks, Items) == [Items(("A is told more.",))]
    assert not any("no difference was seen" in b.text for b in blocks if isinstance(b, Text))


def test_what_could_not_be_seen_is_said_for_each_null() -> None:
    """The comparison without a difference is there with its least difference; the other is not."""
    blocks = list(unseen(RESULT, WORDS))
    tables = [b for b in blocks if not isinstance(b, Heading | Text)]
    assert len(tables) == 1
    assert tables[0].rows == (("Gap", "c against b", "0.000", "0.150", 30),)  # type: ignore[union-attr]
    assert list(unseen(Result((GAP,), ()), WORDS)) == []


def test_rows_of_what_is_missing_may_be_chosen() -> None:
    """Only the rows given are drawn; all stand in the fold."""
    rows = [Accounting(group="z", asked=4, answered=1, failed=3)]
    chart = next(b for b in missing(RESULT, WORDS, rows=rows) if hasattr(b, "alt"))
    assert chart.alt.startswith(
        "What became of the answers asked for. z: 4 asked, 25.0 % answered"
    )
    assert list(missing(Result((), ()), WORDS)) == []


def test_method_names_clusters_families_and_notes() -> None:
    """Clusters, the family's size, methods, notes, and every estimate in a fold."""
    blocks = list(method(RESULT, WORDS))
    words = " ".join(b.text for b in blocks if isinstance(b, Text))
    assert "share a picture" in words
    assert "The 2 tests of the family f" in words
    assert of(blocks, Items) == [Items(("a note",))]
    assert len(of(blocks, Fold)) == 1


def test_doing_it_again_leaves_out_what_is_empty() -> None:
    """Commands and known facts only."""
    facts = Provenance(
        run="r1", models=("m",), version="1", units={"answered": 3}, commands=("x",)
    )
    blocks = list(reproduce(facts, WORDS))
    assert of(blocks, Code) == [Code("x")]
    (rows,) = of(blocks, Facts)
    assert rows == Facts(
        (("Run", "r1"), ("Models", "m"), ("Pictures", "3 answered"), ("Evenhand", "1"))
    )


def test_words_for_numbers_of_things() -> None:
    """One note, two notes; three models by name, four by number."""
    assert (how_many([1], "note"), how_many([1, 2], "note")) == ("1 note", "2 notes")
    assert models_words(["a", "b"]) == "a, b"
    assert models_words(["a"] * 4) == "4 models"
