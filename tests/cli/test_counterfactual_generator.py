"""``evenhand counterfactual qc``, ``blend`` and ``generate --dry-run``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from PIL import Image

from evenhand.cli import options
from evenhand.cli.counterfactual_generator import blend, generate, qc
from evenhand.cli.counterfactual_pairs import build
from evenhand.errors import InputError, InvalidInputs
from support.pictures import pair_folder, picture


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether JSON was asked for is the process' memory; each test begins without."""
    monkeypatch.setattr(options.early, "json", False)


def test_qc_of_two_files_says_why_and_leaves_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LPIPS that was not measured does not pass; as text and as a JSON line."""
    image = picture(tmp_path / "a.png", 1)
    with pytest.raises(typer.Exit) as caught:
        qc(source=image, generated=image)
    assert caught.value.exit_code == 1
    out = capsys.readouterr().out
    assert out.startswith(
        f"FAIL  {image}  ssim 1.0000 edge_preservation 1.0000 lpips not measured"
    )
    assert out.endswith("0 of 1 passed\n")
    with pytest.raises(typer.Exit):
        qc(source=image, generated=image, thresholds="ssim=0.9", json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["passed_qc"], told["lpips"], told["thresholds_are"]) == (False, None, "own")


def test_qc_of_a_manifest_writes_lines_and_what_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a pair in the manifest's order; the list of passed pairs is a manifest."""
    build(folder=pair_folder(tmp_path / "images"), output=tmp_path / "pairs.jsonl")
    with pytest.raises(typer.Exit):
        qc(
            pairs=tmp_path / "pairs.jsonl",
            output=tmp_path / "qc.jsonl",
            passed=tmp_path / "passed.jsonl",
        )
    assert "0 of 4 passed" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "qc.jsonl").read_text().splitlines()]
    assert [row["pair_id"] for row in rows] == [
        "s0__elderly_male", "s0__young_female", "s1__elderly_male", "s1__young_female",
    ]  # fmt: skip
    assert (tmp_path / "passed.jsonl").read_bytes() == b""


def test_what_qc_cannot_do_is_told_before_it_measures(tmp_path: Path) -> None:
    """Options that do not go together, and a list of passed pairs in the wrong place."""
    image = picture(tmp_path / "a.png", 1)
    for named in (
        {},
        {"source": image},
        {"source": image, "generated": image, "pairs": image},
        {"source": image, "generated": image, "passed": tmp_path / "p.jsonl"},
    ):
        with pytest.raises(InputError):
            qc(**named)
    build(folder=pair_folder(tmp_path / "images"), output=tmp_path / "pairs.jsonl")
    with pytest.raises(InvalidInputs, match="lies outside"):
        qc(pairs=tmp_path / "pairs.jsonl", passed=tmp_path / "elsewhere" / "passed.jsonl")


def test_blend_says_how_much_is_in_the_mask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And writes a PNG of the generated image's size."""
    mask = Image.new("L", (20, 16), 0)
    mask.paste(255, (0, 0, 10, 16))
    mask.save(tmp_path / "m.png")
    out = tmp_path / "o.png"
    generated, source = picture(tmp_path / "g.png", 1), picture(tmp_path / "s.png", 2)
    blend(generated=generated, source=source, mask=tmp_path / "m.png", output=out)
    assert capsys.readouterr().out == f"{out}: 50.0% of the image is in the mask\n"
    with Image.open(out) as image:
        assert image.size == (20, 16)


def test_a_dry_run_prints_json_and_needs_no_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings from file and options; with a source also how many images would be made."""
    config = tmp_path / "c.yaml"
    config.write_text("steps: 20\nseed: 1\n", encoding="utf-8")
    generate(dry_run=True, config=config, seed=5)
    said = json.loads(capsys.readouterr().out)
    assert (said["config"]["steps"], said["config"]["seed"]) == (20, 5)
    assert (said["images"], said["steps_taken"]) == (None, 3)
    generate(dry_run=True, source=picture(tmp_path / "p1.png", 1), edit=["young_male"])
    assert json.loads(capsys.readouterr().out)["images"] == 1
    with pytest.raises(InputError, match="--source, --output"):
        generate()
