"""Samplers: how noise becomes a latent, one question to the model after another.

A sampler is a generator. Where a formula needs the denoised latent at (x, sigma) it yields that
`Question` and receives the answer, so whoever drives it may answer many samplers at once. The
formulas are those of k-diffusion (https://github.com/crowsonkb/k-diffusion, MIT); sigmas fall and
end in 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

ADAMS_BASHFORTH = (
    (1,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


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
        x = x + _slope(x, (yield Question(x, sigma)), sigma) * (to - sigma)
    return x


def heun(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Algorithm 2 of Karras et al. 2022: the slope is the mean of those at both ends."""
    for sigma, to in pairwise(sigmas):
        slope = _slope(x, (yield Question(x, sigma)), sigma)
        if to > 0:
            there = x + slope * (to - sigma)
            slope = (slope + _slope(there, (yield Question(there, to)), to)) / 2
        x = x + slope * (to - sigma)
    return x


def dpm_2(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Each step by the slope in its middle, which is half way in the logarithm."""
    for sigma, to in pairwise(sigmas):
        slope = _slope(x, (yield Question(x, sigma)), sigma)
        x = yield from _by_middle(x, slope, sigma, to)
    return x


def dpm_2_ancestral(
    x: Tensor, sigmas: Tensor, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> Sampling:
    """The same to a lower level than asked, then fresh noise up to it; see `euler_ancestral`."""
    for sigma, to in pairwise(sigmas):
        slope = _slope(x, (yield Question(x, sigma)), sigma)
        down, up = _ancestral(sigma, to, eta)
        x = yield from _by_middle(x, slope, sigma, down)
        if to > 0:
            x = x + noise() * s_noise * up
    return x


def _by_middle(
    x: Tensor, slope: Tensor, sigma: Tensor, to: Tensor
) -> Generator[Question, Tensor, Tensor]:
    if to > 0:
        middle = (sigma * to).sqrt()
        half = x + slope * (middle - sigma)
        slope = _slope(half, (yield Question(half, middle)), middle)
    return x + slope * (to - sigma)


def lms(x: Tensor, sigmas: Tensor, noise: Noise, order: int = 4) -> Sampling:
    """Linear multistep: the slopes of the last steps as a polynomial, integrated over this one."""
    known: dict[float, Tensor] = {}  # slopes by their level, the last one first
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        known.pop(float(sigma), None)
        last = {float(sigma): _slope(x, denoised, sigma)}
        known = dict(islice((last | known).items(), order))
        if to == 0:
            return denoised
        for place, slope in enumerate(known.values()):
            x = x + slope * _integral([*known], place, float(sigma), float(to))
    return x


def _integral(places: Sequence[float], which: int, start: float, end: float) -> float:
    """Of the polynomial that is 1 at one of some places and 0 at all others."""
    others = [place for number, place in enumerate(places) if number != which]
    basis = np.poly1d(others, r=True) / math.prod(places[which] - other for other in others)
    whole = basis.integ()
    return float(whole(end) - whole(start))


def ipndm(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Adams and Bashforth's rule over the last four slopes; Zhang & Chen 2022.

    https://arxiv.org/abs/2204.13902.
    """
    slopes: list[Tensor] = []
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        if to == 0:
            return denoised
        slopes = [_slope(x, denoised, sigma), *slopes][:4]
        shares = ADAMS_BASHFORTH[len(slopes) - 1]
        x = x + (to - sigma) * sum(
            (share * slope for share, slope in zip(shares, slopes, strict=True)),
            start=torch.zeros_like(x),
        )
    return x


def gradient_estimation(x: Tensor, sigmas: Tensor, noise: Noise, gamma: float = 2.0) -> Sampling:
    """Euler whose slope goes `gamma` times the way from the last one to this.

    Permenter & Yuan 2023, https://arxiv.org/abs/2306.04848.
    """
    before = None
    for sigma, to in pairwise(sigmas):
        slope = _slope(x, (yield Question(x, sigma)), sigma)
        taken = slope if before is None or to == 0 else before + gamma * (slope - before)
        x = x + taken * (to - sigma)
        before = slope
    return x


def ddpm(x: Tensor, sigmas: Tensor, noise: Noise) -> Sampling:
    """Ho et al. 2020, https://arxiv.org/abs/2006.11239, equation 11 and its variance."""
    for sigma, to in pairwise(sigmas):
        found = _slope(x, (yield Question(x, sigma)), sigma)
        kept, kept_after = 1 / (sigma**2 + 1), 1 / (to**2 + 1)
        alpha = kept / kept_after
        x = (x * kept.sqrt() - (1 - alpha) * found / (1 - kept).sqrt()) / alpha.sqrt()
        if to > 0:
            x = x + noise() * ((1 - alpha) * (1 - kept_after) / (1 - kept)).sqrt()
            x = x / kept_after.sqrt()
    return x


def _slope(x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """How `x` changes with the level: the noise that is on it, at level 1."""
    return (x - denoised) / sigma


def _ancestral(sigma: Tensor, to: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The level to go down to, and the noise from there up to the one that was asked for."""
    up = (eta * (to**2 * (sigma**2 - to**2) / sigma**2).sqrt()).minimum(to)
    return (to**2 - up**2).sqrt(), up


def euler_ancestral(
    x: Tensor, sigmas: Tensor, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> Sampling:
    """Euler to a lower level than asked, then fresh noise up to it.

    `eta` says how much lower, 0 for plain Euler; the noise is `s_noise` times as strong.
    """
    for sigma, to in pairwise(sigmas):
        slope = _slope(x, (yield Question(x, sigma)), sigma)
        down, up = _ancestral(sigma, to, eta)
        x = x + slope * (down - sigma)
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


def dpmpp_2s_ancestral(
    x: Tensor, sigmas: Tensor, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> Sampling:
    """DPM-Solver++(2S), with fresh noise after each step; see `euler_ancestral`."""
    for sigma, to in pairwise(sigmas):
        denoised = yield Question(x, sigma)
        down, up = _ancestral(sigma, to, eta)
        if down > 0:
            middle = (sigma * down).sqrt()
            half = denoised + (x - denoised) * (middle / sigma)
            denoised = yield Question(half, middle)
        x = denoised + (x - denoised) * (down / sigma)
        if to > 0:
            x = x + noise() * s_noise * up
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
    "heun": heun,
    "dpm_2": dpm_2,
    "dpm_2_ancestral": dpm_2_ancestral,
    "lms": lms,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_2m": dpmpp_2m,
    "ddpm": ddpm,
    "lcm": lcm,
    "ipndm": ipndm,
    "gradient_estimation": gradient_estimation,
    "ddim": euler,
}
LEAPING = frozenset({"dpm_2", "dpm_2_ancestral"})
"""Samplers that leave out the last level but 0: they would ask for one that is lower still."""
