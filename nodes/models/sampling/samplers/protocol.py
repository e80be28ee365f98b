"""The protocol of samplers, and what their formulas share.

A sampler is a generator. Where a formula needs the denoised latents at (x, sigma) it yields a
`ModelCall` and receives them, so whoever drives it may evaluate the model for many samplers at
once. Sigmas fall; the last one is 0 unless noise is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from nodes.models.sampling.sigma_space import SigmaSpace


@dataclass(frozen=True, eq=False)
class ModelCall:
    """Asks for the denoised latents of `x` [B, C, ...] at `sigma` (a scalar).

    `inner` marks further calls within one step; the first one gives the step's denoised latents.
    """

    x: Tensor
    sigma: Tensor
    inner: bool = False


SamplerSteps: TypeAlias = Generator[ModelCall, Tensor, Tensor]
Noise: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From (sigma, next sigma) to noise of variance 1, float32, of the shape and device of `x`."""
SamplerFunction: TypeAlias = Callable[..., SamplerSteps]
"""Gets x, the sigmas, the noise and the sigma space; some have numbers of their own by name."""


class Denoised(NamedTuple):
    """Denoised latents [B, C, ...] with guidance, and those of uncond alone for CFG++."""

    denoised: Tensor
    uncond_denoised: Tensor


def split_cfg_pp(denoised: Tensor, *, cfg_pp: bool) -> Denoised:
    """The result of a `ModelCall`; for CFG++ it is [2, B, C, ...], else the same tensor twice.

    CFG++ steps to the guided latents, but takes the noise from uncond; Chung et al. 2024,
    https://arxiv.org/abs/2406.08070.
    """
    return Denoised(denoised[0], denoised[1]) if cfg_pp else Denoised(denoised, denoised)


def to_d(x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """dx/dsigma of the probability flow ODE: the noise that is on `x`, at level 1."""
    return (x - denoised) / sigma


class AncestralStep(NamedTuple):
    """A step to `down`, below its goal; then ``x * scale + noise * up`` is at the goal."""

    down: Tensor
    scale: Tensor | float
    up: Tensor


def ancestral_step(space: SigmaSpace, sigma: Tensor, to: Tensor, eta: float) -> AncestralStep:
    """How far a step goes down and how much noise leads up to the sigma it was meant for.

    In a flow the latent's part shrinks as the noise grows: what was reached at `down` is scaled so
    that its part fits `to`, and noise fills the variance up.
    """
    if float(space.alpha(sigma)) == 1:
        up = (eta * to * (1 - (to / sigma) ** 2).clamp(min=0).sqrt()).minimum(to)
        return AncestralStep((to**2 - up**2).sqrt(), 1.0, up)
    down = to * (1 + (to / sigma - 1) * eta)
    scale = space.alpha(to) / space.alpha(down)
    return AncestralStep(down, scale, (to**2 - (down * scale) ** 2).clamp(min=0).sqrt())


def distinct(sigmas: Tensor) -> Tensor:
    """The sigmas without those that repeat their predecessor, where an ODE solver stands still."""
    return torch.cat([sigmas[:1], sigmas[1:][sigmas[1:] != sigmas[:-1]]])
