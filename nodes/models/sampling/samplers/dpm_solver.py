"""DPM-Solver, which counts calls instead of steps, or chooses its steps itself.

Lu et al. 2022, https://arxiv.org/abs/2206.00927; t is the negative logarithm of the level.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import pairwise

import torch
from torch import Tensor

from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerSteps, ancestral_step
from nodes.models.sampling.sigma_space import SigmaSpace

MARGIN = 1e-5  # of t: so near to the end is the end


def dpm_fast(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """As many calls as there are steps, three for each of its own steps where it can.

    It goes from the first level to the last above 0.
    """
    count = len(sigmas) - 1
    start, end = _bounds(sigmas)
    steps = count // 3 + 1
    orders = [3] * (steps - 2) + [2, 1] if count % 3 == 0 else [3] * (steps - 1) + [count % 3]
    times = torch.linspace(float(start), float(end), steps + 1)
    for order, (t, to) in zip(orders, pairwise(times), strict=True):
        noise_here = yield from _noise_at(x, t)
        solved = yield from _solved(x, t, to, noise_here, order)
        x = solved[0]
    return x


def dpm_adaptive(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    space: SigmaSpace,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> SamplerSteps:
    """Steps as long as two orders agree, between the first level and the last above 0.

    Args:
        x: the start.
        sigmas: of which the first and the last above 0 count.
        noise: taken with `eta` alone.
        space: of the model.
        order: 2 or 3, checked against the one below.
        rtol: how much the two may differ, in parts of the value.
        atol: how much they may differ anyway.
        h_init: the first step.
        pcoeff: of the controller of steps (PID): what the last error counts.
        icoeff: what all errors count.
        dcoeff: what their change counts.
        accept_safety: a step is taken when the next would be so many times as long.
        eta: how much of each step is fresh noise.
        s_noise: how strong that is.
    """
    t, end = _bounds(sigmas)
    control = _Control(h_init, (pcoeff, icoeff, dcoeff), 1.5 if eta else order, accept_safety)
    before = x
    while t < end - MARGIN:
        to = torch.minimum(end, t + control.length)
        goal, scale, up = to, sigmas.new_ones(()), sigmas.new_zeros(())
        if eta:
            down = ancestral_step(space, (-t).exp(), (-to).exp(), eta).down
            goal = torch.minimum(end, -down.log())
            scale = space.alpha((-to).exp()) / space.alpha((-goal).exp())
            up = ((-to).exp() ** 2 - ((-goal).exp() * scale) ** 2).sqrt()
        noise_here = yield from _noise_at(x, t)
        found, rough = yield from _solved(x, t, goal, noise_here, order)
        allowed = torch.clamp(rtol * torch.maximum(rough.abs(), before.abs()), min=atol)
        error = float((((rough - found) / allowed) ** 2).mean().sqrt())
        if control.accepts(error):
            before, x = rough, found
            if eta:
                x = x * scale + up * s_noise * noise((-t).exp(), (-to).exp())
            t = to
    return x


def _bounds(sigmas: Tensor) -> tuple[Tensor, Tensor]:
    above = sigmas[sigmas > 0]
    return -above.max().log(), -above.min().log()


def _noise_at(x: Tensor, t: Tensor, *, inner: bool = False) -> Generator[ModelCall, Tensor, Tensor]:
    sigma = (-t).exp()
    return (x - (yield ModelCall(x, sigma, inner))) / sigma


def _solved(
    x: Tensor, t: Tensor, to: Tensor, noise: Tensor, order: int
) -> Generator[ModelCall, Tensor, tuple[Tensor, Tensor]]:
    """The end of a step of an order, and of the order below from the same model calls."""
    length, sigma = to - t, (-to).exp()
    first = x - sigma * length.expm1() * noise
    if order == 1:
        return first, first
    part = 1 / order
    middle = t + part * length
    half = x - (-middle).exp() * (part * length).expm1() * noise
    change = (yield from _noise_at(half, middle, inner=True)) - noise
    second = first - sigma / (2 * part) * length.expm1() * change
    if order == 2:
        return second, first
    later, more = t + 2 * part * length, 2 * part * length
    far = (
        x
        - (-later).exp() * more.expm1() * noise
        - (-later).exp() * 2 * (more.expm1() / more - 1) * change
    )
    change = (yield from _noise_at(far, later, inner=True)) - noise
    third = first - sigma / (2 * part) * (length.expm1() / length - 1) * change
    return third, second


class _Control:
    """How long the next step is: a PID controller of the logarithm of the error.

    Söderlind 2003, https://doi.org/10.1145/641876.641877.
    """

    def __init__(
        self, length: float, terms: tuple[float, float, float], order: float, safety: float
    ) -> None:
        proportional, integral, derivative = terms
        self.length = length
        self._powers = (
            (proportional + integral + derivative) / order,
            -(proportional + 2 * derivative) / order,
            derivative / order,
        )
        self._safety = safety
        self._known: list[float] = []

    def accepts(self, error: float) -> bool:
        """Whether a step of an error, in units of the tolerance, is taken; sets the next length."""
        inverse = 1 / (error + 1e-8)
        errors = [inverse, *self._known[1:]] if self._known else [inverse] * 3
        factor = math.prod(error**power for error, power in zip(errors, self._powers, strict=True))
        factor = 1 + math.atan(factor - 1)
        accepted = factor >= self._safety
        self._known = [errors[0], errors[0], errors[1]] if accepted else errors
        self.length *= factor
        return accepted
