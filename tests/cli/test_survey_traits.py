"""``evenhand survey traits``: list, import, export."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from evenhand.cli import options
from evenhand.cli.survey import app
from evenhand.survey.traits import default_traits


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one command was given early is no other's."""
    monkeypatch.setattr(options.early, "json", False)


def run(*words: str, workspace: Path, code: int = 0) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, ["traits", *words, "--workspace", str(workspace)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_list_shows_our_traits_and_then_the_imported_ones(tmp_path: Path) -> None:
    """A fresh workspace lists our forty; after an import, what was imported."""
    assert len(orjson.loads(run("list", "--json", workspace=tmp_path))) == 40
    (tmp_path / "t.csv").write_text("id,adjective\ng1,freundlich\ng2,laut\n")
    said = orjson.loads(run("import", str(tmp_path / "t.csv"), "--json", workspace=tmp_path))
    assert (said["added"], said["changed"], len(said["notes"])) == (2, 0, 2)
    listed = orjson.loads(run("list", "--json", workspace=tmp_path))
    assert [trait["id"] for trait in listed] == ["g1", "g2"]
    run("import", "default", "--replace", workspace=tmp_path)
    assert len(orjson.loads(run("list", "--json", workspace=tmp_path))) == 40


def test_export_writes_both_layouts(tmp_path: Path) -> None:
    """The reference's layout has two columns, the full one comes back as it was."""
    output = tmp_path / "t.csv"
    run("export", "--output", str(output), "--layout", "reference", workspace=tmp_path)
    assert output.read_text().splitlines()[:2] == ["id,adjective", "warm-friendly,freundlich"]
    run("export", "--output", str(output), workspace=tmp_path)
    said = orjson.loads(run("import", str(output), "--json", workspace=tmp_path))
    assert said == {"added": len(default_traits()), "changed": 0, "notes": []}
