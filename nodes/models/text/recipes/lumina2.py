"""Lumina 2: Gemma 2 2B, the layer before the last; people write the system prompt themselves."""

from __future__ import annotations

from nodes.models.text.recipes.recipe import Prompted, Recipe, RecipePart, Vectors, pooled

GEMMA_2B = RecipePart("gemma2_2b", "Gemma 2 2B", "gemma2", (2304,))


def encode(prompted: Prompted) -> Vectors:
    """[1, tokens, 2304], and the attention mask."""
    from nodes.models.text.asking import Asking

    found = prompted.ask(GEMMA_2B.name, Asking(layers=(-2,), masked=True))
    return found.states, {**pooled(None), "attention_mask": found.mask}


LUMINA2 = Recipe("lumina2", "Lumina 2", ("lumina2",), (GEMMA_2B,), encode)
