"""Nodes that make pictures larger by a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from engine import CPU, GPU, Choice, Files, Run, Socket, Steps, Tooltip, node
from nodes.progress import steps
from nodes.sockets import Image

if TYPE_CHECKING:
    from nodes.models.images.upscaler import Upscaler
else:
    Upscaler = Socket("UPSCALE_MODEL", "A network that makes pictures larger.")


@node("UpscaleModelLoader", category="loaders", display_name="Load Upscale Model")
def load_upscaler(
    run: Run,
    *,
    model_name: Annotated[
        str, Choice(Files("upscale_models")), Tooltip("A file in models/upscale_models.")
    ],
) -> Upscaler:
    """A network that makes pictures larger, or cleans them: ESRGAN, SwinIR, DAT, HAT and others."""
    from nodes.models.images.upscaler import read_upscaler

    return read_upscaler(run.model_path("upscale_models", model_name))


@node(
    "ImageUpscaleWithModel",
    category="image/upscaling",
    display_name="Upscale Image (using Model)",
    on=GPU | CPU,
)
def upscale(run: Run, *, upscale_model: Upscaler, image: Image) -> Steps[Image]:
    """Pictures as many times as large as the network makes them, one after the other."""
    return (yield from steps(upscale_model.enlarging(image, run.warn)))
