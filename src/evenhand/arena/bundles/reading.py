"""Opening a bundle: everything cheap is checked, whatever the file holds.

What would take a look at every byte is left to :mod:`evenhand.arena.bundles.verify`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.arena.bundles import layout
from evenhand.arena.bundles.archive import Archive
from evenhand.arena.bundles.arrays import Arrays
from evenhand.arena.bundles.bundle import Bundle, Ranked
from evenhand.arena.bundles.legacy import Numbered, inflate, rankings_of, version_of_legacy
from evenhand.arena.config import ArenaConfig, config_of
from evenhand.errors import InputError

__all__ = ["Glance", "glance", "open_bundle"]

# Of one model's rankings, bytes.
MOST_IN_MEMORY = 32 << 20
# Of a title.
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a list of bundles shows of each."""

    dataset: str
    title: str
    version: str
    models: tuple[str, ...]
    n_images: int
    legacy: bool


def open_bundle(path: Path) -> Bundle:
    """Open a bundle of ours, or one of Fairness Arena.

    Takes milliseconds and little memory whatever the size, as nothing but names, sizes, texts and
    rankings is looked at. A legacy bundle is inflated into a file without a name first.

    Raises:
        InputError: not there, not a bundle, cut off, or contradicting itself; names the member.

    Example:
        >>> open_bundle(Path("nowhere.npz"))
        Traceback (most recent call last):
        evenhand.errors.InputError: nowhere.npz: no such bundle
    """
    archive = Archive(Path(path))
    try:
        arrays = Arrays(archive)
        if layout.MANIFEST in arrays:
            return _open(arrays, _manifest(arrays))
        return _open(arrays, None)
    except BaseException:
        archive.close()
        raise


def glance(path: Path) -> Glance:
    """What a bundle holds, without inflating anything large.

    Raises:
        InputError: as :func:`open_bundle`; of a legacy bundle, what can be seen from its ids.
    """
    archive = Archive(Path(path))
    try:
        arrays = Arrays(archive)
        legacy = layout.MANIFEST not in arrays
        version = (
            version_of_legacy(archive) if legacy else _open(arrays, _manifest(arrays)).version
        )
        dataset, models = _dataset(arrays), _models(arrays)
        return Glance(
            dataset=dataset,
            title=_name(arrays.json(layout.CONFIG), "datasets", dataset),
            version=version,
            models=models,
            n_images=_count(arrays),
            legacy=legacy,
        )
    finally:
        archive.close()


def _manifest(arrays: Arrays) -> str:
    """Checks the manifest against the members; returns the version."""
    found = arrays.json(layout.MANIFEST)
    broken = arrays.archive.broken
    try:
        number, version, sums = found["format"], found["version"], found["sha256"]
        proper = isinstance(number, int) and all(isinstance(text, str) for text in sums.values())
    except (TypeError, KeyError, AttributeError):
        proper = False
    if not proper:
        raise broken(layout.MANIFEST, "not a manifest")
    if number > layout.FORMAT:
        raise broken(
            layout.MANIFEST, f"format {number}, newer than {layout.FORMAT}; update Evenhand"
        )
    odd = sorted(set(sums) ^ (set(arrays.archive.members) - {layout.MANIFEST}))
    if odd:
        raise broken(odd[0], "in the manifest or in the file, but not in both")
    if layout.version_of(sums) != version:
        raise broken(layout.MANIFEST, "its version is not that of its checksums")
    arrays.checksums = dict(sums)
    return str(version)


def _open(arrays: Arrays, version: str | None) -> Bundle:
    legacy = version is None
    if legacy:
        inflate(arrays)
    n = _count(arrays)
    dataset, models = _dataset(arrays), _models(arrays)
    raw = arrays.json(layout.CONFIG)
    config, notes = _config(raw, f"{arrays.archive.path}: {layout.CONFIG}")
    queries = arrays.names(layout.QUERIES)
    if legacy:
        queries, ranked = rankings_of(arrays, models, queries, n)
    else:
        ranked = {model: _ranked(arrays, model, len(queries), n) for model in models}
    offsets = arrays.array(layout.OFFSETS, "i8", shape=(n + 1,))
    (n_bytes,) = arrays.shape_of(layout.THUMBNAILS, "u1", 1)
    arrays.rising(layout.OFFSETS, offsets, n_bytes)
    _check_embeddings(arrays, models, n)
    ids: Sequence[str] = Numbered(n) if legacy else arrays.column(layout.IMAGE_IDS, n)
    captions = f"{layout.CAPTIONS}_bytes" in arrays
    return Bundle(
        path=arrays.archive.path,
        dataset=dataset,
        title=_name(raw, "datasets", dataset),
        version=version_of_legacy(arrays.archive) if version is None else version,
        models=models,
        titles={model: _name(raw, "models", model) for model in models},
        queries=queries,
        n_images=n,
        legacy=legacy,
        config=config,
        notes=notes,
        provenance={} if legacy else _mapping(arrays, layout.PROVENANCE),
        image_ids=ids,
        captions=arrays.column(layout.CAPTIONS, n) if captions else None,
        arrays=arrays,
        ranked=ranked,
        offsets=offsets,
        pictures_at=arrays.place(layout.THUMBNAILS),
    )


def _models(arrays: Arrays) -> tuple[str, ...]:
    models = arrays.names(layout.MODELS)
    if not models or not all(0 < len(m) <= 200 and m.isprintable() for m in models):
        raise arrays.archive.broken(layout.MODELS, "no models, or one without a proper id")
    return models


def _count(arrays: Arrays) -> int:
    n = arrays.number(layout.N_IMAGES)
    if not 1 <= n < 1 << 31:
        raise arrays.archive.broken(layout.N_IMAGES, f"{n} is no number of images")
    return n


def _dataset(arrays: Arrays) -> str:
    dataset = arrays.text(layout.DATASET)
    if not layout.NAME.fullmatch(dataset):
        raise arrays.archive.broken(
            layout.DATASET, f"{dataset[:80]!r} is no id: letters, digits, '.', '_' and '-'"
        )
    return dataset


def _config(raw: Any, where: str) -> tuple[ArenaConfig | None, tuple[str, ...]]:
    """The configuration, or a note on why it is not understood; a bundle can do without it."""
    try:
        config = config_of(raw, where=where)
    except InputError as error:
        return None, (" ".join(str(error).split())[:500],)
    return config, config.notes


def _name(raw: Any, part: str, id: str) -> str:
    """The name that the configuration gives a model or dataset; its id where it gives none."""
    entries = raw.get(part) if isinstance(raw, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if (
            isinstance(entry, dict)
            and entry.get("id") == id
            and isinstance(entry.get("name"), str)
        ):
            return str(entry["name"])[:LONGEST_TEXT] or id
    return id


def _mapping(arrays: Arrays, name: str) -> Mapping[str, Any]:
    found = arrays.json(name)
    if not isinstance(found, dict):
        raise arrays.archive.broken(name, "not a JSON mapping")
    return found


def _ranked(arrays: Arrays, model: str, n_queries: int, n: int) -> Ranked:
    name = layout.ranking_indices(model)
    indices = arrays.array(name, "i4", shape=(n_queries, None))
    alike = arrays.array(layout.ranking_similarities(model), "f4", shape=indices.shape)
    if indices.size and (indices.min() < 0 or indices.max() >= n):
        raise arrays.archive.broken(name, f"names an image beyond the {n} here")
    if not np.isfinite(alike).all():
        raise arrays.archive.broken(layout.ranking_similarities(model), "not all are numbers")
    if indices.nbytes <= MOST_IN_MEMORY:
        # Every battle looks here; a copy needs no check that the file is whole.
        return Ranked(indices.copy(), alike.copy())
    return Ranked(indices, alike)


def _check_embeddings(arrays: Arrays, models: tuple[str, ...], n: int) -> None:
    """Types and shapes, for whichever models have some."""
    for model in models:
        name = layout.image_embeddings(model)
        if name in arrays and arrays.shape_of(name, "f2", 2)[0] != n:
            raise arrays.archive.broken(name, f"not one row for each of the {n} images")
