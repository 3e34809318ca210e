"""``evenhand arena import-legacy`` and ``evenhand arena export``: what they say and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from evenhand.cli import arena_export, arena_import, options
from evenhand.errors import InputError
from support.legacy_arena import legacy_arena, legacy_vote


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test gave before the noun is forgotten."""
    monkeypatch.setattr(options, "early", type(options.early)())


def run(*arguments: str) -> str:
    """One command; what it printed on stdout. Raises what it raised."""
    app = typer.Typer()
    arena_import.register(app)
    arena_export.register(app)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_import_then_export(tmp_path: Path) -> None:
    """The votes of a reference's file come out again as CSV, with the rejected ones told."""
    there = str(legacy_arena(tmp_path / "a.db", [legacy_vote(), legacy_vote(model_b="m0")]))
    where = ("--workspace", str(tmp_path / "w"))
    said = json.loads(run("import-legacy", "--db", there, "--dataset", "faces", "--json", *where))
    assert (said["votes"], said["new"]) == (1, 1)
    assert [bad["id"] for bad in said["rejected"]] == ["2"]
    options.early.json = False
    assert "0 of them new" in run("import-legacy", "--db", there, "--dataset", "faces", *where)
    output = tmp_path / "votes.csv"
    assert "1 votes" in run("export", "--output", str(output), *where)
    assert output.read_text().count("\n") == 2
    assert run("export", *where).split() == output.read_text().split()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("import-legacy", "--dataset", "d"), "--db FILE"),
        (("import-legacy", "--db", "nothing.db", "--dataset", "d"), "no such file"),
        (("import-legacy", "--db", "a.db", "--dataset", "../d"), "no id"),
        (("export", "--format", "xls"), "no format"),
        (("export", "--format", "parquet"), "name a file"),
    ],
)
def test_mistakes_are_one_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """A file, id or format that is none raises an error that says what to give."""
    with pytest.raises(InputError, match=said):
        run(*arguments, "--workspace", str(tmp_path))
