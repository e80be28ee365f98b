"""HunyuanImage 2.1's autoencoder, by both spellings, against diffusers' own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_hunyuanimage import AutoencoderKLHunyuanImage
from torch import Tensor

from nodes.models.files.checkpoints import read_vae
from nodes.models.vae.handles import vae_of
from tests.models.conftest import write_tensors
from tests.models.transformers import made

SETTINGS = {"in_channels": 3, "out_channels": 3, "latent_channels": 16, "sample_size": 64,
            "block_out_channels": (32, 64, 64), "layers_per_block": 2,
            "spatial_compression_ratio": 4}  # fmt: skip
WORDS = {
    r"mid_block\.resnets\.0": "mid.block_1",
    r"mid_block\.resnets\.1": "mid.block_2",
    r"mid_block\.attentions\.0": "mid.attn_1",
    r"\.to_([qkv])\.": r".\1.",
    r"\.proj\.": ".proj_out.",
    "conv_shortcut": "nin_shortcut",
}


def _entry(match: re.Match[str]) -> str:
    side, way, number = match[1], match[2], int(match[3])
    blocks = 2 if way == "down" else 3
    level, place = divmod(number, blocks + 1)
    return f"{side}.{way}.{level}." + (f"{way}sample" if place == blocks else f"block.{place}")


def original(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        name = re.sub(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)", _entry, name)
        for ours, theirs in WORDS.items():
            name = re.sub(ours, theirs, name)
        found[name] = weight
    return found


@pytest.mark.parametrize("published", [False, True])
def test_pictures_are_encoded_and_decoded_as_diffusers_does(published: bool, tmp_path: Path):
    theirs: Any = made(AutoencoderKLHunyuanImage, SETTINGS)
    weights = dict(theirs.state_dict())
    tensors = weights if published else original(weights)
    vae = vae_of(read_vae(write_tensors(tmp_path / "vae.safetensors", tensors))).ready()
    assert (vae.factor, vae.channels) == (4, 16)
    pictures = torch.rand(2, 16, 24, 3)
    with torch.no_grad():
        expected = theirs.encode(pictures.movedim(-1, 1) * 2 - 1).latent_dist.mode()
        decoded = theirs.decode(expected).sample.movedim(1, -1) / 2 + 0.5
    latents = vae.encode(pictures)
    assert torch.allclose(latents, expected, atol=1e-5)
    assert torch.allclose(vae.decode(latents), decoded.clamp(0, 1), atol=1e-5)
