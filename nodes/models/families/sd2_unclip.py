"""Stable Diffusion 2.x unCLIP: given the embedding of a picture, and its noise, beside the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.models.families.family import Facts, Family
from nodes.models.families.sd2 import CLIP_H, sampling
from nodes.models.families.unet import NETWORK, call, detecting
from nodes.models.families.unet import inputs as unet_inputs
from nodes.models.families.unet_layout import Layout
from nodes.models.latents.formats import SD

if TYPE_CHECKING:
    from nodes.models.conditioning.inputs import Inputs, InputsRequest

STATISTICS = "noise_augmentor.data_"
LOTUS = 4
"""Width of the vector beside the text of Lotus, which is built alike: its task, as two angles."""
MEAN, STD = f"{STATISTICS}mean", f"{STATISTICS}std"
"""Tensors of the file: of the embeddings that the model was trained on."""


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, and image embeddings (unCLIPConditioning); zeros where there are none.

    Raises:
        ValueError: an image embedding is of another width than the model was trained on.
    """
    import torch

    from nodes.models.conditioning.inputs import Collation, Input
    from nodes.models.conditioning.unclip import OPTION, noised_embedding

    plain = unet_inputs(request, facts)
    wanted = int(facts.config["projection_class_embeddings_input_dim"])
    label = torch.zeros(1, wanted)
    if seen := request.options.get(OPTION):
        widths = {int(one["clip_vision_output"].image_embeds.shape[-1]) for one in seen}
        if widths != {wanted // 2}:
            raise ValueError(
                f"this model, {SD2_UNCLIP.name}, is given pictures as {wanted // 2} numbers, and "
                f"the vision encoder gave {', '.join(map(str, sorted(widths)))}; take the "
                "CLIP_VISION of the same checkpoint"
            )
        label = noised_embedding(seen, request.seed, facts.mark(MEAN), facts.mark(STD))
    return {**plain, "label": Input(label, Collation.EACH)}


def _is_unclip(layout: Layout) -> bool:
    return layout.linear and layout.label not in (None, LOTUS) and layout.outer_attention


SD2_UNCLIP = Family(
    "Stable Diffusion 2.x unCLIP",
    detecting(_is_unclip, upcast_attention=True),
    NETWORK,
    SD,
    (CLIP_H,),
    sampling,
    inputs,
    call,
    marks=(MEAN, STD),
)
