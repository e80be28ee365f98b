"""FLUX.2: three layers of a language model side by side, Mistral 3 in dev and Qwen3 in klein.

The system message is Black Forest Labs' (flux2/system_messages.py, Apache-2.0).
"""

from __future__ import annotations

from nodes.models.text.recipes.recipe import Prompted, Recipe, RecipePart, Vectors, pooled

SYSTEM = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing "
    "on object relationships, object\nattribution and actions without speculation."
)
DEV_TEMPLATE = f"[SYSTEM_PROMPT]{SYSTEM}[/SYSTEM_PROMPT][INST]{{}}[/INST]"
DEV_LAYERS = (10, 20, 30)
KLEIN_TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
KLEIN_LAYERS = (9, 18, 27)
KLEIN_SHORTEST = 512


def encode_dev(prompted: Prompted) -> Vectors:
    """[1, tokens, 3 * 5120], and the attention mask."""
    from nodes.models.text.asking import Asking

    asking = Asking(template=DEV_TEMPLATE, layers=DEV_LAYERS, masked=True, weights=False)
    found = prompted.ask("mistral3_24b", asking)
    return found.states, {**pooled(None), "attention_mask": found.mask}


def encode_klein(prompted: Prompted) -> Vectors:
    """[1, 512 tokens or more, 3 * width], and the attention mask."""
    from nodes.models.text.asking import Asking

    asking = Asking(
        template=KLEIN_TEMPLATE,
        layers=KLEIN_LAYERS,
        shortest=KLEIN_SHORTEST,
        masked=True,
        weights=False,
    )
    found = prompted.ask("qwen3", asking)
    return found.states, {**pooled(None), "attention_mask": found.mask}


FLUX2 = Recipe(
    "flux2",
    "FLUX.2 dev",
    ("flux2",),
    (RecipePart("mistral3_24b", "Mistral 3 24B", "mistral3", (5120,)),),
    encode_dev,
    named=("FLUX.2",),
)
KLEIN = Recipe(
    "flux2_klein",
    "FLUX.2 klein",
    ("flux2",),
    (RecipePart("qwen3", "Qwen3 4B or 8B", "qwen3", (2560, 4096)),),
    encode_klein,
    named=("FLUX.2",),
)
