"""A bundle of Fairness Arena as one of ours: opened by mapping, with checksums."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.contents import BundleContents, ModelContents
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.bundles.write import write_bundle
from evenhand.arena.config import ArenaConfig, DatasetEntry, ModelEntry
from evenhand.errors import InputError

__all__ = ["upgrade"]


def upgrade(source: Path, target: Path) -> str:
    """Write what a legacy bundle holds in the format of ours; its rankings stay as they were.

    Returns:
        The new bundle's version.

    Raises:
        InputError: no bundle, or one of ours already.
        InvalidInputs: ids that ours do not allow.
    """
    bundle = open_bundle(source)
    if not bundle.legacy:
        raise InputError("already a bundle of this format; nothing to do", where=str(source))
    return write_bundle(target, _contents(bundle))


def _contents(bundle: Bundle) -> BundleContents:
    return BundleContents(
        dataset=bundle.dataset,
        models=[_model(bundle, model) for model in bundle.models],
        queries=bundle.queries,
        thumbnails=(bytes(bundle.thumbnail(at)) for at in range(bundle.n_images)),
        image_ids=list(bundle.image_ids),
        config=bundle.config or _names_only(bundle),
        provenance={"upgraded_from": {"format": "Fairness Arena", "version": bundle.version}},
    )


def _model(bundle: Bundle, model: str) -> ModelContents:
    """Rankings of different lengths are cut to the shortest."""
    rows = [bundle.ranking(model, query) for query in bundle.queries]
    top = min(map(len, rows), default=0)
    alike = [bundle.similarities(model, query)[:top] for query in bundle.queries]
    shape = (len(rows), top)
    places = np.array([row[:top] for row in rows], np.int32).reshape(shape)
    return ModelContents(
        id=model,
        embeddings=bundle.embeddings(model),
        query_embeddings=None,
        rankings=(places, np.array(alike, np.float32).reshape(shape)),
    )


def _names_only(bundle: Bundle) -> ArenaConfig:
    """What is left of a configuration that is not understood."""
    models = [ModelEntry(id=model, name=bundle.titles[model]) for model in bundle.models]
    dataset = DatasetEntry(id=bundle.dataset, name=bundle.title)
    return ArenaConfig.model_validate({"models": models, "datasets": [dataset]})
