"""Autoencoders of videos, whose decoder looks at several frames at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nodes.models.families.vae_layout import TEMPORAL
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Network
from nodes.models.vae.autoencoder import Vae

NETWORK = f"diffusers.models.autoencoders.autoencoder_kl_temporal_decoder:{TEMPORAL}"


@dataclass(frozen=True, eq=False)
class VideoVae(Vae):
    """A handle on an autoencoder of frames, [frames, C, h, w], that are decoded by their order.

    As many as the memory holds are decoded at once: the fewer, the more they differ.
    """

    @property
    def looks_around(self) -> bool:
        """Whether what it decodes depends on the rest of the batch: it does."""
        return True

    def load(self, device: str) -> Network[Any]:
        """Read the weights to `device`."""
        return Network(self.source, built(self._module), device, self.dtype_on(device))

    def _module(self) -> nn.Module:
        module: Any = network_class(NETWORK).from_config(self.source.config)
        if "quant_conv.weight" not in self.source.pieces:
            module.quant_conv = nn.Identity()
        return module

    def _decoded(self, module: Any, latent: Tensor) -> Tensor:
        return module.decode(latent, num_frames=len(latent), return_dict=False)[0]
