"""UniPC: each step is predicted, and corrected when the model was evaluated at its end.

Zhao et al. 2023, https://arxiv.org/abs/2302.04867, the form that predicts the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerSteps, distinct
from nodes.models.sampling.sigma_space import SigmaSpace

ORDER = 3
END = 0.001  # stands for the last sigma 0, whose logarithm there is not
ROUNDED_END = 0.00097656  # the same by way of alphas_cumprod in 32 bits


def uni_pc(
    x: Tensor, sigmas: Tensor, noise: Noise, space: SigmaSpace, exponential: bool = False
) -> SamplerSteps:
    """Of order three, two in the last step but one, one in the last.

    `exponential` takes the paper's second B(h), exp(h) - 1, in place of h.
    """
    sigmas = distinct(sigmas)
    to_zero = bool(sigmas[-1] == 0)
    levels = sigmas.clamp(min=ROUNDED_END) if to_zero else sigmas
    order = min(ORDER, len(levels) - 2)
    known: list[tuple[Tensor, Tensor]] = []  # (sigma, denoised), the last one last
    steps = len(levels) - 1
    start, predicted = x, x
    for step, (level, to) in enumerate(pairwise(levels)):
        denoised = yield ModelCall(predicted, level)
        if known:
            used = known[-min(order, step, steps + 1 - step) :]
            start = _to(start, level, used, (level, denoised), exponential)
        else:
            start = x
        known = [*known, (level, denoised)][-ORDER:]
        taken = min(max(order, 1), step + 1, steps - step)
        predicted = _to(start, to, known[-taken:], None, exponential)
    return space.finished(predicted, sigmas.new_tensor(END)) if to_zero else predicted


def _to(
    x: Tensor,
    to: Tensor,
    known: Sequence[tuple[Tensor, Tensor]],
    end: tuple[Tensor, Tensor] | None,
    exponential: bool,
) -> Tensor:
    """From the last known level to another, with the denoised latents there if known."""
    last, denoised = known[-1]
    length = math.log(last / to)
    others = [*known[-2::-1], *([end] if end is not None else [])]
    places = [math.log(last / level) / length for level, _ in others]
    gone = math.expm1(-length)
    scale = gone if exponential else -length
    x = (to / last) * x - gone * denoised
    shares = [0.5] if len(others) == 1 else _shares(places, -length, scale)
    for share, place, (_, other) in zip(shares, places, others, strict=True):
        x = x - scale * share / place * (other - denoised)
    return x


def _shares(places: Sequence[float], length: float, scale: float) -> Sequence[float]:
    """What each known difference counts, so that the step is exact for polynomials."""
    wanted: list[float] = []
    phi, factorial = math.expm1(length) / length - 1, 1
    for power in range(len(places)):
        wanted.append(phi * factorial / scale)
        factorial *= power + 2
        phi = phi / length - 1 / factorial
    rows = [[place**power for place in places] for power in range(len(places))]
    return np.linalg.solve(rows, wanted).tolist() if places else []
