"""Previews by the decoder of a tiny autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nodes.models.families.vae_layout import tiny_vae
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.latents.formats import TINY, LatentFormat
from nodes.models.latents.previews import LARGEST, jpeg
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Network
from nodes.models.networks.precision import compute_dtype

TINY_VAE = "diffusers.models.autoencoders.autoencoder_tiny:AutoencoderTiny"
FIRST = "1.weight"
"""The first weight of a tiny decoder's file."""


class TinyDecoder:
    """Draws previews by the decoder of a tiny autoencoder (TAESD), which are nearly the picture.

    Args:
        path: the decoder's file, as madebyollin/taesd publishes it.
        name: of the autoencoder, see `TINY`.
        latent: the denoiser's latents.
        device: where previews are computed.

    Raises:
        ModelFileError: the file is none, or for latents of other channels.
    """

    def __init__(self, path: Path, name: str, latent: LatentFormat, device: str) -> None:
        header = read_header(path)
        channels = header.shapes.get(FIRST, (0, 0))[1]
        if channels != latent.channels:
            raise ModelFileError(
                f"{path}: not a tiny decoder for latents of {latent.channels} channels; get "
                f"{name}_decoder.safetensors from madebyollin/taesd"
            )
        names = {tiny_vae(f"decoder.{n}").removeprefix("decoder."): n for n in header.shapes}
        source = NetworkSource(header, whole(names), "", {}, "tiny decoder")
        tiny: Any = network_class(TINY_VAE)
        module: nn.Module = built(lambda: tiny(latent_channels=channels).decoder)
        self._network = Network(source, module, device, compute_dtype(device))
        self._latent = latent
        self._scale, self._shift = TINY[name]

    @torch.no_grad()
    def preview(self, latents: Tensor) -> bytes:
        """A JPEG of the first of some latents in the unit of the denoiser, at most 512 pixels."""
        network = self._network
        module: Any = network.module
        given = (self._latent.process_out(latents[:1].float()) - self._shift) * self._scale
        factor = min(1.0, LARGEST / 8 / max(given.shape[-2:]))
        if factor < 1:
            rows, columns = (max(1, round(side * factor)) for side in given.shape[-2:])
            given = interpolate(given, size=(rows, columns), mode="area")
        planes: Tensor = module(given.to(network.device, network.dtype))
        return jpeg((planes[0].float().cpu().movedim(0, -1) / 2 + 0.5).clamp(0, 1))
