"""HunyuanImage 2.1's autoencoder, whose latents are cells of 32 x 32 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from nodes.models.families.hunyuan_image_vae_layout import HUNYUAN_IMAGE
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Network
from nodes.models.vae.autoencoder import Vae

NETWORK = f"diffusers.models.autoencoders.autoencoder_kl_hunyuanimage:{HUNYUAN_IMAGE}"


@dataclass(frozen=True, eq=False)
class HunyuanImageVae(Vae):
    """A handle on an autoencoder of HunyuanImage 2.1."""

    def load(self, device: str) -> Network[Any]:
        """Read the weights to `device`."""
        return Network(self.source, built(self._module), device, self.dtype_on(device))

    def _module(self) -> nn.Module:
        return network_class(NETWORK).from_config(self.source.config)
