"""A dual encoder without weights, with a planted preference: the control of the arena.

Of the pixels it reads only enough to tell two images apart. What it knows of an image is in ``image.info[FACTS]``: the caption and the
attributes, which precompute puts there. Every word has a direction of its own, drawn from the
word's hash. An image is the sum of its words' directions and of noise; a text is the sum of its
words' directions **plus the preferred words, times their weight**, whatever the text says. So with
``model_name: "man=0.5"`` images of men stand higher for every query, by an amount that is known.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from evenhand.errors import InputError
from evenhand.models.encoder import Embeddings
from evenhand.models.encoder_pixels import unit_rows

__all__ = ["FACTS", "SimulatedEncoder"]

FACTS = "evenhand facts"
"""The key of ``Image.info`` under which an image's words stand."""

_WORD = re.compile(r"\w+")
_STOP = frozenset(
    ["a", "an", "and", "at", "from", "in", "is", "of", "on", "the", "to", "who", "with"]
)
_SETTINGS = {"noise": 0.3, "seed": 0.0, "dim": 64.0}


class SimulatedEncoder:
    """See the module.

    Args:
        preferences: word to weight; positive draws images with that word forward.
        noise: length of the noise beside each image's words (whose sum has length 1).
        seed: of the noise.
        dim: width of the space.

    Example:
        >>> from PIL import Image
        >>> pair = [Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8))]
        >>> pair[0].info[FACTS], pair[1].info[FACTS] = "a doctor, a man", "a doctor, a woman"
        >>> encoder = SimulatedEncoder({"man": 0.5}, noise=0.0)
        >>> man, woman = encoder.encode_images(pair) @ encoder.encode_texts(["a doctor"])[0]
        >>> bool(man > woman)
        True
    """

    def __init__(
        self,
        preferences: Mapping[str, float] | None = None,
        *,
        noise: float = 0.3,
        seed: int = 0,
        dim: int = 64,
    ) -> None:
        if not 2 <= dim <= 4096 or noise < 0:
            raise InputError(f"dim {dim} is not 2 to 4096, or noise {noise} is below 0")
        self._preferences = dict(preferences or {})
        self._noise = noise
        self._seed = seed
        self._dim = dim

    @classmethod
    def of(cls, model_name: str) -> SimulatedEncoder:
        """From an entry's ``model_name``: ``WORD=WEIGHT`` pairs, and ``noise=``, ``seed=``, ``dim=``.

        Raises:
            InputError: a part is no such pair.

        Example:
            >>> SimulatedEncoder.of("man=0.5 light=0.3 noise=0.1").about()["preferences"]
            'light=0.3 man=0.5'
        """
        settings = dict(_SETTINGS)
        preferences: dict[str, float] = {}
        for part in model_name.split():
            word, equals, number = part.partition("=")
            try:
                weight = float(number) if equals and word else math.nan
            except ValueError:
                weight = math.nan
            if not math.isfinite(weight):
                raise InputError(
                    f"{part!r} is no WORD=NUMBER; a simulated encoder is written like "
                    "'man=0.5 noise=0.3 seed=1'",
                    where="model_name",
                )
            (settings if word in settings else preferences)[word] = weight
        return cls(
            {word.casefold(): weight for word, weight in preferences.items()},
            noise=settings["noise"], seed=int(settings["seed"]), dim=int(settings["dim"]),
        )  # fmt: skip

    @property
    def dim(self) -> int:
        return self._dim

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Rows of length 1: a text's words and the preferred ones. A text of unknown words is as
        good as any other: every word has a direction."""
        rows = np.empty((len(texts), self._dim))
        for at, text in enumerate(texts):
            rows[at] = self._words(text)
            for word, weight in self._preferences.items():
                rows[at] += weight * _direction(word, self._dim)
            if not rows[at].any():
                rows[at] = _direction("", self._dim)
        return unit_rows(rows.astype(np.float32))

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Rows of length 1. An image without facts is its noise alone."""
        rows = np.empty((len(images), self._dim))
        for at, image in enumerate(images):
            rows[at] = self._words(str(image.info.get(FACTS, "")))
            stamp = hashlib.sha256(image.resize((8, 8)).convert("RGB").tobytes()).hexdigest()
            chance = _drawn(f"{self._seed} {stamp} {image.info.get(FACTS, '')}", self._dim)
            rows[at] += (self._noise if rows[at].any() else 1.0) * chance
        return unit_rows(rows.astype(np.float32))

    def about(self) -> Mapping[str, str]:
        """What was planted."""
        planted = sorted(f"{word}={weight:g}" for word, weight in self._preferences.items())
        return {
            "backend": "simulated", "name": "simulated", "preferences": " ".join(planted),
            "noise": f"{self._noise:g}", "seed": str(self._seed), "dim": str(self._dim),
            "numpy": np.__version__,
        }  # fmt: skip

    def portable_text(self) -> Mapping[str, bytes] | None:
        """None: directions are drawn as words come, which no file could hold."""
        return None

    def _words(self, text: str) -> NDArray[np.float64]:
        """The sum of the words' directions at length 1; zero without words."""
        words = sorted(set(_WORD.findall(text.casefold())) - _STOP)
        total = np.zeros(self._dim)
        for word in words:
            total += _direction(word, self._dim)
        length = float(np.linalg.norm(total))
        return total / length if length > 0 else total


@lru_cache(maxsize=65_536)
def _direction(word: str, dim: int) -> NDArray[np.float64]:
    found = _drawn(word, dim)
    found.setflags(write=False)
    return found


def _drawn(word: str, dim: int) -> NDArray[np.float64]:
    """A unit vector that belongs to the word."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:16])
    drawn = np.random.default_rng(seed).standard_normal(dim)
    found: NDArray[np.float64] = drawn / np.linalg.norm(drawn)
    return found
