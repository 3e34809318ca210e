"""What a survey may ask of a model."""

from __future__ import annotations

import pytest

from evenhand.errors import InputError
from evenhand.models.registry import Subject
from evenhand.survey.asking.subject import require_logprobs


def test_a_provider_without_log_probabilities_is_refused() -> None:
    """The others are tried."""
    require_logprobs(Subject("openai", "tiny"))
    with pytest.raises(InputError, match="ask with --answer sampled"):
        require_logprobs(Subject("anthropic", "some"))
