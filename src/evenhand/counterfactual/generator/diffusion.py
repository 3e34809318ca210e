"""Stable Diffusion img2img: loading it safely and drawing one image."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from evenhand.counterfactual.generator.config import GeneratorConfig
from evenhand.counterfactual.generator.lora import load_lora, read_lora_head
from evenhand.errors import InputError, SubjectError

__all__ = ["Drawer", "file_digest", "load_drawer", "missing_parts"]

NEEDED = ("torch", "diffusers", "transformers", "safetensors", "peft")


def missing_parts() -> tuple[str, ...]:
    """Packages that generating needs and that are not installed."""
    return tuple(name for name in NEEDED if find_spec(name) is None)


@dataclass(frozen=True, slots=True)
class Drawer:
    """A loaded pipeline. ``told`` says with what images are drawn: model, LoRA, versions, device."""

    pipe: Any
    config: GeneratorConfig
    told: dict[str, Any]

    def draw(self, source: Image.Image, prompt: str, seed: int) -> Image.Image:
        """One image from a square source. The same seed gives the same image on the same device.

        The noise is drawn on the CPU, so that it is the same whatever the device.

        Raises:
            SubjectError: the model fails, mostly for want of memory.
        """
        import torch

        generator = torch.Generator("cpu").manual_seed(seed)
        try:
            return self._drawn(source, prompt, generator)
        except RuntimeError as error:  # what torch raises, also without memory
            reason = str(error).strip().splitlines()[0]
            raise SubjectError(f"cannot draw ({reason})", model=self.config.base_model) from error

    def _drawn(self, source: Image.Image, prompt: str, generator: Any) -> Image.Image:
        made = self.pipe(
            prompt=prompt,
            image=source,
            strength=self.config.strength,
            num_inference_steps=self.config.steps,
            guidance_scale=self.config.guidance_scale,
            generator=generator,
            output_type="pil",
        )
        return made.images[0].convert("RGB")  # type: ignore[no-any-return]


def load_drawer(
    config: GeneratorConfig, *, lora: Path | None = None, allow_download: bool = False
) -> Drawer:
    """Load the model with DDIM sampling and without a safety checker; safetensors only.

    Without ``allow_download`` the model must be a folder, or in the hub's cache already. Half
    precision, but full on the CPU.

    Raises:
        InputError: a package is missing, or the LoRA does not fit.
        SubjectError: the model cannot be loaded.
    """
    if missing := missing_parts():
        raise InputError(
            f"generating needs {', '.join(missing)}: pip install 'evenhand[generator]' "
            "(--dry-run needs nothing)"
        )
    if lora is not None:
        read_lora_head(lora)  # a bad file is told before gigabytes are read
    import torch

    device = _device(config.device)
    dtype = torch.float32 if device == "cpu" else torch.float16
    pipe = _pipeline(config.base_model, dtype, allow_download)
    adapter = None
    if lora is not None:
        adapter = load_lora(pipe, lora, rank=config.lora_rank, alpha=config.lora_alpha)
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    told = {
        "base_model": config.base_model,
        "base_model_sha256": _folder_digest(Path(config.base_model)),
        "checkpoint_file": lora.name if lora else None,
        "checkpoint_sha256": file_digest(lora) if lora else None,
        "adapter": adapter,
        "scheduler": "DDIM",
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "versions": {name: version(name) for name in NEEDED},
    }
    return Drawer(pipe, config, told)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _device(wanted: str) -> str:
    import torch

    if wanted != "auto":
        if wanted == "cuda" and not torch.cuda.is_available():
            raise InputError("torch sees no CUDA device; use --device cpu", where="device")
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def _quieten() -> None:
    """Both libraries draw bars and log advice while they load; errors still come as errors."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    for logging in (of_diffusers, of_transformers):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _pipeline(model: str, dtype: Any, allow_download: bool) -> Any:
    with warnings.catch_warnings():
        # Both libraries warn of their own futures while they are imported and loaded.
        warnings.simplefilter("ignore")
        _quieten()
        from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline

        try:
            pipe = StableDiffusionImg2ImgPipeline.from_pretrained(
                model,
                torch_dtype=dtype,
                use_safetensors=True,
                safety_checker=None,
                requires_safety_checker=False,
                local_files_only=not allow_download,
            )
            pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
        except Exception as error:
            reason = (
                str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            )
            hint = "" if allow_download else "; give a folder, or allow downloading it"
            raise SubjectError(f"cannot be loaded ({reason}){hint}", model=model) from error
    return pipe


def _folder_digest(folder: Path) -> str | None:
    """One SHA-256 over the names and contents of a model's files; None for a name on the hub."""
    if not folder.is_dir():
        return None
    hasher = hashlib.sha256()
    for path in sorted(
        p for p in folder.rglob("*") if p.suffix in {".safetensors", ".json", ".txt"}
    ):
        hasher.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    return hasher.hexdigest()
