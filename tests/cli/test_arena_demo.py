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

from evenhand.cli import options
from evenhand.cli.arena_demo import register
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


def values(found: Any, part: str, name: str) -> dict[tuple[str, str | None], float]:
    """Estimates of one name by subject and group."""
    return {(e["subject"], e["group"]): e["value"] for e in found[part] if e["name"] == name}


def test_a_small_demo_goes_from_nothing_to_ratings(tmp_path: Path):
    """Portraits, bundle, votes over HTTP, ratings and a report."""
    small = ("--images", "60", "--voters", "6", "--votes", "6")
    said = told(tmp_path, *small)
    assert "6 simulated people cast 36 votes over HTTP" in said
    assert "planted" in said
    assert (tmp_path / "arena.yaml").is_file()
    assert (tmp_path / "bundles" / "arena_bundle_portraits.npz").is_file()
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.slow
def test_votes_of_a_second_demo_add_up(tmp_path: Path):
    """In the same folder the second demo goes on where the first one ended."""
    small = ("--images", "60", "--voters", "6", "--votes", "6", "--json")
    first, again = (json.loads(told(tmp_path, *small)) for _ in range(2))
    assert (first["done"]["votes"], again["done"]["votes"]) == (36, 36)
    assert first["accounting"][0]["answered"] == 36
    assert again["accounting"][0]["answered"] == 72


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
    skew = values(found, "parity", "max_skew")
    for attribute in ("gender", "skin"):
        assert skew["skewed", attribute] > skew["balanced", attribute]
    by_name = {(e["name"], e["subject"]): e for e in found["estimates"] if not e["condition"]}
    assert by_name["strength", "balanced"]["low"] > 0 > by_name["strength", "skewed"]["high"]
    lean = by_name["side_effect", None]
    # A rating that knows nothing of skins finds a little less than each voter's own lean.
    assert lean["low"] > 0
    assert lean["value"] == pytest.approx(found["planted"]["side_bias"], abs=0.25)
