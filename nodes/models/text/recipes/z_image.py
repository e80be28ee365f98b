"""Z-Image: Qwen3 4B, the layer before the last."""

from __future__ import annotations

from nodes.models.text.recipes.recipe import QWEN3_4B, Prompted, Recipe, Vectors, pooled

TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


def encode(prompted: Prompted) -> Vectors:
    """[1, tokens, 2560], and the attention mask; nothing is dropped."""
    from nodes.models.text.asking import Asking

    asking = Asking(template=TEMPLATE, layers=(-2,), masked=True, weights=False)
    found = prompted.ask(QWEN3_4B.name, asking)
    return found.states, {**pooled(None), "attention_mask": found.mask}


Z_IMAGE = Recipe("z_image", "Z-Image", ("lumina2",), (QWEN3_4B,), encode)
