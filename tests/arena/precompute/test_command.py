"""``evenhand arena precompute``."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.precompute.progress import Bars
from evenhand.cli import arena_precompute, options
from evenhand.errors import EvenhandError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Twelve drawn portraits and the encoders that come with the package."""
    said = {
        "models": [
            {"id": "skewed", "backend": "onnx", "path": "portraits-skewed"},
            {"id": "balanced", "backend": "onnx", "path": "portraits-balanced"},
        ],
        "datasets": [{"id": "drawn", "source": "portraits", "max_images": 12}],
    }
    path = tmp_path / "arena.yaml"
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    (tmp_path / "queries.txt").write_text("a doctor\n\na nurse\nA doctor\n", encoding="utf-8")
    return path


def run(*words: str) -> tuple[int, str, str, BaseException | None]:
    """The command, in this process."""
    options.early.json = False  # what an earlier command in this process was given
    app = typer.Typer()
    arena_precompute.register(app)
    told = CliRunner().invoke(app, list(words))
    return told.exit_code, told.stdout, told.stderr, told.exception


def test_from_a_configuration_to_a_bundle(config: Path) -> None:
    """The shipped encoders by name, no download; the record names the bundle; both models answer
    open queries."""
    folder = config.parent
    code, out, err, _ = run(
        "--config", str(config), "--queries", str(folder / "queries.txt"), "--json",
        "--workspace", str(folder / "w"), "--thumbnail-size", "32",
    )  # fmt: skip
    assert code == 0, err
    (made,) = json.loads(out)["bundles"]
    assert made["path"] == str(folder / "w" / "bundles" / "arena_bundle_drawn.npz")
    assert (made["images"], made["models"], made["queries"]) == (12, ["skewed", "balanced"], 2)
    assert "line 4: 'A doctor' again" in err
    bundle = open_bundle(Path(made["path"]))
    assert bundle.version == made["version"]
    assert bundle.text_models == ("skewed", "balanced")
    assert len(bundle.ranking("skewed", "a nurse")) == 12
    bundle.close()


@pytest.mark.parametrize(
    "more, said",
    [
        (["--dataset-id", "x"], "no dataset 'x'; the configuration has drawn"),
        (["--queries", "nowhere.txt"], "no such file; it holds the queries"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--batch-size", "0"], "--batch-size: 0 is not 1 to 65536"),
        (["--device", "tpu"], "device 'tpu' is none of"),
    ],
)
def test_mistakes_are_one_sentence(config: Path, more: list[str], said: str) -> None:
    """What was wrong, the value, and what to do; nothing is computed."""
    queries = str(config.parent / "queries.txt")
    code, _, _, error = run("--config", str(config), "--queries", queries, "--quiet", *more)
    assert code != 0
    assert isinstance(error, EvenhandError | OSError)
    assert said in str(error)
    assert not list(config.parent.rglob("*.npz"))


def test_without_a_file_the_configurations_queries_are_taken(config: Path) -> None:
    """``arena.predefined_queries``; and none at all is said."""
    folder = config.parent
    code, _, _, error = run("--config", str(config), "--output", str(folder / "b.npz"))
    assert code != 0
    assert "arena.predefined_queries: no query in it" in str(error)
    said = yaml.safe_load(config.read_text(encoding="utf-8"))
    said["arena"] = {"predefined_queries": ["a cook"]}
    config.write_text(yaml.safe_dump(said), encoding="utf-8")
    code, out, err, _ = run("--config", str(config), "--output", str(folder / "b.npz"))
    assert code == 0, err
    assert "12 images, 2 models, 1 query" in out
    assert "drawn: skewed: 12 images in" in err


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    """One line per stage when it is done."""
    out = io.StringIO()
    with Bars(out).stage("faces: a", 10) as advance:
        advance(10)
    assert out.getvalue().startswith("faces: a: 10 images in ")


def test_progress_is_a_bar_on_a_terminal() -> None:
    """That goes when the stage is done, and leaves one line."""

    class Terminal(io.StringIO):
        """Says that it is one."""

        def isatty(self) -> bool:
            """Yes."""
            return True

    out = Terminal()
    with Bars(out).stage("faces: a", 10) as advance:
        advance(4)
    assert "10 images in" in out.getvalue()
