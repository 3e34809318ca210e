"""ONNX dual encoders: from four files to rows of length 1."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoders import open_encoder
from evenhand.models.onnx_encoder import OnnxEncoder, OnnxTextEncoder
from support.tiny_onnx import encoder_files, tiny_encoder


def picture(seed: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Random pixels."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder's folder."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


def test_rows_are_what_the_graph_computes(folder: Path) -> None:
    """The image graph, done again in numpy: patch means times the weights, at length 1."""
    encoder = OnnxEncoder.open(folder)
    image = picture(1, (16, 16))
    rows = encoder.encode_images([image])
    values = (np.asarray(image, np.float64) / 255 - 0.5) / 0.5
    means = values.reshape(4, 4, 4, 4, 3).mean(axis=(1, 3)).transpose(2, 0, 1).ravel()
    weight = np.random.default_rng(0).standard_normal((48, 16)).astype(np.float32)
    expected = means @ weight
    np.testing.assert_allclose(rows[0], expected / np.linalg.norm(expected), atol=1e-5)
    assert rows.dtype == np.float32
    assert rows.shape == (1, encoder.dim)


def test_a_text_gives_the_same_bytes_whoever_is_beside_it(folder: Path) -> None:
    """Alone, among others, and from the portable files: one text, one row, bit for bit."""
    encoder = open_encoder("onnx", path=str(folder))
    texts = ["a doctor", "a photo of an old nurse at work", "", "zebra"]
    together = encoder.encode_texts(texts)
    files = encoder.portable_text()
    assert files is not None
    portable = OnnxTextEncoder.of(files)
    for at, text in enumerate(texts):
        assert together[at].tobytes() == encoder.encode_texts([text])[0].tobytes()
        assert together[at].tobytes() == portable.encode_texts([text])[0].tobytes()
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_a_long_text_is_cut_to_the_context(folder: Path) -> None:
    """Words past the context length change nothing."""
    encoder = OnnxEncoder.open(folder)
    head = " ".join(["doctor"] * 12)
    long, short = encoder.encode_texts([f"{head} nurse nurse", head])
    assert long.tobytes() == short.tobytes()


def test_about_tells_weights_and_libraries(folder: Path) -> None:
    """A bundle can say which files and which runtime its numbers came from."""
    said = OnnxEncoder.open(folder).about()
    assert {"name", "origin", "license", "onnxruntime", "image.onnx sha256"} <= set(said)
    assert len(said["text.onnx sha256"]) == 64


def test_serving_needs_no_torch(folder: Path) -> None:
    """The reference claimed that its server needs no torch, and failed to import without it (B17):
    ours encodes texts in a process where importing torch, open_clip or transformers is an error."""
    code = f"""
import sys
for name in ("torch", "open_clip", "transformers"):
    sys.modules[name] = None
from pathlib import Path
from evenhand.models.onnx_encoder import TEXT_FILES, OnnxTextEncoder
folder = Path({str(folder)!r})
files = {{name: (folder / name).read_bytes() for name in TEXT_FILES}}
print(OnnxTextEncoder.of(files).encode_texts(["a doctor"]).shape)
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert told.stdout.strip() == "(1, 16)", told.stderr


def spoilt(name: str, content: bytes | None) -> dict[str, bytes]:
    """The files of a text encoder with one of them changed or gone."""
    files = encoder_files()
    if content is None:
        del files[name]
    else:
        files[name] = content
    return files


CARD = json.loads(encoder_files()["encoder.json"])


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("text.onnx", None, "without text.onnx"),
        ("text.onnx", b"not a model", "not a usable ONNX model"),
        ("text.onnx", encoder_files()["image.onnx"], "takes ['pixels']"),
        ("tokenizer.json", b"{}", "not a usable tokenizer"),
        ("tokenizer.json", b"\xff", "not a usable tokenizer"),
        ("encoder.json", b"[" * 100_000, "not readable as JSON"),
        ("encoder.json", b"[]", "format None"),
        ("encoder.json", json.dumps({**CARD, "format": 2}).encode(), "format 2"),
        ("encoder.json", json.dumps({**CARD, "dim": "x"}).encode(), "dim"),
        ("encoder.json", json.dumps({**CARD, "std": [1, 0, 1]}).encode(), "above 0"),
        ("encoder.json", json.dumps({**CARD, "mean": [1, 2]}).encode(), "three numbers"),
        ("encoder.json", json.dumps({**CARD, "crop": "left"}).encode(), "one of center, none"),
        ("encoder.json", json.dumps({**CARD, "lowercase": 1}).encode(), "true or false"),
        ("encoder.json", json.dumps({**CARD, "name": 1}).encode(), "a text"),
        ("encoder.json", json.dumps({**CARD, "pad_id": 10_000}).encode(), "pad_id 10000"),
    ],
)  # fmt: skip
def test_unusable_files_are_named(name: str, content: bytes | None, said: str) -> None:
    """Whatever is wrong with a file is one sentence that says which file."""
    with pytest.raises(InputError, match=".") as caught:
        OnnxTextEncoder.of(spoilt(name, content))
    assert said in str(caught.value)


def test_a_wrong_width_is_refused() -> None:
    """A card that promises another width than the model gives is found at the first text."""
    files = spoilt("encoder.json", json.dumps({**CARD, "dim": 17}).encode())
    with pytest.raises(SubjectError, match="dim is 17"):
        OnnxTextEncoder.of(files).encode_texts(["a doctor"])


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    """No folder, or a folder without its files."""
    with pytest.raises(InputError, match="no such folder"):
        OnnxEncoder.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="image.onnx"):
        OnnxEncoder.open(tmp_path)
