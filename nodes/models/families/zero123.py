"""Zero123 and Stable Zero123: an object in a picture, seen from elsewhere.

Liu et al. 2023, https://arxiv.org/abs/2303.11328. A UNet of Stable Diffusion 1.x with the picture's
latents beside the noisy ones; in the place of a text stands what CLIP's vision encoder sees and the
way of the camera, both together projected by a layer of their own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nodes.models.families.family import Facts, Family
from nodes.models.families.sd1 import is_sd1, sampling
from nodes.models.families.unet import NETWORK, call, detecting
from nodes.models.families.unet import inputs as unet_inputs
from nodes.models.latents.formats import SD

if TYPE_CHECKING:
    from nodes.models.conditioning.inputs import Inputs, InputsRequest

WEIGHT, BIAS = "cc_projection.weight", "cc_projection.bias"
"""Tensors of the file: the layer that projects."""


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The picture, and what was seen of it with the way of the camera, projected.

    What has the width of the network already (zeros: nothing is wanted) stays as it is.
    """
    weight, bias = facts.mark(WEIGHT), facts.mark(BIAS)
    if weight is not None and request.text.shape[-1] == weight.shape[1]:
        text = request.text.float() @ weight.float().T
        request = replace(request, text=text if bias is None else text + bias.float())
    return unet_inputs(request, facts)


ZERO123 = Family(
    "Zero123",
    detecting(is_sd1),
    NETWORK,
    SD,
    (),
    sampling,
    inputs,
    call,
    marks=(WEIGHT, BIAS),
    needed=(WEIGHT,),
)
