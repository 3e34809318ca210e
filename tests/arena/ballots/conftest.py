"""A ballot box on each kind of database, for every file of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evenhand.arena.ballots.box import Box
from evenhand.settings import Settings
from support.ballots import wipe
from support.databases import DATABASES, settings_on


@pytest.fixture(scope="module", params=DATABASES)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A database of each kind for all tests of this file."""
    with settings_on(request.param, tmp_path_factory.mktemp("ballots")) as settings:
        yield settings


@pytest.fixture
def settings(shared: Settings) -> Iterator[Settings]:
    """The same, empty."""
    yield shared
    wipe(shared)


@pytest.fixture
def box(settings: Settings) -> Iterator[Box]:
    """An open box on it."""
    with Box.open(settings) as box:
        yield box
