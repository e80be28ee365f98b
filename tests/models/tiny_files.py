"""Whole checkpoints and LoRAs for them, tiny and of random weights, in the original names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from nodes.models.families import original_names
from tests.models.conftest import write_tensors
from tests.models.test_unet_families import CONTEXT, KINDS, denoiser_tensors, made, text_tensors

VAE: Any = AutoencoderKL
QUERY = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def write_sd1(path: Path) -> Path:
    """A checkpoint of Stable Diffusion 1.x with a text encoder and an autoencoder."""
    _, text = text_tensors("clip_l", "cond_stage_model.transformer.", CONTEXT)
    tensors = denoiser_tensors(made(KINDS["SD1"])) | text | _vae()
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tensors(path, tensors)


def _vae() -> dict[str, Tensor]:
    torch.default_generator.manual_seed(2)
    weights: dict[str, Tensor] = VAE(
        latent_channels=4,
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).state_dict()
    names = original_names.vae(weights.keys())
    return {f"first_stage_model.{names[name]}": weight for name, weight in weights.items()}


def write_lora(path: Path) -> Path:
    """A LoRA, in kohya's names, for the first query of its denoiser."""
    dice = torch.Generator().manual_seed(4)
    up, down = (torch.randn(shape, generator=dice) for shape in ((64, 4), (4, 64)))
    tensors = {f"lora_unet_{QUERY}.lora_up.weight": up, f"lora_unet_{QUERY}.lora_down.weight": down}
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tensors(path, tensors)
