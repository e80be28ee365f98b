"""Samplers of first and second order in sigma: Euler, Heun, DPM2, and DDPM and LCM.

The formulas are those of k-diffusion (https://github.com/crowsonkb/k-diffusion, MIT) where no
other source stands beside one.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise

from torch import Tensor

from nodes.models.sampling.samplers.protocol import (
    ModelCall,
    Noise,
    SamplerSteps,
    ancestral_step,
    split_cfg_pp,
    to_d,
)
from nodes.models.sampling.sigma_space import EXPLODING, SigmaSpace


def euler(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """Algorithm 2 of Karras et al. 2022 without its corrector."""
    for sigma, to in pairwise(sigmas):
        x = x + to_d(x, (yield ModelCall(x, sigma)), sigma) * (to - sigma)
    return x


def euler_ancestral(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> SamplerSteps:
    """Euler to a lower sigma than the next, then fresh noise up to it.

    `eta` says how much lower, 0 for plain Euler; the noise is `s_noise` times as strong.
    """
    for sigma, to in pairwise(sigmas):
        down, scale, up = ancestral_step(space, sigma, to, eta)
        x = x + to_d(x, (yield ModelCall(x, sigma)), sigma) * (down - sigma)
        if to > 0 and eta > 0:
            x = x * scale + noise(sigma, to) * s_noise * up
    return x


def euler_ancestral_cfg_pp(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> SamplerSteps:
    """The same with guidance of the CFG++ kind: see `protocol.split_cfg_pp`."""
    for sigma, to in pairwise(sigmas):
        denoised, uncond_denoised = split_cfg_pp((yield ModelCall(x, sigma)), cfg_pp=True)
        alpha, alpha_to = space.alpha(sigma), space.alpha(to)
        d = to_d(x, alpha * uncond_denoised, sigma)
        down, _, up = ancestral_step(EXPLODING, sigma / alpha, to / alpha_to, eta)
        x = alpha_to * (denoised + d * down)
        if to > 0 and eta > 0:
            x = x + alpha_to * up * s_noise * noise(sigma, to)
    return x


def heun(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """Algorithm 2 of Karras et al. 2022: the slope is the mean of those at both ends."""
    for sigma, to in pairwise(sigmas):
        slope = to_d(x, (yield ModelCall(x, sigma)), sigma)
        if to > 0:
            there = x + slope * (to - sigma)
            ahead = yield ModelCall(there, to, inner=True)
            slope = (slope + to_d(there, ahead, to)) / 2
        x = x + slope * (to - sigma)
    return x


def heunpp2(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """Heun++: the mean of the slopes here and one and two steps ahead.

    Those ahead are weighed by their sigma over the first of all; none is taken at the last sigma.
    """
    for at, (sigma, to) in enumerate(pairwise(sigmas)):
        slopes = [to_d(x, (yield ModelCall(x, sigma)), sigma)]
        there, here = x, sigma
        for level in sigmas[at + 1 : at + 3]:
            if level == sigmas[-1]:
                break
            there, here = there + slopes[-1] * (level - here), level
            slopes.append(to_d(there, (yield ModelCall(there, level, inner=True)), level))
        shares = [level / (len(slopes) * sigmas[0]) for level in sigmas[at + 1 : at + len(slopes)]]
        x = x + (to - sigma) * (
            (1 - sum(shares)) * slopes[0]
            + sum(share * slope for share, slope in zip(shares, slopes[1:], strict=True))
        )
    return x


def dpm_2(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """Each step by the slope in its middle, which is half way in the logarithm."""
    for sigma, to in pairwise(sigmas):
        slope = to_d(x, (yield ModelCall(x, sigma)), sigma)
        x = yield from _by_middle(x, slope, sigma, to)
    return x


def dpm_2_ancestral(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> SamplerSteps:
    """The same to a lower sigma than the next, then fresh noise up to it; see `euler_ancestral`."""
    for sigma, to in pairwise(sigmas):
        slope = to_d(x, (yield ModelCall(x, sigma)), sigma)
        down, scale, up = ancestral_step(space, sigma, to, eta)
        x = yield from _by_middle(x, slope, sigma, down)
        if to > 0:
            x = x * scale + noise(sigma, to) * s_noise * up
    return x


def _by_middle(
    x: Tensor, slope: Tensor, sigma: Tensor, to: Tensor
) -> Generator[ModelCall, Tensor, Tensor]:
    if to > 0:
        middle = (sigma * to).sqrt()
        half = x + slope * (middle - sigma)
        slope = to_d(half, (yield ModelCall(half, middle, inner=True)), middle)
    return x + slope * (to - sigma)


def gradient_estimation(
    x: Tensor, sigmas: Tensor, noise: Noise, gamma: float = 2.0, cfg_pp: bool = False
) -> SamplerSteps:
    """Euler whose slope goes `gamma` times the way from the last one to this.

    Permenter & Yuan 2023, https://arxiv.org/abs/2306.04848.
    """
    before = None
    for sigma, to in pairwise(sigmas):
        denoised, uncond_denoised = split_cfg_pp((yield ModelCall(x, sigma)), cfg_pp=cfg_pp)
        slope = to_d(x, uncond_denoised, sigma)
        taken = slope if before is None or to == 0 else before + gamma * (slope - before)
        x = x + (denoised - uncond_denoised) + taken * (to - sigma)
        before = slope
    return x


def ddpm(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """Ho et al. 2020, https://arxiv.org/abs/2006.11239, equation 11 and its variance."""
    for sigma, to in pairwise(sigmas):
        found = to_d(x, (yield ModelCall(x, sigma)), sigma)
        cumprod, cumprod_to = 1 / (sigma**2 + 1), 1 / (to**2 + 1)
        alpha = cumprod / cumprod_to
        x = (x * cumprod.sqrt() - (1 - alpha) * found / (1 - cumprod).sqrt()) / alpha.sqrt()
        if to > 0:
            x = x + noise(sigma, to) * ((1 - alpha) * (1 - cumprod_to) / (1 - cumprod)).sqrt()
            x = x / cumprod_to.sqrt()
    return x


def lcm(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    s_noise: float = 1.0,
    s_noise_end: float | None = None,
    noise_clip_std: float = 0.0,
) -> SamplerSteps:
    """All the way each time, then fresh noise up to the next level; Luo et al. 2023.

    https://arxiv.org/abs/2310.04378. The noise is `s_noise` times as strong at first and
    `s_noise_end` times at the end, evenly between; cut at so many of its deviations, 0 for never.
    """
    end = s_noise if s_noise_end is None else s_noise_end
    last = max(1, len(sigmas) - 2)
    for step, (sigma, to) in enumerate(pairwise(sigmas)):
        x = yield ModelCall(x, sigma)
        if to > 0:
            fresh = noise(sigma, to)
            if noise_clip_std > 0:
                most = noise_clip_std * float(fresh.std())
                fresh = fresh.clamp(-most, most)
            fresh = fresh * (s_noise + (end - s_noise) * step / last)
            x = space.noised(x, fresh, to)
    return x
