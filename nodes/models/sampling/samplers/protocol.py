"""What samplers ask, and what their formulas share.

A sampler is a generator. Where a formula needs the denoised latent at (x, sigma) it yields that
`ModelCall` and receives the answer, so whoever drives it may answer many samplers at once. Sigmas
fall; the last one is 0 unless noise is left over.
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
    """What is `x`, with noise of level `sigma` (a scalar) on it, without the noise?

    `inner` marks further calls within one step; the first one says what the step denoised.
    """

    x: Tensor
    sigma: Tensor
    inner: bool = False


SamplerSteps: TypeAlias = Generator[ModelCall, Tensor, Tensor]
Noise: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Noise of variance 1 and the shape of x, for the step from one sigma to another."""
SamplerFunction: TypeAlias = Callable[..., SamplerSteps]
"""Gets x, the sigmas, the noise and the sigma space; some have numbers of their own by name."""


class Answers(NamedTuple):
    """The denoised latent, and the one without guidance, which is the same to most samplers."""

    denoised: Tensor
    uncond_denoised: Tensor


def answers(answer: Tensor, *, cfg_pp: bool) -> Answers:
    """What came back for a call; both in one tensor [2, ...] to samplers of the CFG++ kind.

    Those step to the guided answer, but take the noise from the unconditional one; Chung et al.
    2024, https://arxiv.org/abs/2406.08070.
    """
    return Answers(answer[0], answer[1]) if cfg_pp else Answers(answer, answer)


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
