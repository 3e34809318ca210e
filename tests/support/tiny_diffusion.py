"""A Stable Diffusion pipeline of random weights, small enough for a CPU; nothing is downloaded."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

__all__ = ["lora_state", "make_pipeline", "write_lora"]

SIDE = 64


def make_pipeline(folder: Path) -> Path:
    """Save U-Net, VAE, text encoder and tokenizer in Diffusers' layout, seeded."""
    import torch
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionImg2ImgPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=SIDE // 2,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
    )
    vae = AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=SIDE,
    )
    tokenizer = _tokenizer(folder / "made")
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    pipe = StableDiffusionImg2ImgPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(config),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder / "model", safe_serialization=True)
    return folder / "model"


def _tokenizer(folder: Path) -> Any:
    """CLIP's tokenizer over letters alone: no merges."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{one}</w>" for one in letters)]
    folder.mkdir(parents=True)
    vocabulary = {token: at for at, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)


def lora_state(model: Path, rank: int) -> dict[str, Any]:
    """Random adapters for every attention projection of the U-Net, in the benchmark's names."""
    import torch
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(model / "unet", use_safetensors=True)
    torch.manual_seed(1)
    state = {}
    for name, module in unet.named_modules():
        if name.endswith((".to_q", ".to_k", ".to_v", ".to_out.0")):
            key = f"unet.base_model.model.{name}"
            state[f"{key}.lora_A.weight"] = torch.randn(rank, module.in_features) / 4
            state[f"{key}.lora_B.weight"] = torch.randn(module.out_features, rank) / 4
    return state


def write_lora(path: Path, state: dict[str, Any], **metadata: str) -> Path:
    """A safetensors file with metadata."""
    from safetensors.torch import save_file

    save_file(state, str(path), metadata=metadata)
    return path


def head_only(path: Path, head: dict[str, Any]) -> Path:
    """A safetensors file without tensors' bytes: enough where only the head is read."""
    raw = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    return path
