"""Looking at every byte of a bundle: does it hold what it says?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles import layout
from evenhand.arena.bundles.archive import Archive
from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.check import check_rows, check_thumbnail
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.search.exact import exact_similarities
from evenhand.arena.search.index import Index
from evenhand.errors import EvenhandError, InputError

__all__ = ["verify"]

ROWS = 4096
# Rounding of another processor's float64 sums, in steps of float32.
STEPS = 4
# Problems of one kind that are told one by one.
MOST = 5


def verify(path: Path) -> tuple[str, ...]:
    """Every problem of a bundle, each in one line; nothing when it holds.

    Checksums, pictures, lengths of rows, texts, codes of attributes; and each ranking is made
    again where the bundle keeps what it was made of.
    """
    try:
        bundle = open_bundle(path)
    except EvenhandError as error:
        return (str(error),)
    try:
        checks = (_checksums, _pictures, _rows, _columns, _rankings, _text_encoders)
        return tuple(line for check in checks for line in _told(check, bundle))
    finally:
        bundle.close()


def _told(check: Callable[[Bundle], Iterator[str]], bundle: Bundle) -> Iterator[str]:
    """What a check says; an error of its own is a problem, too."""
    count = 0
    try:
        for count, line in enumerate(check(bundle), 1):
            if count <= MOST:
                yield line
    except EvenhandError as error:
        yield str(error)
    if count > MOST:
        yield f"and {count - MOST} more like it"


def _checksums(bundle: Bundle) -> Iterator[str]:
    """The manifest's checksums; of a legacy bundle the zip file's CRCs."""
    archive: Archive = bundle.arrays.archive
    for name, member in archive.members.items():
        try:
            found = archive.sha256(member)
        except InputError as error:
            yield str(error)
            continue
        if found != bundle.arrays.checksums.get(name, found):
            yield str(archive.broken(name, "damaged: its checksum differs"))


def _pictures(bundle: Bundle) -> Iterator[str]:
    for at in range(bundle.n_images):
        try:
            check_thumbnail(bytes(bundle.thumbnail(at)), at)
        except EvenhandError as error:
            yield f"{bundle.path}: {error}"


def _rows(bundle: Bundle) -> Iterator[str]:
    """Lengths of 1, and no NaN."""
    for model in bundle.models:
        rows = bundle.embeddings(model)
        name = layout.image_embeddings(model)
        if rows is None:
            continue
        for at in range(0, len(rows), ROWS):
            part = rows[at : at + ROWS].astype(np.float32)
            try:
                check_rows(part, where=f"{bundle.path}: {name}", first=at)
            except InputError as error:
                yield str(error)


def _columns(bundle: Bundle) -> Iterator[str]:
    """Ids once each, texts that are texts, codes that have values."""
    for name, texts in ((layout.IMAGE_IDS, bundle.image_ids), (layout.CAPTIONS, bundle.captions)):
        if texts is not None and any("\ufffd" in text for text in texts):
            yield f"{bundle.path}: {name}: not all of it is UTF-8 text"
    if len(set(bundle.image_ids)) != bundle.n_images:
        yield f"{bundle.path}: {layout.IMAGE_IDS}: an id is there twice"
    bundle.attribute_codes  # noqa: B018 - looks at every code


def _rankings(bundle: Bundle) -> Iterator[str]:
    """Made again from the embeddings; else at least in falling order and without repeats."""
    for model in bundle.models:
        rows, queries = bundle.embeddings(model), bundle.query_embeddings(model)
        try:
            if rows is None or queries is None:
                yield from _in_order(bundle, model)
            else:
                yield from _made_again(bundle, model, rows, queries)
        except InputError as error:
            yield f"{bundle.path}: ranking by {model}: {error}"


def _in_order(bundle: Bundle, model: str) -> Iterator[str]:
    for query in bundle.queries:
        places, alike = bundle.ranking(model, query), bundle.similarities(model, query)
        if (alike[1:] > alike[:-1]).any() or len(set(places.tolist())) != len(places):
            yield f"{bundle.path}: ranking of {query!r} by {model}: not in order"


def _made_again(
    bundle: Bundle, model: str, rows: NDArray[np.float16], vectors: NDArray[np.float32]
) -> Iterator[str]:
    index = Index.of(rows, memory_mb=0)
    for query, vector in zip(bundle.queries, vectors, strict=True):
        places, told = bundle.ranking(model, query), bundle.similarities(model, query)
        best, _ = index.top(vector, len(places))
        if np.array_equal(best, places):
            continue
        # Another processor may sum otherwise in the last bit; no image may be further off.
        ours, theirs = (
            exact_similarities(rows[best], vector),
            exact_similarities(rows[places], vector),
        )
        step = STEPS * np.spacing(np.abs(ours) + np.float32(1e-30))
        if (np.abs(ours - theirs) > step).any() or (np.abs(theirs - told) > step).any():
            yield f"{bundle.path}: ranking of {query!r} by {model}: not what its embeddings give"


def _text_encoders(bundle: Bundle) -> Iterator[str]:
    """Each loads, encodes, and fits the images' embeddings."""
    for model in bundle.text_models:
        try:
            encoder, rows = bundle.text_encoder(model), bundle.embeddings(model)
        except EvenhandError as error:
            yield f"{bundle.path}: text encoder of {model}: {error}"
            continue
        if encoder is not None and rows is not None and encoder.dim != rows.shape[1]:
            yield f"{bundle.path}: text encoder of {model}: {encoder.dim} columns, not {rows.shape[1]}"
