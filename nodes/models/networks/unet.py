"""The denoiser: a UNet that listens to text, and the noise levels it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nodes.models.latents.latents import blank_for
from nodes.models.latents.previews import Colors
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.torch_devices import compute_dtype
from nodes.models.sampling.cfg import Guidance
from nodes.models.sampling.sigma_space import SigmaSpace

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


@dataclass(frozen=True, eq=False)
class Model(Handle["UNet2DConditionModel"]):
    """A handle on a denoiser.

    Attributes:
        space: its levels of noise, and what its answers mean.
        latent_scale: it works on latents times this.
        colors: what its latents look like, see `previews`.
        guiding: how it is guided.
        factor: pixels along one side of a cell of its latents.
        differential: whether masks tell when a place begins to change: how much so, 0..1.
    """

    space: SigmaSpace = field(repr=False)
    latent_scale: float
    colors: Colors | None = field(default=None, repr=False, kw_only=True)
    guidance: Guidance = field(default=Guidance(), repr=False, kw_only=True)
    factor: int = field(default=8, kw_only=True)
    differential: float = field(default=0.0, kw_only=True)

    @cached_property
    def terms(self) -> str:
        """What its answers depend on: its weights, and its sigma space."""
        return f"{self.key}:{self.space.key}"

    @property
    def channels(self) -> int:
        """Channels of its latents."""
        return int(self.part.config.get("in_channels", 4))

    def start(self, latents: Tensor) -> Tensor:
        """Latents to begin with: blank ones of any kind of model become this model's own."""
        return blank_for(latents, self.channels, self.factor)

    def load(self, device: str) -> Network[UNet2DConditionModel]:
        """Read the UNet's weights to `device`."""
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        network: Any = UNet2DConditionModel
        with torch.device("meta"):
            module: UNet2DConditionModel = network.from_config(self.part.config)
        return Network(self.part, module, device, compute_dtype(device))

    @torch.no_grad()
    def denoised(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """What the network takes for the picture behind the noise.

        Args:
            x: noisy latents times `latent_scale`, float32 [B, C, H, W].
            sigma: standard deviation of the noise of each, [B].
            context: encoded text, [B, tokens, width].

        Raises:
            ValueError: latents or text that belong to another kind of model.
        """
        self._check(x, context)
        network = self.network
        answer: Tensor = network.module(
            self.space.network_input(x, sigma).to(network.dtype),
            self.space.timestep(sigma).to(x.device),
            encoder_hidden_states=context.to(x.device, network.dtype),
            return_dict=False,
        )[0].float()
        return self.space.denoised(x, answer, sigma)

    def _check(self, x: Tensor, context: Tensor) -> None:
        width = self.part.config.get("cross_attention_dim")
        if context.shape[-1] != width:
            raise ValueError(
                f"the conditioning is {context.shape[-1]} wide and this model listens to {width}; "
                "encode the text with the CLIP of the same checkpoint"
            )
        if x.ndim != 4:
            raise ValueError(
                f"the latent has the shape {tuple(x.shape)}, of a video or a sound, and this model "
                "draws pictures; make it with EmptyLatentImage"
            )
        if x.shape[1] != self.channels:
            raise ValueError(
                f"the latent has {x.shape[1]} channels and this model works on {self.channels}; "
                "make it with this model's VAE or with EmptyLatentImage"
            )
