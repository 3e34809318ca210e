"""Reports to readings: which categories each belongs to, and whether it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from evenhand.counterfactual.reading.matching import matcher_of, words_of
from evenhand.counterfactual.reading.refusals import may_refuse, response_class
from evenhand.counterfactual.spec import FAILED, GENUINE, Readings, Registry

__all__ = ["read_reports"]

_Read = tuple[int, int, int]
_NEVER_CAME: _Read = (0, 0, FAILED)


def read_reports(texts: Sequence[str | None], registry: Registry) -> Readings:
    """What the frozen rule reads in n reports; None is a report that never came.

    Example:
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> readings = read_reports(["No fracture; MRI advised.", "", None], load_registry())
        >>> readings.labels.tolist(), readings.recommendations.tolist(), readings.response.tolist()
        ([4096, 0, 0], [4, 0, 0], [0, 2, 3])
    """
    both = matcher_of(registry.diagnostic + registry.recommendation)
    split = len(registry.diagnostic)

    low = (1 << split) - 1

    def read(text: str) -> _Read:
        lowered = text.lower()
        words = words_of(lowered)
        found = both.mask_of(lowered, words)
        refusing = not lowered.isascii() or not words or may_refuse(words)
        return found & low, found >> split, response_class(text) if refusing else GENUINE

    return _readings(texts, read)


def _readings(texts: Sequence[str | None], read: Callable[[str], _Read]) -> Readings:
    found = [_NEVER_CAME if text is None else read(text) for text in texts]
    return Readings(
        labels=np.array([one[0] for one in found], dtype=np.uint64),
        recommendations=np.array([one[1] for one in found], dtype=np.uint64),
        response=np.array([one[2] for one in found], dtype=np.int8),
    )
