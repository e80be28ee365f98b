"""The refiner of SDXL: the text of CLIP-G alone, and how beautiful the picture is to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nodes.models.families.family import Facts, Family
from nodes.models.families.sdxl import CLIP_G, is_refiner, picture_size, sampling, with_sizes
from nodes.models.families.unet import NETWORK, call, detecting
from nodes.models.latents.formats import SDXL as FORMAT

if TYPE_CHECKING:
    from nodes.models.conditioning.inputs import Inputs, InputsRequest

SCORE, NEGATIVE_SCORE = 6.0, 2.5
"""Aesthetic scores where the conditioning has none: of what is wanted, and of what is not."""


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, the pooled one, sizes of the picture, where it is cut, and a score."""
    options = request.options
    score = options.get("aesthetic_score", NEGATIVE_SCORE if request.negative else SCORE)
    sizes = [
        *picture_size(request, facts),
        *(options.get("crop_h", 0), options.get("crop_w", 0)),
        score,
    ]
    return with_sizes(request, facts, sizes)


SDXL_REFINER = Family(
    "SDXL refiner",
    detecting(lambda layout: layout.linear and is_refiner(layout)),
    NETWORK,
    FORMAT,
    (replace(CLIP_G, prefixes=("conditioner.embedders.0.model.", *CLIP_G.prefixes)),),
    sampling,
    inputs,
    call,
)
