"""``evenhand survey enrich`` and ``evenhand survey run`` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer import Typer
from typer.testing import CliRunner

from evenhand.cli import options, running, runs_more, survey_run
from evenhand.errors import InputError, NotFound
from evenhand.settings import Settings
from support.surveys import pairs, pool

app = Typer()
_survey = Typer()
survey_run.register(_survey)
app.add_typer(_survey, name="survey")
app.add_typer(runs_more.app, name="runs")

TRAITS = "id,adjective\nkind,freundlich\nable,fähig\n"
NEUTRAL = ("--model", "simulated/neutral")


@pytest.fixture
def dataset(tmp_path: Path) -> int:
    """A pool of six."""
    return pool(Settings.resolve(workspace=tmp_path / "w", environ={}), 6)


@pytest.fixture
def traits(tmp_path: Path) -> Path:
    """Two traits."""
    path = tmp_path / "traits.csv"
    path.write_text(TRAITS, encoding="utf-8")
    return path


def evenhand(folder: Path, *words: object, code: int = 0) -> Any:
    """The command in this process, in a workspace of the folder."""
    options.early.json = False
    found = CliRunner().invoke(app, [*map(str, words), "--workspace", str(folder / "w")])
    assert found.exit_code == code, found.output + repr(found.exception)
    return found


def refused(folder: Path, *words: object) -> str:
    """What a wrong command is told."""
    options.early.json = False
    with pytest.raises((InputError, NotFound)) as told:
        CliRunner().invoke(
            app, [*map(str, words), "--workspace", str(folder / "w")], catch_exceptions=False
        )
    return str(told.value)


def test_a_dataset_is_rated_and_exported(tmp_path: Path, dataset: int, traits: Path) -> None:
    """From the dataset's name to a table; stdout is one document."""
    said = json.loads(
        evenhand(
            tmp_path, "survey", "run", "--dataset", "pool-1", *NEUTRAL, "--traits", traits,
            "--dual", 0.5, "--scale-order", "random", "--rationale", "off", "-q", "--json",
        ).stdout
    )  # fmt: skip
    assert said["units"] == {
        "planned": 18,
        "answered": 18,
        "partial": 0,
        "failed": 0,
        "pending": 0,
    }
    table = tmp_path / "ratings.csv"
    evenhand(tmp_path, "runs", "export", said["run"], "--format", "csv", "--output", table)
    assert len(table.read_text(encoding="utf-8").splitlines()) == 19
    lines = tmp_path / "ratings.jsonl"
    evenhand(tmp_path, "runs", "export", said["run"], "--output", lines)
    assert orjson.loads(lines.read_bytes().splitlines()[0])["trait"] == "kind"


def test_a_dry_run_tells_and_writes_every_request(
    tmp_path: Path, dataset: int, traits: Path
) -> None:
    """Answered elsewhere, the file of requests is a model of its own."""
    requests = tmp_path / "requests.jsonl"
    told = evenhand(
        tmp_path, "survey", "run", "--dataset", dataset, *NEUTRAL, "--traits", traits,
        "--dry-run", "--write-requests", requests,
    ).stdout  # fmt: skip
    assert "6 people, 12 units, 12 requests, about" in told
    assert "nothing was asked" in told
    rows = [orjson.loads(line) for line in requests.read_bytes().splitlines()]
    answers = tmp_path / "answers.jsonl"
    answers.write_bytes(b"".join(orjson.dumps({**row, "text": "2"}) + b"\n" for row in rows))
    told = evenhand(
        tmp_path, "survey", "run", "--dataset", dataset, "--model", f"recorded/{answers}",
        "--traits", traits, "-q",
    ).stdout  # fmt: skip
    assert "finished: 12 answered of 12" in told
    plan = json.loads(
        evenhand(
            tmp_path, "survey", "run", "--dataset", dataset, *NEUTRAL, "--dry-run", "--json"
        ).stdout
    )
    assert plan["people"] == 6
    assert plan["units"] == plan["requests"] == 6 * 40


def test_a_run_goes_on_in_either_way(tmp_path: Path, dataset: int, traits: Path) -> None:
    """Stopped by a budget it is told what is left, and resumed by its noun or by ``runs``."""
    said = json.loads(
        evenhand(
            tmp_path, "survey", "run", "--dataset", dataset, *NEUTRAL, "--traits", traits,
            "--max-requests", 3, "-q", "--json", code=3,
        ).stdout
    )  # fmt: skip
    run = said["run"]
    told = evenhand(tmp_path, "survey", "run", "--resume", run, "--dry-run").stdout
    assert "3 of 12 done" in told
    assert "and 4 more" in told
    evenhand(tmp_path, "survey", "run", "--resume", run, "--max-requests", 3, "-q", code=3)
    assert "is a run of ratings" in refused(tmp_path, "survey", "enrich", "--resume", run)
    assert "12 answered of 12" in evenhand(tmp_path, "runs", "resume", run, "-q").stdout


def test_an_enrichment_tells_what_its_texts_give_away(tmp_path: Path) -> None:
    """Counts per text and attribute, and how many variants were restated, in words and as JSON."""
    settings = Settings.resolve(workspace=tmp_path / "w", environ={})
    made = pairs(settings, 6, attributes=["gender"])
    done = evenhand(
        tmp_path, "survey", "enrich", "--dataset", made, "--model",
        "simulated/neutral?leak_rate=1", "--language", "en", "-q", "--json",
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert (said["people"], said["variants"], said["without"]) == (12, 6, 0)
    assert said["restated"] == {"name": 6}
    assert said["stated"]["biography"] == {"religion": 12}
    assert "biography states: religion 12" in done.stderr
    told = evenhand(
        tmp_path, "survey", "run", "--dataset", made, *NEUTRAL, "--attributes-run", said["run"],
        "--limit", 2, "-q",
    ).stdout  # fmt: skip
    assert "80 answered of 80" in told


def test_options_of_a_model_reach_it(tmp_path: Path, dataset: int) -> None:
    """A server's address and a provider's options, checked by name; the run stores them."""
    told = refused(
        tmp_path, "survey", "run", "--dataset", dataset, *NEUTRAL, "--model-option", "speed=3"
    )
    assert (
        "'speed=3' is no KEY=VALUE of simulated; it knows max_num_seqs, requests_per_minute, seed"
        in told
    )
    assert "has no server to name" in refused(
        tmp_path, "survey", "run", "--dataset", dataset, *NEUTRAL, "--base-url", "http://x"
    )
    subject = running.read_subject(
        "openai/tiny", "http://localhost:1/v1", ["max_num_seqs=8", "api_config.timeout_seconds=9"]
    )
    assert running.read_subject("openai/tiny", None, ["requests_per_minute=30"]).options == {
        "requests_per_minute": 30
    }
    assert subject.options == {
        "base_url": "http://localhost:1/v1",
        "max_num_seqs": 8,
        "api_config": {"timeout_seconds": 9},
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a dataset with --dataset ID, or --resume RUN"),
        (("--dataset", "1"), "give a model with --model PROVIDER/NAME, or --resume RUN"),
        (("--dataset", "nobody", *NEUTRAL), "no dataset 'nobody'"),
        (("--resume", "r-1", "--repair", "r-1"), "exclude each other"),
        (("--resume", "r-1", "--dataset", "1"), "--dataset cannot be changed"),
        (("--resume", "r-none"), "no run 'r-none'"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "enrich"])
def test_mistakes_are_one_sentence(
    tmp_path: Path, dataset: int, verb: str, words: tuple[str, ...], said: str
) -> None:
    """What is missing, unknown or contradictory, with what to do."""
    told = refused(tmp_path, "survey", verb, *words)
    assert said in told
    assert "\n" not in told
