"""The one model that a run asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import SubjectError
from evenhand.models.chat import Decoding
from evenhand.models.registry import Subject
from evenhand.runs.subjects import address, decoding_facts, plan_name, subjects


def test_options_are_part_of_the_name() -> None:
    """Two servers of one model are two models; the order of options is none."""
    one = Subject("openai", "tiny", {"base_url": "http://a/v1", "max_num_seqs": 2})
    two = Subject("openai", "tiny", {"max_num_seqs": 2, "base_url": "http://a/v1"})
    other = Subject("openai", "tiny", {"base_url": "http://b/v1", "max_num_seqs": 2})
    assert plan_name(one) == plan_name(two) != plan_name(other)
    assert address(one) == address(other) == plan_name(one).partition("#")[0] == "openai/tiny"


def test_only_what_is_set_of_a_decoding_is_stored() -> None:
    """Zero is set; None is the server's own."""
    assert decoding_facts(Decoding(temperature=0.0, top_p=None)) == {"temperature": 0.0}


def test_rates_and_missing_keys_are_known_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of requests is taken from either place; a key that is not there is told at once."""
    inside = {"base_url": "http://a/v1", "api_config": {"requests_per_minute": 30}}
    made = subjects(Subject("openai", "tiny", inside), tmp_path)
    assert [rates.requests_per_minute for rates in made.rates.values()] == [30]
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(SubjectError, match="no API key"):
        subjects(Subject("anthropic", "some"), tmp_path)
