"""Datasets in Hugging Face's layout, from a folder made on the spot (extra ``hub``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from evenhand.arena.config import DatasetEntry
from evenhand.arena.precompute.pictures import opened
from evenhand.arena.precompute.sources import open_source
from evenhand.errors import InputError

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore"),  # of the library about itself
]


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetEntry:
    """An image folder of five, one lying on its side, with captions and attributes."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    lines = []
    for at in range(5):
        exif = Image.Exif()
        exif[0x0112] = 6 if at == 2 else 1
        Image.new("RGB", (20, 10), (40 * at, 0, 0)).save(folder / f"{at}.jpg", exif=exif)
        said = {
            "file_name": f"{at}.jpg",
            "text": f"number {at}",
            "gender": "woman" if at else None,
        }
        lines.append(json.dumps(said))
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return DatasetEntry(
        id="hub", source="huggingface", hf_repo=str(tmp_path / "set"), max_images=4,
        caption_column="text", attribute_columns=("gender",),
    )  # fmt: skip


def test_rows_become_upright_images_with_what_is_known(entry: DatasetEntry) -> None:
    """The first so many, as the files that are stored, with captions and attributes."""
    source = open_source(entry)
    assert list(source.facts.ids) == ["0", "1", "2", "3"]
    assert source.facts.captions == ["number 0", "number 1", "number 2", "number 3"]
    assert source.facts.attributes == {"gender": ["", "woman", "woman", "woman"]}
    content = source.read(2)
    assert isinstance(content, bytes)
    assert opened(content).size == (10, 20)
    assert opened(source.read(1)).size == (20, 10)
    assert source.stamp() == open_source(entry).stamp()
    assert source.about()["source"] == "huggingface"


def test_a_missing_column_or_repository_is_one_sentence(
    entry: DatasetEntry, tmp_path: Path
) -> None:
    """With the columns that there are."""
    with pytest.raises(InputError, match=r"no column 'photo'; it has .*image"):
        open_source(entry.model_copy(update={"image_column": "photo"}))
    with pytest.raises(InputError, match="cannot be loaded"):
        open_source(entry.model_copy(update={"hf_repo": str(tmp_path / "nowhere")}))
