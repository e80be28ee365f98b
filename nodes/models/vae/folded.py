"""FLUX.2's autoencoder, whose latents are cells of others: 2 x 2 of 32 channels, normed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from nodes.models.families.vae_layout import FOLDED
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Network
from nodes.models.vae.autoencoder import Vae

NETWORK = f"diffusers.models.autoencoders.autoencoder_kl_flux2:{FOLDED}"
SIDE = 2
"""Of a cell."""


@dataclass(frozen=True, eq=False)
class FoldedVae(Vae):
    """A handle on an autoencoder whose latents are folded and normed by statistics in its file."""

    @property
    def factor(self) -> int:
        """Pixels along one side of a cell, mostly 16."""
        return SIDE * super().factor

    @property
    def channels(self) -> int:
        """Channels of its latents, mostly 128."""
        return SIDE**2 * super().channels

    def load(self, device: str) -> Network[Any]:
        """Read the weights to `device`."""
        return Network(self.source, built(self._module), device, self.dtype_on(device))

    def _module(self) -> nn.Module:
        return network_class(NETWORK).from_config(self.source.config)

    def _decoded(self, module: Any, latent: Tensor) -> Tensor:
        mean, spread = _statistics(module)
        return super()._decoded(module, pixel_shuffle(latent * spread + mean, SIDE))

    def _encoded(self, module: Any, pixels: Tensor) -> Tensor:
        mean, spread = _statistics(module)
        return (pixel_unshuffle(super()._encoded(module, pixels), SIDE) - mean) / spread


def _statistics(module: Any) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel, [1, C, 1, 1]."""
    mean, variance = (
        each.view(1, -1, 1, 1) for each in (module.bn.running_mean, module.bn.running_var)
    )
    return mean, torch.sqrt(variance + module.config.batch_norm_eps)
