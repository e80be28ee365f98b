"""Stable Diffusion 3 and 3.5: CLIP-L beside CLIP-G, and T5-XXL behind; any may be missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nodes.models.text.recipes.recipe import (
    CLIP_G,
    CLIP_L,
    T5_XXL,
    Prompted,
    Recipe,
    Vectors,
    pooled,
)

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 4096
WIDTHS = {"clip_l": 768, "clip_g": 1280}
"""Of the vectors of CLIP, which stand side by side in this order."""
TOKENS = 77


def encode(prompted: Prompted) -> Vectors:
    """[1, tokens of CLIP and of T5, 4096], zeros beside CLIP and for what is missing."""
    import torch
    from torch.nn.functional import pad

    from nodes.models.text.asking import Asking

    found = {name: one for name, one in prompted.clip().items() if _counts(prompted, name)}
    tokens = max([TOKENS, *(one.states.shape[1] for one in found.values())])

    def of_clip(name: str) -> tuple[Tensor, Tensor]:
        if name in found:
            return found[name].states, found[name].pooled
        return torch.zeros(1, tokens, WIDTHS[name]), torch.zeros(1, WIDTHS[name])

    states, vectors = zip(*(of_clip(name) for name in WIDTHS), strict=True)
    side_by_side = torch.cat(states, dim=-1)
    written = torch.zeros(1, TOKENS, WIDTH)
    if _counts(prompted, "t5xxl"):
        written = prompted.ask("t5xxl", Asking(shortest=TOKENS)).states
    width = max(written.shape[-1], side_by_side.shape[-1])
    both = [pad(states, (0, width - states.shape[-1])) for states in (side_by_side, written)]
    joined = torch.cat(both, dim=1)
    return joined, pooled(torch.cat(vectors, dim=-1))


def _counts(prompted: Prompted, name: str) -> bool:
    """Whether a text encoder is there and is not left out."""
    empty = prompted.leaves_empty_out and not prompted.text(name)
    return prompted.has(name) and not empty


SD3 = Recipe(
    "sd3",
    "Stable Diffusion 3",
    ("sd3",),
    tuple(replace(part, optional=True) for part in (CLIP_L, CLIP_G, T5_XXL)),
    encode,
)
