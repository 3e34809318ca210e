"""From sources and edits to a folder of images, each with a record of how it was made."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
from PIL import Image

from evenhand.counterfactual.generator.blending import blend, mask_of
from evenhand.counterfactual.generator.config import NOTICE, GeneratorConfig, seed_of
from evenhand.counterfactual.pairs.build import name_problem
from evenhand.counterfactual.pairs.candidates import SOURCE_NAME
from evenhand.counterfactual.pairs.images import ENDINGS, open_rgb
from evenhand.errors import InputError, InvalidInputs, NotFound
from evenhand.runs.export import whole_file

__all__ = [
    "FORMAT",
    "TABLE",
    "Draws",
    "Made",
    "Work",
    "generate",
    "images_in",
    "plan",
    "write_table",
]

FORMAT = "evenhand-generated-image-v1"

TABLE = "pairs.jsonl"
"""The table that ``pairs build`` takes, in the output's folder."""


class Draws(Protocol):
    """What draws: a loaded pipeline, or anything that makes an image from an image."""

    @property
    def config(self) -> GeneratorConfig:
        """The settings it draws with."""

    @property
    def told(self) -> dict[str, Any]:
        """With what it draws, for the record."""

    def draw(self, source: Image.Image, prompt: str, seed: int) -> Image.Image:
        """One image from a square source."""


@dataclass(frozen=True, slots=True)
class Work:
    """One source with the edits to make of it, and its mask if it has one."""

    source_id: str
    source: Path
    edits: tuple[str, ...]
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """One image: where it is, and whether it was there already."""

    source_id: str
    edit: str
    source: Path
    image: Path
    skipped: bool


def plan(
    sources: Mapping[str, Path],
    config: GeneratorConfig,
    *,
    edits: Sequence[str] = (),
    masks: Mapping[str, Path] | None = None,
) -> list[Work]:
    """What to make: every source with the edits named, or with all that have a prompt.

    Raises:
        InvalidInputs: an edit without a prompt, a source that cannot be named, or, where there
            are masks, a source without one.
    """
    known = config.prompt_of
    problems = [
        InputError(
            f"no prompt for the edit {edit!r}; there are {', '.join(known)}", where="--edit"
        )
        for edit in edits
        if edit not in known
    ]
    work = []
    for source_id, path in sorted(sources.items()):
        if (sentence := name_problem("source_id", source_id)) is not None:
            problems.append(InputError(sentence, where=str(path)))
        if masks is not None and source_id not in masks:
            problems.append(InputError(f"no mask for the source {source_id!r}", where="--masks"))
        mask = None if masks is None else masks.get(source_id)
        work.append(Work(source_id, path, tuple(dict.fromkeys(edits)) or tuple(known), mask))
    if problems:
        raise InvalidInputs(problems, undone="generated")
    return work


def images_in(path: Path) -> dict[str, Path]:
    """Images by id: one file by its stem, or a folder's (``ID.png``, or ``ID/source.png``).

    Raises:
        NotFound: there is nothing of that name.
        InvalidInputs: two images have the same id.
        InputError: the folder holds no image.
    """
    if path.is_file():
        return {path.stem: path}
    if not path.is_dir():
        raise NotFound("image or folder", str(path), hint="check the path")
    found: dict[str, Path] = {}
    problems: list[InputError] = []
    for entry in sorted(path.iterdir()):
        inside = sorted(entry.glob(f"{SOURCE_NAME}.*")) if entry.is_dir() else [entry]
        for image in inside:
            if image.suffix.lower() not in ENDINGS or image.name.startswith("."):
                continue
            name = entry.name if entry.is_dir() else image.stem
            if name in found:
                problems.append(InputError(f"has the same id as {found[name]}", where=str(image)))
            found.setdefault(name, image)
    if problems:
        raise InvalidInputs(problems, undone="generated")
    if not found:
        raise InputError("holds no image", where=str(path))
    return found


def generate(work: Sequence[Work], drawer: Draws, folder: Path) -> Iterator[Made]:
    """Make every image of the plan, one at a time, into ``folder/SOURCE/EDIT.png``.

    Beside it ``EDIT.json`` says how; ``SOURCE/source.png`` is the source as the model saw it
    (square, of the same size), so that the two differ by the edit alone. An image whose record
    names the same recipe and whose bytes are those recorded is kept.

    Raises:
        NotFound, InputError: a source or a mask cannot be read.
        StorageError: the folder cannot be written.
    """
    size = (drawer.config.image_size, drawer.config.image_size)
    for item in work:
        original = open_rgb(item.source)
        source = original.resize(size, Image.Resampling.BICUBIC)
        shown = folder / item.source_id / f"{SOURCE_NAME}.png"
        png = _png(source)
        if not shown.is_file() or shown.read_bytes() != png:
            _write(shown, png)
        mask = None if item.mask is None else mask_of(open_rgb(item.mask), size)
        common = _recipe(item, drawer, original.size)
        for edit in item.edits:
            prompt = drawer.config.prompt_of[edit]
            recipe = {"target": edit, "prompt": prompt, **common}
            image = folder / item.source_id / f"{edit}.png"
            if _is_made(image, recipe):
                yield Made(item.source_id, edit, shown, image, skipped=True)
                continue
            made = np.asarray(drawer.draw(source, prompt, common["seed"]))
            if mask is not None:
                made = blend(made, np.asarray(source), mask, amount=drawer.config.mask_blend)
            _save(image, _png(Image.fromarray(made)), recipe, drawer.told)
            yield Made(item.source_id, edit, shown, image, skipped=False)


def write_table(made: Sequence[Made], folder: Path) -> Path:
    """Write the rows that ``pairs build --table`` takes; paths are relative to the folder."""
    path = folder / TABLE
    with whole_file(path) as out:
        for one in made:
            row = {
                "source_id": one.source_id,
                "edit": one.edit,
                "source_image": one.source.relative_to(folder).as_posix(),
                "counterfactual_image": one.image.relative_to(folder).as_posix(),
            }
            out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return path


def _recipe(item: Work, drawer: Draws, original: tuple[int, int]) -> dict[str, Any]:
    """Everything that decides what an image of this source looks like, but its prompt."""
    config = drawer.config
    return {
        "seed": seed_of(config, item.source_id),
        "steps": config.steps,
        "guidance_scale": config.guidance_scale,
        "strength": config.strength,
        "image_size": config.image_size,
        "mask_applied": item.mask is not None,
        "mask_blend": config.mask_blend if item.mask is not None else None,
        "mask_sha256": _digest(item.mask) if item.mask is not None else None,
        "source_file": item.source.name,
        "source_sha256": _digest(item.source),
        "source_size": list(original),
        **{key: value for key, value in drawer.told.items() if key != "versions"},
    }


def _is_made(image: Path, recipe: Mapping[str, Any]) -> bool:
    record = image.with_suffix(".json")
    if not image.is_file() or not record.is_file():
        return False
    try:
        told = orjson.loads(record.read_bytes())
    except orjson.JSONDecodeError:
        return False
    # Through JSON and back, so that both sides have JSON's types.
    same = isinstance(told, dict) and told.get("recipe") == orjson.loads(orjson.dumps(recipe))
    return same and told.get("output_sha256") == _digest(image)


def _save(image: Path, png: bytes, recipe: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """The image first: a record without its image would be believed."""
    _write(image, png)
    record = {
        "format": FORMAT,
        "notice": NOTICE,
        "output": image.name,
        "output_sha256": hashlib.sha256(png).hexdigest(),
        "recipe": recipe,
        "versions": told.get("versions"),
    }
    _write(
        image.with_suffix(".json"),
        orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
    )


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def _write(path: Path, raw: bytes) -> None:
    with whole_file(path) as out:
        out.write(raw)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
