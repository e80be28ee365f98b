"""Image embeddings in place of a text's pooled vector (unCLIP, SDXL "revision").

Ramesh et al. 2022, https://arxiv.org/abs/2204.06125: the embedding of a picture gets noise of some
level, and the network is told the level beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from nodes.models.conditioning.sinusoids import sinusoids

OPTION = "unclip_conditioning"
"""Name of the option: a list of vision outputs, each with strength and noise level."""
LEVELS = 1000
MERGED_NOISE = 0.05
"""Noise of the mean of several pictures, as a part of the levels."""
SEED_OFFSET = -10
"""From the seed of the sampling to that of this noise."""


def noised_embedding(
    given: Sequence[Mapping[str, Any]],
    seed: int,
    mean: Tensor | None = None,
    std: Tensor | None = None,
) -> Tensor:
    """The embedding that stands for pictures, and its level of noise behind it, [1, 2 x width].

    Args:
        given: what unCLIPConditioning put into the conditioning.
        seed: of the sampling.
        mean: of the embeddings that the model was trained on; None: 0.
        std: of these, too; None: 1.
    """
    found: list[Tensor] = []
    for one in given:
        for embedding in one["clip_vision_output"].image_embeds:
            noise = float(one["noise_augmentation"])
            noised = _noised(embedding[None], noise, seed, mean, std)
            found.append(noised * float(one["strength"]))
    if len(found) == 1:
        return found[0]
    total = torch.stack(found).sum(dim=0)
    width = total.shape[1] // 2
    return _noised(total[:, :width], MERGED_NOISE, seed, mean, std)


def _noised(
    embedding: Tensor, part: float, seed: int, mean: Tensor | None, std: Tensor | None
) -> Tensor:
    """An embedding [1, width] with noise of a part of the levels, and that level behind it."""
    level = round((LEVELS - 1) * part)
    mean = torch.zeros(1) if mean is None else mean
    std = torch.ones(1) if std is None else std
    generator = torch.Generator().manual_seed(seed + SEED_OFFSET)
    noise = torch.randn(embedding.shape, generator=generator)
    alpha_cumprod = _alphas_cumprod()[level]
    scaled = (embedding.float() - mean) / std
    noised = (scaled * alpha_cumprod.sqrt() + noise * (1 - alpha_cumprod).sqrt()) * std + mean
    level_embedding = sinusoids(torch.tensor([level]), embedding.shape[1])
    return torch.cat([noised, level_embedding], dim=1)


@cache
def _alphas_cumprod() -> Tensor:
    """What is left of the signal's variance at each level, of Nichol & Dhariwal's cosines."""

    def left(part: float) -> float:
        return math.cos((part + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [
        min(1 - left((level + 1) / LEVELS) / left(level / LEVELS), 0.999) for level in range(LEVELS)
    ]
    return (1 - torch.tensor(betas, dtype=torch.float64)).cumprod(dim=0).float()
