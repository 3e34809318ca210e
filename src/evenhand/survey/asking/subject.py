"""What a survey may ask of a model."""

from __future__ import annotations

from evenhand.errors import InputError
from evenhand.models.registry import Subject
from evenhand.runs.subjects import address

__all__ = ["require_logprobs"]

# Their replies carry no log-probabilities, whatever is asked for.
WITHOUT_LOGPROBS = frozenset({"anthropic"})


def require_logprobs(subject: Subject) -> None:
    """Refuse a provider that never gives log-probabilities. Raises ``InputError``."""
    if subject.backend in WITHOUT_LOGPROBS:
        raise InputError(
            f"{address(subject)} gives no log-probabilities, so no expectation can be computed; "
            "ask with --answer sampled, or choose another provider",
            where="--answer",
        )
