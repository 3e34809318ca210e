"""What an image is generated with: the settings, the locked prompts, and the config file."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evenhand.counterfactual.generator.blending import BLEND
from evenhand.counterfactual.generator.quality import FROZEN
from evenhand.counterfactual.spec import EDITS
from evenhand.errors import InputError, InvalidInputs
from evenhand.runs.document import Document, read_document

__all__ = [
    "NOTICE",
    "PROMPTS",
    "GeneratorConfig",
    "dry_run",
    "locked_prompts",
    "read_config",
    "seed_of",
]

NOTICE = "A generated image for research. It shows no patient and must not be used for diagnosis."

# Facts about the published images: each wording that SpineFairBench has used, oldest first.
PATTERNS = {
    "first": "{age}-year-old {sex} lumbar spine radiograph",
    "later": "Lumbar spine X-ray of a {age}-year-old {sex} patient",
}
AGES = {"young": 25, "elderly": 75}


def locked_prompts(wording: str = "later") -> dict[str, str]:
    """The four edits and their prompts, in one of the benchmark's two wordings.

    Example:
        >>> locked_prompts("first")["elderly_female"]
        '75-year-old female lumbar spine radiograph'
    """
    prompts = {}
    for edit in EDITS:
        age, sex = edit.split("_")
        prompts[edit] = PATTERNS[wording].format(age=AGES[age], sex=sex)
    return prompts


PROMPTS: Mapping[str, Mapping[str, str]] = {name: locked_prompts(name) for name in PATTERNS}
"""Wording to edit to prompt."""

SEED_RULES = ("fixed", "per_source")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """Settings of img2img; the defaults are the benchmark's.

    ``base_model`` is a folder in Diffusers' layout, or a name on the Hugging Face hub.
    ``strength`` times ``steps`` is how many steps are taken (7 by default). ``image_size`` is the
    side of the square, in pixels. ``seed_rule``: ``fixed`` starts every image from the same noise,
    as the benchmark does; ``per_source`` from noise of its source's own, shared by its edits.
    ``prompts`` (edit to prompt) takes the place of the locked ones.

    Raises:
        InvalidInputs: values out of range, all of them.
    """

    base_model: str = "runwayml/stable-diffusion-v1-5"
    steps: int = 50
    guidance_scale: float = 5.0
    strength: float = 0.15
    seed: int = 42
    seed_rule: str = "fixed"
    image_size: int = 512
    lora_rank: int = 64
    lora_alpha: float = 128.0
    mask_blend: float = BLEND
    device: str = "auto"
    wording: str = "later"
    prompts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if problems := [InputError(text, where=name) for name, text in self._wrong()]:
            raise InvalidInputs(problems, undone="generated")

    @property
    def steps_taken(self) -> int:
        """Denoising steps that change the image."""
        return min(int(self.steps * self.strength), self.steps)

    @property
    def prompt_of(self) -> Mapping[str, str]:
        """Edit to prompt."""
        return self.prompts or PROMPTS[self.wording]

    def as_record(self) -> dict[str, Any]:
        """For JSON and for the config file: the same keys."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | {
            "prompts": dict(self.prompts)
        }

    def _wrong(self) -> list[tuple[str, str]]:
        """Fields whose value cannot be, with why."""
        rules = {
            "steps": (1 <= self.steps <= 1000, "1 to 1000"),
            "guidance_scale": (0.0 <= self.guidance_scale <= 50.0, "0 to 50"),
            "strength": (0.0 < self.strength <= 1.0, "above 0, at most 1"),
            "seed": (0 <= self.seed < 2**63, "0 to 2**63 - 1"),
            "image_size": (64 <= self.image_size <= 2048 and self.image_size % 8 == 0,
                           "64 to 2048 and a multiple of 8"),
            "lora_rank": (1 <= self.lora_rank <= 1024, "1 to 1024"),
            "lora_alpha": (0.0 < self.lora_alpha < math.inf, "above 0"),
            "mask_blend": (0.0 <= self.mask_blend <= 1.0, "0 to 1"),
            "device": (self.device in DEVICES, f"one of {', '.join(DEVICES)}"),
            "seed_rule": (self.seed_rule in SEED_RULES, f"one of {', '.join(SEED_RULES)}"),
            "wording": (self.wording in PATTERNS, f"one of {', '.join(PATTERNS)}"),
            "base_model": (bool(self.base_model.strip()), "a folder or a name"),
        }  # fmt: skip
        wrong = [
            (name, f"must be {right}, not {getattr(self, name)!r}")
            for name, (holds, right) in rules.items()
            if not holds
        ]
        if not wrong and self.steps_taken < 1:
            product = f"{self.steps} x {self.strength:g}"
            wrong.append(("strength", f"steps x strength is {product}: not one step is taken"))
        return wrong


def read_config(path: str | Path) -> GeneratorConfig:
    """Settings from YAML with the same names; what is not there keeps its default.

    Raises:
        InputError: it is no YAML, or cannot be read.
        InvalidInputs: unknown keys, wrong types, values out of range.
    """
    document = read_document(path)
    fields = {f.name: f.default for f in dataclasses.fields(GeneratorConfig)}
    problems = list(document.faults)
    given: dict[str, Any] = {}
    for key, value in document.data.items():
        if key not in fields:
            problems.append(
                document.fault((key,), f"is no setting; there are {', '.join(fields)}")
            )
        elif key == "prompts":
            given[key] = _prompts(value, document, problems)
        elif (fitting := _fitting(value, fields[key])) is None:
            kind = type(fields[key]).__name__
            problems.append(document.fault((key,), f"must be {_KINDS[kind]}, not {value!r}"))
        else:
            given[key] = fitting
    if problems:
        raise InvalidInputs(problems, undone="generated")
    return GeneratorConfig(**given)


_KINDS = {"int": "a whole number", "float": "a number", "str": "a text"}


def _fitting(value: Any, default: Any) -> Any:
    """The value as the default's type, or None where it is another's."""
    if isinstance(value, bool):
        return None
    if isinstance(default, float) and isinstance(value, int | float):
        return float(value)
    return value if isinstance(value, type(default)) else None


def _prompts(value: Any, document: Document, problems: list[InputError]) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(v, str) and v.strip() for v in value.values()):
        return {str(key): text for key, text in value.items()}
    problems.append(document.fault(("prompts",), "must map each edit to a prompt"))
    return {}


def seed_of(config: GeneratorConfig, source_id: str) -> int:
    """The seed of one image's noise: the config's, or by ``per_source`` 48 bits of a SHA-256.

    Edits of one source always share it, so that they differ by their prompt alone.

    Example:
        >>> seed_of(GeneratorConfig(), "a")
        42
        >>> other = GeneratorConfig(seed_rule="per_source")
        >>> seed_of(other, "a") == seed_of(other, "b")
        False
    """
    if config.seed_rule == "fixed":
        return config.seed
    digest = hashlib.sha256(f"{config.seed}:{source_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


def dry_run(config: GeneratorConfig) -> dict[str, Any]:
    """What would be used, for JSON: settings, thresholds of quality control, prompts, notice."""
    return {
        "config": config.as_record(),
        "steps_taken": config.steps_taken,
        "qc_thresholds": FROZEN.as_record(),
        "prompts": dict(config.prompt_of),
        "prompts_are": "own" if config.prompts else f"locked ({config.wording} wording)",
        "negative_prompt": None,
        "notice": NOTICE,
    }
