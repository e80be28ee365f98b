"""FLUX.1: the pooled vector of CLIP-L, and T5-XXL."""

from __future__ import annotations

from nodes.models.text.recipes.recipe import CLIP_L, T5_XXL, Prompted, Recipe, Vectors, pooled

SHORTEST = 256


def encode(prompted: Prompted) -> Vectors:
    """[1, 256 tokens or more, 4096]; pooled [1, 768], not projected."""
    from nodes.models.text.asking import Asking

    found = prompted.clip(projected=False)
    states = prompted.ask("t5xxl", Asking(shortest=SHORTEST)).states
    return states, pooled(found["clip_l"].pooled)


FLUX = Recipe("flux", "FLUX.1", ("flux",), (CLIP_L, T5_XXL), encode)
