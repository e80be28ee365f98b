"""Adaptive projected guidance: what guidance may add, and what it keeps from step to step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nodes.models.sampling.cfg import CfgInput, length_of, projected


@dataclass(frozen=True, eq=False)
class AdaptiveProjection:
    """APG: guidance without much of what lies along cond; Sadat et al. 2024, algorithm 1.

    https://arxiv.org/abs/2410.02416. A change before CFG: uncond becomes what plain CFG gets the
    paper's answer from, so that other rules of guidance act as well.

    Attributes:
        along: how much counts of the difference of cond and uncond that is parallel to cond.
        most: length of the difference, beyond which it is shortened; 0 for never.
        momentum: how much of the sum of the earlier differences is added; below 0 they are
            taken away.
    """

    along: float
    most: float
    momentum: float

    def __call__(self, given: CfgInput) -> CfgInput:
        """The input of CFG with another uncond."""
        difference = self._remembered(given, given.cond - given.uncond)
        if self.most > 0:
            difference = difference * (self.most / length_of(difference)).clamp(max=1)
        parallel = projected(difference, given.cond)
        return replace(given, uncond=given.cond - difference + (1 - self.along) * parallel)

    def _remembered(self, given: CfgInput, difference: Tensor) -> Tensor:
        """The running sum; it begins anew where the noise grows, or latents of another size come.

        Samplers with several calls in a step count each.
        """
        if self.momentum == 0:
            return difference
        sigma, sum_before = given.memory.get(self, (given.sigma, torch.zeros_like(difference)))
        if given.sigma <= sigma and sum_before.shape == difference.shape:
            difference = difference + self.momentum * sum_before
        given.memory[self] = given.sigma, difference
        return difference
