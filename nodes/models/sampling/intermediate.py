"""Levels of noise between those of a schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

SPACINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda way: way,
    "cosine": lambda way: (way * math.pi / 2).sin(),
    "sine": lambda way: 1 - (way * math.pi / 2).cos(),
}
"""How far between two levels new ones lie, by evenly spaced numbers: nearer to the second with
"cosine", nearer to the first with "sine"."""


def extended(sigmas: Tensor, steps: int, start: float, end: float, spacing: str) -> Tensor:
    """Levels each of whose steps that begins within a range is parted.

    Args:
        sigmas: [n].
        steps: into how many.
        start: the highest level of the range; below 0 for any.
        end: the lowest.
        spacing: one of `SPACINGS`.
    """
    if len(sigmas) < 2:
        return sigmas
    ways = SPACINGS[spacing](torch.linspace(0, 1, steps + 1)[:-1]).to(sigmas)
    parts = [
        level + (to - level) * (ways if end <= level and (start < 0 or level <= start) else 0)
        for level, to in pairwise(sigmas)
    ]
    return torch.cat([*(part.reshape(-1) for part in parts), sigmas[-1:]])
