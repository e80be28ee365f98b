"""HiDream: pooled CLIP-L and CLIP-G, T5-XXL, and every layer of Llama 3.

As diffusers' pipeline has it (HiDreamImagePipeline, Apache-2.0).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nodes.models.text.recipes.recipe import (
    CLIP_G,
    CLIP_L,
    LLAMA_8B,
    T5_XXL,
    Prompted,
    Recipe,
    Vectors,
    pooled,
)

if TYPE_CHECKING:
    from nodes.models.text.asking import Asking

TOKENS = 128
SMALL, LARGE = 768, 1280
WIDTH, LAYERS = 4096, 32


def encode(prompted: Prompted) -> Vectors:
    """T5's [1, 128 tokens or more, 4096]; Llama's layers [1, 32, 128 or more, 4096] beside it."""
    import torch

    from nodes.models.text.asking import Asking

    found = prompted.clip()
    pictured = [
        found[name].pooled if name in found else torch.zeros(1, width)
        for name, width in (("clip_l", SMALL), ("clip_g", LARGE))
    ]
    text = (
        prompted.ask("t5xxl", Asking(shortest=TOKENS)).states
        if prompted.has("t5xxl")
        else torch.zeros(1, TOKENS, WIDTH)
    )
    layers = (
        torch.stack([*prompted.ask("llama", _asking(prompted.layers("llama"))).layers], dim=1)
        if prompted.has("llama")
        else torch.zeros(1, LAYERS, TOKENS, WIDTH)
    )
    beside = pooled(torch.cat(pictured, dim=-1))
    return text, {**beside, "conditioning_llama3": layers}


def _asking(count: int) -> Asking:
    from nodes.models.text.asking import Asking

    return Asking(shortest=TOKENS, layers=(*range(1, count), -1), masked=True)


HIDREAM = Recipe(
    "hidream",
    "HiDream",
    ("hidream",),
    tuple(replace(part, optional=True) for part in (CLIP_L, CLIP_G, T5_XXL, LLAMA_8B)),
    encode,
)
