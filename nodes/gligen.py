"""GLIGEN: boxes of the picture, each with a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from engine import CPU, GPU, Choice, Files, Prompt, Range, Run, Socket, Tooltip, node
from nodes.sockets import Clip, Conditioning

if TYPE_CHECKING:
    from nodes.models.conditioning.gligen import Grounding
else:
    Grounding = Socket("GLIGEN", "Layers that let a denoiser attend to boxes.")

CELL = 8  # pixels along a side of a cell of latents
Side = Annotated[int, Range(8, 16384, 8)]
Start = Annotated[int, Range(0, 16384, 8)]


@node("GLIGENLoader", category="loaders")
def load_gligen(
    run: Run,
    *,
    gligen_name: Annotated[str, Choice(Files("gligen")), Tooltip("A file in models/gligen.")],
) -> Grounding:
    """A GLIGEN model for boxes with texts."""
    from nodes.models.conditioning.gligen import Grounding
    from nodes.models.networks.gligen import read_gligen

    return Grounding(read_gligen(run.model_path("gligen", gligen_name)))


@node("GLIGENTextBoxApply", category="conditioning/gligen", on=GPU | CPU)
def place_text(
    *,
    conditioning_to: Conditioning,
    clip: Annotated[Clip, Tooltip("The text encoder of the checkpoint that will draw.")],
    gligen_textbox_model: Grounding,
    text: Annotated[Prompt, Tooltip("The text for the box.")],
    width: Annotated[Side, Tooltip("Of the box, in pixels.")] = 64,
    height: Annotated[Side, Tooltip("Of the box, in pixels.")] = 64,
    x: Annotated[Start, Tooltip("From the left, in pixels.")] = 0,
    y: Annotated[Start, Tooltip("From the top, in pixels.")] = 0,
) -> Conditioning:
    """A text for a box of the picture; several may follow one another."""
    from nodes.models.conditioning.gligen import Box, with_box
    from nodes.models.text.text_encoder import clip_alone

    ((_, options),) = clip_alone(clip).encode(text, projected=False)
    box = Box(options["pooled_output"], x // CELL, y // CELL, width // CELL, height // CELL)
    return with_box(conditioning_to, gligen_textbox_model, box)
