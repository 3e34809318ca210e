"""Producing images: records, resuming, masks, and the heads of LoRA files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evenhand.counterfactual.generator.config import NOTICE, GeneratorConfig
from evenhand.counterfactual.generator.diffusion import load_drawer, missing_parts
from evenhand.counterfactual.generator.lora import FORMAT, read_lora_head
from evenhand.counterfactual.generator.producing import (
    Made,
    generate,
    images_in,
    plan,
    write_table,
)
from evenhand.counterfactual.pairs.build import build_pairs
from evenhand.counterfactual.pairs.candidates import from_folder, from_table
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.errors import InputError, InvalidInputs, NotFound
from support.pictures import picture
from support.tiny_diffusion import head_only


@dataclass
class Shader:
    """Draws by darkening: as much as the prompt is long, with noise of the seed."""

    config: GeneratorConfig = field(default_factory=lambda: GeneratorConfig(image_size=64))
    told: dict[str, Any] = field(default_factory=lambda: {"base_model": "shade", "versions": {}})
    drawn: int = 0

    def draw(self, source: Image.Image, prompt: str, seed: int) -> Image.Image:
        """A darker image with a little noise."""
        self.drawn += 1
        noise = np.random.default_rng(seed).integers(0, 20, (*source.size, 3))
        darker = np.asarray(source, dtype=int) - noise - sum(prompt.encode()) % 97
        return Image.fromarray(darker.clip(0, 255).astype(np.uint8))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder of two sources."""
    for n in (1, 2):
        picture(tmp_path / "sources" / f"p{n}.png", n, 80, 60)
    return tmp_path / "sources"


def made(shader: Shader, sources: Path, out: Path, **more: Any) -> Iterator[Made]:
    """Everything that a shader makes of a folder."""
    return generate(plan(images_in(sources), shader.config, **more), shader, out)


def test_each_image_has_its_record(sources: Path, tmp_path: Path) -> None:
    """Prompt, seed, digests and the notice; the source as the model saw it lies beside."""
    out = tmp_path / "out"
    images = list(made(Shader(), sources, out))
    assert len(images) == 8
    record = json.loads((out / "p1" / "elderly_female.json").read_bytes())
    recipe = record["recipe"]
    assert record["notice"] == NOTICE
    assert recipe["target"] == "elderly_female"
    assert recipe["prompt"] == "Lumbar spine X-ray of a 75-year-old female patient"
    assert (recipe["seed"], recipe["mask_blend"], recipe["source_size"]) == (42, None, [80, 60])
    assert recipe["source_sha256"] == hashlib.sha256((sources / "p1.png").read_bytes()).hexdigest()
    image = out / "p1" / "elderly_female.png"
    assert record["output_sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()
    with Image.open(out / "p1" / "source.png") as shown:
        assert shown.size == (64, 64)


def test_it_goes_on_where_it_was_stopped(sources: Path, tmp_path: Path) -> None:
    """Stopped after three images, it makes the other five; the bytes are those of one pass."""
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    list(made(Shader(), sources, whole))
    list(islice(made(Shader(), sources, parted), 3))
    again = Shader()
    images = list(made(again, sources, parted))
    assert (again.drawn, sum(one.skipped for one in images)) == (5, 3)
    for path in whole.rglob("*"):
        if path.is_file():
            assert (parted / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_another_recipe_or_a_spoilt_image_is_made_again(sources: Path, tmp_path: Path) -> None:
    """A new seed makes all; a changed source its own; damaged files and records themselves."""
    out = tmp_path / "out"
    list(made(Shader(), sources, out))
    other = Shader(config=GeneratorConfig(image_size=64, seed=1))
    assert not any(one.skipped for one in made(other, sources, out))
    picture(sources / "p1.png", 9)
    (out / "p2" / "young_male.png").write_bytes(b"cut")
    (out / "p2" / "young_female.json").write_text("{", encoding="utf-8")
    kept = [(one.source_id, one.edit) for one in made(other, sources, out) if one.skipped]
    assert kept == [("p2", "elderly_female"), ("p2", "elderly_male")]


def test_masks_bring_the_source_back(sources: Path, tmp_path: Path) -> None:
    """Under a full mask seven tenths of the source are in the image; outside none."""
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.new("L", (10, 10), 255).save(masks / "p1.png")
    Image.new("L", (10, 10), 0).save(masks / "p2.png")
    edits = ["young_male"]
    plain = list(made(Shader(), sources, tmp_path / "plain", edits=edits))
    masked = list(made(Shader(), sources, tmp_path / "out", edits=edits, masks=images_in(masks)))
    for one, other, share in zip(plain, masked, (0.7, 0.0), strict=True):
        source, drawn, mixed = (
            np.asarray(Image.open(path), dtype=float)
            for path in (one.source, one.image, other.image)
        )
        expected = drawn * (1 - share) + source * share
        assert np.abs(mixed - expected).max() < 1.0 + 1e-9
    assert json.loads(masked[0].image.with_suffix(".json").read_bytes())["recipe"]["mask_applied"]


def test_the_table_and_the_folder_give_the_same_pairs(sources: Path, tmp_path: Path) -> None:
    """``pairs build`` takes either, without notes."""
    out = tmp_path / "out"
    table = write_table(list(made(Shader(), sources, out)), out)
    table.rename(tmp_path / "pairs.jsonl")
    folder = build_pairs(from_folder(out), load_registry())
    (tmp_path / "pairs.jsonl").rename(table)
    listed = build_pairs(from_table(table), load_registry())
    assert folder.pairs == listed.pairs
    assert len(listed.pairs) == 8
    assert listed.notes == folder.notes == ()


def test_a_plan_that_cannot_be_is_told_whole(sources: Path, tmp_path: Path) -> None:
    """Unknown edits, names that cannot be files, and sources without a mask."""
    picture(sources / "a__b.png", 3)
    found = images_in(sources)
    masks = {"p1": found["p1"], "a__b": found["a__b"]}
    with pytest.raises(InvalidInputs, match="nothing was generated") as caught:
        plan(found, GeneratorConfig(), edits=["ancient"], masks=masks)
    told = "\n".join(str(problem) for problem in caught.value.problems)
    assert "no prompt for the edit 'ancient'" in told
    assert "source_id 'a__b'" in told
    assert "no mask for the source 'p2'" in told


def test_sources_are_a_file_or_either_layout(sources: Path, tmp_path: Path) -> None:
    """Flat and nested names; the same id twice, an empty folder and nothing at all are told."""
    assert list(images_in(sources / "p1.png")) == ["p1"]
    picture(sources / "p3" / "source.jpg", 3)
    picture(sources / "p3" / "young_male.png", 4)
    assert list(images_in(sources)) == ["p1", "p2", "p3"]
    picture(sources / "p1.bmp", 1)
    with pytest.raises(InvalidInputs, match="has the same id as"):
        images_in(sources)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        images_in(tmp_path / "empty")
    with pytest.raises(NotFound):
        images_in(tmp_path / "none")


def test_a_lora_files_head_is_read_without_its_weights(tmp_path: Path) -> None:
    """Metadata and shapes; whether it is in the benchmark's own format."""
    head = {
        "__metadata__": {"format": FORMAT, "rank": "64"},
        "a.to_q.lora_A.weight": {"dtype": "F32", "shape": [64, 320], "data_offsets": [0, 0]},
    }
    found = read_lora_head(head_only(tmp_path / "l.safetensors", head))
    assert found.own_format
    assert found.shapes == {"a.to_q.lora_A.weight": (64, 320)}
    del head["__metadata__"]
    assert not read_lora_head(head_only(tmp_path / "l.safetensors", head)).own_format


@pytest.mark.parametrize(
    "raw", [b"", b"\x80\x04K\x01.", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b"\x02\0\0\0\0\0\0\0{"]
)
def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, raw: bytes) -> None:
    """Pickles above all: they can run code."""
    (tmp_path / "l.bin").write_bytes(raw)
    with pytest.raises(InputError, match="is no safetensors file"):
        read_lora_head(tmp_path / "l.bin")
    with pytest.raises(NotFound, match="LoRA"):
        read_lora_head(tmp_path / "none.safetensors")


@pytest.mark.skipif(not missing_parts(), reason="the extra is installed here")
def test_generating_without_the_extra_says_what_to_install() -> None:
    """One sentence with the command, and that a dry run needs nothing."""
    with pytest.raises(InputError, match=r"pip install 'evenhand\[generator\]'.*dry-run"):
        load_drawer(GeneratorConfig())
