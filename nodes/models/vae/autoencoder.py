"""The autoencoders between pictures and latents."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nodes.models.files.checkpoints import vae_factor
from nodes.models.latents.latents import blank_for
from nodes.models.memory import ask_for, available
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype
from nodes.models.networks.tiles import Progress, finished, three_tilings, tiled
from nodes.models.vae.parts import OVERLAP, Parts, Warn

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

log = logging.getLogger(__name__)


DECODING, ENCODING = 6, 4
"""Activations at once, each as wide as the second level and as large as the picture.

Measured on a CPU: 3.7 and 2.5; kernels on GPUs take room for themselves.
"""
SAMPLED = "the model, a LoRA on it or the sampler's settings made them so"
VAE_HALVES = ("bf16",)
"""It has the range of float32, which autoencoders need."""
OTHER_VAE = "its weights do not bear these numbers; take another file of this VAE"


class Autoencoder(ABC):
    """Between pictures and latents.

    Work is done in batches as large as the memory allows, in tiles where one picture is too much.
    `warn` takes sentences for the user: of tiles, and of results that are no numbers.
    """

    @property
    @abstractmethod
    def factor(self) -> int:
        """Pixels along one side of a latent pixel."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of its latents."""

    @abstractmethod
    def raw_pictures(self, latents: Tensor) -> Tensor:
        """What the decoder makes, float32 [B, 3, H, W] about -1..1 on the CPU, all in one batch."""

    @abstractmethod
    def raw_latents(self, planes: Tensor) -> Tensor:
        """Latents, float32 [B, C, h, w] on the CPU, of planes [B, 3, H, W] in -1..1, in one batch.

        Both sides are multiples of `factor`.
        """

    @property
    def device(self) -> str:
        """Where it works."""
        return "cpu"

    @property
    def looks_around(self) -> bool:
        """Whether what it decodes depends on the rest of the batch."""
        return False

    def room(self) -> int:
        """Bytes that the work may take."""
        return available(self.device)

    def need(self, pixels: int, *, decoding: bool) -> int:
        """Bytes that the work on a picture of so many pixels takes, by estimate."""
        return 0

    def decode(self, latents: Tensor, warn: Warn = log.warning) -> Tensor:
        """Pictures, float32 [B, H, W, 3] in 0..1 on the CPU, from latents [B, C, h, w].

        Raises:
            ValueError: latents of another kind of model, or a picture larger than the memory.
        """
        return finished(self.decoding(latents, warn))

    def encode(self, pictures: Tensor, warn: Warn = log.warning) -> Tensor:
        """Latents, float32 [B, C, h, w] on the CPU, from pictures [B, H, W, 3 or more] in 0..1.

        Sides are cropped about the centre to multiples of `factor`; the answer does not depend on
        chance.

        Raises:
            ValueError: a picture smaller than one latent pixel.
        """
        return finished(self.encoding(pictures, warn))

    def decode_tiled(self, latents: Tensor, tile: int = 512, overlap: int = OVERLAP) -> Tensor:
        """As `decode`, tile by tile: little memory, and tiles know nothing of each other.

        `tile` and `overlap` are in pixels of the picture.
        """
        return finished(self.decoding(latents, tiles=(tile, overlap)))

    def encode_tiled(self, pictures: Tensor, tile: int = 512, overlap: int = OVERLAP) -> Tensor:
        """As `encode`, tile by tile; both sides in pixels, rounded to latent pixels."""
        return finished(self.encoding(pictures, tiles=(tile, overlap)))

    def decoding(
        self, latents: Tensor, warn: Warn = log.warning, *, tiles: tuple[int, int] | None = None
    ) -> Progress[Tensor]:
        """As `decode`, part by part; in `tiles` of (side, overlap) pixels if given."""
        latents, step = self._own(latents), self.factor
        count, _, rows, columns = latents.shape
        ask_for("pictures", count, rows * step, columns * step, 3)
        pictures = torch.empty(count, rows * step, columns * step, 3)

        def in_tiles(part: Tensor, side: int, overlap: int) -> Progress[Tensor]:
            plan = three_tilings(max(1, side // step))
            shared = min(overlap, side // 4) // step
            return tiled(part, self.raw_pictures, tiles=plan, overlap=shared)

        need = self.need(rows * columns * step**2, decoding=True)
        work = Parts(
            self.device,
            self.room(),
            latents,
            self.raw_pictures,
            in_tiles,
            need,
            rows * columns * step**2,
            self.looks_around,
        )
        yield from work.filling(pictures.movedim(-1, 1), warn, tiles)
        if (bad := _without_nan(pictures, -1)) and latents[bad].isnan().any():
            warn(
                f"the latents hold NaN instead of numbers, so {_blackened(bad, latents)}: {SAMPLED}"
            )
        elif bad:
            warn(f"the VAE made NaN instead of numbers, so {_blackened(bad, latents)}: {OTHER_VAE}")
        return pictures.add_(1).div_(2).clamp_(0, 1)

    def encoding(
        self, pictures: Tensor, warn: Warn = log.warning, *, tiles: tuple[int, int] | None = None
    ) -> Progress[Tensor]:
        """As `encode`, part by part; in `tiles` of (side, overlap) pixels if given."""
        planes, step = self.cropped(pictures[..., :3]).movedim(-1, 1), self.factor
        count, _, height, width = planes.shape

        def encoded(part: Tensor) -> Tensor:
            return self.raw_latents(part.float() * 2 - 1)

        def in_tiles(part: Tensor, side: int, overlap: int) -> Progress[Tensor]:
            plan = [
                (max(1, rows // step) * step, max(1, columns // step) * step)
                for rows, columns in three_tilings(side)
            ]
            return tiled(part, encoded, tiles=plan, overlap=min(overlap, side // 4) // step * step)

        latents = torch.empty(count, self.channels, height // step, width // step)
        need = self.need(height * width, decoding=False)
        work = Parts(self.device, self.room(), planes, encoded, in_tiles, need, height * width)
        yield from work.filling(latents, warn, tiles)
        if bad := _without_nan(latents, 0):
            warn(f"the VAE made NaN instead of numbers of {_some(bad, latents)}: {OTHER_VAE}")
        return latents

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


def _without_nan(made: Tensor, value: float) -> list[int]:
    """Which of a batch hold NaN, which becomes `value` there."""
    bad = [number for number, one in enumerate(made) if one.isnan().any()]
    for number in bad:
        made[number].nan_to_num_(nan=value)
    return bad


def _some(bad: list[int], whole: Tensor) -> str:
    return f"{len(bad)} of {len(whole)} pictures"


def _blackened(bad: list[int], whole: Tensor) -> str:
    return f"{_some(bad, whole)} {'is' if len(bad) == 1 else 'are'} black where that is so"


@dataclass(frozen=True, eq=False)
class Vae(Handle["AutoencoderKL"], Autoencoder):
    """A handle on an autoencoder.

    Attributes:
        dtype: what it computes in; None for what the device does well. Where half precision gives
            no numbers, it computes in float32 from then on.
    """

    dtype: torch.dtype | None = field(default=None, kw_only=True)

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent pixel, mostly 8."""
        return vae_factor(self.source)

    @property
    def channels(self) -> int:
        """Channels of its latents."""
        return int(self.source.config.get("latent_channels", 4))

    @property
    def device(self) -> str:
        """Where its weights are."""
        return self.network.device

    def dtype_on(self, device: str) -> torch.dtype:
        """As its `dtype` says, or else what autoencoders bear there."""
        return self.dtype or compute_dtype(device, VAE_HALVES)

    def need(self, pixels: int, *, decoding: bool) -> int:
        """As `Autoencoder.need`."""
        widths = self.source.config.get("block_out_channels", (64, 64))
        numbers = pixels * int(widths[min(1, len(widths) - 1)])
        return numbers * (DECODING if decoding else ENCODING) * self.network.dtype.itemsize

    def load(self, device: str) -> Network[AutoencoderKL]:
        """Read the autoencoder's weights to `device`."""
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        network: Any = AutoencoderKL
        with torch.device("meta"):
            module: AutoencoderKL = network.from_config(self.source.config)
        return Network(self.source, module, device, self.dtype_on(device))

    def raw_pictures(self, latents: Tensor) -> Tensor:
        """As `Autoencoder.raw_pictures`."""
        return self._finite(self._decoded, latents)

    def raw_latents(self, planes: Tensor) -> Tensor:
        """As `Autoencoder.raw_latents`: the mode of the posterior."""
        return self._finite(self._encoded, planes)

    @torch.no_grad()
    def _finite(self, run: Callable[[Any, Tensor], Tensor], batch: Tensor) -> Tensor:
        """What the network makes of a batch; in float32 where half precision gives no numbers."""
        network = self.network
        module: Any = network.module
        made = run(module, batch.to(network.device, network.dtype)).float()
        if network.dtype is not torch.float32 and not made.isfinite().all():
            log.info("the %s gives no numbers in %s", self.source.title, network.dtype)
            wide = replace(self, dtype=torch.float32).load(network.device)
            wide.apply_patches(self.patches)
            module = network.module = wide.module
            network.dtype = torch.float32
            made = run(module, batch.to(network.device, network.dtype))
        return made.cpu()

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

    def dtype_on(self, device: str) -> torch.dtype:
        """As its `dtype` says, or else halves where the device does them well."""
        return self.dtype or compute_dtype(device)

    def load(self, device: str) -> Network[Any]:
        """Read the weights to `device`."""
        from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

        network: Any = AutoencoderTiny
        with torch.device("meta"):
            module = network(**self.source.config)
        return Network(self.source, module, device, self.dtype_on(device))

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

    def raw_pictures(self, latents: Tensor) -> Tensor:
        """As `Autoencoder.raw_pictures`."""
        return latents.float().cpu()

    def raw_latents(self, planes: Tensor) -> Tensor:
        """As `Autoencoder.raw_latents`."""
        return planes.float().cpu()
