"""Writing pairs above their images or as a bundle, and counting what a manifest holds."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from evenhand.counterfactual.pairs.build import Built, build_pairs
from evenhand.counterfactual.pairs.bundle import write_above, write_bundle
from evenhand.counterfactual.pairs.candidates import from_folder
from evenhand.counterfactual.pairs.manifest import ManifestPair, read_manifest
from evenhand.counterfactual.pairs.show import show_manifest
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import EDITS
from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.dataset import check_dataset
from evenhand.errors import Conflict, InvalidInputs
from support.pictures import pair_folder


def built(folder: Path) -> Built:
    """Four pairs of two sources."""
    return build_pairs(from_folder(pair_folder(folder)), load_registry())


def test_a_manifest_above_the_images_reads_back(tmp_path: Path) -> None:
    """What was built is what is read: ids, images, digests."""
    pairs = built(tmp_path / "images").pairs
    assert write_above(pairs, tmp_path / "pairs.jsonl") == 4
    assert read_manifest(tmp_path / "pairs.jsonl").pairs == pairs


def test_a_manifest_beside_its_images_is_refused(tmp_path: Path) -> None:
    """Every image outside is named, and no file appears."""
    pairs = built(tmp_path / "images").pairs
    with pytest.raises(InvalidInputs, match="lies outside") as caught:
        write_above(pairs, tmp_path / "elsewhere" / "pairs.jsonl")
    assert len(caught.value.problems) == 6
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("link", [False, True])
def test_a_bundle_passes_the_benchmarks_own_checks(tmp_path: Path, link: bool) -> None:
    """Layout, counts, sizes, membership and mappings agree; the digests are those of the files."""
    pairs = built(tmp_path / "images").pairs
    manifest = write_bundle(pairs, tmp_path / "bundle", link=link)
    lines = list(check_dataset(Bundle(tmp_path / "bundle"), edits=EDITS))
    assert [line.text for line in lines if line.ok is False] == []
    for pair in read_manifest(manifest).pairs:
        assert pair.source_image is not None
        assert pair.counterfactual_image is not None
        for image, digest in (
            (pair.source_image, pair.source_sha256),
            (pair.counterfactual_image, pair.counterfactual_sha256),
        ):
            assert hashlib.sha256(image.read_bytes()).hexdigest() == digest
            assert os.stat(image).st_nlink == (2 if link else 1)


def test_other_formats_become_png_without_loss(tmp_path: Path) -> None:
    """Pixels stay, and the digest is that of the file in the bundle."""
    folder = pair_folder(tmp_path / "images", sources=1)
    original = folder / "s0" / "source.png"
    with Image.open(original) as image:
        before = image.tobytes()
        image.save(folder / "s0" / "source.bmp")
    original.unlink()
    pairs = build_pairs(from_folder(folder), load_registry()).pairs
    pair = read_manifest(write_bundle(pairs, tmp_path / "bundle")).pairs[0]
    assert pair.source_image == tmp_path / "bundle" / "source_images" / "s0.png"
    with Image.open(pair.source_image) as image:
        assert (image.format, image.tobytes()) == ("PNG", before)
    assert pair.source_sha256 == hashlib.sha256(pair.source_image.read_bytes()).hexdigest()


def test_a_folder_in_use_and_pairs_of_texts_are_refused(tmp_path: Path) -> None:
    """Nobody's files are mixed with ours, and a bundle is made of images."""
    pairs = built(tmp_path / "images").pairs
    with pytest.raises(Conflict, match="is not empty"):
        write_bundle(pairs, tmp_path / "images")
    text = ManifestPair(
        pair_id="a__young_male", source_id="a", edit="young_male", source_text="x",
        counterfactual_text="y",
    )  # fmt: skip
    with pytest.raises(InvalidInputs, match="use --output"):
        write_bundle([text], tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_show_counts_pairs_and_finds_missing_images(tmp_path: Path) -> None:
    """By edit, dataset, stratum and size; an image that is gone is told, not raised."""
    pairs = built(tmp_path / "images").pairs
    write_above(pairs, tmp_path / "pairs.jsonl")
    (tmp_path / "images" / "s0" / "source.png").unlink()
    shown = show_manifest(read_manifest(tmp_path / "pairs.jsonl"))
    assert (shown.pairs, shown.sources, shown.text_only) == (4, 2, 0)
    assert shown.edits == {"elderly_male": 2, "young_female": 2}
    assert shown.datasets == shown.strata == {"unknown": 4}
    assert shown.sizes == {"20x16": 5}
    (sentence,) = shown.missing
    assert "s0/source.png" in sentence
    assert shown.as_record()["image_sizes"] == {"20x16": 5}
