"""What samplers ask, and what their formulas share.

A sampler is a generator. Where a formula needs the denoised latent at (x, sigma) it yields that
`ModelCall` and receives the answer, so whoever drives it may answer many samplers at once. Sigmas
fall and end in 0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from torch import Tensor


@dataclass(frozen=True, eq=False)
class ModelCall:
    """What would `x`, with noise of standard deviation `sigma` (a scalar) on it, be without?"""

    x: Tensor
    sigma: Tensor


SamplerSteps: TypeAlias = Generator[ModelCall, Tensor, Tensor]
Noise: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Of variance 1, for the way from one level to another."""
SamplerFunction: TypeAlias = Callable[..., SamplerSteps]
"""Gets the start, the levels and the noise; some have numbers of their own by name."""


class Answers(NamedTuple):
    """The denoised latent, and the one without guidance, which is the same to most samplers."""

    denoised: Tensor
    uncond_denoised: Tensor


def answers(answer: Tensor, *, cfg_pp: bool) -> Answers:
    """What came back for a call; both in one tensor [2, ...] to samplers of the CFG++ kind.

    Those take the way by guidance, but the noise by what the model says without it; Chung et al.
    2024, https://arxiv.org/abs/2406.08070.
    """
    return Answers(answer[0], answer[1]) if cfg_pp else Answers(answer, answer)


def to_d(x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """How `x` changes with the level: the noise that is on it, at level 1."""
    return (x - denoised) / sigma


def ancestral_step(sigma: Tensor, to: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The level to go down to, and the noise from there up to the one that was asked for."""
    up = (eta * (to**2 * (sigma**2 - to**2) / sigma**2).sqrt()).minimum(to)
    return (to**2 - up**2).sqrt(), up
