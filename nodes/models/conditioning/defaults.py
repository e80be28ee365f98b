"""Texts that count where no other does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nodes.models.conditioning.areas import Region

OPTION = "default"
"""Name of the option of a conditioning: whether it counts where the others do not."""


def with_defaults(regions: Sequence[Region]) -> list[Region]:
    """Of the texts of a group that count at a level, the defaults only where the others do not."""
    given = [region for region in regions if region.cond.options.get(OPTION)]
    others = [region for region in regions if not region.cond.options.get(OPTION)]
    if not given or not others:
        return [*regions]
    rest = (1 - _counted(others)).clamp(min=0)
    if not rest.any():
        return others
    return [*others, *(replace(each, rest=rest) for each in given)]


def _counted(regions: Sequence[Region]) -> Tensor:
    """How much texts count at each place, [B, 1, ...]."""
    batch, _, *sides = regions[0].shape
    total = torch.zeros(batch, 1, *sides)
    for region in regions:
        if region.weighted_area is None:
            total += 1
        else:
            part = region.weighted_area.area.of(total)
            part += region.weighted_area.weight.to(part)
    return total
