"""Pairs side by side: both images, both reports, and the terms that were read in them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.pairs.images import open_rgb
from evenhand.counterfactual.reading.matching import matcher_of, names_of
from evenhand.counterfactual.spec import FULL_REFUSAL, RESPONSES, Category, ImageRole, Readings
from evenhand.errors import EvenhandError
from evenhand.report.blocks import Block, Heading, Mark, Panel, SideBySide, Text
from evenhand.report.panels import same_and_own

__all__ = ["LONGEST_SIDE", "chosen_pairs", "example_pairs", "thumbnail"]

MOST_EDITS = 6
"""One pair per edit is shown, for so many edits."""

LONGEST_SIDE = 360
"""Pixels of an image on the page."""

LONGEST_REPORT = 4_000

_TITLES: dict[ImageRole, str] = {
    "source": "Report on the source image",
    "counterfactual": "Report on the edited image",
}


def example_pairs(
    readings: PairReadings, *, seed: int = 0, label: str | None = None
) -> Iterator[Block]:
    """A section with some pairs, drawn at random so that nobody picked the worst.

    ``label`` names whose they are, where there are several sets.
    """
    chosen = chosen_pairs(readings, seed=seed)
    if not chosen:
        return
    yield Heading("Pairs, side by side" + (f": {label}" if label else ""))
    yield Text(
        "Drawn at random: for each edit a pair whose recommendations changed, then one that did not "
        "change and one that was refused, where there are any. Underlined: terms of a category that "
        "both reports were read to have; on a ground: terms of a category that only this one has."
    )
    for place in chosen:
        yield _side_by_side(readings, place)


def chosen_pairs(readings: PairReadings, *, seed: int = 0) -> list[int]:
    """Places of the pairs to show: changed ones by edit, an unchanged one, a refused one."""
    rng = np.random.default_rng(seed)
    usable = readings.usable
    changed = usable & (readings.changed > 0)
    refused = ~usable & ~readings.failed
    wanted = [
        *(
            changed & (readings.edit == code)
            for code in range(min(len(readings.edits), MOST_EDITS))
        ),
        usable & ~changed,
        refused,
    ]
    drawn = (_one_of(rng, which) for which in wanted)
    return [place for place in drawn if place is not None]


def thumbnail(path: Path) -> bytes | None:
    """The image as a small JPEG, upright; None where it cannot be read."""
    try:
        image = open_rgb(path)
    except EvenhandError:
        return None
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def _one_of(rng: np.random.Generator, which: NDArray[np.bool_]) -> int | None:
    places = np.flatnonzero(which)
    return int(rng.choice(places)) if len(places) else None


def _side_by_side(readings: PairReadings, place: int) -> SideBySide:
    pair = readings.pairs[place]
    before, after = _shortened(pair.source), _shortened(pair.counterfactual)
    marked = same_and_own(_marks(before, readings), _marks(after, readings))
    sides: tuple[tuple[ImageRole, str, Readings, tuple[Mark, ...]], ...] = (
        ("source", before, readings.of_source, marked[0]),
        ("counterfactual", after, readings.of_counterfactual, marked[1]),
    )
    panels = tuple(
        Panel(
            title=_TITLES[role],
            text=text,
            marks=marks,
            remark=_read_as(readings, of, place),
            image=_image(readings, pair.pair_id, role),
            alt=f"{'Source' if role == 'source' else 'Edited'} image of {pair.pair_id}",
        )
        for role, text, of, marks in sides
    )
    return SideBySide(f"{pair.pair_id} ({pair.edit})", panels)


def _shortened(report: str | None) -> str:
    text = report or ""
    return text if len(text) <= LONGEST_REPORT else f"{text[:LONGEST_REPORT]} […]"


def _marks(text: str, readings: PairReadings) -> list[Mark]:
    """Terms of both kinds, the longer first where two begin alike."""
    registry = readings.registry
    return [
        Mark(start, end, f"{what}: {categories[bit].name}")
        for what, categories in (
            ("recommendation", registry.recommendation),
            ("diagnosis", registry.diagnostic),
        )
        for start, end, bit in matcher_of(categories).spans(text)
    ]


def _read_as(readings: PairReadings, of: Readings, place: int) -> str:
    response = int(of.response[place])
    if response >= FULL_REFUSAL:
        return f"Read as: {RESPONSES[response].replace('_', ' ')}"
    registry = readings.registry
    said = (
        f"recommendations {_listed(int(of.recommendations[place]), registry.recommendation)}",
        f"diagnosis {_listed(int(of.labels[place]), registry.diagnostic)}",
    )
    hedge = "" if response == 0 else "; a partial refusal"
    return f"Read as: {'; '.join(said)}{hedge}"


def _listed(mask: int, categories: tuple[Category, ...]) -> str:
    return ", ".join(names_of(mask, categories)).replace("_", " ") or "none"


def _image(readings: PairReadings, pair_id: str, role: ImageRole) -> bytes | None:
    if readings.reports is None:
        return None
    path = readings.reports.images.get((pair_id, role))
    return None if path is None else thumbnail(Path(path))
