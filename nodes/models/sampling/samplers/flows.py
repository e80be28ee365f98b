"""Samplers whose formulas are written for noise that is added to the latent, in flow models too.

With x' = x / alpha and sigma' = sigma / alpha a flow is such a process: x' is the latent plus
noise of level sigma'. Kingma et al. 2021, https://arxiv.org/abs/2107.00630, section 3: processes of
one signal-to-noise ratio are the same up to the scale of x.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from nodes.models.sampling.samplers.protocol import (
    ModelCall,
    Noise,
    SamplerFunction,
    SamplerSteps,
)
from nodes.models.sampling.sigma_space import SigmaSpace

FIRST_PERCENT = 1e-4  # stands for the beginning of a flow, where no signal is


def same_in_flow(function: SamplerFunction) -> SamplerFunction:
    """A sampler of x, sigmas and noise that is right in every space: it follows an ODE in sigma."""

    def steps(
        x: Tensor, sigmas: Tensor, noise: Noise, space: SigmaSpace, **numbers: Any
    ) -> SamplerSteps:
        return function(x, sigmas, noise, **numbers)

    return steps


def by_signal_ratio(function: SamplerFunction, *levels: str) -> SamplerFunction:
    """A sampler of x, sigmas and noise that holds where noise is added; flows are turned into that.

    Args:
        function: the sampler.
        levels: names of those of its numbers that are sigmas.
    """

    def steps(
        x: Tensor, sigmas: Tensor, noise: Noise, space: SigmaSpace, **numbers: Any
    ) -> SamplerSteps:
        if bool((space.alpha(sigmas) == 1).all()):
            return (yield from function(x, sigmas, noise, **numbers))
        if float(space.alpha(sigmas[0])) == 0:
            sigmas = sigmas.clone()
            sigmas[0] = space.percent_to_sigma(FIRST_PERCENT)
        ratios = sigmas / space.alpha(sigmas)
        exact = {float(ratio): sigma for ratio, sigma in zip(ratios, sigmas, strict=True)}

        def sigma_of(ratio: Tensor) -> Tensor:
            return exact.get(float(ratio), space.sigma_of_ratio(ratio))

        def noise_between(start: Tensor, end: Tensor) -> Tensor:
            return noise(sigma_of(start), sigma_of(end))

        for name in numbers.keys() & set(levels):
            level = sigmas.new_tensor(numbers[name])
            numbers[name] = float(level / space.alpha(level))
        inner = function(x / space.alpha(sigmas[0]), ratios, noise_between, **numbers)
        try:
            call = next(inner)
            while True:
                sigma = sigma_of(call.sigma)
                call = inner.send((yield ModelCall(call.x * space.alpha(sigma), sigma, call.inner)))
        except StopIteration as end:
            return end.value * space.alpha(sigmas[-1])

    return steps
