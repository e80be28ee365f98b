"""Samplers of a stochastic differential equation, whose noise is added to a latent of full size.

`flows.by_signal_ratio` makes them right for flow models.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerSteps, ancestral_step
from nodes.models.sampling.sigma_space import EXPLODING

ER_POINTS = 200  # of the sums that stand for integrals


def dpmpp_sde(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> SamplerSteps:
    """DPM-Solver++ with noise: each step by what the model says at `r` of it.

    Lu et al. 2022, https://arxiv.org/abs/2211.01095; the form of k-diffusion (MIT).
    """
    for sigma, to in pairwise(sigmas):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        if to == sigma:
            continue
        middle = (torch.lerp(sigma.log(), to.log(), r)).exp()
        down, _, up = ancestral_step(EXPLODING, sigma, middle, eta)
        there = denoised + (x - denoised) * (down / sigma) + noise(sigma, middle) * s_noise * up
        later = yield ModelCall(there, middle, inner=True)
        aim = torch.lerp(denoised, later, 1 / (2 * r))
        down, _, up = ancestral_step(EXPLODING, sigma, to, eta)
        x = aim + (x - aim) * (down / sigma) + noise(sigma, to) * s_noise * up
    return x


def dpmpp_2m_sde(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    heun: bool = False,
) -> SamplerSteps:
    """DPM-Solver++(2M) with noise; by the middle of a step, or by both its ends (`heun`).

    Lu et al. 2022, https://arxiv.org/abs/2211.01095; the form of k-diffusion (MIT).
    """
    before, last_length = x, sigmas.new_zeros(())
    for sigma, to in pairwise(sigmas):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        if to == sigma:
            continue
        length = (sigma / to).log()
        whole = length * (1 + eta)
        gone = -(-whole).expm1()
        x = (-whole).exp() * x + gone * denoised
        if last_length > 0:
            bend = 1 - gone / whole if heun else gone / 2
            x = x + bend * (length / last_length) * (denoised - before)
        if eta > 0:
            x = x + noise(sigma, to) * to * (-(-2 * eta * length).expm1()).sqrt() * s_noise
        before, last_length = denoised, length
    return x


def dpmpp_3m_sde(
    x: Tensor, sigmas: Tensor, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> SamplerSteps:
    """DPM-Solver++(3M) with noise: from three denoised latents; the form of k-diffusion (MIT)."""
    known: list[
        tuple[Tensor, Tensor]
    ] = []  # (denoised, length of the step after it), the last one first
    for sigma, to in pairwise(sigmas):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        if to == sigma:
            continue
        length = (sigma / to).log()
        whole = length * (1 + eta)
        x = (-whole).exp() * x - (-whole).expm1() * denoised
        once = (-whole).expm1() / whole + 1
        if known:
            first = (denoised - known[0][0]) * (length / known[0][1])
            if len(known) > 1:
                near, far = known[0][1] / length, known[1][1] / length
                second = (known[0][0] - known[1][0]) / far
                bend = (first - second) / (near + far)
                x = x + once * (first + bend * near) - (once / whole - 0.5) * bend
            else:
                x = x + once * first
        if eta > 0:
            x = x + noise(sigma, to) * to * (-(-2 * eta * length).expm1()).sqrt() * s_noise
        known = [(denoised, length), *known][:2]
    return x


def seeds_2(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> SamplerSteps:
    """SEEDS-2, predicting the picture; Gonzalez et al. 2023, https://arxiv.org/abs/2305.14267."""
    return (yield from _seeds(x, sigmas, noise, (r,), eta, s_noise))


def seeds_3(
    x: Tensor, sigmas: Tensor, noise: Noise, eta: float = 1.0, s_noise: float = 1.0
) -> SamplerSteps:
    """SEEDS-3 of the same paper."""
    return (yield from _seeds(x, sigmas, noise, (1 / 3, 2 / 3), eta, s_noise))


def _seeds(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    parts: tuple[float, ...],
    eta: float,
    s_noise: float,
) -> SamplerSteps:
    """Algorithms 1 and 2 of the paper: `parts` are the stages, as fractions of a step in log sigma.

    The noise of a stage is that of the stage before, decayed, and fresh noise.
    """
    for sigma, to in pairwise(sigmas):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        length = (sigma / to).log()
        there, here, done = x, sigma, 0.0
        grown = change = torch.zeros_like(x)
        for part in (*parts, 1.0):
            level = to if part == 1 else (sigma.log() - part * length).exp()
            whole = part * length * (1 + eta)
            gone = -(-whole).expm1()
            bend = gone / 2 if len(parts) == 1 or whole == 0 else 1 - gone / whole
            there = (1 - gone) * x + gone * denoised
            if done:
                there = there + part / done * bend * change
            if eta > 0:
                way = (part - done) * length * eta
                fresh = (-(-2 * way).expm1()).sqrt() * noise(here, level)
                grown = (-way).exp() * grown + fresh
                there = there + level * s_noise * grown
            if part < 1:
                change = (yield ModelCall(there, level, inner=True)) - denoised
            here, done = level, part
        x = there
    return x


def er_scale(level: Tensor) -> Tensor:
    """Noise scale of ER-SDE: sigma (exp(sigma ** 0.3) + 10), ER-SDE-5 of its paper."""
    return level * ((level**0.3).exp() + 10)


def reverse_scale(level: Tensor, eta: float = 1.0) -> Tensor:
    """Noise scale of the reverse-time SDE: sigma ** (1 + eta); an ODE if `eta` is 0."""
    return level ** (1 + eta)


def er_sde(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    max_stage: int = 3,
    s_noise: float = 1.0,
    scale: Callable[[Tensor], Tensor] = er_scale,
) -> SamplerSteps:
    """The extended reverse-time equation, from one to three denoised latents.

    Cui et al. 2023, https://arxiv.org/abs/2309.06169, the variance exploding form. `scale` is how
    the noise of a level counts.
    """
    levels: list[Tensor] = []
    known: list[Tensor] = []  # the last denoised latents, and their last change by level
    for sigma, to in pairwise(sigmas):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        kept = scale(to) / scale(sigma)
        x = kept * x + (1 - kept) * denoised
        way = to - sigma
        points = to - way / ER_POINTS * torch.arange(ER_POINTS)
        changes = list[Tensor]()
        if known and max_stage > 1:
            change = (denoised - known[0]) / (sigma - levels[-1])
            area = (1 / scale(points)).sum() * -way / ER_POINTS
            x = x + (way + area * scale(to)) * change
            changes = [change]
            if len(known) > 1 and max_stage > 2:
                bend = (change - known[1]) / ((sigma - levels[-2]) / 2)
                area = ((points - sigma) / scale(points)).sum() * -way / ER_POINTS
                x = x + (way**2 / 2 + area * scale(to)) * bend
        if s_noise > 0:
            fresh = (to**2 - sigma**2 * kept**2).clamp(min=0).sqrt()
            x = x + noise(sigma, to) * s_noise * fresh
        if to < sigma:
            known = [denoised, *changes]
            levels = [*levels, sigma][-2:]
    return x
