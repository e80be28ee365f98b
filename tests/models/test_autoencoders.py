"""Autoencoders that are no file of models/vae: tiny ones of two files, and pixels as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor

from engine.store.folders import Folders
from nodes.loaders import TINY, VAES
from nodes.models.files.checkpoints import read_tiny_vae
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.vae.autoencoder import PixelSpace, TinyVae
from tests.models.conftest import write_tensors


def picture() -> Tensor:
    """Soft colours, [1, 128, 128, 3]."""
    small = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(3)) / 2 + 0.25
    large = torch.nn.functional.interpolate(small, (128, 128), mode="bicubic")
    return large.clamp(0, 1).movedim(1, 3)


def split(folder: Path, channels: int) -> tuple[Path, Path]:
    """A tiny autoencoder with random weights, in two files as published."""
    torch.default_generator.manual_seed(0)
    made: Callable[..., torch.nn.Module] = AutoencoderTiny
    tensors = made(latent_channels=channels).state_dict()
    encoder = {
        name.removeprefix("encoder.layers."): tensor
        for name, tensor in tensors.items()
        if name.startswith("encoder.")
    }
    decoder: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith("decoder.layers."):
            number, _, rest = name.removeprefix("decoder.layers.").partition(".")
            decoder[f"{int(number) + 1}.{rest}"] = tensor
    return (
        write_tensors(folder / "taesd_encoder.safetensors", encoder),
        write_tensors(folder / "taesd_decoder.safetensors", decoder),
    )


@pytest.mark.parametrize("channels", [4, 16])
def test_a_tiny_autoencoder_is_loaded_from_its_two_files(tmp_path: Path, channels: int):
    vae = TinyVae(read_tiny_vae(*split(tmp_path, channels)), scale=0.5, shift=0.1).ready()
    latents = vae.encode(torch.rand(2, 33, 24, 3))
    assert latents.shape == (2, channels, 4, 3)
    assert vae.decode(latents).shape == (2, 32, 24, 3)
    assert vae.decode_tiled(latents, 16, 8).shape == (2, 32, 24, 3)
    raw = TinyVae(vae.source).ready().encode(torch.ones(1, 8, 8, 3))
    assert torch.allclose(vae.encode(torch.ones(1, 8, 8, 3)), raw / 0.5 + 0.1, atol=1e-5)


def test_a_file_that_is_no_tiny_autoencoder_or_that_changed_is_refused(tmp_path: Path):
    encoder, decoder = split(tmp_path, 4)
    vae = TinyVae(read_tiny_vae(encoder, decoder))
    with pytest.raises(ModelFileError, match=r"not the decoder of a tiny autoencoder"):
        read_tiny_vae(encoder, encoder)
    write_tensors(decoder, {"1.weight": torch.zeros(64, 4, 3, 3)})
    with pytest.raises(ModelFileError, match="has changed since"):
        vae.ready()


def test_tiny_autoencoders_and_pixels_are_offered_as_clients_know_them(tmp_path: Path):
    folders = Folders(tmp_path)
    folders.create()
    assert folders.files(VAES) == ["pixel_space"]
    for name in ("taef1_encoder.pth", "taef1_decoder.safetensors", "taesd_encoder.safetensors"):
        (tmp_path / "models" / "vae_approx" / name).touch()
    (tmp_path / "models" / "vae" / "x.safetensors").touch()
    assert folders.files(VAES) == ["x.safetensors", "taef1", "pixel_space"]


def test_pixels_are_their_own_latents():
    vae, pixels = PixelSpace(), picture()
    latents = vae.encode(pixels)
    assert latents.shape == (1, 3, 128, 128)
    assert (float(latents.min()) < 0, float(latents.max()) <= 1) == (True, True)
    assert torch.allclose(vae.decode(latents), pixels, atol=1e-6)
    assert torch.allclose(vae.decode_tiled(latents, 32, 8), pixels, atol=1e-5)
    with pytest.raises(ValueError, match="4 channels and this VAE takes 3"):
        vae.decode(torch.ones(1, 4, 8, 8))


@pytest.mark.parametrize("name", TINY)
def test_published_tiny_autoencoders_give_pictures_back(shared: Path, name: str, tmp_path: Path):
    files = [shared / "weights" / "taesd" / f"{name}_{side}.safetensors" for side in SIDES]
    own = [Path(shutil.copy(file, tmp_path)) for file in files]
    scale, shift = TINY[name]
    vae = TinyVae(read_tiny_vae(own[0], own[1]), scale=scale, shift=shift).ready()
    pixels = picture()
    found = vae.decode(vae.encode(pixels))
    error = float(((found - pixels) ** 2).mean())
    assert error < 10**-2.4, "24 dB"


SIDES = ("encoder", "decoder")
