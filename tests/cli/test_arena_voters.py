"""``evenhand arena simulate-voters`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from evenhand.cli import options
from evenhand.cli.arena_voters import register
from evenhand.errors import InputError, InvalidInputs
from support.arena_server import arena_server
from support.bundles import small_bundle


@pytest.fixture(autouse=True)
def _as_if_new():
    """--json holds for the whole process; every test is one."""
    yield
    options.early.json = False


def told(*words: str) -> Result:
    """One call of the verb; what it raises is raised here."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["simulate-voters", *words], catch_exceptions=True)


def test_it_says_what_was_planted_and_done(tmp_path: Path):
    """As JSON both are there, and the number of votes is what the server holds."""
    path = small_bundle(tmp_path)
    with arena_server(tmp_path, bundle=path) as server:
        words = ("--url", server.url, "--bundle", str(path), "--voters", "3", "--votes", "4")
        said = told(*words, "--strength", "m1=0.5", "--stuffers", "1", "--stuffer-votes", "5",
                    "--seed", "2", "--json")  # fmt: skip
        held = len(server.hall.box.votes())
    found = json.loads(said.stdout)
    assert found["planted"]["strength"] == {"m1": 0.5}
    assert found["planted"]["stuffers"] == 1
    assert found["done"]["votes"] == held == sum(found["done"]["choices"].values())
    assert found["done"]["votes"] - found["done"]["stuffed"] == 12


def test_people_read_lines(tmp_path: Path):
    """Without --json: who voted, how fast, and what is true of them."""
    path = small_bundle(tmp_path)
    with arena_server(tmp_path, bundle=path) as server:
        words = ("--url", server.url, "--bundle", str(path), "--voters", "2", "--votes", "3")
        said = told(*words, "--strength", "m1=0.5", "--by-attribute", "gender", "--share", "0.5")
    assert said.stdout.startswith("2 voters cast 6 votes in ")
    assert "planted: m1 +0.5 logits" in said.stdout
    assert "planted: 50% judge by gender: -2 logits per unit of MaxSkew" in said.stdout


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("--strength", "m1"), "--strength: 'm1' is no MODEL=LOGITS"),
        (("--strength", "m1=much"), "'m1=much' is no MODEL=LOGITS"),
        (("--stuffers", "2"), "the ballot is blind"),
        (("--url", "http://127.0.0.1:9"), "start one with: evenhand arena serve"),
        (("--bundle", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_mistakes_are_one_sentence(words: tuple[str, ...], sentence: str):
    """What was wrong is named, with the value."""
    error = told(*words).exception
    assert isinstance(error, InputError)
    assert sentence in str(error)
    assert "\n" not in str(error)


def test_impossible_shares_are_listed_together():
    """Each wrong share is a line."""
    error = told("--tie-rate", "1.5", "--share", "-1").exception
    assert isinstance(error, InvalidInputs)
    assert len(error.problems) == 2
