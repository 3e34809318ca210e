"""A dataset of the Hugging Face hub, or of a folder in its layout (package ``datasets``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from PIL.Image import Image

from evenhand.arena.config import DatasetEntry
from evenhand.arena.precompute.pictures import Unreadable
from evenhand.arena.precompute.sources import Facts
from evenhand.errors import InputError
from evenhand.models.text_export import shared_name

__all__ = ["Hub", "open_hub"]


@dataclass(frozen=True, slots=True)
class Hub:
    """Rows of one split."""

    facts: Facts
    rows: Any
    column: str
    told: Mapping[str, str]
    fingerprint: str
    """The library's own, of the data and of what was done to it."""

    def read(self, at: int) -> bytes | Image:
        """The stored file, where the dataset keeps one."""
        cell = self.rows[at][self.column]
        if isinstance(cell, Image):
            return cell
        if isinstance(cell, Mapping) and cell.get("bytes"):
            return bytes(cell["bytes"])
        if isinstance(cell, Mapping) and cell.get("path"):
            with open(cell["path"], "rb") as file:
                return file.read()
        raise Unreadable(f"column {self.column!r} holds no image")

    def stamp(self) -> str:
        """The library's fingerprint, and how many rows."""
        return f"{self.told} {self.fingerprint} {len(self.facts)}"

    def about(self) -> Mapping[str, str]:
        """Repository and split."""
        return self.told


def open_hub(entry: DatasetEntry, *, where: str) -> Hub:
    """Open a dataset; the library downloads it where it is not in its cache.

    Raises:
        InputError: the package is missing, nothing is named, it cannot be loaded, or it lacks a
            column.
    """
    if not entry.hf_repo:
        raise InputError("needs hf_repo", where=where)
    if find_spec("datasets") is None:
        raise InputError(
            'a Hugging Face dataset needs one more package; pip install "evenhand[hub]", or download '
            "the images into a folder",
            where=where,
        )
    rows = _loaded(entry, where)
    columns = [entry.image_column, *entry.attribute_columns]
    columns += [entry.caption_column] if entry.caption_column else []
    for name in columns:
        if name not in rows.column_names:
            raise InputError(
                f"no column {name!r}; it has {', '.join(rows.column_names)}", where=where
            )
    facts = Facts(
        ids=[str(at) for at in range(len(rows))],
        captions=_texts(rows, entry.caption_column) if entry.caption_column else None,
        attributes={name: _texts(rows, name) for name in entry.attribute_columns},
    )
    if not len(facts):
        raise InputError("the split has no rows", where=where)
    told = {
        "source": "huggingface", "repo": shared_name(entry.hf_repo), "split": entry.hf_split,
        "config": entry.hf_config or "", "datasets": version("datasets"),
    }  # fmt: skip
    return Hub(facts, rows, entry.image_column, told, str(rows._fingerprint))


def _loaded(entry: DatasetEntry, where: str) -> Any:
    import datasets

    try:
        rows = datasets.load_dataset(entry.hf_repo, entry.hf_config, split=entry.hf_split)
    except Exception as error:  # of whatever the library, the hub or the network raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{entry.hf_repo} cannot be loaded: {first}", where=where) from error
    if entry.max_images is not None and len(rows) > entry.max_images:
        rows = rows.select(range(entry.max_images))
    if entry.image_column in rows.column_names and isinstance(
        rows.features[entry.image_column], datasets.Image
    ):
        # The file as it is stored, so that its orientation and hash are the file's.
        rows = rows.cast_column(entry.image_column, datasets.Image(decode=False))
    return rows


def _texts(rows: Any, name: str) -> Sequence[str]:
    """A column as texts; class labels by their names, and of several captions the first."""
    feature = rows.features[name]
    naming = getattr(feature, "int2str", None)
    found: list[str] = []
    for value in rows[name]:
        one = value[0] if isinstance(value, list) and value else value
        if naming is not None and isinstance(one, int):
            found.append(naming(one) if one >= 0 else "")
        else:
            found.append("" if one is None or one == [] else str(one))
    return found
