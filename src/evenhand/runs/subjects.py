"""The one model that a run asks: its name in the plan, what is stored of it, how to make it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from evenhand.models import registry
from evenhand.models.chat import ChatModel, Decoding
from evenhand.models.registry import Definition, Subject
from evenhand.runs.scheduler import Rates
from evenhand.runs.session import Subjects

__all__ = ["address", "decoding_facts", "plan_name", "rates_of", "subjects"]


def address(subject: Subject) -> str:
    """``provider/name``."""
    return f"{subject.backend}/{subject.name}"


def plan_name(subject: Subject) -> str:
    """The name under which the plan asks for it: address and a digest of its options.

    Example:
        >>> plan_name(Subject("simulated", "neutral"))
        'simulated/neutral#44136fa3'
    """
    options = orjson.dumps(dict(subject.options), option=orjson.OPT_SORT_KEYS)
    return f"{address(subject)}#{hashlib.sha256(options).hexdigest()[:8]}"


def decoding_facts(decoding: Decoding) -> dict[str, Any]:
    """What is set of a decoding, as it is stored."""
    fields = {key: getattr(decoding, key) for key in Decoding.__dataclass_fields__}
    return {key: value for key, value in fields.items() if value is not None}


def subjects(subject: Subject, folder: Path) -> Subjects:
    """How the engine makes and paces the model; a missing key or extra is told now."""
    name = plan_name(subject)
    registry.build_all(subject, run_folder=folder)

    def make(_name: str) -> Sequence[ChatModel]:
        return registry.build_all(subject, run_folder=folder)

    return Subjects((name,), make, {name: rates_of(subject)})


def rates_of(subject: Definition) -> Rates:
    """How fast a model may be asked, as its options say, in either place."""
    options = {**subject.options, **subject.options.get("api_config", {})}
    return Rates(options.get("requests_per_minute"), options.get("tokens_per_minute"))
