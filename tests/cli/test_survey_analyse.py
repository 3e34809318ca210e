"""What ``evenhand survey analyse`` prints."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from evenhand.cli import survey_analyse
from evenhand.cli.survey_tables import lines
from evenhand.errors import InputError
from evenhand.settings import Settings
from evenhand.survey.analyse import Choices, analyse
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.load import load_population
from evenhand.survey.run import start_ratings
from evenhand.survey.spec import AskSpec
from evenhand.survey.traits import default_traits
from support.populations import draw, tiny_population
from support.ratings import planted, some_traits

POPULATION = tiny_population()
SHIFTS = {"gender": {"female": 0.5}}


def test_the_table_has_one_line_per_group_and_what_stands() -> None:
    """Means, differences and p side by side; traits only where they stand; the rest counted."""
    people = draw(POPULATION, 300, seed=1, temperature=0.5)
    made = planted(POPULATION, people, some_traits(8), seed=2, shifts=SHIFTS, persona_sd=0.3)
    analysed = analyse([made], choices=Choices(axes=("gender", "religion")))
    text = list(lines(analysed))
    assert text[0].startswith("simulated/planted, 300 personas of made, 8 traits")
    assert sum(line.startswith("  female ") for line in text) == 1
    assert any(line.startswith("  bias_intensity (gender)") for line in text)
    assert any("stand after correction" in line for line in text)
    assert any("mean_difference gender=female, trait" in line for line in text)
    more = next(line for line in text if "more estimates" in line)
    assert "--json" in more
    assert max(map(len, text)) < 130


def test_several_runs_have_a_table_each() -> None:
    """Each run's heading names it."""
    people = draw(POPULATION, 60, seed=1)
    runs = [
        planted(POPULATION, people, some_traits(4), seed=i, label=f"r-{i}", dual=0.5)
        for i in (1, 2)
    ]
    text = list(
        lines(analyse(runs, choices=Choices(axes=("gender",), baselines=("gender=male",))))
    )
    assert [line.split(":")[0] for line in text if "personas of made" in line] == ["r-1", "r-2"]
    assert any("gender=male where chosen" in line for line in text)
    assert any(line.startswith("  r-2 against r-1") for line in text)


def test_the_command_analyses_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a stored run to tables, notes on stderr; a wrong baseline is one sentence."""
    settings = Settings.resolve(workspace=tmp_path, environ={})
    with Datasets(settings) as datasets:
        row = datasets.create_pool(load_population("de-2024"), 20, seed=1, age_from=20)
    run = start_ratings(
        settings, AskSpec(dataset=row.id, rationale=False), subject="simulated/demo",
        traits=default_traits()[:2], seed=1,
    ).run  # fmt: skip
    survey_analyse.analyse([run], axes="gender", workspace=str(tmp_path))
    printed = capsys.readouterr()
    assert "everybody" in printed.out
    assert "note: the numbers speak of 20 personas" in printed.err
    with pytest.raises(InputError, match="no level 'robot'"):
        survey_analyse.analyse([run], baseline=["gender=robot"], workspace=str(tmp_path))


def test_the_verb_is_there() -> None:
    """It is registered under its name."""
    app = typer.Typer()
    survey_analyse.register(app)
    assert [command.name for command in app.registered_commands] == ["analyse"]
