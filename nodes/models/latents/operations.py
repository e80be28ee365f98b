"""Operations on latents [B, C, H, W], which nodes pass to one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from nodes.models.sampling.cfg import CfgInput

Operation: TypeAlias = Callable[[Tensor], Tensor]
SPREADS = 5  # standard deviations above the mean that stay below the brightest


@dataclass(frozen=True)
class Tonemap:
    """Lengths over the channels pressed below a limit, as Reinhard et al. 2002 press brightness.

    Attributes:
        multiplier: of the limit, which is the mean length and five standard deviations.
    """

    multiplier: float

    def __call__(self, latents: Tensor) -> Tensor:
        """Latents of the same directions."""
        length = latents.square().sum(dim=1, keepdim=True).sqrt()
        axes = tuple(range(1, latents.ndim))
        spread = length.std(dim=axes, keepdim=True)
        limit = (length.mean(dim=axes, keepdim=True) + SPREADS * spread) * self.multiplier
        part = length / limit.clamp(min=1e-10)
        return latents / (length + 1e-10) * (part / (part + 1)) * limit


@dataclass(frozen=True)
class Sharpen:
    """Directions over the channels sharpened by what a Gaussian takes away.

    Attributes:
        radius: of the kernel, in cells.
        sigma: standard deviation of the Gaussian, in cells.
        alpha: how strongly, in tenths.
    """

    radius: int
    sigma: float
    alpha: float

    def __call__(self, latents: Tensor) -> Tensor:
        """Latents of the same lengths."""
        length = latents.square().sum(dim=1, keepdim=True).sqrt() + 1e-6
        places = torch.arange(-self.radius, self.radius + 1, device=latents.device)
        line = (-0.5 * (places / self.sigma) ** 2).exp()
        kernel = line[:, None] * line
        kernel = kernel / kernel.sum() * (-10 * self.alpha)
        kernel[self.radius, self.radius] += 1 - kernel.sum()
        channels, side = latents.shape[1], 2 * self.radius + 1
        kernels = kernel.to(latents).expand(channels, 1, side, side)
        edges = [self.radius] * 4
        mode = "reflect" if self.radius < min(latents.shape[-2:]) else "replicate"
        return length * conv2d(pad(latents / length, edges, mode=mode), kernels, groups=channels)


def before_cfg(operation: Operation) -> Callable[[CfgInput], CfgInput]:
    """An operation on cond - uncond, before CFG.

    Where only the former is there, on that itself.
    """

    def change(given: CfgInput) -> CfgInput:
        if given.cond is given.uncond:
            return replace(given, cond=operation(given.cond))
        return replace(given, cond=operation(given.cond - given.uncond) + given.uncond)

    return change
