"""The autoencoders between pictures and latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nodes.models.files.checkpoints import vae_factor
from nodes.models.latents.latents import blank_for
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.tiles import tiled
from nodes.models.networks.torch_devices import compute_dtype

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


class Autoencoder(ABC):
    """Between pictures and latents."""

    @property
    @abstractmethod
    def factor(self) -> int:
        """Pixels along one side of a latent pixel."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of its latents."""

    def _own(self, latents: Tensor) -> Tensor:
        """Latents as this one's, which blank ones of another kind of model can be made.

        Raises:
            ValueError: they are another model's, and not blank.
        """
        if latents.shape[1] != self.channels:
            latents = blank_for(latents, self.channels, self.factor)
        if latents.shape[1] != self.channels:
            raise ValueError(
                f"the latent has {latents.shape[1]} channels and this VAE takes {self.channels}; "
                "use the VAE of the checkpoint that made it"
            )
        return latents

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Pictures, float32 [B, H, W, 3] in 0..1 on the CPU, from latents [B, C, h, w].

        Raises:
            ValueError: latents of another kind of model.
        """

    @abstractmethod
    def encode(self, pictures: Tensor) -> Tensor:
        """Latents, float32 [B, C, h, w] on the CPU, from pictures [B, H, W, 3 or more] in 0..1.

        Sides are cropped about the centre to multiples of `factor`; the answer does not depend on
        chance.

        Raises:
            ValueError: a picture smaller than one latent pixel.
        """

    def decode_tiled(self, latents: Tensor, tile: int, overlap: int) -> Tensor:
        """As `decode`, tile by tile: little memory, and tiles know nothing of each other.

        `tile` and `overlap` are in pixels of the picture.
        """

        def decode(part: Tensor) -> Tensor:
            return self.decode(part).movedim(-1, 1)

        latents = self._own(latents)
        sides = {"tile": max(1, tile // self.factor), "overlap": overlap // self.factor}
        return tiled(latents, decode, **sides).movedim(1, -1).contiguous()

    def encode_tiled(self, pictures: Tensor, tile: int, overlap: int) -> Tensor:
        """As `encode`, tile by tile; both sides in pixels, rounded to latent pixels."""

        def encode(part: Tensor) -> Tensor:
            return self.encode(part.movedim(1, -1))

        step = self.factor
        planes = self.cropped(pictures[..., :3]).movedim(-1, 1)
        sides = {"tile": max(1, tile // step) * step, "overlap": overlap // step * step}
        return tiled(planes, encode, **sides)

    def cropped(self, pictures: Tensor) -> Tensor:
        """Pictures or masks [B, H, W, ...] cut about the centre to multiples of `factor`.

        Raises:
            ValueError: smaller than one latent pixel.
        """
        height, width = pictures.shape[1:3]
        if min(height, width) < self.factor:
            raise ValueError(
                f"a picture of {width} x {height} pixels is too small; "
                f"each side needs at least {self.factor}"
            )
        for axis, size in ((1, height), (2, width)):
            kept = size - size % self.factor
            pictures = pictures.narrow(axis, (size - kept) // 2, kept)
        return pictures


@dataclass(frozen=True, eq=False)
class Vae(Handle["AutoencoderKL"], Autoencoder):
    """A handle on an autoencoder."""

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent pixel, mostly 8."""
        return vae_factor(self.part)

    @property
    def channels(self) -> int:
        """Channels of its latents."""
        return int(self.part.config.get("latent_channels", 4))

    def load(self, device: str) -> Network[AutoencoderKL]:
        """Read the autoencoder's weights to `device`."""
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        network: Any = AutoencoderKL
        with torch.device("meta"):
            module: AutoencoderKL = network.from_config(self.part.config)
        return Network(self.part, module, device, compute_dtype(device, delicate=True))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """As `Autoencoder.decode`."""
        network = self.network
        latents = self._own(latents)
        module: Any = network.module
        pictures: list[Tensor] = []
        for latent in torch.split(latents, 1):  # one at a time: a decoder is hungry for memory
            decoded = self._decoded(module, latent.to(network.device, network.dtype))
            pictures.append(decoded.float().cpu())
        return ((torch.cat(pictures) + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """As `Autoencoder.encode`: the mode of the posterior."""
        network = self.network
        module: Any = network.module
        latents: list[Tensor] = []
        for picture in torch.split(self.cropped(pictures[..., :3]), 1):
            pixels = (picture.movedim(-1, 1) * 2 - 1).to(network.device, network.dtype)
            latents.append(self._encoded(module, pixels).float().cpu())
        return torch.cat(latents)

    def _decoded(self, module: Any, latent: Tensor) -> Tensor:
        return module.decode(latent, return_dict=False)[0]

    def _encoded(self, module: Any, pixels: Tensor) -> Tensor:
        return module.encode(pixels, return_dict=False)[0].mode()


@dataclass(frozen=True, eq=False)
class TinyVae(Vae):
    """A handle on a tiny autoencoder (TAESD and its kin), whose latents are those of the denoiser.

    Attributes:
        scale, shift: from latents as other autoencoders have them to those of the denoiser.
    """

    scale: float = field(default=1.0, kw_only=True)
    shift: float = field(default=0.0, kw_only=True)

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent pixel: 8."""
        return 8

    def load(self, device: str) -> Network[Any]:
        """Read the weights to `device`."""
        from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

        network: Any = AutoencoderTiny
        with torch.device("meta"):
            module = network(**self.part.config)
        return Network(self.part, module, device, compute_dtype(device, delicate=True))

    def _decoded(self, module: Any, latent: Tensor) -> Tensor:
        return module.decode((latent - self.shift) * self.scale, return_dict=False)[0]

    def _encoded(self, module: Any, pixels: Tensor) -> Tensor:
        return module.encode(pixels, return_dict=False)[0] / self.scale + self.shift


class PixelSpace(Autoencoder):
    """For denoisers that draw pixels: a latent is the picture itself, in -1..1."""

    @property
    def factor(self) -> int:
        """A latent pixel is a pixel."""
        return 1

    @property
    def channels(self) -> int:
        """Red, green and blue."""
        return 3

    def decode(self, latents: Tensor) -> Tensor:
        """As `Autoencoder.decode`."""
        return ((self._own(latents).float().cpu() + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()

    def encode(self, pictures: Tensor) -> Tensor:
        """As `Autoencoder.encode`."""
        planes = self.cropped(pictures[..., :3]).movedim(-1, 1)
        return planes.float().cpu().mul(2).sub(1).contiguous()
