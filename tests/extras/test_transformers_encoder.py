"""Dual encoders of transformers, with tiny random weights made on the spot (extra ``hf``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoders import check_encoder, open_encoder
from evenhand.models.onnx_encoder import OnnxTextEncoder

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore")]

WORDS = ["<pad>", "<unk>", "<s>", "</s>", "a", "photo", "of", "doctor", "nurse", "at", "work"]
TEXTS = ["a photo of a doctor", "nurse", "", "zebra at work", "a " * 60]


def _tokenizer(folder: Path, *, pad: str) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(WORDS)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token=pad
    ).save_pretrained(folder)


SMALL: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip


def make_clip(folder: Path) -> Path:
    """A CLIP whose padding is the end of the text, as in the published ones."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    _tokenizer(folder, pad="</s>")
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 12,
                     "eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 3},
        vision_config={**SMALL, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    ).save_pretrained(folder)
    return folder


def make_siglip(folder: Path) -> Path:
    """A SigLIP, whose text tower looks both ways and sees the padding."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    _tokenizer(folder, pad="<pad>")
    torch.manual_seed(0)
    config = SiglipConfig(
        text_config={**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 12,
                     "projection_size": 16},
        vision_config={**SMALL, "image_size": 16, "patch_size": 8},
    )  # fmt: skip
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[make_clip, make_siglip], ids=["clip", "siglip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of the two."""
    made: Path = request.param(tmp_path_factory.mktemp("dual"))
    return made


def pictures(n: int) -> list[Image.Image]:
    """Random pixels of several sizes."""
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (30 + at, 40, 3), dtype=np.uint8)) for at in range(n)
    ]


def test_rows_are_the_models_own(folder: Path) -> None:
    """Images and texts as the model itself gives them, at length 1, in any batch."""
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    encoder = open_encoder("transformers", path=str(folder), device="cpu")
    model = AutoModel.from_pretrained(folder).eval()
    said = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding="max_length", truncation=True, max_length=12, return_tensors="pt"
    )
    seen = AutoImageProcessor.from_pretrained(folder)(images=pictures(3), return_tensors="pt")
    mask = said["attention_mask"]
    with torch.no_grad():
        text = model.get_text_features(input_ids=said["input_ids"], attention_mask=mask)
        image = model.get_image_features(pixel_values=seen["pixel_values"])
    for found, expected in (
        (encoder.encode_texts(TEXTS), getattr(text, "pooler_output", text)),
        (encoder.encode_images(pictures(3)), getattr(image, "pooler_output", image)),
    ):
        rows = torch.nn.functional.normalize(expected, dim=-1).numpy()
        np.testing.assert_allclose(found, rows, atol=1e-5)


def test_the_exported_text_tower_gives_the_same_rows(folder: Path) -> None:
    """What a server without torch loads answers as the model does, where onnx is installed; where
    it is not, the record says what is missing."""
    encoder = open_encoder("transformers", path=str(folder), device="cpu")
    files = encoder.portable_text()
    if importlib.util.find_spec("onnx") is None:
        assert files is None
        assert "pip install onnx" in encoder.about()["portable_text"]
        return
    assert files is not None, encoder.about()["portable_text"]
    again = OnnxTextEncoder.of(files).encode_texts(TEXTS)
    np.testing.assert_allclose(again, encoder.encode_texts(TEXTS), atol=1e-5)


def test_about_names_weights_and_no_path(folder: Path) -> None:
    """A bundle records hash and versions, and nothing of this machine's folders."""
    said = open_encoder("transformers", path=str(folder), device="cpu").about()
    assert len(said["weights sha256"]) == 64
    assert {"torch", "transformers", "model_type"} <= set(said)
    assert str(folder.parent) not in str(said)


def test_what_is_no_dual_encoder_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    """A language model gives no features of images; a folder without a model is not there."""
    with pytest.raises(SubjectError, match=r"cannot be loaded|gives no features"):
        open_encoder("transformers", path=str(tiny_llama), device="cpu")
    with pytest.raises(InputError, match="cannot be had"):
        check_encoder("transformers", path=str(tmp_path))
    with pytest.raises(InputError, match="device"):
        open_encoder("transformers", path=str(tmp_path), device="mps")
