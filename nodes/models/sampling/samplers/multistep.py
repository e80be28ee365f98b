"""Samplers that ask once for each step and remember the slopes of the last ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice, pairwise

import numpy as np
import torch
from torch import Tensor

from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerSteps, distinct, to_d

ADAMS_BASHFORTH = (
    (1,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
DEIS_ORDER = 3
DEIS_POINTS = 10000  # of the sum that stands for an integral
DEIS_START, DEIS_LOW, DEIS_HIGH = 1e-3, 0.002, 80.0  # a moment, its level and that of moment 1


def lms(x: Tensor, sigmas: Tensor, noise: Noise, order: int = 4) -> SamplerSteps:
    """Linear multistep: the slopes of the last steps as a polynomial, integrated over this one."""
    known: dict[float, Tensor] = {}  # slopes by their level, the last one first
    for sigma, to in pairwise(distinct(sigmas)):
        denoised = yield ModelCall(x, sigma)
        last = {float(sigma): to_d(x, denoised, sigma)}
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


def ipndm(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """Adams and Bashforth's rule over the last four slopes; Zhang & Chen 2022.

    https://arxiv.org/abs/2204.13902.
    """
    slopes: list[Tensor] = []
    for sigma, to in pairwise(sigmas):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        slopes = [to_d(x, denoised, sigma), *slopes][:4]
        shares = ADAMS_BASHFORTH[len(slopes) - 1]
        x = x + (to - sigma) * sum(
            (share * slope for share, slope in zip(shares, slopes, strict=True)),
            start=torch.zeros_like(x),
        )
    return x


def ipndm_v(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """The same for steps of unlike lengths.

    Zhou et al. 2023, https://arxiv.org/abs/2312.00094, as published with it
    (https://github.com/zju-pi/diff-sampler): not quite the variable-step rule of Adams and
    Bashforth, which `lms` is.
    """
    slopes: list[Tensor] = []
    lengths: list[float] = []  # of this step and those before it
    for sigma, to in pairwise(distinct(sigmas)):
        denoised = yield ModelCall(x, sigma)
        if to == 0:
            return denoised
        slopes = [to_d(x, denoised, sigma), *slopes][:4]
        lengths = [float(to - sigma), *lengths][:4]
        shares = _shares_of_unlike_steps(lengths)
        x = x + (to - sigma) * sum(
            (share * slope for share, slope in zip(shares, slopes, strict=True)),
            start=torch.zeros_like(x),
        )
    return x


def _shares_of_unlike_steps(lengths: Sequence[float]) -> list[float]:
    """What the last slopes count, the last one first, by the lengths of the steps after them."""
    if len(lengths) == 1:
        return [1.0]
    h0, h1 = lengths[:2]
    shares = [1 + h0 / h1 / 2, -h0 / h1 / 2]
    if len(lengths) == 2:
        return shares
    h2 = lengths[2]
    ratio, part = h1 / h2, h0 / (3 * (h0 + h1))
    second = (1 - part * h0 * (h0 + h1) / (h1 * (h1 + h2))) / 2
    shares = [shares[0] + second, shares[1] - second * (1 + ratio), second * ratio]
    if len(lengths) == 3:
        return shares
    h3 = lengths[3]
    weight = (1 - part) / 2 + (1 - h0 / (2 * (h0 + h1))) * h0 / (6 * (h0 + h1 + h2))
    third = weight * h0 * (h0 + h1) * (h0 + h1 + h2) / (h1 * (h1 + h2) * (h1 + h2 + h3))
    bend = h1 * (h1 + h2) / (h2 * (h2 + h3))
    return [
        shares[0] + third,
        shares[1] - third * (1 + ratio + bend),
        shares[2] + third * (ratio + bend * (1 + h2 / h3)),
        -third * bend * ratio,
    ]


def deis(x: Tensor, sigmas: Tensor, noise: Noise) -> SamplerSteps:
    """The last three slopes as a polynomial in the time of a diffusion, not in its level.

    Zhang & Chen 2022, https://arxiv.org/abs/2204.13902, tAB-DEIS.
    """
    sigmas = distinct(sigmas)
    times, growth = _moments(sigmas.double())
    slopes: list[Tensor] = []
    for at, (sigma, to) in enumerate(pairwise(sigmas)):
        slope = to_d(x, (yield ModelCall(x, sigma)), sigma)
        slopes = [slope, *slopes][:DEIS_ORDER]
        if at == 0 or to == 0:
            x = x + slope * (to - sigma)
            continue
        points = torch.linspace(float(times[at]), float(times[at + 1]), DEIS_POINTS).double()
        rise = _rise(points, *growth) * (times[at + 1] - times[at]) / DEIS_POINTS
        known = times[at - len(slopes) + 1 : at + 1].flip(0)
        for place, slope in enumerate(slopes):
            x = x + slope * float((rise * _basis(known, place, points)).sum())
    return x


def _moments(sigmas: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """Times of the VP process with linear beta at sigmas of EDM, and beta's start and slope.

    The constants are those of EDM's VP schedule: sigma 0.002..80, times from 1e-3 to 1.
    """
    low, high = math.log(DEIS_LOW**2 + 1), math.log(DEIS_HIGH**2 + 1)
    slope = 2 * (low / DEIS_START - high) / (DEIS_START - 1)
    start = high - slope / 2
    times = ((start**2 + 2 * slope * (sigmas**2 + 1).log()).sqrt() - start) / slope
    return times, (start, slope)


def _rise(times: Tensor, start: float, slope: float) -> Tensor:
    """Derivative of sigma by time of that process."""
    exponent = slope * times**2 / 2 + start * times
    return exponent.exp() * (slope * times + start) / (2 * exponent.expm1().sqrt())


def _basis(places: Tensor, which: int, at: Tensor) -> Tensor:
    """The polynomial that is 1 at one of some places and 0 at all others."""
    others = [place for number, place in enumerate(places) if number != which]
    return torch.stack([(at - other) / (places[which] - other) for other in others]).prod(dim=0)
