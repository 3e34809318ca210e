"""What ``evenhand counterfactual analyse`` prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from evenhand.cli import counterfactual_analyse
from evenhand.cli.counterfactual_tables import lines
from evenhand.counterfactual.analyse import analyse
from evenhand.counterfactual.analysis.loading import read_set
from evenhand.counterfactual.gather import gather
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.errors import InputError
from evenhand.settings import Settings
from support.image_pairs import bundle, reported

MODEL = "simulated/neutral?flip_rate.elderly=0.6&report_noise=0.3"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace with one run about 20 sources; its folder and the run's id."""
    folder = tmp_path_factory.mktemp("run")
    settings = Settings.resolve(workspace=folder / "ws", environ={})
    return folder, reported(settings, bundle(folder, 20), MODEL, requery=1)


def app() -> typer.Typer:
    """The verb alone."""
    made = typer.Typer()
    counterfactual_analyse.register(made)
    return made


def test_the_table_tells_change_noise_and_what_stands(stored: tuple[Path, str]) -> None:
    """Change rate and noise floor of the whole and by edit; then contrasts that stand."""
    folder, run = stored
    (reports,) = gather([run], Settings.resolve(workspace=folder / "ws", environ={}))
    text = list(lines(analyse([read_set(reports, load_registry())])))
    assert text[0].startswith("simulated/neutral")
    assert "80 pairs of 20 source images" in text[0]
    assert any(line.startswith("  excess_normalised (elderly)") for line in text)
    assert any("contrasts stand after correction" in line for line in text)
    assert any("surgery: elderly against young" in line for line in text)
    assert max(map(len, text[1:])) < 130


def test_the_command_writes_a_report_and_the_record(
    stored: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON on stdout and nothing else; the report's commands repeat run and analysis."""
    folder, run = stored
    words = [run, "--json", "--workspace", str(folder / "ws"), "--output", str(folder / "report")]
    app()(words, standalone_mode=False)
    told = capsys.readouterr()
    names = {row["name"] for row in json.loads(told.out)["estimates"]}
    assert {"recommendation_change_rate", "noise_f", "excess", "category_rate_difference"} <= names
    assert "wrote" in told.err
    shown = (folder / "report" / "report.md").read_text(encoding="utf-8")
    assert "evenhand counterfactual run --pairs" in shown
    assert "--requery 1" in shown


def test_a_wrong_choice_is_one_sentence(stored: tuple[Path, str]) -> None:
    """An unknown reading and a margin beyond all rates name the option."""
    _, run = stored
    for words, where in ((["--reading", "loose"], "--reading"), (["--margin", "2"], "--margin")):
        with pytest.raises(InputError) as raised:
            app()([run, *words], standalone_mode=False)
        assert raised.value.where == where
