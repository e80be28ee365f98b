"""Stable Diffusion 1.x: CLIP-L's text, convolutions around its attentions.

With 9 channels for inpainting, with 8 for InstructPix2Pix; LCM and other distilled models are built
alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.models.families.family import Encoder, Family, Found
from nodes.models.families.unet import NETWORK, call, detecting, inputs
from nodes.models.families.unet_layout import Layout
from nodes.models.latents.formats import SD, LatentFormat

if TYPE_CHECKING:
    from nodes.models.sampling.sigma_space import SigmaSpace

CLIP_L = Encoder(
    "clip_l",
    ("cond_stage_model.transformer.", "text_encoders.clip_l.transformer."),
    activation="quick_gelu",
)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """Predicts noise."""
    from nodes.models.sampling.sigma_space import sigma_space

    return sigma_space({}), found.latent


def is_sd1(layout: Layout) -> bool:
    """Whether it is given nothing beside the text, and its projections are convolutions."""
    return not layout.linear and layout.label is None and layout.classes is None


SD1 = Family(
    "Stable Diffusion 1.x",
    detecting(is_sd1),
    NETWORK,
    SD,
    (CLIP_L,),
    sampling,
    inputs,
    call,
)
