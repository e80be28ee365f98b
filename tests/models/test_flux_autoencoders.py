"""Autoencoders of FLUX.1 (16 channels) and FLUX.2 (folded, normed) against those of diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nodes.models.families import original_names
from nodes.models.files.checkpoints import read_vae
from nodes.models.vae.handles import vae_of
from tests.models.conftest import write_tensors

SIXTEEN: Any = AutoencoderKL
FOLDED: Any = AutoencoderKLFlux2
INNER = {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"}


def settings(channels: int, **more: Any) -> dict[str, Any]:
    """Two levels of few channels."""
    return {
        "block_out_channels": (32, 64),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "layers_per_block": 1,
        "latent_channels": channels,
        **more,
    }


def original(weights: dict[str, Tensor], *, inner: bool) -> dict[str, Tensor]:
    """Weights in original names; attention there is convolutions, `inner` layers are FLUX.2's."""
    names = original_names.vae(weights.keys())
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        theirs, (place, _, ending) = names[name], name.rpartition(".")
        if inner and place in INNER:
            theirs = f"{INNER[place]}.{ending}"
        turned = "attentions" in name and weight.ndim == 2
        found[theirs] = weight[..., None, None] if turned else weight
    return found


@pytest.mark.parametrize("kind", ["original", "inner", "diffusers", "in a checkpoint"])
def test_latents_of_flux2_are_folded_and_normed(kind: str, tmp_path: Path):
    torch.default_generator.manual_seed(4)
    theirs = FOLDED(**settings(32, decoder_block_out_channels=(32, 32))).eval()
    theirs.bn.running_mean.normal_()
    theirs.bn.running_var.uniform_(0.5, 2)
    tensors: dict[str, Tensor] = theirs.state_dict()
    if kind != "diffusers":
        tensors = original(tensors, inner=kind == "inner")
    if kind == "in a checkpoint":
        tensors = {f"first_stage_model.{name}": tensor for name, tensor in tensors.items()}
    vae = vae_of(read_vae(write_tensors(tmp_path / "any.safetensors", tensors))).ready()
    assert (vae.channels, vae.factor) == (128, 4)
    pictures = torch.rand(1, 16, 24, 3)
    with torch.no_grad():
        mode = theirs.encode(pictures.movedim(-1, 1) * 2 - 1).latent_dist.mode()
        mean, spread = theirs.bn.running_mean, (theirs.bn.running_var + 1e-4).sqrt()
        latents = (pixel_unshuffle(mode, 2) - mean[:, None, None]) / spread[:, None, None]
        raw = pixel_shuffle(latents * spread[:, None, None] + mean[:, None, None], 2)
        decoded = (theirs.decode(raw).sample.movedim(1, -1) / 2 + 0.5).clamp(0, 1)
    found = vae.encode(pictures)
    assert found.shape == (1, 128, 4, 6)
    assert torch.allclose(found, latents, atol=1e-4)
    assert torch.allclose(vae.decode(found), decoded, atol=1e-4)


def test_the_autoencoder_of_flux1_has_no_layers_about_its_latents(tmp_path: Path):
    torch.default_generator.manual_seed(4)
    theirs = SIXTEEN(**settings(16, use_quant_conv=False, use_post_quant_conv=False)).eval()
    tensors = original(theirs.state_dict(), inner=False)
    vae = vae_of(read_vae(write_tensors(tmp_path / "ae.safetensors", tensors))).ready()
    pictures = torch.rand(1, 16, 24, 3)
    with torch.no_grad():
        mode = theirs.encode(pictures.movedim(-1, 1) * 2 - 1).latent_dist.mode()
    found = vae.encode(pictures)
    assert found.shape == (1, 16, 8, 12)
    assert torch.allclose(found, mode, atol=1e-5)
