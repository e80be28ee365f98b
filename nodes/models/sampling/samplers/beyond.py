"""Euler's steps beyond the guided answer."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from nodes.models.sampling.samplers.protocol import (
    ModelCall,
    Noise,
    SamplerSteps,
    split_cfg_pp,
    to_d,
)
from nodes.models.sampling.sigma_space import SigmaSpace


def euler_beyond_cfg_pp(x: Tensor, sigmas: Tensor, noise: Noise, space: SigmaSpace) -> SamplerSteps:
    """Euler to where the guided answer lies once more as far from the one without guidance.

    So that a scale of guidance of 1, as CFG++ takes it, guides as 2 does otherwise.
    """
    for sigma, to in pairwise(sigmas):
        denoised, uncond_denoised = split_cfg_pp((yield ModelCall(x, sigma)), cfg_pp=True)
        goal = denoised + (denoised - uncond_denoised)
        x = x + to_d(x, goal, sigma) * (to - sigma)
    return x
