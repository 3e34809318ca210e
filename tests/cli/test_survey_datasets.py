"""``evenhand survey pool | sample | datasets | describe | export | delete``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from click.testing import Result
from typer.testing import CliRunner

from evenhand.cli import options
from evenhand.cli.survey import app
from evenhand.errors import EvenhandError, InputError
from support.commands import evenhand


def invoke(words: tuple[str, ...], workspace: Path, typed: str | None = None) -> Result:
    """One command in this process; what the one before was given is forgotten."""
    options.early.json = False
    return CliRunner().invoke(app, [*words, "--workspace", str(workspace)], input=typed)


def run(*words: str, workspace: Path) -> str:
    """What a command prints when all is well."""
    result = invoke(words, workspace)
    assert result.exit_code == 0, result.output
    return result.stdout


def said(*words: str, workspace: Path) -> Any:
    """The same with ``--json``, read."""
    return orjson.loads(run(*words, "--json", workspace=workspace))


def refused(*words: str, workspace: Path) -> EvenhandError:
    """The error that a command ends with."""
    result = invoke(words, workspace)
    assert isinstance(result.exception, EvenhandError), result.output
    return result.exception


def test_pool_to_export(tmp_path: Path) -> None:
    """Each verb that makes a dataset says which; lists, tables and reports are of those."""
    words = ("--n", "60", "--temperature", "0.3", "--seed", "1", "--age-from", "18")
    settings = ("--set", "diverse_share=0.01", "--temperature-of", "gender=0")
    made = said("pool", *words, *settings, "--name", "all", workspace=tmp_path)
    assert {"dataset": 1, "kind": "pool", "n": 60, "name": "all"}.items() <= made.items()
    assert made["config"]["settings"] == {"diverse_share": 0.01}
    assert made["config"]["temperature"]["gender"] == 0
    assert made["config"]["temperature"]["origin"] == 0.3
    drawn = said("sample", "--dataset", "all", "--n", "20", "--seed", "1", workspace=tmp_path)
    assert {"dataset": 2, "kind": "reality", "n": 20, "source": 1}.items() <= drawn.items()
    listed = said("datasets", workspace=tmp_path)
    assert [row["name"] for row in listed] == ["all", "reality-2"]
    table = run("datasets", workspace=tmp_path).splitlines()
    assert table[0].split() == ["ID", "NAME", "KIND", "PEOPLE", "MADE", "FROM", "CREATED"]
    assert table[2].split()[:6] == ["2", "reality-2", "reality", "20", "1", "all"]
    output = tmp_path / "people.csv"
    wrote = said("export", "reality-2", "--output", str(output), workspace=tmp_path)
    assert wrote == {"dataset": 2, "format": "csv", "output": str(output), "people": 20}
    assert len(output.read_text(encoding="utf-8").splitlines()) == 21
    lines = run("export", "2", "--format", "jsonl", workspace=tmp_path).splitlines()
    assert orjson.loads(lines[0])["role"] == "source"


def test_describe_tells_the_composition(tmp_path: Path) -> None:
    """The composition is printed, or told whole as JSON (its report: ``test_survey_smoke``)."""
    run("pool", "--n", "80", "--name", "few", workspace=tmp_path)
    assert "subregion x religion" in run("describe", "few", workspace=tmp_path)
    told = said("describe", "few", workspace=tmp_path)
    assert (told["n"], told["output"]) == (80, None)
    assert {row["axis"] for row in told["axes"]} >= {"gender", "subregion", "age_bin"}
    assert {row["axis"] for row in told["axes"] if row["level"] == "TR"} == {"origin"}


def test_delete_asks_first(tmp_path: Path) -> None:
    """No answer and a no leave the dataset; a yes, or ``--yes``, removes it."""
    for _ in range(2):
        run("pool", "--n", "5", workspace=tmp_path)
    for typed in (None, "n\n"):
        assert invoke(("delete", "1"), tmp_path, typed).exit_code == 1
    assert len(said("datasets", workspace=tmp_path)) == 2
    assert invoke(("delete", "1"), tmp_path, "y\n").exit_code == 0
    assert said("delete", "pool-2", "--yes", workspace=tmp_path) == {"deleted": 2}
    assert said("datasets", workspace=tmp_path) == []


def test_mistakes_are_told(tmp_path: Path) -> None:
    """Options that cannot be are refused with the option or the value."""
    for words, complaint in (
        (("pool", "--n", "0"), "0 people"),
        (("pool", "--set", "diverse_share"), "'diverse_share' is not NAME=NUMBER"),
        (("pool", "--set", "width=1"), "no setting 'width'"),
        (("pool", "--temperature-of", "gender=hot"), "'gender=hot' is not NAME=NUMBER"),
        (("pool", "--temperature-of", "hair=0.1"), "no attribute 'hair'"),
        (("pool", "--population", "utopia"), "no population 'utopia'"),
        (("sample", "--dataset", "none"), "no dataset 'none'"),
        (("describe", "none"), "no dataset 'none'"),
        (("delete", "none", "--yes"), "no dataset 'none'"),
    ):
        assert complaint in str(refused(*words, workspace=tmp_path))
    run("pool", "--n", "5", workspace=tmp_path)
    assert isinstance(refused("export", "1", workspace=tmp_path), InputError)


def test_runs_without_texts_are_refused(tmp_path: Path) -> None:
    """``--attributes-run`` names an enrichment, or is told what it is instead."""
    run("pool", "--n", "3", workspace=tmp_path)
    words = ("export", "1", "--output", str(tmp_path / "p.csv"), "--attributes-run", "r-1")
    assert "no run 'r-1'" in str(refused(*words, workspace=tmp_path))


def test_mistake_in_a_process_is_one_sentence(tmp_path: Path) -> None:
    """As people run it: one line on stderr, exit code 2; on no terminal, no progress is drawn."""
    done = evenhand("survey", "describe", "nobody", "--workspace", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "evenhand: no dataset 'nobody'; none has been made here yet; make one with "
        "evenhand survey pool\n"
    )
