"""Where images come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from evenhand.arena.config import DatasetEntry
from evenhand.arena.precompute.sources import open_source
from evenhand.errors import InputError


def image(path: Path, colour: str = "red") -> None:
    """A small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


def test_a_folder_is_read_below_and_in_order(tmp_path: Path) -> None:
    """Recursive, sorted by the parts of the path, any case of the five endings, the first n."""
    for name in ("b.PNG", "a/z.jpg", "a/b/c.webp", "a-1.bmp", "z.jpeg"):
        image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    entry = DatasetEntry(id="x", folder_path=str(tmp_path))
    assert list(open_source(entry).facts.ids) == [
        "a/b/c.webp", "a/z.jpg", "a-1.bmp", "b.PNG", "z.jpeg",
    ]  # fmt: skip
    assert len(open_source(entry.model_copy(update={"max_images": 2})).facts) == 2


def test_a_relative_path_is_looked_for_beside_the_configuration_first(tmp_path: Path) -> None:
    """Then from where the command runs; the message names both places."""
    image(tmp_path / "faces" / "a.png")
    entry = DatasetEntry(id="x", folder_path="faces")
    assert len(open_source(entry, base=tmp_path).facts) == 1
    with pytest.raises(
        InputError, match=r"datasets.x: folder_path 'faces' is not there: no .* nor "
    ):
        open_source(entry, base=tmp_path / "other")


@pytest.mark.parametrize(
    "update, said",
    [
        ({"folder_path": ""}, "needs folder_path"),
        ({"folder_path": "{tmp}/empty"}, "no image in"),
        ({"folder_path": "{tmp}/a.png"}, "is a file"),
        ({"source": "table"}, "needs table_path"),
        ({"source": "huggingface"}, "needs hf_repo"),
        ({"source": "huggingface", "hf_repo": "x/y"}, r"pip install \"evenhand\[hub\]\""),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, update: dict[str, str], said: str) -> None:
    """Every source names its entry and what it needs."""
    image(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    given = {key: value.format(tmp=tmp_path) for key, value in update.items()}
    with pytest.raises(InputError, match=f"datasets.x: .*{said}"):
        open_source(DatasetEntry(id="x", **given))  # type: ignore[arg-type]


TABLES = {
    "t.csv": "path,caption,gender\none.png,a doctor,woman\nsub/two.png,\"a nurse, old\",\n",
    "t.tsv": "path\tcaption\tgender\none.png\ta doctor\twoman\nsub/two.png\ta nurse, old\t\n",
    "t.jsonl": '{"path": "one.png", "caption": "a doctor", "gender": "woman"}\n\n'
    '{"path": "sub/two.png", "caption": "a nurse, old", "gender": null}\n',
}  # fmt: skip


@pytest.mark.parametrize("name", [*TABLES, "t.parquet"])
def test_a_table_brings_captions_and_attributes(tmp_path: Path, name: str) -> None:
    """CSV, TSV, JSON lines and Parquet say the same; paths are relative to the table."""
    image(tmp_path / "one.png")
    image(tmp_path / "sub/two.png")
    if name in TABLES:
        (tmp_path / name).write_text(TABLES[name], encoding="utf-8")
    else:
        import polars

        polars.DataFrame(
            {
                "path": ["one.png", "sub/two.png"],
                "caption": ["a doctor", "a nurse, old"],
                "gender": ["woman", None],
            }
        ).write_parquet(tmp_path / name)
    source = open_source(
        DatasetEntry(
            id="x", source="table", table_path=str(tmp_path / name), caption_column="caption",
            attribute_columns=("gender",),
        )
    )  # fmt: skip
    assert list(source.facts.ids) == ["one.png", "sub/two.png"]
    assert source.facts.captions == ["a doctor", "a nurse, old"]
    assert source.facts.attributes == {"gender": ["woman", ""]}
    assert isinstance(source.read(1), bytes)


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("t.csv", "file\nx.png\n", "row 1 has no column 'path'; it has file"),
        ("t.csv", "path\n", "no rows"),
        ("t.csv", "path\nx.png\nx.png\n", "'x.png' stands there twice"),
        ("t.csv", "path,x\n,1\n", "row 1 has no path"),
        ("t.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("t.jsonl", "{\n", "line 1 is no JSON"),
        ("t.txt", "x", "not '.txt'"),
        ("t.parquet", "x", "not readable as Parquet"),
    ],
)
def test_a_table_that_is_wrong_says_where(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    """The row or line, and what is wrong with it."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    entry = DatasetEntry(id="x", source="table", table_path=str(tmp_path / name))
    with pytest.raises(InputError, match=said):
        open_source(entry)


def test_portraits_are_drawn_with_everything_known() -> None:
    """The first so many of a seed, with captions and attributes."""
    source = open_source(DatasetEntry(id="x", source="portraits", max_images=5, seed=3))
    assert len(source.facts) == 5
    assert {"gender", "skin", "occupation"} <= set(source.facts.attributes)
    assert source.facts.captions is not None
    assert (
        source.stamp()
        != open_source(DatasetEntry(id="x", source="portraits", max_images=5, seed=4)).stamp()
    )
