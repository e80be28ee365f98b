"""Nodes that make pictures larger by a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from engine import CPU, GPU, Choice, Files, Run, Socket, Step, Steps, Tooltip, node
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
    """A network that makes pictures larger: ESRGAN, Real-ESRGAN and what was trained from them."""
    from nodes.models.images.upscaler import read_upscaler

    return read_upscaler(run.model_path("upscale_models", model_name))


@node(
    "ImageUpscaleWithModel",
    category="image/upscaling",
    display_name="Upscale Image (using Model)",
    on=GPU | CPU,
)
def upscale(*, upscale_model: Upscaler, image: Image) -> Steps[Image]:
    """Pictures as many times as large as the network makes them, one after the other."""
    import torch

    made: list[Image] = []
    for number, picture in enumerate(torch.split(image, 1)):
        yield Step(number, len(image))
        made.append(upscale_model.enlarged(picture))
    yield Step(len(image), len(image))
    return torch.cat(made)
