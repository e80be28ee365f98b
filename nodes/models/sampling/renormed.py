"""Guidance that adds no strength to the noise: that of Lumina-Image 2.0."""

from __future__ import annotations

from torch import Tensor

from nodes.models.sampling.cfg import CfgInput, PostCfg, length_of


def renormed(most: float) -> PostCfg:
    """CFG-Renorm: noise of at most `most` times the length of cond's; Qin et al. 2025.

    https://arxiv.org/abs/2503.21758, on velocities, which are as long as the noise
    is; each of a batch for itself.
    """

    def after(given: CfgInput, answer: Tensor) -> Tensor:
        found = given.x - answer
        longest = most * length_of(given.x - given.cond)
        return given.x - found * (longest / length_of(found)).clamp(max=1)

    return after
