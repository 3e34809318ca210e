"""``evenhand counterfactual pairs``: what the verbs say, write and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.cli import options
from evenhand.cli.counterfactual_pairs import build, show
from evenhand.errors import InputError
from support.pictures import pair_folder


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether JSON was asked for is the process' memory; each test begins without."""
    monkeypatch.setattr(options.early, "json", False)


def test_build_and_show_tell_the_same_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As text and as JSON; notes go to stderr."""
    folder = pair_folder(tmp_path / "images")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    manifest = tmp_path / "pairs.jsonl"
    build(folder=folder, output=manifest)
    said = capsys.readouterr()
    assert said.out == f"{manifest}: 4 pairs of 2 sources\n"
    assert said.err == "note: files that are no images were left out: notes.txt\n"
    show(manifest)
    assert capsys.readouterr().out.splitlines() == [
        "4 pairs of 2 sources",
        "edits: elderly_male 2, young_female 2",
        "datasets: unknown 4",
        "strata: unknown 4",
        "image sizes: 20x16 6",
    ]
    build(folder=folder, bundle=tmp_path / "bundle", json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["sources"], told["images"]) == (4, 2, 6)
    show(Path(told["manifest"]), json=True)
    assert json.loads(capsys.readouterr().out)["edits"] == {"elderly_male": 2, "young_female": 2}


@pytest.mark.parametrize(
    "given, where",
    [
        ({}, "--output, --bundle"),
        ({"output": "o", "bundle": "b"}, "--output, --bundle"),
        ({"output": "o"}, "--folder, --table"),
        ({"output": "o", "folder": "f", "table": "t"}, "--folder, --table"),
        ({"output": "o", "folder": "f", "link": True}, "--link"),
    ],
)
def test_options_that_contradict_each_other_are_one_sentence(
    tmp_path: Path, given: dict[str, str | bool], where: str
) -> None:
    """It names the options, and nothing is written."""
    named = {k: tmp_path / v if isinstance(v, str) else v for k, v in given.items()}
    with pytest.raises(InputError) as caught:
        build(**named)  # type: ignore[arg-type]
    assert caught.value.where == where
    assert list(tmp_path.iterdir()) == []
