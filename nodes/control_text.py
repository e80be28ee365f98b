"""A text for what steers a denoiser."""

from __future__ import annotations

from typing import Annotated

from engine import CPU, GPU, Mentions, Prompt, Run, Tooltip, node
from nodes.conditioning import EMBEDDINGS, encoded_text
from nodes.sockets import Clip, Conditioning


@node(
    "CLIPTextEncodeControlnet",
    category="_for_testing/conditioning",
    on=GPU | CPU,
    experimental=True,
)
def encode_control_text(
    run: Run,
    *,
    clip: Annotated[Clip, Tooltip("The text encoder of the checkpoint that will draw.")],
    conditioning: Annotated[Conditioning, Tooltip("What the denoiser itself is given.")],
    text: Annotated[
        Prompt,
        Mentions(EMBEDDINGS, "(?i)embedding:"),
        Tooltip("The prompt for the control nets of the conditioning."),
    ],
) -> Conditioning:
    """Give the control nets of a conditioning a text of their own."""
    ((encoded, options), *_) = encoded_text(run, clip, text)
    said = {
        "cross_attn_controlnet": encoded,
        "pooled_output_controlnet": options.get("pooled_output"),
    }
    return [(own, {**given, **said}) for own, given in conditioning]
