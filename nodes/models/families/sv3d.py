"""Stable Video 3D: a picture of an object becomes views from all around it.

Voleti et al. 2024, https://arxiv.org/abs/2403.12008. Built as Stable Video Diffusion; the network
is told other numbers: "u" models the noise of the picture alone, "p" models beside it from where
each view is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.models.families.family import Facts, Family
from nodes.models.families.svd import AUGMENTATION, NETWORK, call, detecting, sampling, video_inputs
from nodes.models.families.unet_layout import SIZES
from nodes.models.latents.formats import SD

if TYPE_CHECKING:
    from nodes.models.conditioning.inputs import Inputs, InputsRequest

ANGLE = 512
"""Numbers that an angle becomes."""
UNPOSED, POSED = SIZES, SIZES + 2 * ANGLE


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """What was seen, the picture, its noise, and of "p" models the angles of each view.

    The conditioning has "elevation" and "azimuth", degrees of each view.
    """
    import torch

    from nodes.models.conditioning.inputs import repeated
    from nodes.models.conditioning.sinusoids import sinusoids

    options, count = request.options, len(request.x)
    noise = torch.tensor([options.get("augmentation_level", AUGMENTATION)], dtype=torch.float32)
    label = sinusoids(noise, SIZES)
    if int(facts.config["projection_class_embeddings_input_dim"]) == POSED:
        up = torch.tensor(options.get("elevation", [0.0]), dtype=torch.float32)
        around = torch.tensor(options.get("azimuth", [0.0]), dtype=torch.float32)
        angles = [(90 - up).deg2rad(), around.deg2rad()]
        parts = [label, *(sinusoids(angle, ANGLE) for angle in angles)]
        label = torch.cat([repeated(part, count) for part in parts], dim=1)
    return video_inputs(request, facts, label)


SV3D = Family(
    "Stable Video 3D",
    detecting((UNPOSED, POSED)),
    NETWORK,
    SD,
    (),
    sampling,
    inputs,
    call,
)
