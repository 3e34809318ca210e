"""Traits: our list, both layouts, and the database's catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evenhand.errors import InputError, InvalidInputs
from evenhand.store.database import Database
from evenhand.survey.spec import Trait
from evenhand.survey.traits import (
    as_json,
    catalogue,
    default_traits,
    from_json,
    parse_traits,
    read_trait_file,
    read_traits,
    store_traits,
    stored_traits,
    write_traits,
)
from support.databases import DATABASES, settings_on


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database of each kind."""
    with (
        settings_on(request.param, tmp_path) as settings,
        closing(Database.open(settings)) as opened,
    ):
        yield opened


def problems(text: str) -> list[str]:
    """What is wrong with a CSV text."""
    with pytest.raises(InvalidInputs) as caught:
        parse_traits(text, where="t.csv")
    return [str(problem) for problem in caught.value.problems]


def test_our_list_is_balanced() -> None:
    """At least 36 traits in four categories, each with both valences; opposites link both ways."""
    traits = default_traits()
    by_id = {trait.id: trait for trait in traits}
    assert len(by_id) == len(traits) >= 36
    counts = Counter((trait.category, trait.valence) for trait in traits)
    categories = {"warmth", "competence", "morality", "social"}
    assert counts == {(name, side): 5 for name in categories for side in (1, -1)}
    for trait in traits:
        partner = by_id[trait.opposite or ""]
        assert partner.opposite == trait.id
        assert partner.valence == -(trait.valence or 0)
        assert partner.category == trait.category
        assert set(trait.adjective) == {"de", "en"}


def test_no_adjective_stands_twice() -> None:
    """Each adjective of our list is used once per language."""
    for language in ("de", "en"):
        said = [trait.adjective[language] for trait in default_traits()]
        assert len(set(said)) == len(said)


def test_full_layout_comes_back(tmp_path: Path) -> None:
    """What is exported in full is read as it was."""
    write_traits(default_traits(), tmp_path / "t.csv")
    assert read_traits(tmp_path / "t.csv") == default_traits()


def test_reference_layout_takes_valences_from_our_list(tmp_path: Path) -> None:
    """``id,adjective`` comes back with known valences and categories, and a note that says so."""
    own = (
        Trait("g1", {"de": "freundlich"}),
        Trait("g4", {"de": "Aggressiv"}),
        Trait("g9", {"de": "laut"}),
    )
    write_traits(own, tmp_path / "t.csv", full=False)
    assert (
        tmp_path / "t.csv"
    ).read_text() == "id,adjective\ng1,freundlich\ng4,Aggressiv\ng9,laut\n"
    read = read_trait_file(tmp_path / "t.csv")
    assert [(t.id, t.valence, t.category) for t in read.traits] == [
        ("g1", 1, "warmth"), ("g4", -1, "warmth"), ("g9", None, None)
    ]  # fmt: skip
    assert (
        read.notes[0]
        == "valence taken from our list, by the adjective: g1 1 (warmth), g4 -1 (warmth)"
    )
    assert "g9" in read.notes[1]


def test_a_stated_valence_is_kept() -> None:
    """A valence in the file wins over our list, 0 included."""
    read = parse_traits("id,adjective,valence\na,freundlich,-1\nb,laut,0\n")
    assert [trait.valence for trait in read.traits] == [-1, 0]
    assert read.notes == ()


def test_other_languages_and_dialects_are_read() -> None:
    """Semicolons, a byte order mark's absence, quotes, blank lines and a third language work."""
    read = parse_traits('id;adjective_de;adjective_fr\n\n"x";"warm, herzlich";chaleureux\n;;\n')
    assert read.traits[0].adjective == {"de": "warm, herzlich", "fr": "chaleureux"}
    assert parse_traits("id,adjective\nx,kind\n", language="en").traits[0].valence == 1


def test_every_wrong_row_is_named() -> None:
    """One round shows all problems, each with line and column."""
    said = problems(
        "id,adjective,valence,opposite\na b,x,1,\nc,,2,\nd,y,1,e\ne,z,1,d\nd,w,,\nf,y,,q\n"
    )
    for part in (
        "line 2, column id", "line 3, column adjective", "line 3, column valence",
        "line 4, column opposite", "line 6, column id: 'd' stands in line 4",
        "line 7, column adjective: 'y' is 'd'", "line 7, column opposite: 'q'",
    ):  # fmt: skip
        assert any(part in line for line in said), (part, said)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no traits"),
        ("id,adjective\n", "no traits"),
        ("adjective\nx\n", "column id: the column is missing"),
        ("id\nx\n", "column adjective: the column is missing"),
        ("id,adjective,mood\na,b,c\n", "column mood: unknown column"),
        ("id,adjective,adjective\na,b,c\n", "stands there twice"),
        ('id,adjective\na,"b\n', "not CSV"),
        ("id,adjective\na,b,c\n", "line 2: 3 cells under 2 columns"),
        ("id,adjective\na," + "x" * 81 + "\n", "at most 80 characters"),
        ("id,adjective,adjective_de\na,b,c\n", "two adjectives in de"),
    ],
)
def test_broken_tables_are_told(text: str, part: str) -> None:
    """A table that is none says what is wrong and where."""
    assert any(part in line for line in problems(text))


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A missing file, another encoding and a huge file are input errors that name the file."""
    with pytest.raises(InputError, match=r"none\.csv: cannot read"):
        read_traits(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("id,adjective\na,schön\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_traits(tmp_path / "latin.csv")
    (tmp_path / "bom.csv").write_bytes("id,adjective\na,schön\n".encode("utf-8-sig"))
    assert read_traits(tmp_path / "bom.csv")[0].adjective == {"de": "schön"}
    (tmp_path / "big.csv").write_bytes(b"x" * 4_000_001)
    with pytest.raises(InputError, match="larger than"):
        read_traits(tmp_path / "big.csv")


def test_exports_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """A language without adjectives and a folder that is not there are input errors."""
    with pytest.raises(InputError, match="no adjective in 'fr'"):
        write_traits(default_traits(), tmp_path / "t.csv", full=False, language="fr")
    with pytest.raises(InputError, match="cannot write"):
        write_traits(default_traits(), tmp_path / "no" / "t.csv")


def test_traits_survive_json() -> None:
    """A trait comes back from its JSON as it was."""
    for trait in (*default_traits(), Trait("x", {"fr": "doux"})):
        assert from_json(as_json(trait)) == trait


def test_catalogue_is_ours_until_something_is_imported(database: Database) -> None:
    """A fresh database asks our list; after an import it asks what was imported."""
    assert stored_traits(database) == ()
    assert catalogue(database) == default_traits()
    own = parse_traits("id,adjective\ng2,laut\ng1,freundlich\n").traits
    assert store_traits(database, own) == (2, 0)
    assert catalogue(database) == own


def test_import_changes_what_has_the_same_id(database: Database) -> None:
    """An upsert keeps the place, other languages, and what the new row leaves open."""
    store_traits(database, parse_traits("id,adjective\ng1,freundlich\ng2,laut\n").traits)
    new = parse_traits("id,adjective\ng3,leise\ng1,nice\n", language="en").traits
    assert store_traits(database, new) == (1, 1)
    assert [trait.id for trait in stored_traits(database)] == ["g1", "g2", "g3"]
    first = stored_traits(database)[0]
    assert first.adjective == {"de": "freundlich", "en": "nice"}
    assert (first.valence, first.category) == (1, "warmth")
    store_traits(database, default_traits(), fresh=True)
    assert stored_traits(database) == default_traits()
