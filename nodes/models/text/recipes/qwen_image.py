"""Qwen-Image and Qwen-Image-Edit: Qwen2.5-VL 7B, which also sees the pictures that are changed.

The templates are the authors' (Qwen-Image, Apache-2.0).
"""

from __future__ import annotations

from nodes.models.text.recipes.recipe import QWEN_VL_7B, Prompted, Recipe, Vectors, pooled

DRAWING = (
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:"
)
EDITING = (
    "Describe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. "
    "Generate a new image that meets the user's requirements while maintaining consistency with "
    "the original input where appropriate."
)
SEEN = "<|vision_start|><|image_pad|><|vision_end|>"
"""Stands for a picture in a prompt."""


def chat(system: str, end: str = "<|im_end|>\n<|im_start|>assistant\n") -> str:
    """Qwen's template of a system message and a prompt."""
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{{}}{end}"


def encode(prompted: Prompted) -> Vectors:
    """[1, tokens, 3584] from the prompt on; pictures that it does not place stand in front."""
    from nodes.models.text.asking import Asking

    edits = prompted.edits or bool(prompted.pictures)
    text = prompted.text(QWEN_VL_7B.name)
    if prompted.pictures and SEEN not in text:
        text = SEEN * len(prompted.pictures) + text
    template = chat(EDITING if edits else DRAWING)
    asking = Asking(template=template, drops=True, weights=False)
    return prompted.ask(QWEN_VL_7B.name, asking, text).states, pooled(None)


QWEN_IMAGE = Recipe("qwen_image", "Qwen-Image", ("qwen_image",), (QWEN_VL_7B,), encode)
