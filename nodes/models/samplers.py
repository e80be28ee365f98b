"""Samplers: how noise becomes a latent, one question to the model after another.

A sampler is a generator. Where a formula needs the denoised latent at (x, sigma) it yields that
`Question` and receives the answer, so whoever drives it may answer many samplers at once. The
formulas are those of k-diffusion (https://github.com/crowsonkb/k-diffusion, MIT); sigmas fall and
end in 0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Question:
    """What would `x`, with noise of standard deviation `sigma` (a scalar) on it, be without?"""

    x: Tensor
    sigma: Tensor


Sampling: TypeAlias = Generator[Question, Tensor, Tensor]
Noise: TypeAlias = Callable[[], Tensor]
Sampler: TypeAlias = Callable[[Tensor, Tensor, Noise], Sampling]


def euler(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Algorithm 2 of Karras et al. 2022 without its corrector."""
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        x = x + (x - denoised) / sigma * (to - sigma)
    return x


def euler_ancestral(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Euler to a lower level than asked, then fresh noise up to it."""
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        up = (to**2 * (sigma**2 - to**2) / sigma**2).sqrt().minimum(to)
        down = (to**2 - up**2).sqrt()
        x = x + (x - denoised) / sigma * (down - sigma)
        if to > 0:
            x = x + noise() * up
    return x


def dpmpp_2m(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """DPM-Solver++(2M), Lu et al. 2022, https://arxiv.org/abs/2211.01095."""
    before = x, sigmas.new_zeros(())  # the last answer and the length of its step
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        length = sigma.log() - to.log()
        aim = denoised
        last, last_length = before
        if last_length > 0 and to > 0:
            half = length / last_length / 2
            aim = (1 + half) * denoised - half * last
        x = (to / sigma) * x - (-length).expm1() * aim
        before = denoised, length
    return x


SAMPLERS: Mapping[str, Sampler] = {
    "euler": euler,
    "euler_ancestral": euler_ancestral,
    "dpmpp_2m": dpmpp_2m,
}
