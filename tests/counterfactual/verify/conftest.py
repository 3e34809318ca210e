"""One whole bundle per session, and copies of it to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.checks import Settings, run_check
from support.artifacts import make_bundle


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that nobody changes."""
    return make_bundle(tmp_path_factory.mktemp("release"))


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A bundle of the test's own, with what lies beside it."""
    shutil.copytree(whole.parent, tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return tmp_path / "artifacts"


@pytest.fixture
def failures() -> object:
    """What a check finds wrong with a bundle."""

    def found(check: str, bundle: Path, **settings: object) -> str:
        return "\n".join(run_check(check, Bundle(bundle), Settings(**settings)).failed)  # type: ignore[arg-type]

    return found
