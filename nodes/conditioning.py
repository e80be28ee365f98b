"""Nodes from text to conditioning."""

from __future__ import annotations

from typing import Annotated

from engine import CPU, GPU, Prompt, Range, Tooltip, node
from nodes.sockets import Clip, Conditioning


@node(
    "CLIPTextEncode",
    category="conditioning",
    display_name="CLIP Text Encode (Prompt)",
    on=GPU | CPU,
)
def encode_text(
    *,
    text: Annotated[Prompt, Tooltip("The prompt; (word:1.3) makes a word stronger.")],
    clip: Annotated[Clip, Tooltip("The text encoder of the checkpoint that will draw.")],
) -> Conditioning:
    """Turn a prompt into what guides the denoiser."""
    return clip.encode(text)


@node("CLIPSetLastLayer", category="conditioning", display_name="CLIP Set Last Layer")
def set_last_layer(
    *,
    clip: Clip,
    stop_at_clip_layer: Annotated[
        int, Range(-24, -1, 1), Tooltip("-1 is the last layer, -2 the one before it.")
    ] = -1,
) -> Clip:
    """Take the text's encoding before the encoder's end ("clip skip")."""
    return clip.at_layer(stop_at_clip_layer)
