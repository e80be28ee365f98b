"""Autoencoders of videos: read by both spellings, and against diffusers' own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_hunyuan_video import AutoencoderKLHunyuanVideo
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from torch import Tensor

from nodes.models.families import original_names
from nodes.models.files.checkpoints import read_vae
from nodes.models.vae.handles import vae_of
from nodes.models.vae.streamed import StreamedVae
from tests.models.conftest import write_tensors
from tests.models.transformers import made

WAN21 = {"base_dim": 8, "dim_mult": [1, 2, 2], "z_dim": 4, "num_res_blocks": 1,
         "temperal_downsample": [True, True], "scale_factor_spatial": 4}  # fmt: skip
WAN22 = {**WAN21, "decoder_base_dim": 12, "is_residual": True, "in_channels": 12,
         "out_channels": 12, "patch_size": 2, "temperal_downsample": [False, True],
         "scale_factor_temporal": 2, "scale_factor_spatial": 8}  # fmt: skip
PARTS: dict[str, Any] = {
    r"(resnets\.\d+|_blocks\.\d+)\.norm1\.": r"\1.residual.0.",
    r"(resnets\.\d+|_blocks\.\d+)\.conv1\.": r"\1.residual.2.",
    r"(resnets\.\d+|_blocks\.\d+)\.norm2\.": r"\1.residual.3.",
    r"(resnets\.\d+|_blocks\.\d+)\.conv2\.": r"\1.residual.6.",
    r"conv_shortcut": "shortcut",
    r"mid_block\.resnets\.0": "middle.0",
    r"mid_block\.attentions\.0": "middle.1",
    r"mid_block\.resnets\.1": "middle.2",
    r"norm_out": "head.0",
    r"conv_out": "head.2",
    r"coder\.conv_in": "coder.conv1",
    r"^quant_conv": "conv1",
    r"^post_quant_conv": "conv2",
}


def _entry(match: re.Match[str]) -> str:
    kind, _, number = match[2].partition(".")
    return f"decoder.upsamples.{int(match[1]) * 3 + (2 if kind == 'upsamplers' else int(number))}"


FLAT: dict[str, Any] = {
    r"encoder\.down_blocks": "encoder.downsamples",
    r"decoder\.up_blocks\.(\d+)\.(resnets\.\d+|upsamplers\.0)": _entry,
}
"""Blocks of two layers and, but for the last, a change of size are one list."""
NESTED: dict[str, Any] = {
    r"(down|up)_blocks\.(\d+)\.resnets\.(\d+)": r"\1samples.\2.\1samples.\3",
    r"down_blocks\.(\d+)\.downsampler": r"downsamples.\1.downsamples.1",
    r"up_blocks\.(\d+)\.upsampler": r"upsamples.\1.upsamples.2",
}
SETTINGS = {"Wan 2.1": WAN21, "Wan 2.2": WAN22}


def original(weights: dict[str, Tensor], levels: dict[str, Any]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        for ours, theirs in {**PARTS, **levels}.items():
            name = re.sub(ours, theirs, name)
        found[name] = weight
    return found


def autoencoder(kind: str, tmp_path: Path, *, published: bool = False) -> tuple[StreamedVae, Any]:
    theirs = made(AutoencoderKLWan, SETTINGS[kind])
    weights = dict(theirs.state_dict())
    tensors = weights if published else original(weights, FLAT if kind == "Wan 2.1" else NESTED)
    vae = vae_of(read_vae(write_tensors(tmp_path / "vae.safetensors", tensors)))
    assert isinstance(vae, StreamedVae)
    return vae.ready(), theirs


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("kind", SETTINGS)
def test_videos_are_decoded_and_encoded_as_diffusers_does(
    kind: str, published: bool, tmp_path: Path
):
    vae, theirs = autoencoder(kind, tmp_path, published=published)
    settings = SETTINGS[kind]
    assert vae.source.config["dim_mult"] == settings["dim_mult"]
    assert vae.source.config["temperal_downsample"] == settings["temperal_downsample"]
    video = torch.rand(9, 16, 24, 3)
    with torch.no_grad():
        planes = video.movedim(-1, 0)[None] * 2 - 1
        expected = theirs.encode(planes).latent_dist.mode()
        decoded = theirs.decode(expected).sample
    latents = vae.encode(video)
    assert torch.allclose(latents, expected, atol=1e-5)
    frames = vae.decode(latents)
    assert frames.shape == video.shape
    pictures = decoded[0].movedim(0, -1) / 2 + 0.5
    assert torch.allclose(frames, pictures.clamp(0, 1), atol=1e-5)


def test_one_picture_is_a_video_of_one_frame(tmp_path: Path):
    vae, _ = autoencoder("Wan 2.1", tmp_path)
    latents = vae.encode(torch.rand(1, 16, 16, 3))
    assert latents.shape == (1, 4, 1, 4, 4)
    assert vae.decode(latents).shape == (1, 16, 16, 3)
    assert vae.decode(latents[:, :, 0]).shape == (1, 16, 16, 3), "latents without an axis of time"


def test_frames_beyond_a_whole_latent_one_are_left_out(tmp_path: Path):
    vae, _ = autoencoder("Wan 2.1", tmp_path)
    video = torch.rand(7, 16, 16, 3)
    assert torch.allclose(vae.encode(video), vae.encode(video[:5]), atol=1e-6)


def test_several_videos_are_decoded_one_after_another(tmp_path: Path):
    vae, _ = autoencoder("Wan 2.1", tmp_path)
    latents = torch.randn(2, 4, 2, 4, 4)
    both = vae.decode(latents)
    assert both.shape == (10, 16, 16, 3)
    assert torch.allclose(both[5:], vae.decode(latents[1:]), atol=1e-6)


def test_tiles_go_through_all_of_time_and_agree_away_from_their_edges(tmp_path: Path):
    vae, _ = autoencoder("Wan 2.1", tmp_path)
    latents = torch.randn(1, 4, 3, 32, 48)
    whole = vae.decode(latents)
    tiled = vae.decode_tiled(latents, tile=128, overlap=64)
    assert tiled.shape == whole.shape
    assert (tiled - whole).abs().mean() < 0.1 * whole.std()
    video = whole[:5]
    assert vae.encode_tiled(video, tile=64, overlap=32).shape == vae.encode(video).shape


def test_a_long_video_takes_no_more_of_the_device_than_a_short_one(tmp_path: Path):
    vae, _ = autoencoder("Wan 2.1", tmp_path)
    sizes: list[int] = []
    for length in (3, 9):
        latents = torch.zeros(1, 4, length, 4, 4)
        parts = [part.shape for part in vae.decoded(vae.network.module, latents)]
        assert len(parts) == length
        sizes.append(max(shape.numel() for shape in parts))
    assert sizes[0] == sizes[1]


HUNYUAN = {
    "block_out_channels": (32, 32, 32),
    "down_block_types": ("HunyuanVideoDownBlock3D",) * 3,
    "up_block_types": ("HunyuanVideoUpBlock3D",) * 3,
    "layers_per_block": 1,
    "latent_channels": 4,
    "spatial_compression_ratio": 4,
}


@pytest.mark.parametrize("published", [False, True])
def test_videos_of_hunyuan_are_decoded_and_encoded_as_diffusers_does(
    published: bool, tmp_path: Path
):
    theirs: Any = made(AutoencoderKLHunyuanVideo, HUNYUAN)
    weights = dict(theirs.state_dict())
    names = {name: name for name in weights} if published else original_names.vae(weights)
    tensors = {names[name]: weight for name, weight in weights.items()}
    vae = vae_of(read_vae(write_tensors(tmp_path / "vae.safetensors", tensors))).ready()
    video = torch.rand(9, 16, 24, 3)
    with torch.no_grad():
        expected = theirs.encode(video.movedim(-1, 0)[None] * 2 - 1).latent_dist.mode()
        frames = theirs.decode(expected).sample[0].movedim(0, -1) / 2 + 0.5
    assert torch.allclose(vae.encode(video), expected, atol=1e-5)
    assert torch.allclose(vae.decode(expected), frames.clamp(0, 1), atol=1e-5)


def test_a_long_video_of_hunyuan_is_made_in_parts_that_fade_into_each_other(tmp_path: Path):
    theirs: Any = made(AutoencoderKLHunyuanVideo, HUNYUAN)
    path = write_tensors(tmp_path / "vae.safetensors", dict(theirs.state_dict()))
    vae = vae_of(read_vae(path)).ready()
    latents = torch.randn(1, 4, 2, 4, 4).repeat_interleave(10, dim=2)
    frames = vae.decode(latents)
    assert len(frames) == 19 * 4 + 1
    with torch.no_grad():
        first = theirs.decode(latents[:, :, :9]).sample[0].movedim(0, -1) / 2 + 0.5
    assert torch.allclose(frames[:25], first[:25].clamp(0, 1), atol=1e-5)
    assert not torch.allclose(frames[30], first[30].clamp(0, 1), atol=1e-5)
    assert vae.encode(frames).shape == latents.shape
    assert isinstance(vae, StreamedVae)
    parts = [part.shape[2] for part in vae.decoded(vae.network.module, latents)]
    assert parts == [25, 24, 28]
