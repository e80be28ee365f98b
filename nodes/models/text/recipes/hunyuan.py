"""HunyuanVideo, HunyuanVideo 1.5 and HunyuanImage 2.1: a language model, and another for letters.

The templates are Tencent's, as diffusers has them (Apache-2.0). ByT5 reads what stands in quotes
alone.
"""

from __future__ import annotations

import re

from nodes.models.text.recipes.qwen_image import DRAWING, chat
from nodes.models.text.recipes.recipe import (
    BYT5,
    CLIP_L,
    LLAMA_8B,
    QWEN_VL_7B,
    Prompted,
    Recipe,
    Vectors,
    pooled,
)

VIDEO = (
    "Describe the video by detailing the following aspects: "
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the "
    "objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:"
)
LLAMA_TEMPLATE = (
    f"<|start_header_id|>system<|end_header_id|>\n\n{VIDEO}<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)
VIDEO_15 = (
    "You are a helpful assistant. Describe the video by detailing the following aspects:\n"
    "1. The main content and theme of the video.\n"
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the "
    "objects.\n"
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the "
    "objects.\n"
    "4. background environment, light, style and atmosphere.\n"
    "5. camera angles, movements, and transitions used in the video."
)
QUOTED = re.compile(r"\"(.*?)\"|“(.*?)”")
LAYER = -3


def encode_video(prompted: Prompted) -> Vectors:
    """[1, tokens, 4096] from the prompt on; pooled [1, 768]."""
    from nodes.models.text.asking import Asking

    found = prompted.clip(projected=False)
    asking = Asking(template=LLAMA_TEMPLATE, drops=True, layers=(LAYER,), masked=True)
    return prompted.ask("llama", asking).states, pooled(found["clip_l"].pooled)


def encode_image(prompted: Prompted) -> Vectors:
    """[1, tokens, 3584] from the prompt on, and the vectors of letters."""
    return _read(prompted, DRAWING, "")


def encode_new_video(prompted: Prompted) -> Vectors:
    """As of HunyuanImage, with a system message for videos."""
    return _read(prompted, VIDEO_15, " ")


def _read(prompted: Prompted, system: str, empty: str) -> Vectors:
    from nodes.models.text.asking import Asking

    asking = Asking(
        template=chat(system, "<|im_end|>"),
        drops=True,
        layers=(LAYER,),
        weights=False,
        empty=empty,
    )
    states = prompted.ask(QWEN_VL_7B.name, asking).states
    options = pooled(None)
    letters = quoted(prompted.text(BYT5.name))
    if letters and prompted.has(BYT5.name):
        found = prompted.ask(BYT5.name, Asking(weights=False), letters)
        options["conditioning_byt5small"] = found.states
    return states, options


def quoted(prompt: str) -> str:
    """What stands in quotes in a prompt, as ByT5 is asked it; empty: nothing does.

    >>> quoted('a sign "open" beside “shut”')
    'Text "open". Text "shut". '
    """
    found = dict.fromkeys(first or second for first, second in QUOTED.findall(prompt))
    return "".join(f'Text "{text}". ' for text in found)


HUNYUAN_VIDEO = Recipe(
    "hunyuan_video", "HunyuanVideo", ("hunyuan_video",), (CLIP_L, LLAMA_8B), encode_video
)
HUNYUAN_IMAGE = Recipe(
    "hunyuan_image", "HunyuanImage 2.1", ("hunyuan_image",), (QWEN_VL_7B, BYT5), encode_image
)
HUNYUAN_VIDEO_15 = Recipe(
    "hunyuan_video_15",
    "HunyuanVideo 1.5",
    ("hunyuan_video_15",),
    (QWEN_VL_7B, BYT5),
    encode_new_video,
)
