"""Levels of noise by the shape of the way from noise to pictures (GITS).

Chen et al. 2024, "On the Trajectory Regularity of ODE-based Diffusion Sampling",
https://arxiv.org/abs/2405.11326: whatever is drawn, the way bends alike, so that the levels from
which straight steps leave it the least can be found once. The paper's authors find them from a
model's own pictures; here the way is that of Gaussian data whose variance falls as a power of the
frequency, which has a formula. For their numbers (CIFAR-10, power 3, deviation 0.5) the levels are
those of the paper at first, and two places of its list away at most.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

LARGEST, SMALLEST = 14.614642, 0.0291675  # levels of Stable Diffusion
MOST = 20  # steps whose levels are chosen
PLACES = 61  # levels that are chosen from
RHO = 7.0  # of them: their 7th roots are evenly spaced
SIDE = 64  # of the latents that are thought of
POWER = 2.0  # the variance of latents of Stable Diffusion falls about so


def places(low: float, high: float) -> Array:
    """The levels that are chosen from, falling."""
    way = np.linspace(0, 1, PLACES)
    first, last = high ** (1 / RHO), low ** (1 / RHO)
    return (first + way * (last - first)) ** RHO


@lru_cache(maxsize=64)
def levels(
    steps: int,
    coefficient: float,
    low: float,
    high: float,
    *,
    power: float = POWER,
    deviation: float = 1.0,
    side: int = SIDE,
) -> tuple[float, ...]:
    """The levels of so many steps that leave the way the least, falling from `high` to `low`.

    Args:
        steps: fewer than `PLACES`.
        coefficient: how much what a step leaves the way by counts in the next one; higher has
            more of the levels at the end.
        low: the smallest level.
        high: the largest.
        power: of the frequency, by which the variance of the data falls.
        deviation: the standard deviation of the data.
        side: of the data, in places of a square.
    """
    given = places(low, high)
    cost = _costs(given, *_spectrum(power, deviation, side))
    best, chosen = cost[:, -1], [np.full(PLACES, PLACES - 1)]
    for _ in range(steps - 1):
        through = cost + coefficient * best
        through[:, -1] = np.inf
        chosen.append(through.argmin(axis=1))
        best = through.min(axis=1)
    found = [0]
    for following in reversed(chosen):
        found.append(int(following[found[-1]]))
    return tuple(float(level) for level in given[found])


def schedule(coefficient: float, steps: int, denoise: float) -> Tensor:
    """Levels of Stable Diffusion for so many steps, the last of them 0.

    More steps than `MOST` are put between those of that many, evenly in the logarithm; below 1,
    `denoise` is how much of the steps is taken, from behind.
    """
    known = np.log(levels(min(steps, MOST), coefficient, SMALLEST, LARGEST))
    way = np.linspace(0, len(known) - 1, steps + 1)
    found = torch.as_tensor(np.exp(np.interp(way, np.arange(len(known)), known))).float()
    taken = round(steps * denoise)
    if taken == 0:
        return torch.empty(0)
    found[-1] = 0
    return found[-(taken + 1) :]


def _spectrum(power: float, deviation: float, side: int) -> tuple[Array, Array]:
    """The variances of the data, and how often each of them is."""
    line = np.fft.fftfreq(side) * side
    squares, counts = np.unique(line[:, None] ** 2 + line**2, return_counts=True)
    variance = np.maximum(squares, 0.25) ** (-power / 2)
    mean = (variance * counts).sum() / counts.sum()
    return variance * deviation**2 / mean, counts.astype(np.float64)


def _costs(given: Array, variance: Array, counts: Array) -> Array:
    """From each level to each: how far Euler's step leaves the way, seen from its straight line."""
    way = np.sqrt(variance + given[:, None] ** 2)
    slope = given[:, None] / way
    line = way[-1] - way[0]
    line = line / np.sqrt((line**2 * counts).sum())

    def beside(points: Array) -> Array:
        past = points - way[-1]
        across = past - (past * line * counts).sum(axis=-1)[..., None] * line
        return np.sqrt((across**2 * counts).sum(axis=-1))

    stepped = way[:, None] + (given[None] - given[:, None])[..., None] * slope[:, None]
    cost = beside(stepped) - beside(way)
    cost[np.tril_indices(len(given))] = np.inf
    return cost
