"""The first pass over the images: every one is opened, hashed, and made into a thumbnail.

What cannot be opened is found here, before a model is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.Image import Image

from evenhand.arena.precompute.ahead import in_order
from evenhand.arena.precompute.pictures import Unreadable, digest, opened, thumbnail
from evenhand.arena.precompute.sources import Facts, Source
from evenhand.errors import InputError, InvalidInputs
from evenhand.store.database import speak_storage

__all__ = ["Looked", "images", "look"]

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Looked:
    """What the first pass found. ``kept`` are the places of the images that can be used."""

    folder: Path
    kept: Sequence[int]
    broken: Sequence[tuple[str, str]]
    """Id and reason."""
    digest: str
    """SHA-256 over the digests of all kept images, in order."""

    def __len__(self) -> int:
        return len(self.kept)

    def thumbnails(self) -> Iterator[bytes]:
        """The JPEGs of the kept images, read one at a time."""
        lengths = np.load(self.folder / "lengths.npy")
        with (self.folder / "thumbnails.bin").open("rb") as file:
            for length in lengths:
                yield file.read(int(length))


@dataclass(frozen=True, slots=True)
class _Seen:
    """One image after the first look: its thumbnail and digest, or why it cannot be used."""

    thumbnail: bytes = b""
    digest: bytes = b""
    broken: str = ""


def look(
    source: Source,
    folder: Path,
    *,
    size: int,
    allow_broken: bool,
    where: str,
    advance: Callable[[int], None] = lambda _: None,
) -> Looked:
    """Go through all images once, or take what an earlier run found.

    Args:
        source: the images.
        folder: where the thumbnails go.
        size: of the thumbnails, in pixels.
        allow_broken: leave out what cannot be opened, instead of stopping.
        where: the dataset's name in messages.
        advance: told of every image done.

    Raises:
        InvalidInputs: images cannot be opened and ``allow_broken`` is false; each is named.
        InputError: none can be opened.
    """
    found = _earlier(folder)
    if found is None:
        found = _first_look(source, folder, size, advance)
    else:
        advance(len(source.facts))
    if found.broken and not allow_broken:
        named = [InputError(why, where=f"{where}: {id}") for id, why in found.broken]
        more = len(named) - MOST_NAMED
        if more > 0:
            named = [*named[:MOST_NAMED], InputError(f"and {more} more like these", where=where)]
        last = InputError(
            f"{len(found.broken)} of {len(source.facts)} images cannot be used; mend or remove "
            "them, or leave them out with --allow-broken",
            where=where,
        )
        raise InvalidInputs([*named, last], undone="computed")
    if not found.kept:
        raise InputError("not one of its images can be used", where=where)
    return found


def images(
    source: Source, kept: Sequence[int], facts: Facts, key: str | None = None
) -> Iterator[Image]:
    """The images at these places, upright RGB, read ahead by a few.

    ``key``: where given, what is known of each is put under it in ``Image.info``.
    """

    def one(at: int) -> Image:
        try:
            image = opened(source.read(at))
        except (OSError, Unreadable) as error:
            raise InputError(
                f"could be opened before and cannot now: {error}", where=facts.ids[at]
            ) from None
        if key is not None:
            image.info[key] = facts.words(at)
        return image

    return in_order(one, kept)


def _earlier(folder: Path) -> Looked | None:
    try:
        said = json.loads((folder / "looked.json").read_bytes())
    except (OSError, ValueError):
        return None
    broken = [(id, why) for id, why in said["broken"]]
    return Looked(folder, said["kept"], broken, said["digest"])


def _first_look(source: Source, folder: Path, size: int, advance: Callable[[int], None]) -> Looked:
    def one(at: int) -> _Seen:
        try:
            content = source.read(at)
            image = opened(content)
            return _Seen(thumbnail(image, size), digest(content))
        except Unreadable as error:
            return _Seen(broken=str(error))
        except OSError as error:
            return _Seen(broken=f"cannot be read ({error.strerror or error})")

    ids = source.facts.ids
    kept: list[int] = []
    broken: list[tuple[str, str]] = []
    lengths: list[int] = []
    whole = hashlib.sha256()
    with speak_storage(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "thumbnails.bin").open("wb") as file:
            for at, seen in enumerate(in_order(one, range(len(ids)))):
                advance(1)
                if seen.broken:
                    broken.append((ids[at], seen.broken))
                    continue
                kept.append(at)
                lengths.append(len(seen.thumbnail))
                file.write(seen.thumbnail)
                whole.update(seen.digest)
        np.save(folder / "lengths.npy", np.array(lengths, dtype=np.int64))
        said = {"kept": kept, "broken": broken, "digest": whole.hexdigest()}
        part = folder / "looked.json.part"
        part.write_text(json.dumps(said), encoding="utf-8")
        part.replace(folder / "looked.json")
    return Looked(folder, kept, broken, whole.hexdigest())
