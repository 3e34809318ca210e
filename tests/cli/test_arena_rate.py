"""``evenhand arena rate``: from the workspace's votes, or from anybody's export."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from evenhand.arena.ballots.export import export_csv
from evenhand.cli import arena_rate, options
from evenhand.errors import EvenhandError, InputError, NotFound
from support.ballots import NOW, Planted, fill, open_box

app = typer.Typer()
arena_rate.register(app)


def invoke(workspace: Path, *words: str) -> Result:
    """One command in this process."""
    options.early.json = False
    return CliRunner().invoke(app, [*words, "--workspace", str(workspace)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with votes on one dataset, and their export beside it."""
    folder = tmp_path_factory.mktemp("arena")

    async def cast() -> None:
        """Fill the box."""
        with open_box(folder) as box:
            await fill(box, Planted(side=0.8, voters=24, votes=16))
            await box.mark_epoch(by="test", now=NOW + timedelta(hours=1))
            export_csv(box.database, folder / "votes.csv")

    asyncio.run(cast())
    return folder


def test_the_workspace_and_its_export_say_the_same(folder: Path) -> None:
    """Strengths of the database's votes and of the exported CSV are equal, and JSON is all there is."""
    own = invoke(folder / "workspace", "--json")
    assert own.exit_code == 0, own.output
    found = orjson.loads(own.stdout)
    assert set(found) == {"estimates", "accounting"}
    exported = invoke(folder / "workspace", "--votes", str(folder / "votes.csv"), "--json")
    strengths = [
        {e["subject"]: e["value"] for e in result["estimates"] if e["name"] == "strength"}
        for result in (found, orjson.loads(exported.stdout))
    ]
    assert strengths[0] == pytest.approx(strengths[1])
    assert found["accounting"][0]["answered"] == 384
    # The epoch that was marked last starts Elo anew; an export knows of none.
    assert not [e for e in found["estimates"] if e["name"] == "elo"]
    assert "Elo is replayed from the reset" in own.stderr


def test_for_people_there_are_tables_and_a_report(folder: Path, tmp_path: Path) -> None:
    """Without --json a table is printed, and --output writes page, text and record."""
    shown = invoke(
        folder / "workspace", "--votes", str(folder / "votes.csv"), "--output", str(tmp_path / "r")
    )
    assert shown.exit_code == 0, shown.output
    assert re.search(r"m2 +1 +\d\.\d+ ", shown.stdout)
    assert "m2 against m3" in shown.stdout
    assert (tmp_path / "r" / "report.html").stat().st_size > 10_000
    record = orjson.loads((tmp_path / "r" / "report.json").read_bytes())
    assert record["title"] == "Arena: portraits"


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        (("--dataset", "cars"), InputError, "known: portraits"),
        (("--by", "model"), InputError, "none of query, dataset, session, group"),
        (("--by", "group"), InputError, "no voter said anything"),
        (("--session", "pilot"), NotFound, "no session"),
        (("--interval", "wild"), InputError, "none of t, percentile, bca"),
        (("--votes", "nowhere.csv"), InputError, "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(
    folder: Path, words: tuple[str, ...], kind: type[EvenhandError], text: str
) -> None:
    """A wrong dataset, session, part, interval or file is named with what there is instead."""
    result = invoke(folder / "workspace", *words)
    assert isinstance(result.exception, kind), result.output
    assert text in str(result.exception)


def test_an_empty_workspace_has_nothing_to_rate(tmp_path: Path) -> None:
    """Without votes there is a sentence, not a table of zeros."""
    result = invoke(tmp_path)
    assert isinstance(result.exception, InputError)
    assert "no vote to rate" in str(result.exception)
