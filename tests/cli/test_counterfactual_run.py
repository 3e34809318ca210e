"""``evenhand counterfactual run`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer import Typer
from typer.testing import CliRunner

from evenhand.cli import counterfactual_run, options, runs_more
from evenhand.counterfactual.frozen.submission import read_submission
from evenhand.errors import InputError, InvalidInputs, NotFound
from support.image_pairs import bundle

app = Typer()
_noun = Typer()
counterfactual_run.register(_noun)
_noun.command("other")(lambda: None)  # with one command alone Typer takes no verb
app.add_typer(_noun, name="counterfactual")
app.add_typer(runs_more.app, name="runs")

NEUTRAL = ("--model", "simulated/neutral")


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


def ask(*words: object) -> tuple[object, ...]:
    """The verb."""
    return ("counterfactual", "run", *words)


def test_a_run_writes_its_submission(tmp_path: Path) -> None:
    """Submission and re-queries lie where asked, and JSON says so."""
    manifest = bundle(tmp_path / "b", 2)
    out = tmp_path / "mine.json"
    said = evenhand(
        tmp_path, *ask("--pairs", manifest, *NEUTRAL, "--requery", 2, "--output", out, "--json")
    )
    told = json.loads(said.stdout)
    assert told["units"]["answered"] == 8 + 4
    assert (told["submission"], told["pairs"], told["blank"]) == (str(out), 8, 0)
    assert len(read_submission(out).results) == 8
    assert len(Path(told["requeries"]).read_text(encoding="utf-8").splitlines()) == 4


def test_without_an_output_the_submission_is_in_the_runs_folder(tmp_path: Path) -> None:
    """The person is told where; the run can be exported, resumed and browsed by its id."""
    said = evenhand(tmp_path, *ask("--pairs", bundle(tmp_path / "b", 1), *NEUTRAL, "--limit", 2))
    (path,) = tmp_path.glob("w/**/submission.json")
    assert f"2 pairs written to {path}" in said.stderr
    assert read_submission(path).scope == "toy"
    run = said.stdout.split()[0]
    again = tmp_path / "again.json"
    evenhand(tmp_path, "runs", "export", run, "--format", "submission", "--output", again)
    assert again.read_bytes() == path.read_bytes()
    assert "2 answered" in evenhand(tmp_path, "runs", "resume", run, "--quiet").stdout
    pages = evenhand(tmp_path, "runs", "browse", run, "--output", tmp_path / "p").stdout
    assert pages.startswith("2 transcripts")


def test_a_budget_ends_early_and_a_resume_writes_the_submission(tmp_path: Path) -> None:
    """A run that is not through writes none; its resume does, and cannot change what is asked."""
    manifest = bundle(tmp_path / "b", 1)
    said = evenhand(
        tmp_path, *ask("--pairs", manifest, *NEUTRAL, "--max-requests", 3, "--json"), code=3
    )
    told = json.loads(said.stdout)
    assert told["submission"] is None
    left = evenhand(tmp_path, *ask("--resume", told["run"], "--dry-run")).stdout
    assert "of 4 done" in left
    out = tmp_path / "s.json"
    evenhand(tmp_path, *ask("--resume", told["run"], "--output", out))
    assert len(read_submission(out).results) == 4
    words = refused(tmp_path, *ask("--resume", told["run"], "--pairs", manifest))
    assert "--pairs cannot be changed" in words


def test_a_dry_run_tells_what_a_run_takes(tmp_path: Path) -> None:
    """Nothing is asked; every request is written with its image's path and digest."""
    manifest = bundle(tmp_path / "b", 2)
    file = tmp_path / "requests.jsonl"
    words = ask("--pairs", manifest, *NEUTRAL, "--dry-run", "--write-requests", file)
    said = evenhand(tmp_path, *words).stdout
    assert said.startswith("8 pairs of 2 sources, 16 requests, about ")
    assert "beside 16 images" in said
    assert "nothing was asked" in said
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert len(lines) == 16
    assert set(lines[0]) == {"key", "step", "role", "messages"}
    told = json.loads(evenhand(tmp_path, *ask("--pairs", manifest, *NEUTRAL, "--dry-run", "--json")).stdout)  # fmt: skip
    assert (told["pairs"], told["sources"], told["requests"], told["images"]) == (8, 2, 16, 16)


def test_users_images_of_another_kind(tmp_path: Path) -> None:
    """A subject and a prompt of one's own take the place of ours."""
    manifest = bundle(tmp_path / "b", 1)
    prompt = tmp_path / "p.txt"
    prompt.write_text("Would you hire the person on this {subject}?", encoding="utf-8")
    file = tmp_path / "requests.jsonl"
    evenhand(
        tmp_path,
        *ask("--pairs", manifest, *NEUTRAL, "--prompt", prompt, "--subject", "portrait"),
        *("--dry-run", "--write-requests", file),
    )
    (message,) = orjson.loads(file.read_bytes().splitlines()[0])["messages"]
    assert message["content"] == "Would you hire the person on this portrait?"


@pytest.mark.parametrize(
    "words, says",
    [
        (NEUTRAL, "give a manifest with --pairs"),
        (("--pairs", "M"), "give a model with --model"),
        (("--pairs", "none.jsonl", *NEUTRAL), "cannot read the manifest"),
        (("--pairs", "M", *NEUTRAL, "--prompt", "primry"), "no prompt 'primry'"),
        (("--pairs", "M", *NEUTRAL, "--registry", "spne"), "no registry 'spne'"),
        (("--pairs", "M", *NEUTRAL, "--scope", "all"), "--scope: is 'all'"),
        (("--resume", "a", "--repair", "b"), "exclude each other"),
        (("--resume", "r-none"), "r-none"),
    ],
)
def test_mistakes_are_sentences(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    """Each is told before anything is asked."""
    manifest = str(bundle(tmp_path / "b", 1))
    given = [manifest if word == "M" else word for word in words]
    assert says in refused(tmp_path, *ask(*given))


def test_what_pairs_lack_is_told_together(tmp_path: Path) -> None:
    """A manifest without texts cannot be asked about as text."""
    manifest = bundle(tmp_path / "b", 1)
    with pytest.raises(InvalidInputs, match="5 problems found, nothing was asked"):
        CliRunner().invoke(
            app,
            [*map(str, ask("--pairs", manifest, *NEUTRAL, "--prompt", "text_only"))],
            catch_exceptions=False,
        )
