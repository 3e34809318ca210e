"""Reports to readings: which categories each belongs to, and whether it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from evenhand.counterfactual.reading.contextual import contextual_matcher_of
from evenhand.counterfactual.reading.matching import matcher_of, words_of
from evenhand.counterfactual.reading.refusals import may_refuse, response_class
from evenhand.counterfactual.spec import FAILED, GENUINE, Readings, Registry

__all__ = ["read_contextual", "read_reports"]

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


def read_contextual(texts: Sequence[str | None], registry: Registry) -> Readings:
    """What our own reading, which knows negation and inflection, finds in n reports.

    Refusals are told as the frozen rule tells them.

    Example:
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> read_contextual(["No fracture; MRIs advised."], load_registry()).recommendations.tolist()
        [4]
    """
    matcher = contextual_matcher_of(registry)
    return _readings(texts, lambda text: (*matcher.masks(text), response_class(text)))


def _readings(texts: Sequence[str | None], read: Callable[[str], _Read]) -> Readings:
    found = [_NEVER_CAME if text is None else read(text) for text in texts]
    return Readings(
        labels=np.array([one[0] for one in found], dtype=np.uint64),
        recommendations=np.array([one[1] for one in found], dtype=np.uint64),
        response=np.array([one[2] for one in found], dtype=np.int8),
    )
