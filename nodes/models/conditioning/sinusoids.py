"""Numbers as sinusoids, which networks are given in their place."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(numbers: Tensor, width: int) -> Tensor:
    """Each number as cosines, then sines, of falling frequency: [...] -> [..., width].

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    half = width // 2
    angles = numbers[..., None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
