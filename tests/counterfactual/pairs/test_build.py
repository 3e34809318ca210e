"""Pairs from folders and tables: what is found, what is refused, and that nothing is half told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from evenhand.counterfactual.pairs.build import build_pairs
from evenhand.counterfactual.pairs.candidates import Found, from_folder, from_table
from evenhand.counterfactual.reading.registry import load_registry, registry_from_text
from evenhand.errors import InputError, InvalidInputs, NotFound
from support.pictures import pair_folder, picture, pixels

SPINE = load_registry()


def problems(found: Found) -> list[str]:
    """What stands in the way of pairs, a sentence each."""
    with pytest.raises(InvalidInputs) as caught:
        build_pairs(found, SPINE)
    assert "nothing was written" in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def table(path: Path, *rows: dict[str, object]) -> Path:
    """A table of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(source: str, edit: str, **more: object) -> dict[str, object]:
    """A row whose images are named after its pair."""
    images = {"source_image": f"{source}.png", "counterfactual_image": f"{source}_{edit}.png"}
    return {"source_id": source, "edit": edit, **images, **more}


def test_nested_and_flat_folders_give_the_same_pairs(tmp_path: Path) -> None:
    """Ids, edits and digests do not depend on the layout; pairs come in the order of their ids."""
    nested = pair_folder(tmp_path / "nested")
    flat = tmp_path / "flat"
    flat.mkdir()
    for image in nested.glob("*/*.png"):
        edit = "" if image.stem == "source" else f"__{image.stem}"
        shutil.copy(image, flat / f"{image.parent.name}{edit}.png")
    one, other = (build_pairs(from_folder(folder), SPINE) for folder in (nested, flat))
    ids = [pair.pair_id for pair in one.pairs]
    assert ids == sorted(ids) == [pair.pair_id for pair in other.pairs]
    assert len(ids) == 4
    assert [p.source_sha256 for p in one.pairs] == [p.source_sha256 for p in other.pairs]
    assert [p.counterfactual_sha256 for p in one.pairs] == [
        p.counterfactual_sha256 for p in other.pairs
    ]
    assert one.notes == other.notes == ()


def test_what_is_left_out_of_a_folder_is_told(tmp_path: Path) -> None:
    """Files that are no images and sources without edits are notes; hidden files and records none."""
    folder = pair_folder(tmp_path)
    picture(folder / "alone" / "source.png", 9)
    for name in ("notes.txt", ".hidden", "s0/young_female.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    assert build_pairs(from_folder(folder), SPINE).notes == (
        "files that are no images were left out: notes.txt",
        "sources without an edited image were left out: alone",
    )


def test_everything_wrong_with_a_folder_is_told_at_once(tmp_path: Path) -> None:
    """A missing source, an unknown edit, a broken image and a second one, each by its path."""
    folder = pair_folder(tmp_path)
    (folder / "s0" / "source.png").unlink()
    picture(folder / "s1" / "ancient.png", 7)
    picture(folder / "s1" / "young_female.jpg", 8)
    (folder / "s1" / "elderly_male.png").write_bytes(b"no image")
    told = problems(from_folder(folder))
    assert len(told) == 5
    for sentence in (
        "s0/elderly_male.png: the pair has no source image",
        "s0/young_female.png: the pair has no source image",
        "s1/ancient.png: the registry spine has no edit 'ancient'",
        "s1/young_female.png: is a second image beside young_female.jpg",
        "s1/elderly_male.png: is no image that can be read",
    ):
        assert sum(sentence in line for line in told) == 1, told


def test_an_empty_or_missing_folder_is_an_error(tmp_path: Path) -> None:
    """It says how a folder is laid out."""
    with pytest.raises(InputError, match=r"SOURCE/source\.png"):
        from_folder(tmp_path)
    with pytest.raises(NotFound):
        from_folder(tmp_path / "none")


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    """Dataset, stratum and the source's attributes come from columns; others are left out, told."""
    for at, name in enumerate(("a", "a_young_male")):
        picture(tmp_path / f"{name}.png", at)
    more = {"dataset": "mine", "stratum": "healthy", "source_age": "61", "colour": "red"}
    lines = table(tmp_path / "t.jsonl", row("a", "young_male", **more))
    values = row("a", "young_male", **more)
    csv = tmp_path / "t.csv"
    csv.write_text(
        "\ufeff" + ",".join(values) + "\n" + ",".join(map(str, values.values())) + "\n",
        encoding="utf-8",
    )
    one, other = (build_pairs(from_table(path), SPINE) for path in (lines, csv))
    assert one.pairs == other.pairs
    (pair,) = one.pairs
    assert (pair.dataset, pair.stratum) == ("mine", "healthy")
    assert pair.source_attributes == {"age": "61"}
    assert one.notes == other.notes == ("columns left out: colour",)


def test_pairs_of_texts_need_no_images(tmp_path: Path) -> None:
    """Two texts are a pair; one text, or an image and a text, are not."""
    base = {"source_id": "a", "source_text": "A man of 61."}
    texts = [
        {**base, "edit": "young_male", "counterfactual_text": "A man of 25."},
        {**base, "edit": "young_female"},
    ]
    (pair,) = build_pairs(from_table(table(tmp_path / "t.jsonl", texts[0])), SPINE).pairs
    assert (pair.source_text, pair.counterfactual_text) == ("A man of 61.", "A man of 25.")
    (told,) = problems(from_table(table(tmp_path / "t.jsonl", *texts)))
    assert "line 2: the pair has neither images nor a counterfactual text" in told


def test_bad_rows_are_told_by_line(tmp_path: Path) -> None:
    """No JSON, no object, no edit, a list as a cell: each with its line, the others are read."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"source_id": "a"}\n{\n[1]\n\n{"source_id": ["a"]}\n', encoding="utf-8")
    told = [str(problem).removeprefix(f"{path}: ") for problem in from_table(path).problems]
    assert told == [
        "line 1: has no edit",
        "line 2: is no JSON",
        "line 3: is no JSON object",
        "line 5: 'source_id' is neither text nor number",
    ]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("source_id\na\n", "has no column 'edit'"),
        ("source_id,edit,edit\na,b,c\n", "has the column 'edit' twice"),
        ("", "has no column 'source_id'; it has none"),
    ],
)
def test_a_head_that_is_none_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    """Before any row is read."""
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputs, match=sentence):
        from_table(path)


@pytest.mark.parametrize("text", ["source_id,edit\na,b,c\n", "source_id,edit\na\n"])
def test_rows_of_another_width_are_told(tmp_path: Path, text: str) -> None:
    """Too many cells and too few."""
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    (problem,) = from_table(path).problems
    assert "line 2: has not 2 cells" in str(problem)


def test_other_endings_and_other_encodings_are_refused(tmp_path: Path) -> None:
    """A table is CSV or JSON lines in UTF-8."""
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"ends in \.csv or \.jsonl"):
        from_table(tmp_path / "t.xlsx")
    (tmp_path / "t.csv").write_bytes("source_id,edit\nä,b".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        from_table(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["a__b", "_a", "a_", "a/b", "..", "a\nb", "x" * 201, "a:b"])
def test_names_that_cannot_be_files_or_halves_of_ids_are_refused(
    name: str, tmp_path: Path
) -> None:
    """Two underscores part a pair's id, and every name becomes a file's."""
    (told,) = problems(from_table(table(tmp_path / "t.jsonl", row(name, "young_male"))))
    assert "source_id" in told


def test_the_same_picture_where_another_should_be_is_told(tmp_path: Path) -> None:
    """An unchanged copy, two edits alike, and one person under two ids, even in other wrapping."""
    folder = pair_folder(tmp_path, sources=3)
    shutil.copy(folder / "s0" / "source.png", folder / "s0" / "young_female.png")
    shutil.copy(folder / "s1" / "young_female.png", folder / "s1" / "elderly_male.png")
    (folder / "s2" / "source.png").unlink()
    Image.open(folder / "s0" / "source.png").save(folder / "s2" / "source.bmp")
    told = "\n".join(problems(from_folder(folder)))
    assert "s0/young_female.png: the edited picture is the source's own" in told
    assert "shows the same picture as" in told
    assert "'s0' and 's2' show the same picture; give them one source_id" in told
    assert len(told.splitlines()) == 3


def test_rows_of_one_source_must_agree(tmp_path: Path) -> None:
    """A source has one image and one dataset; a pair stands once."""
    for at, name in enumerate(("a", "b", "a_young_male", "a_young_female")):
        picture(tmp_path / f"{name}.png", at)
    rows = [
        row("a", "young_male", dataset="one"),
        row("a", "young_female", dataset="two", source_image="b.png"),
        row("a", "young_male", dataset="one"),
    ]
    told = "\n".join(problems(from_table(table(tmp_path / "t.jsonl", *rows))))
    assert "line 3: the pair 'a__young_male' stands at" in told
    assert "line 2: source_image of the source 'a' is not that at" in told
    assert "line 2: dataset of the source 'a' is not that at" in told


def test_odd_and_allowed_images_are_notes(tmp_path: Path) -> None:
    """What EXIF turns, and pairs of two sizes."""
    folder = pair_folder(tmp_path, sources=1)
    image = Image.fromarray(pixels(5))
    exif = image.getexif()
    exif[274] = 6
    (folder / "s0" / "young_female.png").unlink()
    image.save(folder / "s0" / "young_female.jpg", exif=exif)
    turned, sizes = build_pairs(from_folder(folder), SPINE).notes
    assert turned.startswith("1 image is turned by EXIF")
    assert sizes.startswith("in 1 pair the two images differ in size")


def test_a_registry_of_another_domain_decides_the_edits(tmp_path: Path) -> None:
    """Nothing is tied to the spine; a registry without edits says so."""
    text = "id: skin\ndiagnostic: [{name: Naevus, terms: [mole]}]\n"
    text += "recommendation: [{name: biopsy, terms: [biopsy]}]\n"
    skin = registry_from_text(text + "edits: {dark: {skin: dark}}\n", source="skin.yaml")
    folder = pair_folder(tmp_path, edits=("dark",))
    assert [p.edit for p in build_pairs(from_folder(folder), skin).pairs] == ["dark", "dark"]
    bare = registry_from_text(text, source="skin.yaml")
    with pytest.raises(InvalidInputs, match="none yet; list them under edits"):
        build_pairs(from_folder(folder), bare)


def test_very_many_problems_are_counted(tmp_path: Path) -> None:
    """Fifty are told, the rest only how many."""
    rows = [row(f"a{i}", "young_male") for i in range(40)]
    told = problems(from_table(table(tmp_path / "t.jsonl", *rows)))
    assert len(told) == 51
    assert told[-1] == "and 30 more problems"
