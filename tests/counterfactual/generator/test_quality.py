"""Quality control: thresholds, what was not measured, and pairs of a manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenhand.counterfactual.generator.lpips import load_lpips, missing_parts
from evenhand.counterfactual.generator.quality import (
    FROZEN,
    Thresholds,
    check_image,
    check_pairs,
)
from evenhand.counterfactual.pairs.manifest import ManifestPair
from evenhand.errors import InputError
from support.pictures import pair_folder, picture


def absolute(source: Image.Image, other: Image.Image) -> float:
    """A distance in LPIPS' place: the mean absolute difference."""
    seen = other.resize(source.size)
    return float(np.abs(np.asarray(source, float) - np.asarray(seen, float)).mean() / 255)


def test_the_frozen_thresholds() -> None:
    """0.70, 0.276 and 0.40; windowed SSIM is not asked for."""
    assert FROZEN.as_record() == {
        "ssim": 0.70,
        "edge_preservation": 0.276,
        "lpips": 0.40,
        "windowed_ssim": None,
    }


def test_without_lpips_nothing_passes(tmp_path: Path) -> None:
    """Also not the source itself; with a distance it does."""
    image = picture(tmp_path / "a.png", 1)
    verdict = check_image(image, image)
    assert verdict.failed == ("lpips was not measured",)
    assert not verdict.passed
    assert verdict.measured == {
        "ssim": pytest.approx(1.0),
        "edge_preservation": 1.0,
        "lpips": None,
        "windowed_ssim": pytest.approx(1.0),
    }
    large = picture(tmp_path / "b.png", 1, 40, 40)
    assert check_image(large, large, lpips=absolute).passed
    assert not check_image(image, image, lpips=absolute).passed  # 16 pixels are too few for it


def test_thresholds_are_inclusive(tmp_path: Path) -> None:
    """Exactly the threshold passes; a hair beyond it does not, and says which figure."""
    source, other = (picture(tmp_path / f"{n}.png", n, 40, 40) for n in (1, 2))
    measured = check_image(source, other, lpips=absolute).measured
    exact = Thresholds(**{name: float(value or 0) for name, value in measured.items()})
    assert check_image(source, other, thresholds=exact, lpips=absolute).passed
    for name, value in exact.as_record().items():
        assert value is not None
        beyond = value + (-1e-9 if name == "lpips" else 1e-9)
        strict = Thresholds(**{**exact.as_record(), name: beyond})  # type: ignore[arg-type]
        (sentence,) = check_image(source, other, thresholds=strict, lpips=absolute).failed
        assert sentence.startswith(f"{name} ")


def test_the_generated_image_is_brought_to_the_sources_size(tmp_path: Path) -> None:
    """A smooth image at twice the size is still the same image."""
    ramp = Image.linear_gradient("L")
    ramp.save(tmp_path / "source.png")
    ramp.resize((512, 512)).save(tmp_path / "large.png")
    verdict = check_image(tmp_path / "source.png", tmp_path / "large.png", lpips=absolute)
    assert verdict.measured["ssim"] == pytest.approx(1.0, abs=1e-3)


def test_a_manifest_is_checked_in_its_order_and_bad_images_are_lines(tmp_path: Path) -> None:
    """Each pair has a verdict with its ids; a broken image fails and the next is still checked."""
    folder = pair_folder(tmp_path)
    (folder / "s0" / "young_female.png").write_bytes(b"none")
    pairs = [
        ManifestPair(
            pair_id=f"s{n}__{edit}",
            source_id=f"s{n}",
            edit=edit,
            source_image=folder / f"s{n}" / "source.png",
            counterfactual_image=folder / f"s{n}" / f"{edit}.png",
        )
        for n in (1, 0)
        for edit in ("elderly_male", "young_female")
    ]
    text = ManifestPair(pair_id="t__young_male", source_id="t", edit="young_male", source_text="x")
    verdicts = list(check_pairs([text, *pairs]))
    assert [v.pair for v in verdicts] == pairs
    records = [v.as_record(FROZEN) for v in verdicts]
    assert [r["pair_id"] for r in records] == [p.pair_id for p in pairs]
    assert "is no image that can be read" in records[3]["failed"][0]
    assert "ssim" not in records[3]
    assert {r["thresholds_are"] for r in records} == {"frozen"}
    assert verdicts[0].as_record(Thresholds(ssim=0.1))["thresholds_are"] == "own"


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("sim=0.5", "sim=0.5"),
        ("ssim", "is no number"),
        ("ssim=high", "'high' is no number"),
        ("ssim=nan", "must be a number"),
        ("ssim=0.1,ssim=0.2", "each name once"),
    ],
)
def test_bad_thresholds_are_one_sentence(text: str, sentence: str) -> None:
    """Names and numbers are checked before any image is read."""
    with pytest.raises(InputError, match=sentence):
        Thresholds.parsed(text)
    assert Thresholds.parsed("") == FROZEN


@pytest.mark.skipif(not missing_parts(), reason="LPIPS can be measured here")
def test_asking_for_lpips_without_its_packages_says_what_to_install(tmp_path: Path) -> None:
    """One sentence with the command."""
    with pytest.raises(InputError, match=r"pip install 'evenhand\[generator\]'"):
        load_lpips(tmp_path / "alexnet.pth")
