"""Settings and prompts: the published defaults, own files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.counterfactual.generator.config import (
    NOTICE,
    PROMPTS,
    GeneratorConfig,
    dry_run,
    read_config,
    seed_of,
)
from evenhand.errors import InvalidInputs


def test_the_published_defaults() -> None:
    """50 steps at strength 0.15 take seven; the rest as released."""
    config = GeneratorConfig()
    assert (config.steps, config.guidance_scale, config.strength) == (50, 5.0, 0.15)
    assert (config.seed, config.image_size, config.mask_blend) == (42, 512, 0.7)
    assert (config.lora_rank, config.lora_alpha, config.steps_taken) == (64, 128.0, 7)


def test_the_locked_prompts() -> None:
    """Four edits: 75 or 25 years, female or male, in both published wordings."""
    assert dict(PROMPTS["first"]) == {
        "young_female": "25-year-old female lumbar spine radiograph",
        "young_male": "25-year-old male lumbar spine radiograph",
        "elderly_female": "75-year-old female lumbar spine radiograph",
        "elderly_male": "75-year-old male lumbar spine radiograph",
    }
    assert PROMPTS["later"]["young_male"] == "Lumbar spine X-ray of a 25-year-old male patient"
    assert GeneratorConfig().prompt_of == PROMPTS["later"]


def test_a_file_overrides_defaults_and_keeps_the_rest(tmp_path: Path) -> None:
    """Whole numbers serve where a number is asked for; own prompts take the locked ones' place."""
    path = tmp_path / "c.yaml"
    path.write_text(
        "strength: 1\nwording: first\nprompts: {dark: darker skin}\n", encoding="utf-8"
    )
    config = read_config(path)
    assert config == GeneratorConfig(
        strength=1.0, wording="first", prompts={"dark": "darker skin"}
    )
    assert dict(config.prompt_of) == {"dark": "darker skin"}
    assert dry_run(config)["prompts_are"] == "own"


def test_unknown_keys_and_wrong_types_are_told_together(tmp_path: Path) -> None:
    """With the line of each."""
    path = tmp_path / "c.yaml"
    path.write_text("stepz: 3\nsteps: many\nseed: true\nprompts: [a]\n", encoding="utf-8")
    with pytest.raises(InvalidInputs, match="nothing was generated") as caught:
        read_config(path)
    told = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert told[0].startswith("1: stepz: is no setting; there are base_model, steps")
    assert told[1:] == [
        "2: steps: must be a whole number, not 'many'",
        "3: seed: must be a whole number, not True",
        "4: prompts: must map each edit to a prompt",
    ]


def test_values_out_of_range_are_told_together() -> None:
    """And settings that would take no step at all."""
    with pytest.raises(InvalidInputs) as caught:
        GeneratorConfig(steps=0, strength=2.0, image_size=500, device="tpu", seed=-1)
    assert [p.where for p in caught.value.problems] == [
        "steps", "strength", "seed", "image_size", "device",
    ]  # fmt: skip
    with pytest.raises(InvalidInputs, match="not one step is taken"):
        GeneratorConfig(steps=5, strength=0.15)


def test_seeds_are_shared_by_the_edits_of_a_source() -> None:
    """Fixed: one for all. Per source: another for each, the same on every machine."""
    config = GeneratorConfig(seed_rule="per_source")
    seeds = {source: seed_of(config, source) for source in "abc"}
    assert len(set(seeds.values())) == 3
    assert seeds["a"] == int("971344798d4f", 16)
    assert seed_of(GeneratorConfig(seed=7), "a") == 7


def test_a_dry_run_is_json_and_says_what_the_images_are() -> None:
    """Settings, thresholds, prompts and the notice."""
    said = json.loads(json.dumps(dry_run(GeneratorConfig())))
    assert said["notice"] == NOTICE
    assert said["qc_thresholds"]["edge_preservation"] == 0.276
    assert len(said["prompts"]) == 4
    assert said["prompts_are"] == "locked (later wording)"
