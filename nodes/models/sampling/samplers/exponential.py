"""Samplers that integrate in the logarithm of the level, where what the noise does is exact."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from nodes.models.sampling.samplers.protocol import (
    ModelCall,
    Noise,
    SamplerSteps,
    ancestral_step,
    split_cfg_pp,
)
from nodes.models.sampling.sigma_space import SigmaSpace

ALMOST_ALL_NOISE = 0.9999  # of the sigma where a flow has no signal: half way from there


def dpmpp_2m(x: Tensor, sigmas: Tensor, noise: Noise, cfg_pp: bool = False) -> SamplerSteps:
    """DPM-Solver++(2M), Lu et al. 2022, https://arxiv.org/abs/2211.01095."""
    before, last_length = x, sigmas.new_zeros(())
    for sigma, to in pairwise(sigmas):
        denoised, uncond_denoised = split_cfg_pp((yield ModelCall(x, sigma)), cfg_pp=cfg_pp)
        length = sigma.log() - to.log()
        aim = denoised
        if last_length > 0 and to > 0:
            half = length / last_length / 2
            aim = (1 + half) * denoised - half * before
        x = (to / sigma) * (x + (denoised - uncond_denoised)) - (-length).expm1() * aim
        before, last_length = uncond_denoised, length
    return x


def dpmpp_2s_ancestral(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    eta: float = 1.0,
    s_noise: float = 1.0,
    cfg_pp: bool = False,
) -> SamplerSteps:
    """DPM-Solver++(2S), with fresh noise after each step; see `euler_ancestral`."""
    for sigma, to in pairwise(sigmas):
        denoised, uncond_denoised = split_cfg_pp((yield ModelCall(x, sigma)), cfg_pp=cfg_pp)
        down, scale, up = ancestral_step(space, sigma, to, eta)
        start = x + (denoised - uncond_denoised)
        if down > 0:
            middle = _between(space, sigma, down)
            half = denoised + (start - denoised) * (middle / sigma)
            denoised = split_cfg_pp(
                (yield ModelCall(half, middle, inner=True)), cfg_pp=cfg_pp
            ).denoised
        x = denoised + (start - denoised) * (down / sigma)
        if to > 0:
            x = x * scale + noise(sigma, to) * s_noise * up
    return x


def _between(space: SigmaSpace, sigma: Tensor, down: Tensor) -> Tensor:
    """Half way in the logarithm of the signal-to-noise ratio; at its end where that has none."""
    start, end = (level / space.alpha(level) for level in (sigma, down))
    if start.isinf():
        return sigma * ALMOST_ALL_NOISE
    return space.sigma_of_ratio((start * end).sqrt())


def res_multistep(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    eta: float = 0.0,
    s_noise: float = 1.0,
    cfg_pp: bool = False,
) -> SamplerSteps:
    """The exponential integrator of Zhang et al. 2023 over two steps.

    https://arxiv.org/abs/2308.02157. With `eta` there is fresh noise after each step, as in
    `euler_ancestral`.
    """
    before: Tensor | None = None
    last = last_down = sigmas[0]
    for sigma, to in pairwise(sigmas):
        denoised, uncond_denoised = split_cfg_pp((yield ModelCall(x, sigma)), cfg_pp=cfg_pp)
        down, scale, up = ancestral_step(space, sigma, to, eta)
        length = (sigma / down).log()
        behind = (last_down / last).log() / length
        if before is None or down == 0 or down == sigma:
            x = denoised + (x - uncond_denoised) * (down / sigma)
        else:
            once = -(-length).expm1() / length
            twice = (once - 1) / -length
            known = (once - twice / behind) * uncond_denoised + twice / behind * before
            x = (down / sigma) * (x + denoised - uncond_denoised) + length * known
        if to > 0 and eta > 0:
            x = x * scale + noise(sigma, to) * s_noise * up
        if down < sigma:
            before, last, last_down = uncond_denoised, sigma, down
    return x
