"""Generating with a tiny random Stable Diffusion on the CPU, and LPIPS with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evenhand.cli import counterfactual_generator as verbs
from evenhand.counterfactual.generator.config import NOTICE, GeneratorConfig
from evenhand.counterfactual.generator.diffusion import Drawer, load_drawer
from evenhand.counterfactual.generator.lora import FORMAT
from evenhand.counterfactual.generator.lpips import load_lpips
from evenhand.counterfactual.generator.similarity import windowed_ssim
from evenhand.counterfactual.pairs.build import build_pairs
from evenhand.counterfactual.pairs.candidates import from_table
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.errors import InputError, SubjectError
from support.tiny_diffusion import lora_state, make_pipeline, write_lora

pytestmark = [
    pytest.mark.extras,
    # Raised inside torch, transformers, diffusers and peft; none of ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

RANK = 4
PROMPT = "Lumbar spine X-ray of a 75-year-old female patient"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random pipeline."""
    return make_pipeline(tmp_path_factory.mktemp("diffusion"))


def settings(model: Path, **changes: Any) -> GeneratorConfig:
    """Three steps at 64 x 64."""
    values = {"steps": 6, "strength": 0.5, "image_size": 64, "device": "cpu"}
    return GeneratorConfig(base_model=str(model), **{**values, **changes})


@pytest.fixture(scope="module")
def drawer(model: Path) -> Drawer:
    """The pipeline, loaded by our code."""
    return load_drawer(settings(model))


@pytest.fixture
def source() -> Image.Image:
    """Noise, 64 x 64."""
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)


def apart(left: Image.Image, right: Image.Image) -> int:
    """The largest difference between two images, in grey levels."""
    return int(np.abs(np.asarray(left, dtype=int) - np.asarray(right, dtype=int)).max())


def test_the_seed_decides_the_image(drawer: Drawer, source: Image.Image) -> None:
    """The same seed draws the same pixels; another seed or prompt draws others."""
    first = drawer.draw(source, PROMPT, 1)
    assert first.size == (64, 64)
    assert apart(first, drawer.draw(source, PROMPT, 1)) == 0
    assert apart(first, drawer.draw(source, PROMPT, 2)) > 0
    assert apart(first, drawer.draw(source, "25", 1)) > 0
    assert type(drawer.pipe.scheduler).__name__ == "DDIMScheduler"


def test_a_lora_in_the_benchmarks_format_adds_its_product(
    model: Path, drawer: Drawer, source: Image.Image, tmp_path: Path
) -> None:
    """The image is that of a U-Net whose weights had alpha / rank times B A added by hand."""
    import torch

    state = lora_state(model, RANK)
    file = write_lora(tmp_path / "l.safetensors", state, format=FORMAT, rank="4", alpha="8")
    loaded = load_drawer(settings(model), lora=file)
    assert loaded.told["adapter"] == {
        "loader": "peft",
        "tensors": len(state),
        "modules": len(state) // 2,
        "rank": RANK,
        "alpha": 8.0,
        "scale": 2.0,
    }
    by_hand = load_drawer(settings(model))
    with torch.no_grad():
        for name, module in by_hand.pipe.unet.named_modules():
            key = f"unet.base_model.model.{name}.lora_"
            if f"{key}A.weight" in state:
                module.weight += 2.0 * state[f"{key}B.weight"] @ state[f"{key}A.weight"]
    drawn = loaded.draw(source, PROMPT, 1)
    assert apart(drawn, by_hand.draw(source, PROMPT, 1)) <= 1
    assert apart(drawn, drawer.draw(source, PROMPT, 1)) > 1


def test_a_lora_that_does_not_fit_is_refused(model: Path, tmp_path: Path) -> None:
    """A missing, an unexpected and a misshapen tensor are each told by name."""
    state = lora_state(model, RANK)
    name = next(iter(state))
    spoilt = {
        "is missing": {key: value for key, value in state.items() if key != name},
        "is not of this model": {**state, "unet.optimizer.step": state[name].clone()},
        "not of rank 4": {**state, name: state[name][:2].clone()},
    }
    for sentence, tensors in spoilt.items():
        file = write_lora(tmp_path / "l.safetensors", tensors, format=FORMAT, rank="4", alpha="8")
        with pytest.raises(InputError, match=sentence):
            load_drawer(settings(model), lora=file)


def test_any_other_lora_goes_through_diffusers(
    model: Path, drawer: Drawer, source: Image.Image, tmp_path: Path
) -> None:
    """A file in Diffusers' names changes the image; one without weights for the model is refused."""
    state = {
        key.replace("base_model.model.", ""): value for key, value in lora_state(model, 2).items()
    }
    loaded = load_drawer(settings(model), lora=write_lora(tmp_path / "d.safetensors", state))
    assert loaded.told["adapter"]["loader"] == "diffusers"
    assert apart(loaded.draw(source, PROMPT, 1), drawer.draw(source, PROMPT, 1)) > 1
    empty = write_lora(tmp_path / "e.safetensors", {"other": next(iter(state.values()))})
    with pytest.raises(InputError, match=r"e\.safetensors"):
        load_drawer(settings(model), lora=empty)


def test_a_model_of_pickles_or_none_is_refused(model: Path, tmp_path: Path) -> None:
    """Weights that are no safetensors are not loaded, and an empty folder is told in one line."""
    import shutil

    import torch

    pickled = tmp_path / "pickled"
    shutil.copytree(model, pickled)
    (pickled / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, pickled / "unet" / "diffusion_pytorch_model.bin")
    for folder in (pickled, tmp_path / "nothing"):
        with pytest.raises(SubjectError, match="cannot be loaded") as caught:
            load_drawer(settings(folder))
        assert "\n" not in str(caught.value)


def test_the_verb_makes_resumes_and_feeds_pairs_build(
    model: Path, source: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images, records and table are written once; what was spoilt is made again, the rest kept."""
    image = tmp_path / "buu_1.png"
    source.save(image)
    config = tmp_path / "config.yaml"
    config.write_text("steps: 4\nstrength: 0.5\nimage_size: 64\ndevice: cpu\n", encoding="utf-8")
    mask = tmp_path / "mask.png"
    Image.fromarray(np.repeat([[255] * 32 + [0] * 32], 64, axis=0).astype(np.uint8)).save(mask)
    out = tmp_path / "made"
    edits = ["young_male", "elderly_female"]

    def again() -> dict[str, Any]:
        """Run the verb and read what it says."""
        verbs.generate(
            source=image, output=out, model=str(model), config=config, edit=edits, masks=mask,
            json=True,
        )  # fmt: skip
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        return said

    assert again() | {"table": ""} == {"table": "", "made": 2, "kept": 0, "notice": NOTICE}
    record = json.loads((out / "buu_1" / "young_male.json").read_bytes())
    assert record["notice"] == NOTICE
    assert record["recipe"]["prompt"] == "Lumbar spine X-ray of a 25-year-old male patient"
    assert record["recipe"]["mask_blend"] == 0.7
    (out / "buu_1" / "young_male.png").write_bytes(b"spoilt")
    assert (again()["kept"], again()["kept"]) == (1, 2)
    built = build_pairs(from_table(out / "pairs.jsonl"), load_registry())
    assert [pair.edit for pair in built.pairs] == sorted(edits)
    assert not built.notes


def alexnet(seed: int) -> dict[str, Any]:
    """AlexNet's convolutions with random weights."""
    import torch

    torch.manual_seed(seed)
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3)}
    shapes |= {8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    state = {}
    for layer, shape in shapes.items():
        state[f"features.{layer}.weight"] = torch.randn(shape) / np.sqrt(np.prod(shape[1:]))
        state[f"features.{layer}.bias"] = torch.randn(shape[0]) / 10
    return state


def convolve(
    plane: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, pad: int
) -> Any:
    """A convolution and a ramp in numpy, straight from the definition."""
    padded = np.pad(plane, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    found = np.einsum("chwij,ocij->ohw", windows[:, ::stride, ::stride], weight, optimize=True)
    return np.maximum(found + bias[:, None, None], 0.0)


def pooled(plane: np.ndarray) -> Any:
    """The maximum over 3 x 3, every 2."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, (3, 3), axis=(1, 2))
    return windows[:, ::2, ::2].max(axis=(-1, -2))


def by_definition(image: Image.Image, state: dict[str, Any]) -> list[Any]:
    """The five layers' unit features in double precision."""
    values = np.asarray(image, dtype=float).transpose(2, 0, 1) / 127.5 - 1.0
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    plane = (values - shift[:, None, None]) / scale[:, None, None]
    features = []
    for layer, stride, pad in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        if layer in (3, 6):
            plane = pooled(plane)
        weight, bias = (
            state[f"features.{layer}.{k}"].double().numpy() for k in ("weight", "bias")
        )
        plane = convolve(plane, weight, bias, stride, pad)
        features.append(plane / (np.sqrt((plane**2).sum(axis=0)) + 1e-10))
    return features


def test_lpips_follows_its_definition(source: Image.Image, tmp_path: Path) -> None:
    """It equals a computation in numpy; 0 for equal images, symmetric, larger for more noise."""
    import torch
    from safetensors.torch import save_file

    state = alexnet(0)
    save_file(state, str(tmp_path / "a.safetensors"))
    torch.save(state, tmp_path / "a.pth")
    measure, other = load_lpips(tmp_path / "a.safetensors"), load_lpips(tmp_path / "a.pth")
    noise = np.random.default_rng(1).normal(0.0, 1.0, (64, 64, 3))
    noisy = [
        Image.fromarray((np.asarray(source) + noise * size).clip(0, 255).astype(np.uint8))
        for size in (10, 60)
    ]
    assert measure(source, source) == 0.0
    near, far = (measure(source, image) for image in noisy)
    assert 0.0 < near < far
    assert other(noisy[1], source) == pytest.approx(far, rel=1e-5)
    layers = zip(by_definition(source, state), by_definition(noisy[1], state), strict=True)
    expected = sum(
        float((w.double().numpy() * (a - b) ** 2).sum(axis=0).mean())
        for w, (a, b) in zip(measure.weights, layers, strict=True)
    )
    assert far == pytest.approx(expected, rel=1e-4)


def test_weights_that_are_no_alexnet_are_refused(tmp_path: Path) -> None:
    """Code in a pickle does not run, and missing layers are named."""
    import torch
    from safetensors.torch import save_file

    class Evil:
        """What a pickle could do."""

        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"features.0.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="cannot be read as weights"):
        load_lpips(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
    state = alexnet(0)
    del state["features.8.bias"]
    save_file(state, str(tmp_path / "a.safetensors"))
    with pytest.raises(InputError, match="features.8"):
        load_lpips(tmp_path / "a.safetensors")


def test_windowed_ssim_is_scikit_images() -> None:
    """Wang's settings: Gaussian window of 11, sigma 1.5, population moments, no border."""
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(2)
    for shape in ((11, 11), (40, 61), (128, 96)):
        image = rng.uniform(size=shape)
        other = np.clip(image + rng.normal(0, 0.2, shape), 0, 1)
        theirs = structural_similarity(
            image, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=1.0,
        )  # fmt: skip
        assert windowed_ssim(image, other) == pytest.approx(theirs, abs=1e-12)
