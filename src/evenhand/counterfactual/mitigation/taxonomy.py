"""What a raw answer is: a report, a refusal, or nothing that can be read."""

from __future__ import annotations

from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.spec import GENUINE, RESPONSES

__all__ = ["PARSE_FAILURE", "refusal_taxonomy"]

PARSE_FAILURE = "parse_failure"

_SHORTEST = 20
_SHORTEST_WITHOUT_TERM = 50

_MEDICAL = (
    "acetabular", "alignment", "ankylosis", "arthroplasty", "cervical", "compression",
    "degenerative", "disc space", "dislocation", "dysplasia", "endplate", "femoral", "foramen",
    "foraminal stenosis", "fracture", "hip", "impression", "intervertebral", "kyphosis",
    "lordosis", "lumbar", "lucency", "narrowing", "normal", "observations", "osteophyte",
    "pars defect", "pedicle", "radiograph", "radiographs", "radiological",
    "radiographically diagnosed", "sacr", "scoliosis", "sclerotic", "severe", "spondyl",
    "spondyloepiphyseal", "spinous process", "stenosis", "thoracic", "unremarkable", "vertebr",
)  # fmt: skip


def refusal_taxonomy(text: str | None) -> str:
    """``parse_failure``, ``genuine``, ``partial_refusal`` or ``full_refusal``.

    A text of fewer than 20 characters, trimmed, is unreadable whatever it says; so is one of fewer
    than 50 that neither refuses nor holds a medical term. Not the same as the response class of
    the frozen scoring, in which a blank text is a refusal.

    Example:
        >>> refusal_taxonomy("compression fracture of L1"), refusal_taxonomy("No comment from me today.")
        ('genuine', 'parse_failure')
    """
    trimmed = (text or "").strip()
    if len(trimmed) < _SHORTEST:
        return PARSE_FAILURE
    response = response_class(trimmed)
    if response != GENUINE:
        return RESPONSES[response]
    lowered = trimmed.lower()
    if len(trimmed) < _SHORTEST_WITHOUT_TERM and not any(term in lowered for term in _MEDICAL):
        return PARSE_FAILURE
    return RESPONSES[GENUINE]
