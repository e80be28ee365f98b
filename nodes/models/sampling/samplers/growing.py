"""A sampler of few steps whose latents grow on the way."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from nodes.models.latents.latents import resized
from nodes.models.sampling.noise import StepNoise
from nodes.models.sampling.samplers.protocol import ModelCall, SamplerSteps
from nodes.models.sampling.sigma_space import SigmaSpace


def lcm_upscale(
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    space: SigmaSpace,
    scale_ratio: float = 1.0,
    scale_steps: int = -1,
    upscale_method: str = "bislerp",
) -> SamplerSteps:
    """As `lcm`, where the first steps leave latents larger than they found them.

    Few steps are enough for what is coarse, and cost little while the latents are small.

    Args:
        x: [B, C, h, w].
        sigmas: falling.
        noise: gives fresh noise of any size.
        space: of the model.
        scale_ratio: how many times larger each side is in the end.
        scale_steps: after how many steps, evenly growing; below 1 half of them. The last step never
            grows.
        upscale_method: one of `latents.SCALE_METHODS`.
    """
    rows, columns = x.shape[-2:]
    steps = len(sigmas) - 1
    wanted = scale_steps if scale_steps > 0 else (steps + 1) // 2
    growing = max(1, min(wanted, steps - 1))
    for step, (sigma, to) in enumerate(pairwise(sigmas), 1):
        x = yield ModelCall(x, sigma)
        if step <= growing and step < steps:
            scale = 1 + (scale_ratio - 1) * step / growing
            high, wide = (max(1, round(side * scale)) for side in (rows, columns))
            x = resized(x, upscale_method, wide, high, crop=False)
        if to > 0:
            x = space.noised(x, noise.of(x.shape), to)
    return x
