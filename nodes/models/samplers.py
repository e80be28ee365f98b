"""Samplers: how noise becomes a latent, one question to the model after another.

A sampler is a generator. Where a formula needs the denoised latent at (x, sigma) it yields that
`Question` and receives the answer, so whoever drives it may answer many samplers at once. The
formulas are those of k-diffusion (https://github.com/crowsonkb/k-diffusion, MIT); sigmas fall and
end in 0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
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
Sampler: TypeAlias = Callable[..., Sampling]
"""Gets the start, the levels and the noise; some have numbers of their own by name."""


@dataclass(frozen=True)
class Way:
    """A sampler by its name in `SAMPLERS`, and the numbers it is given."""

    name: str
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])

    def steps(self, x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
        """Its walk from `x` down the levels."""
        return SAMPLERS[self.name](x, sigmas, noise, **self.numbers)


def euler(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Algorithm 2 of Karras et al. 2022 without its corrector."""
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        x = x + (x - denoised) / sigma * (to - sigma)
    return x


def euler_ancestral(
    x: Tensor, sigmas: Tensor, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> Sampling:
    """Euler to a lower level than asked, then fresh noise up to it.

    `eta` says how much lower, 0 for plain Euler; the noise is `s_noise` times as strong.
    """
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        up = (eta * (to**2 * (sigma**2 - to**2) / sigma**2).sqrt()).minimum(to)
        down = (to**2 - up**2).sqrt()
        x = x + (x - denoised) / sigma * (down - sigma)
        if to > 0:
            x = x + noise() * s_noise * up
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


def lcm(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    s_noise: float = 1.0,
    s_noise_end: float | None = None,
    noise_clip_std: float = 0.0,
) -> Sampling:
    """All the way each time, then fresh noise up to the next level; Luo et al. 2023.

    https://arxiv.org/abs/2310.04378. The noise is `s_noise` times as strong at first and
    `s_noise_end` times at the end, evenly between; cut at so many of its deviations, 0 for never.
    """
    end = s_noise if s_noise_end is None else s_noise_end
    last = max(1, len(sigmas) - 2)
    for step, (sigma, to) in enumerate(pairwise(sigmas)):
        x = yield Question(x, sigma)
        if to > 0:
            fresh = noise()
            if noise_clip_std > 0:
                most = noise_clip_std * float(fresh.std())
                fresh = fresh.clamp(-most, most)
            x = x + fresh * to * (s_noise + (end - s_noise) * step / last)
    return x


SAMPLERS: Mapping[str, Sampler] = {
    "euler": euler,
    "euler_ancestral": euler_ancestral,
    "dpmpp_2m": dpmpp_2m,
    "lcm": lcm,
}
