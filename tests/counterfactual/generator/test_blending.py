"""Blending: the frozen rule by hand, and masks of another size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenhand.counterfactual.generator.blending import blend, blend_files, mask_of
from evenhand.errors import InputError, NotFound
from support.pictures import picture, pixels


def test_inside_the_mask_the_mixture_is_cut_and_not_rounded() -> None:
    """3/10 of the one and 7/10 of the other with the fraction dropped, for all 65,536 pairs.

    Where the sum is whole, double precision may lie a hair below it, and then one is lost.
    """
    generated, source = np.meshgrid(np.arange(256), np.arange(256))
    planes = [
        np.repeat(levels[:, :, None], 3, axis=2).astype(np.uint8) for levels in (generated, source)
    ]
    found = blend(*planes, np.ones((256, 256)))[:, :, 0].astype(int)
    tenths = 3 * generated + 7 * source
    lost = tenths // 10 - found
    assert set(lost[tenths % 10 > 0].tolist()) == {0}
    assert set(lost[tenths % 10 == 0].tolist()) <= {0, 1}


def test_outside_the_mask_nothing_changes() -> None:
    """And with an amount of one the source is back inside it, whole."""
    generated, source = pixels(1), pixels(2)
    mask = np.zeros((16, 20))
    mask[:8] = 1.0
    mixed = blend(generated, source, mask)
    np.testing.assert_array_equal(mixed[8:], generated[8:])
    whole = blend(generated, source, mask, amount=1.0)
    np.testing.assert_array_equal(whole[:8], source[:8])
    np.testing.assert_array_equal(blend(generated, source, mask, amount=0.0), generated)


def test_equal_images_blend_to_themselves() -> None:
    """No level is lost to the cutting of fractions."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(blend(ramp, ramp, np.ones((1, 256))), ramp)


def test_a_mask_of_another_size_is_soft_unless_cut_again() -> None:
    """The frozen rule leaves values between 0 and 1 at the border; ours has two levels only."""
    generated = np.zeros((8, 8, 3), dtype=np.uint8)
    source = np.full((8, 8, 3), 200, dtype=np.uint8)
    mask = np.array([[1.0, 0.0], [1.0, 0.0]])
    soft = set(blend(generated, source, mask)[0, :, 0].tolist())
    hard = set(blend(generated, source, mask, rethreshold=True)[0, :, 0].tolist())
    assert len(soft) > 2
    assert hard == {0, 140}
    assert {0, 140} <= soft


def test_masks_are_cut_above_half() -> None:
    """127 of 255 is below half, 128 above; a mask is brought to a size before it is cut."""
    grey = Image.fromarray(np.array([[0, 127, 128, 255]], dtype=np.uint8))
    assert mask_of(grey).tolist() == [[0.0, 0.0, 1.0, 1.0]]
    assert set(mask_of(grey, (40, 3)).ravel().tolist()) == {0.0, 1.0}


def test_shapes_and_amounts_that_cannot_be_are_refused() -> None:
    """Each with what was given."""
    with pytest.raises(InputError, match=r"\(16, 20, 3\) and \(16, 21, 3\)"):
        blend(pixels(1), pixels(1, width=21), np.ones((16, 20)))
    with pytest.raises(InputError, match="height, width"):
        blend(pixels(1), pixels(2), np.ones((16, 20, 1)))
    with pytest.raises(InputError, match="1.5"):
        blend(pixels(1), pixels(2), np.ones((16, 20)), amount=1.5)


def test_files_are_blended_at_the_generated_images_size(tmp_path: Path) -> None:
    """The source is brought to it; what was done is told."""
    generated, source = picture(tmp_path / "g.png", 1), picture(tmp_path / "s.png", 2, 40, 32)
    Image.new("L", (20, 16), 255).save(tmp_path / "m.png")
    said = blend_files(generated, source, tmp_path / "m.png", tmp_path / "out" / "o.png")
    with Image.open(tmp_path / "out" / "o.png") as image:
        assert image.size == (20, 16)
    assert (said["mask_share"], said["amount"], said["source"]) == (1.0, 0.7, "s.png")
    with pytest.raises(NotFound):
        blend_files(generated, source, tmp_path / "none.png", tmp_path / "o.png")
