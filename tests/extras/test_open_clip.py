"""Dual encoders of open_clip, with tiny random weights made on the spot (extra ``clip``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoders import check_encoder, open_encoder
from evenhand.models.onnx_encoder import OnnxTextEncoder

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore"),  # of torch and timm about themselves
]

TEXTS = ["a photo of a doctor", "Nurse  AT work!", "", "Zoë", "x " * 60]


@pytest.fixture(scope="module", autouse=True)
def operators() -> Any:
    """Names for two operators of torchvision, which open_clip imports and does not use.

    PyPI's torchvision is built for CUDA; beside a torch for the processor its compiled operators
    do not load, and importing it fails for want of their names.
    """
    import torch

    names = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            names.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two layers with random weights, in open_clip's own layout."""
    import open_clip
    import torch

    place = tmp_path_factory.mktemp("open_clip")
    vision = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    config = {
        "model_cfg": {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3},
    }
    (place / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{place}", load_weights=False)
    torch.save(model.state_dict(), place / "open_clip_pytorch_model.bin")
    return place


def pictures(n: int) -> list[Image.Image]:
    """Random pixels of several sizes."""
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (40 + at, 50, 3), dtype=np.uint8)) for at in range(n)
    ]


def test_rows_are_the_models_own(folder: Path) -> None:
    """Images and texts as the library's own calls give them, at length 1."""
    import open_clip
    import torch

    encoder = open_encoder("open_clip", model_name=f"local-dir:{folder}", device="cpu")
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    images = pictures(3)
    with torch.no_grad():
        text = model.encode_text(tokens, normalize=True).numpy()
        image = model.encode_image(
            torch.stack([preprocess(i) for i in images]), normalize=True
        ).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), text, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_images(images), image, atol=1e-5)
    alone = encoder.encode_texts(TEXTS[1:2])[0]
    assert alone.tobytes() == encoder.encode_texts(TEXTS)[1].tobytes()


def test_the_exported_text_tower_gives_the_same_rows(folder: Path) -> None:
    """What a server without torch loads answers as the model does, tokenizer and all."""
    encoder = open_encoder("open_clip", model_name=f"local-dir:{folder}", device="cpu")
    files = encoder.portable_text()
    assert files is not None, encoder.about()["portable_text"]
    again = OnnxTextEncoder.of(files).encode_texts(TEXTS)
    np.testing.assert_allclose(again, encoder.encode_texts(TEXTS), atol=1e-5)


def test_about_names_weights_and_no_path(folder: Path) -> None:
    """A bundle records hash and versions, and nothing of this machine's folders."""
    said = open_encoder("open_clip", model_name=f"local-dir:{folder}", device="cpu").about()
    assert len(said["weights sha256"]) == 64
    assert {"torch", "open_clip", "device"} <= set(said)
    assert str(folder.parent) not in str(said)


def test_unknown_names_are_found_before_any_work() -> None:
    """No such model, no such weights, and no weights at all, for which the library would draw
    random ones without a word."""
    with pytest.raises(InputError, match="no model 'ViT-X'"):
        check_encoder("open_clip", model_name="ViT-X", pretrained="openai")
    with pytest.raises(InputError, match=r"no weights 'mine'; it has .*openai"):
        check_encoder("open_clip", model_name="ViT-B-32", pretrained="mine")
    with pytest.raises(InputError, match="no weights ''"):
        check_encoder("open_clip", model_name="ViT-B-32")
    check_encoder("open_clip", model_name="ViT-B-32", pretrained="openai")
    with pytest.raises(InputError, match="no folder"):
        check_encoder("open_clip", model_name="local-dir:/nowhere")


def test_a_broken_folder_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    """Weights that cannot be loaded name the model."""
    (tmp_path / "open_clip_config.json").write_bytes(
        (folder / "open_clip_config.json").read_bytes()
    )
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"not weights")
    with pytest.raises(SubjectError, match="cannot be loaded"):
        open_encoder("open_clip", model_name=f"local-dir:{tmp_path}", device="cpu")
    with pytest.raises(InputError, match="device"):
        open_encoder("open_clip", model_name=f"local-dir:{folder}", device="mps")
