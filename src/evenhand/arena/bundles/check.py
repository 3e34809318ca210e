"""What contents must be before they become a bundle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles.contents import BundleContents, ModelContents
from evenhand.arena.bundles.layout import NAME, TEXT_FILES
from evenhand.errors import InputError, InvalidInputs

__all__ = ["check_contents", "check_rows", "check_thumbnail"]

# How far a row's length may be from 1: float16 keeps 11 bits.
SLACK = 0.01
MOST_VALUES = 65_536


def check_contents(contents: BundleContents) -> int:
    """The number of images, when the contents fit together.

    Raises:
        InvalidInputs: everything that does not.
    """
    problems = [InputError(what, where=where) for where, what in _problems(contents)]
    if problems:
        raise InvalidInputs(problems, undone="written")
    return _n_images(contents)


def _problems(contents: BundleContents) -> Iterator[tuple[str, str]]:
    if not NAME.fullmatch(contents.dataset):
        yield "dataset", f"{contents.dataset[:80]!r} is no id: letters, digits, '.', '_' and '-'"
    if not contents.models:
        yield "models", "none; a bundle holds at least one"
        return
    ids = [model.id for model in contents.models]
    if len(set(ids)) != len(ids):
        yield "models", "an id is there twice"
    if len(set(contents.queries)) != len(contents.queries):
        yield "queries", "a query is there twice"
    if not all(query.strip() for query in contents.queries):
        yield "queries", "a query is empty"
    if contents.top < 1:
        yield "top", f"{contents.top}; at least 1"
    n = _n_images(contents)
    if not n:
        yield "models", "no images: neither embeddings nor image_ids say how many"
    for model in contents.models:
        yield from _problems_of(model, n, len(contents.queries))
    yield from _problems_of_columns(contents, n)


def _problems_of(model: ModelContents, n: int, n_queries: int) -> Iterator[tuple[str, str]]:
    where = f"model {model.id[:80]}"
    if not NAME.fullmatch(model.id):
        yield where, "is no id: letters, digits, '.', '_' and '-'"
    rows, queries, rankings = model.embeddings, model.query_embeddings, model.rankings
    if rows is not None and (rows.ndim != 2 or len(rows) != n or not rows.size):
        yield where, f"embeddings of shape {rows.shape}, where ({n}, dim) belongs"
    elif queries is not None and rows is not None and queries.shape != (n_queries, rows.shape[1]):
        wanted = (n_queries, rows.shape[1])
        yield where, f"query embeddings of shape {queries.shape}, where {wanted} belongs"
    if (rows is None or queries is None) == (rankings is None):
        yield where, "either embeddings of images and queries are needed, or rankings"
    if rankings is not None:
        yield from ((where, what) for what in _problems_of_rankings(*rankings, n, n_queries))
    files = model.text_encoder
    if files is not None and set(files) != set(TEXT_FILES):
        yield where, f"a text encoder is {', '.join(TEXT_FILES)}; got {', '.join(sorted(files))}"


def _problems_of_rankings(
    places: NDArray[np.int32], alike: NDArray[np.float32], n: int, n_queries: int
) -> Iterator[str]:
    if places.ndim != 2 or len(places) != n_queries or alike.shape != places.shape:
        yield f"rankings of shapes {places.shape} and {alike.shape}, where ({n_queries}, top) belongs"
    elif places.size and not 0 <= places.min() <= places.max() < n:
        yield f"rankings that name an image beyond the {n} here"


def _n_images(contents: BundleContents) -> int:
    """As many as the first embeddings have rows; without any, as there are ids."""
    tables = (model.embeddings for model in contents.models)
    first = next((table for table in tables if table is not None), contents.image_ids)
    return 0 if first is None else len(first)


def _problems_of_columns(contents: BundleContents, n: int) -> Iterator[tuple[str, str]]:
    ids = contents.image_ids
    if ids is not None and len(set(ids)) != len(ids):
        yield "image_ids", "an id is there twice"
    columns = {"image_ids": ids, "captions": contents.captions}
    columns |= {f"attribute {name}": values for name, values in contents.attributes.items()}
    for where, values in columns.items():
        if values is not None and len(values) != n:
            yield where, f"{len(values)} values for {n} images"
    for name, values in contents.attributes.items():
        if len(set(values)) > MOST_VALUES:
            yield (
                f"attribute {name}",
                f"more than {MOST_VALUES} values; that is an id, not a group",
            )


def check_rows(rows: NDArray[np.float32], *, where: str, first: int) -> None:
    """Refuse rows that are not of length 1, infinite or no numbers.

    Raises:
        InputError: names the first such row.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= SLACK))
    if len(wrong):
        at = int(wrong[0])
        raise InputError(f"row {first + at} has length {lengths[at]:.4g}, not 1", where=where)


def check_thumbnail(picture: bytes, at: int) -> None:
    """Refuse what does not begin and end as a JPEG file."""
    if picture[:3] != b"\xff\xd8\xff" or picture[-2:] != b"\xff\xd9":
        raise InputError("not a whole JPEG file", where=f"thumbnail {at}")
