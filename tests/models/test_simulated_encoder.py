"""The dual encoder without weights: what is planted is what is found."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from evenhand.errors import InputError
from evenhand.models.encoders import check_encoder, open_encoder
from evenhand.models.simulated_encoder import FACTS, SimulatedEncoder


def images(words: list[str]) -> list[Image.Image]:
    """One per text, every one of other pixels."""
    found = []
    for at, text in enumerate(words):
        image = Image.new("RGB", (16, 16), (at % 256, at // 256, 7))
        image.info[FACTS] = text
        found.append(image)
    return found


def test_words_in_common_are_near() -> None:
    """An image is nearest to the text that says what is known of it."""
    encoder = SimulatedEncoder(noise=0.1)
    rows = encoder.encode_images(images(["a doctor, a woman", "a nurse, a man", "a red bus"]))
    texts = encoder.encode_texts(["doctor", "nurse", "red bus"])
    assert (rows @ texts.T).argmax(axis=0).tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_preference_draws_images_forward_whatever_is_asked() -> None:
    """By more the larger its weight, and not at all when there is none."""
    shown = images(["a doctor, a man", "a doctor, a woman"] * 100)
    gaps = []
    for name in ("noise=0.5", "man=0.3 noise=0.5", "man=0.9 noise=0.5"):
        encoder = SimulatedEncoder.of(name)
        alike = encoder.encode_images(shown) @ encoder.encode_texts(["a doctor"])[0]
        gaps.append(float(alike[::2].mean() - alike[1::2].mean()))
    assert abs(gaps[0]) < 0.05
    assert gaps[0] + 0.1 < gaps[1] < gaps[2] - 0.1


def test_the_same_input_gives_the_same_bytes() -> None:
    """In any batch, from any instance of the same settings; another seed gives other noise."""
    shown = images(["a man", "", "a woman"])
    one, again = SimulatedEncoder.of("man=1 seed=3"), SimulatedEncoder.of("man=1 seed=3")
    rows = one.encode_images(shown)
    assert rows.tobytes() == again.encode_images(shown).tobytes()
    assert rows[1:2].tobytes() == one.encode_images(shown[1:2]).tobytes()
    assert rows.tobytes() != SimulatedEncoder.of("man=1 seed=4").encode_images(shown).tobytes()
    assert one.encode_texts([""]).shape == (1, one.dim)
    assert one.about()["preferences"] == "man=1"


@pytest.mark.parametrize("name", ["man", "man=", "=1", "man=x", "man=inf", "dim=1", "noise=-1"])
def test_settings_that_say_nothing_are_refused(name: str) -> None:
    """With the part that is wrong."""
    with pytest.raises(InputError):
        check_encoder("simulated", model_name=name)


def test_unknown_backends_and_missing_names_are_said() -> None:
    """Each with what there is."""
    for backend, said in (
        ("openclip", "none of onnx, open_clip"), ("onnx", "'onnx' needs path"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            open_encoder(backend)
        with pytest.raises(InputError, match=said):
            check_encoder(backend)
    with pytest.raises(InputError, match=r'pip install "evenhand\[clip\]"'):
        check_encoder("open_clip", model_name="ViT-B-32", pretrained="openai")
    with pytest.raises(InputError, match=r'pip install "evenhand\[hf\]"'):
        open_encoder("transformers", path="x")
