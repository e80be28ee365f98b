"""The text recipes, and which of them some text encoders are for."""

from __future__ import annotations

from nodes.models.text.recipes.flux import FLUX
from nodes.models.text.recipes.flux2 import FLUX2, KLEIN
from nodes.models.text.recipes.hidream import HIDREAM
from nodes.models.text.recipes.hunyuan import HUNYUAN_IMAGE, HUNYUAN_VIDEO, HUNYUAN_VIDEO_15
from nodes.models.text.recipes.lumina2 import LUMINA2
from nodes.models.text.recipes.qwen_image import QWEN_IMAGE
from nodes.models.text.recipes.recipe import Recipe
from nodes.models.text.recipes.sd3 import SD3
from nodes.models.text.recipes.t5_alone import (
    AURAFLOW,
    CHROMA,
    COGVIDEOX,
    COSMOS,
    LTXV,
    MOCHI,
    PIXART,
    STABLE_AUDIO,
    WAN,
)
from nodes.models.text.recipes.z_image import Z_IMAGE

RECIPES = (
    SD3, FLUX, FLUX2, KLEIN, CHROMA, PIXART, AURAFLOW, LUMINA2, Z_IMAGE, QWEN_IMAGE,
    HUNYUAN_IMAGE, HUNYUAN_VIDEO, HUNYUAN_VIDEO_15, HIDREAM, WAN, LTXV, MOCHI, COSMOS, COGVIDEOX,
    STABLE_AUDIO,
)  # fmt: skip


def recipes_of(type: str) -> list[Recipe]:
    """The recipes that a type of CLIPLoader may mean."""
    return [recipe for recipe in RECIPES if type in recipe.types]
