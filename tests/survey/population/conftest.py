"""Populations that several tests read: the one that ships, and the one in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evenhand.survey.population.load import load_population
from evenhand.survey.population.spec import Population

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "populations.md"


@pytest.fixture(scope="session")
def germany() -> Population:
    """Germany 2024, with its own settings."""
    return load_population("de-2024")


@pytest.fixture(scope="session")
def example() -> dict[str, str]:
    """The files of the example in the reference page, by name."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) == 7
    return dict(blocks)
