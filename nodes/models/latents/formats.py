"""What latents are to a denoiser: how they are scaled, and what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

RgbFactors: TypeAlias = Sequence[Sequence[float]]
"""A row of red, green and blue for each channel, and one to begin with; see `previews`."""


TINY = {
    "taesd": (0.18215, 0.0),
    "taesdxl": (0.13025, 0.0),
    "taesd3": (1.5305, 0.0609),
    "taef1": (0.3611, 0.1159),
}
"""Tiny autoencoders: what other autoencoders' latents are multiplied by, after a shift."""


@dataclass(frozen=True)
class LatentFormat:
    """Between the latents of an autoencoder, as nodes pass them, and those of a denoiser.

    Attributes:
        channels: of the latents.
        factor: pixels along one side of a cell.
        scaling_factor: the denoiser works on (latents - mean - shift) times this, over the std.
        shift_factor: taken off all channels.
        latents_mean: taken off each channel; empty: nothing.
        latents_std: what each channel is divided by; empty: by 1.
        latent_rgb_factors: what the denoiser's latents look like; None where that is not known.
        taesd_decoder_name: name of the tiny autoencoder that reads them.
        own_blank: whether blank latents come from a node for this kind of model, at its size.
        dimensions: axes of a latent beside its channels: rows and columns, or frames before them.
    """

    channels: int = 4
    factor: int = 8
    scaling_factor: float = 1.0
    shift_factor: float = 0.0
    latents_mean: tuple[float, ...] = ()
    latents_std: tuple[float, ...] = ()
    latent_rgb_factors: RgbFactors | None = field(default=None, repr=False)
    taesd_decoder_name: str | None = None
    own_blank: bool = False
    dimensions: int = 2

    def process_in(self, latents: Tensor) -> Tensor:
        """Latents [B, C, ...] in the unit of the denoiser; all zeros, which hold nothing, stay."""
        if not latents.any():
            return latents
        return (latents - self._by_channel(self.latents_mean, 0.0, latents) - self.shift_factor) * (
            self.scaling_factor / self._by_channel(self.latents_std, 1.0, latents)
        )

    def process_out(self, latents: Tensor) -> Tensor:
        """The inverse of `process_in`."""
        grown = latents * (self._by_channel(self.latents_std, 1.0, latents) / self.scaling_factor)
        return grown + self.shift_factor + self._by_channel(self.latents_mean, 0.0, latents)

    def _by_channel(self, values: Sequence[float], usual: float, like: Tensor) -> Tensor | float:
        if not values:
            return usual
        return like.new_tensor(values).view(1, -1, *[1] * (like.ndim - 2))


# The colours were fitted to what the tiny autoencoders TAESD and TAESDXL (madebyollin/taesd, MIT)
# make of photographs and drawings: they explain about four fifths of the variance.
SD = LatentFormat(
    scaling_factor=0.18215,
    latent_rgb_factors=(
        (0.1744, 0.1286, 0.1395),
        (0.0878, 0.1702, 0.0473),
        (-0.1088, 0.0901, 0.069),
        (-0.1256, -0.1097, -0.2784),
        (0.5038, 0.4926, 0.4708),
    ),
    taesd_decoder_name="taesd",
)
SDXL = LatentFormat(
    scaling_factor=0.13025,
    latent_rgb_factors=(
        (0.1704, 0.1818, 0.2013),
        (-0.1284, 0.0109, 0.0054),
        (0.0256, 0.0719, -0.0356),
        (-0.1296, -0.0791, -0.0935),
        (0.5578, 0.5154, 0.4977),
    ),
    taesd_decoder_name="taesdxl",
)
SD3 = LatentFormat(16, 8, 1.5305, 0.0609, taesd_decoder_name="taesd3")
FLUX = LatentFormat(16, 8, 0.3611, 0.1159, taesd_decoder_name="taef1")
FLUX2 = LatentFormat(128, 16)
"""Cells of 2 x 2 of its autoencoder's 32 channels, normed by that."""
HUNYUAN_IMAGE = LatentFormat(64, 32, 0.75289)
