"""``evenhand arena demo``: from nothing to votes, ratings and a report."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from evenhand.arena.config import load_config
from evenhand.arena.encoders.shipped import SHIPPED
from evenhand.cli import options
from evenhand.cli.arena_demo import _configured, register
from support.commands import start


@pytest.fixture(autouse=True)
def _as_if_new() -> Iterator[None]:
    """--json holds for the whole process; every test is one."""
    yield
    options.early.json = False


def told(folder: Path, *words: str) -> str:
    """What the verb prints on stdout."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    called = ["demo", "--no-serve", "--output", str(folder), *words]
    result = CliRunner().invoke(app, called, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def estimates(found: Any, part: str, name: str) -> dict[tuple[str | None, str | None], Any]:
    """Estimates of one name by subject and condition."""
    rows = found[part]["estimates"]
    return {(e["subject"], e["condition"]): e for e in rows if e["name"] == name}


def test_the_configuration_of_the_demo_is_a_good_one(tmp_path: Path):
    """It loads, names both encoders that come with the package, and draws what is asked for."""
    config = load_config(_configured(tmp_path / "new", 123))
    assert tuple(sorted(model.path for model in config.models)) == SHIPPED
    assert (config.datasets[0].source, config.datasets[0].max_images) == ("portraits", 123)
    assert config.datasets[0].id == config.arena.active_dataset_id


@pytest.mark.slow
def test_from_nothing_to_ratings_and_on(tmp_path: Path):
    """Portraits, bundle, votes over HTTP, ratings, a report; a second demo's votes add up."""
    small = ("--images", "60", "--voters", "6", "--votes", "6")
    said = told(tmp_path, *small)
    assert "6 simulated people cast 36 votes over HTTP" in said
    assert "planted" in said
    assert (tmp_path / "bundles" / "arena_bundle_portraits.npz").is_file()
    assert "Whom the models show first" in (tmp_path / "report" / "report.md").read_text()
    again = json.loads(told(tmp_path, *small, "--json"))
    assert again["done"]["votes"] == 36
    assert again["ratings"]["accounting"][0]["answered"] == 72


@pytest.mark.slow
def test_the_demo_goes_on_serving_until_it_is_interrupted(tmp_path: Path):
    """The address that it prints answers, and Ctrl-C ends it without a traceback."""
    words = ("--images", "60", "--voters", "4", "--votes", "3", "--port", "0")
    with start("arena", "demo", *words, "--output", tmp_path) as running:
        assert running.stderr is not None
        lines = list(iter(running.stderr.readline, "Ctrl-C ends it.\n"))
        url = next(line.split()[1] for line in lines if line.startswith("vote "))
        with urllib.request.urlopen(url) as page:
            assert page.status == 200
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert "12 votes over HTTP" in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_the_demo_shows_what_is_planted(tmp_path: Path):
    """The skewed encoder stands out in MaxSkew, and loses with the voters; the lean to the right is found."""
    found = json.loads(told(tmp_path, "--json"))
    skew = estimates(found, "parity", "max_skew")
    for attribute in ("gender", "skin"):
        assert skew["skewed", attribute]["value"] > skew["balanced", attribute]["value"]
    strength = estimates(found, "ratings", "strength")
    assert strength["balanced", None]["low"] > 0 > strength["skewed", None]["high"]
    # A rating that knows nothing of skins finds a little less than each voter's own lean.
    lean = estimates(found, "ratings", "side_effect")[None, None]
    assert lean["low"] > 0
    assert lean["value"] == pytest.approx(found["planted"]["side_bias"], abs=0.25)
    follow = estimates(found, "votes_follow", "votes_follow_max_skew")[None, "skin"]
    assert follow["high"] < 0
