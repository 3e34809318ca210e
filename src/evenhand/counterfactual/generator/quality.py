"""Quality control: does an edited image still show what its source shows?

The rule is SpineFairBench's: three figures, three thresholds, each inclusive, and all must be
measured. Where LPIPS cannot be measured an image does not pass, because nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from evenhand.counterfactual.generator.lpips import SMALLEST
from evenhand.counterfactual.generator.similarity import (
    WINDOW,
    edge_preservation,
    global_ssim,
    windowed_ssim,
)
from evenhand.counterfactual.pairs.images import grey_of, open_rgb
from evenhand.counterfactual.pairs.manifest import ManifestPair
from evenhand.errors import EvenhandError, InputError

__all__ = ["FROZEN", "Distance", "Thresholds", "Verdict", "check_image", "check_pairs"]

Distance = Callable[[Image.Image, Image.Image], float]
"""LPIPS of two images, the source first."""

AT_LEAST = ("ssim", "edge_preservation", "windowed_ssim")
AT_MOST = ("lpips",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What an image must reach. ``windowed_ssim`` is ours and asked for only where it is given.

    Raises:
        InputError: a value is no number.
    """

    ssim: float = 0.70
    edge_preservation: float = 0.276
    lpips: float = 0.40
    windowed_ssim: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.as_record().items():
            if value is not None and not math.isfinite(value):
                raise InputError(f"must be a number, not {value}", where=f"thresholds.{name}")

    def as_record(self) -> dict[str, float | None]:
        """For JSON."""
        return {
            "ssim": self.ssim,
            "edge_preservation": self.edge_preservation,
            "lpips": self.lpips,
            "windowed_ssim": self.windowed_ssim,
        }

    @classmethod
    def parsed(cls, text: str) -> Thresholds:
        """Thresholds as they are typed; what is not named stays the benchmark's.

        Example:
            >>> Thresholds.parsed("ssim=0.8,windowed_ssim=0.75").ssim
            0.8

        Raises:
            InputError: an unknown name, or no number.
        """
        given: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in AT_LEAST + AT_MOST or name in given:
                known = ", ".join(AT_LEAST + AT_MOST)
                raise InputError(
                    f"{part!r}: write NAME=NUMBER, each name once, of {known}",
                    where="--thresholds",
                )
            try:
                given[name] = float(value)
            except ValueError:
                raise InputError(
                    f"{part!r}: {value!r} is no number", where="--thresholds"
                ) from None
        return cls(**given)


FROZEN = Thresholds()
"""The thresholds of SpineFairBench."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was measured of one pair and what follows. ``measured`` has None where it could not be.

    ``failed`` says why it did not pass, a sentence each; empty when it passed.
    """

    source: Path
    generated: Path
    measured: Mapping[str, float | None] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    pair: ManifestPair | None = None

    @property
    def passed(self) -> bool:
        """Whether everything asked for was measured and reached."""
        return not self.failed

    def as_record(self, thresholds: Thresholds) -> dict[str, Any]:
        """One line of a file: what the benchmark's lists name, the figures, and why it failed."""
        named = (
            {
                "pair_id": self.pair.pair_id,
                "source_id": self.pair.source_id,
                "edit_label": self.pair.edit,
            }
            if self.pair is not None
            else {}
        )
        return {
            **named,
            "source_image": str(self.source),
            "counterfactual_image": str(self.generated),
            "passed_qc": self.passed,
            **dict(self.measured),
            "failed": list(self.failed),
            "thresholds": thresholds.as_record(),
            "thresholds_are": "frozen" if thresholds == FROZEN else "own",
        }


def check_image(
    source: Path,
    generated: Path,
    *,
    thresholds: Thresholds = FROZEN,
    lpips: Distance | None = None,
    pair: ManifestPair | None = None,
) -> Verdict:
    """Measure one generated image against its source; its size is brought to the source's first.

    An image that cannot be read does not pass; nothing is raised. ``lpips`` None: not measured.
    """
    return _verdict(source, generated, thresholds, lpips, pair, open_rgb)


def check_pairs(
    pairs: Iterable[ManifestPair],
    *,
    thresholds: Thresholds = FROZEN,
    lpips: Distance | None = None,
) -> Iterator[Verdict]:
    """Verdicts of pairs, one at a time and in their order; those without images are passed over."""
    # A source is asked for again by each of its edits, which mostly follow one another.
    opened = lru_cache(maxsize=1)(open_rgb)
    for pair in pairs:
        source, generated = pair.source_image, pair.counterfactual_image
        if source is not None and generated is not None:
            yield _verdict(source, generated, thresholds, lpips, pair, opened)


def _verdict(
    source: Path,
    generated: Path,
    thresholds: Thresholds,
    lpips: Distance | None,
    pair: ManifestPair | None,
    opened: Callable[[Path], Image.Image],
) -> Verdict:
    try:
        measured = _measure(opened(source), open_rgb(generated), lpips)
    except EvenhandError as error:
        return Verdict(source=source, generated=generated, failed=(str(error),), pair=pair)
    failed = tuple(_failures(measured, thresholds))
    return Verdict(source=source, generated=generated, measured=measured, failed=failed, pair=pair)


def _measure(
    source: Image.Image, generated: Image.Image, lpips: Distance | None
) -> dict[str, float | None]:
    grey, other = grey_of(source), grey_of(generated, source.size)
    large = min(source.size) >= SMALLEST
    return {
        "ssim": global_ssim(grey, other),
        "edge_preservation": edge_preservation(grey, other),
        "lpips": lpips(source, generated) if lpips is not None and large else None,
        "windowed_ssim": windowed_ssim(grey, other) if min(grey.shape) >= WINDOW else None,
    }


def _failures(measured: Mapping[str, float | None], thresholds: Thresholds) -> Iterator[str]:
    for name, threshold in thresholds.as_record().items():
        value = measured[name]
        if threshold is None:
            continue
        if value is None:
            yield f"{name} was not measured"
        elif name in AT_MOST and not value <= threshold:
            yield f"{name} {value:.4f} is above {threshold:g}"
        elif name in AT_LEAST and not value >= threshold:
            yield f"{name} {value:.4f} is below {threshold:g}"
