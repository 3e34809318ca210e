"""``evenhand arena bundle``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from evenhand.arena.bundles.reading import open_bundle
from evenhand.cli import options
from evenhand.cli.arena_bundle import register
from evenhand.errors import Conflict, InputError, NotFound
from support.benchmark_rows import real_data
from support.bundles import small_bundle

app = typer.Typer()
register(app)


@pytest.fixture(autouse=True)
def _as_if_new():
    """--json holds for the whole process; every test is one."""
    yield
    options.early.json = False


def run(*words: str) -> tuple[int, str]:
    """Exit status and stdout; our own errors are raised, as main() is not here to print them."""
    done = CliRunner().invoke(app, ["bundle", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_show_says_what_is_in_it(tmp_path: Path) -> None:
    """Dataset, models, queries, attributes, provenance, and which models answer open queries."""
    path = small_bundle(tmp_path, text_encoder=True)
    code, told = run("show", str(path))
    assert code == 0
    for said in ("tiny (Dataset tiny), version", "60 images", "m3 (Model 3): 16 columns, top 50",
                 "open queries", "3 queries: doctor, nurse", "attribute age: middle, old, young",
                 "drawn for a test"):  # fmt: skip
        assert said in told


def test_show_as_json(tmp_path: Path) -> None:
    """The same as one JSON document."""
    path = small_bundle(tmp_path, models=2)
    facts = json.loads(run("show", str(path), "--json")[1])
    assert (facts["dataset"], facts["images"], facts["legacy"]) == ("tiny", 60, False)
    assert facts["version"] == open_bundle(path).version
    assert facts["models"][1] == {
        "id": "m1", "title": "Model 1", "dim": 16, "top": 50, "open_queries": False,
    }  # fmt: skip
    assert facts["provenance"]["models"]["m0"] == {"model": "planted 0"}


def test_verify_leaves_with_1_and_names_each_problem(tmp_path: Path) -> None:
    """Exit 0 and one line when it holds; exit 1 and a line per problem when it does not."""
    path = small_bundle(tmp_path)
    assert run("verify", str(path)) == (0, f"{path}: holds\n")
    content = bytearray(path.read_bytes())
    content[open_bundle(path).pictures_at or 0] ^= 1
    path.write_bytes(content)
    code, told = run("verify", str(path))
    assert code == 1
    assert [line.split(": ")[1] for line in told.splitlines()] == [
        "thumbnail_bytes",
        "thumbnail 0",
    ]
    code, told = run("verify", str(path), "--json")
    assert (code, json.loads(told)["holds"]) == (1, False)


def test_what_is_no_bundle_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    """A file that is not there is not a bundle that fails, but an error (exit 2)."""
    with pytest.raises(NotFound, match="no bundle"):
        run("verify", str(tmp_path / "nowhere.npz"))
    with pytest.raises(InputError, match="no such bundle"):
        run("show", str(tmp_path / "nowhere.npz"))


@pytest.mark.real_data
def test_a_bundle_of_the_reference(tmp_path: Path) -> None:
    """A bundle that Fairness Arena wrote opens, verifies, says that it is legacy, and reads the
    same as with numpy."""
    path = real_data("arena") / "arena_bundle_tiny.npz"
    assert run("verify", str(path))[0] == 0
    new = tmp_path / "new.npz"
    assert run("upgrade", str(path), str(new))[0] == 0
    assert run("verify", str(new))[0] == 0
    with pytest.raises(Conflict, match="is there already"):
        run("upgrade", str(path), str(new))
    facts = json.loads(run("show", str(path), "--json")[1])
    assert (facts["legacy"], facts["dataset"], facts["images"]) == (True, "tiny", 60)
    bundle = open_bundle(path)
    with np.load(path, allow_pickle=False) as found:
        rankings = json.loads(str(found["retrievals_json"][0]))
        offsets, pictures = found["thumbnail_offsets"], found["thumbnail_bytes"]
        for model in bundle.models:
            kept = bundle.embeddings(model)
            assert kept is not None
            assert (kept == found[f"image_embs__{model}"]).all()
            for query in bundle.queries:
                told = rankings[model][query]
                assert bundle.ranking(model, query).tolist() == told["indices"]
                assert np.allclose(bundle.similarities(model, query), told["similarities"])
        for at in range(60):
            assert bytes(bundle.thumbnail(at)) == pictures[offsets[at] : offsets[at + 1]].tobytes()
