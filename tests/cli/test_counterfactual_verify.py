"""``evenhand counterfactual verify``: what is printed, as text and as JSON, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evenhand.cli.counterfactual_verify import app
from evenhand.errors import Conflict
from support.artifacts import make_bundle, pair_ids
from support.commands import evenhand

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole bundle and what lies beside it."""
    return make_bundle(tmp_path_factory.mktemp("release"), iterations=10).parent


@pytest.fixture(autouse=True)
def _plain() -> object:
    """``--json`` is remembered for the length of a process; here a process is a test."""
    from evenhand.cli import options

    options.early.json = False
    yield
    options.early.json = False


def test_a_check_that_holds_leaves_with_0(release: Path) -> None:
    """Its lines are printed, one each."""
    artifacts = str(release / "artifacts")
    done = RUNNER.invoke(app, ["parse-sample", "--artifacts", artifacts, "--model", "radfm"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:2] == ["Model: radfm", f"Pair ID: {pair_ids(3)[0]}"]
    assert done.stderr == ""


def test_json_holds_the_lines_with_their_figures(release: Path) -> None:
    """Standard output is one document: the check, whether it holds, its lines."""
    artifacts = str(release / "artifacts")
    done = RUNNER.invoke(app, ["dataset", "--artifacts", artifacts, "--json"])
    said = json.loads(done.stdout)
    assert (done.exit_code, said["check"], said["ok"]) == (0, "dataset", True)
    assert {"text": "Sources: 3", "ok": True, "counted": 3, "said": 3} in said["lines"]


def test_a_check_that_does_not_hold_leaves_with_1(tmp_path: Path) -> None:
    """What failed is marked on standard output and named in one sentence on standard error."""
    done = RUNNER.invoke(app, ["table2", "--artifacts", str(tmp_path)])
    missing = (
        "artifacts/Results/analysis/common_core_1000_summary.json: is missing from the bundle"
    )
    assert done.exit_code == 1
    assert done.stdout == f"FAILED {missing}\n"
    assert done.stderr == f"evenhand: table2 does not hold: {missing}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["table2", "--stream", "mt"],
        ["table2", "--bootstrap-iterations", "0"],
        ["table2", "--seed", "x"],
        ["release-identity", "--archive-variant", "secret"],
        ["nothing"],
    ],
)
def test_a_wrong_word_leaves_with_2(arguments: list[str]) -> None:
    """Options and verbs that there are not are the user's mistake."""
    assert RUNNER.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["table2", "--model", "nobody"], ["dataset", "--registry", "none"], ["inspect"]],
)
def test_a_wrong_value_is_raised(release: Path, arguments: list[str]) -> None:
    """A model, registry or folder that is not there is raised, for one sentence and exit code 2."""
    place = release / ("artifacts" if len(arguments) > 1 else "nowhere")
    done = RUNNER.invoke(app, [*arguments, "--artifacts", str(place)])
    assert getattr(done.exception, "exit_code", None) == 2


def test_all_sums_up(release: Path) -> None:
    """Every check runs; the sum has a line each, and one failure makes the exit code 1."""
    arguments = ["all", "--artifacts", str(release / "artifacts"), "--json"]
    whole = RUNNER.invoke(app, arguments)
    said = json.loads(whole.stdout)
    assert (whole.exit_code, said["ok"], len(said["lines"])) == (0, True, 13)
    broken = RUNNER.invoke(app, [*arguments, "--archive-variant", "personal"])
    said = json.loads(broken.stdout)
    assert broken.exit_code == 1
    assert [line["ok"] for line in said["lines"]] == [True] * 12 + [False]
    assert broken.stderr == "evenhand: 1 of 13 checks do not hold: release-identity\n"


def test_a_manifest_is_written_and_checked(tmp_path: Path) -> None:
    """A release of one's own is listed once, and the list then holds."""
    (tmp_path / "report.txt").write_text("hello")
    manifest = str(tmp_path / "SHA256SUMS.txt")
    assert RUNNER.invoke(app, ["checksums", manifest, "--write"]).exit_code == 0
    done = RUNNER.invoke(app, ["checksums", manifest])
    assert "1 files are as their checksums say" in done.stdout
    again = RUNNER.invoke(app, ["checksums", manifest, "--write"])
    assert isinstance(again.exception, Conflict)
    (tmp_path / "report.txt").write_text("other")
    assert RUNNER.invoke(app, ["checksums", manifest]).exit_code == 1


@pytest.mark.parametrize("name", ["none.txt", "nowhere/none.txt"])
def test_a_manifest_that_is_not_there_does_not_hold(tmp_path: Path, name: str) -> None:
    """A manifest that is missing, like any file of a release, is a check that does not hold."""
    done = RUNNER.invoke(app, ["checksums", str(tmp_path / name)])
    assert done.exit_code == 1
    assert "none.txt: cannot be read" in done.stderr


def test_as_a_process(release: Path) -> None:
    """The command as people run it: its figures, and a sentence for a wrong folder."""
    done = evenhand(
        "counterfactual", "verify", "gap-sensitivity", "--artifacts", release / "artifacts"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("gap_graded_negative_models: ")
