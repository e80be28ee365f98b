"""Sigma spaces of rectified flows, where latent and noise are mixed and sigma 1 is noise alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nodes.models.sampling.sigma_space import SigmaSpace, by_row


@dataclass(frozen=True, eq=False)
class Flow(SigmaSpace):
    """Of a rectified flow: latents and noise mixed, sigma 1 is noise alone.

    Esser et al. 2024, https://arxiv.org/abs/2403.03206.

    Attributes:
        shift: how far levels are moved towards noise, equation 23; 1 leaves them.
        multiplier: the timestep is sigma times this.
        count: entries of the table.
    """

    shift: float = 1.0
    multiplier: float = 1000.0
    count: int = 1000

    @cached_property
    def table(self) -> Tensor:
        """Even levels, shifted."""
        return self._shifted(torch.arange(1, self.count + 1) / self.count)

    @cached_property
    def key(self) -> str:
        """Of its numbers."""
        return f"flow:{self.shift}:{self.multiplier}:{self.count}"

    def _shifted(self, time: Tensor) -> Tensor:
        return self.shift * time / (1 + (self.shift - 1) * time)

    def timestep(self, sigma: Tensor) -> Tensor:
        """The level, multiplied."""
        return sigma * self.multiplier

    def sigma(self, timestep: Tensor) -> Tensor:
        """The shifted level at an even one; not the inverse of `timestep` unless the shift is 1."""
        return self._shifted(timestep / self.multiplier)

    def percent_to_sigma(self, percent: float) -> float:
        """The shifted level at that share of the way."""
        return float(self._shifted(torch.tensor(1 - min(max(percent, 0.0), 1.0))))

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` as it is."""
        return x

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """The output is the direction from latents to noise."""
        return x - output * by_row(sigma, x)

    def alpha(self, sigma: Tensor) -> Tensor:
        """What is not noise."""
        return 1 - sigma

    def sigma_of_ratio(self, ratio: Tensor) -> Tensor:
        """The level where noise and latent are in that ratio."""
        return ratio / (1 + ratio)

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor, *, first: bool = False) -> Tensor:
        """Both mixed; see `SigmaSpace.noised`."""
        level = by_row(sigma, clean)
        return clean * (1 - level) + noise * level


@dataclass(frozen=True, eq=False)
class FluxFlow(Flow):
    """A flow whose shift is stated as its logarithm, and whose timestep is sigma."""

    multiplier: float = 1.0
    count: int = 10_000

    @classmethod
    def of(cls, mu: float) -> FluxFlow:
        """The space whose shift is the exponential of `mu`."""
        return cls(math.exp(mu))

    def _shifted(self, time: Tensor) -> Tensor:
        # The same number as that of `Flow`, but for its last bit.
        return self.shift / (self.shift + (1 / time - 1))


@dataclass(frozen=True, eq=False)
class ImageVelocity(Flow):
    """Of a model from picture to picture: no noise, and the output is what the two differ by."""

    @cached_property
    def key(self) -> str:
        """Of its numbers."""
        return f"image velocity:{self.shift}:{self.multiplier}:{self.count}"

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """The output is the way there from `x`, whatever the level."""
        return x - output

    def alpha(self, sigma: Tensor) -> Tensor:
        """The latent keeps its size."""
        return torch.ones_like(sigma)

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor, *, first: bool = False) -> Tensor:
        """The latent as it is, with what noise there is."""
        return clean + noise * by_row(sigma, clean)
