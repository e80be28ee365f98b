"""SA-Solver: stochastic Adams methods, with any amount of noise in any part of the sampling.

Xue et al. 2023, https://arxiv.org/abs/2309.05019: each step is predicted from the last denoised
latents and corrected, with the same noise, when the model was evaluated at its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerSteps


def sa_solver(
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    start: float = math.inf,
    end: float = 0.0,
    eta: float = 1.0,
    s_noise: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    use_pece: bool = False,
    simple_order_2: bool = False,
) -> SamplerSteps:
    """Noise counts `eta` times between the levels `start` and `end`, elsewhere nothing.

    Args:
        x: the start.
        sigmas: the levels.
        noise: of the steps between `start` and `end`.
        start: the level from which on there is fresh noise.
        end: the last level with fresh noise.
        eta: how much of it.
        s_noise: how strong it is.
        predictor_order: so many denoised latents make a prediction.
        corrector_order: so many make its correction, 0 for none.
        use_pece: whether the model is evaluated again after each correction.
        simple_order_2: whether two of them are weighed as in simpler solvers.
    """

    def tau(level: Tensor) -> float:
        return eta if end <= float(level) <= start else 0.0

    lowered = len(sigmas) - 1 if sigmas[-1] == 0 else 2 * len(sigmas)  # orders fall to one at 0
    kept = max(predictor_order, corrector_order, 1)
    known: list[tuple[Tensor, Tensor]] = []  # (sigma, denoised), the last one last
    before, predicted, fresh = x, x, torch.zeros_like(x)
    last = sigmas[0]
    for at, (sigma, to) in enumerate(pairwise(sigmas)):
        denoised = yield ModelCall(predicted, sigma)
        known = [*(pair for pair in known if pair[0] > sigma), (sigma, denoised)][-kept:]
        x = predicted
        if last > sigma and corrector_order > 0 and (to > 0 or use_pece):
            order = min(corrector_order, len(known), lowered - at)
            step = _Transition(last, sigma, tau(sigma), simple_order_2)
            x = fresh + step.of(before, known[-order:])
            if use_pece:
                known[-1] = (sigma, (yield ModelCall(x, sigma, inner=True)))
        if to == 0:
            return known[-1][1]
        order = min(predictor_order, len(known), max(1, lowered - 1 - at))
        step = _Transition(sigma, to, tau(to), simple_order_2)
        fresh = torch.zeros_like(x)
        if step.tau > 0 and s_noise > 0:
            fresh = noise(sigma, to) * step.noise * s_noise
        predicted = fresh + step.of(x, known[-order:])
        before, last = x, sigma
    return predicted


@dataclass(frozen=True)
class _Transition:
    """A step of the stochastic Adams method from one sigma to another; equations 14 and 17.

    Attributes:
        sigma: the level it starts from.
        to: the level it ends at.
        tau: scale of the fresh noise; 0: none, 1: as the reverse-time SDE.
        simple: whether two denoised latents are weighed as if their weight were constant.
    """

    sigma: Tensor
    to: Tensor
    tau: float
    simple: bool

    @property
    def noise(self) -> float:
        """How much of the level at the end is fresh noise."""
        part = -math.expm1(-2 * self.tau**2 * math.log(self.sigma / self.to))
        return float(self.to) * math.sqrt(part)

    def of(self, x: Tensor, known: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """`x` at the end without the noise; `known` are pairs (sigma, denoised)."""
        start = math.log(self.to / self.sigma)
        sigmas = torch.stack([sigma for sigma, _ in known])
        places = (self.to.double() / sigmas.double()).log()
        shares = self._shares(places, start)
        moved = x * math.exp((1 + self.tau**2) * start)
        for share, (_, denoised) in zip(shares, known, strict=True):
            moved = moved + share * denoised
        return moved

    def _shares(self, places: Tensor, start: float) -> list[float]:
        """Weights of denoised latents at some log-sigma distances, exact for polynomials.

        They are integrals from `start` to 0 of growth * exp(growth * t) times the polynomials that
        are 1 at one of the places and 0 at the others.
        """
        growth, count = 1 + self.tau**2, len(places)
        wholes = [-math.expm1(growth * start)]
        for power in range(1, count):
            edge = -(start**power) * math.exp(growth * start)
            wholes.append(edge - power / growth * wholes[-1])
        if self.simple and count == 2:
            wholes[1] = start * wholes[0] + growth * start**2 / 2
        powers = torch.stack([places**power for power in range(count)])
        return np.linalg.solve(powers, wholes).tolist()
