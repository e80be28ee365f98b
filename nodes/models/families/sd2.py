"""Stable Diffusion 2.x: the text of CLIP-H, attentions with linear projections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.models.families.family import Encoder, Family, Found
from nodes.models.families.unet import NETWORK, call, detecting, inputs
from nodes.models.families.unet_layout import Layout
from nodes.models.latents.formats import SD, LatentFormat

if TYPE_CHECKING:
    from nodes.models.sampling.sigma_space import SigmaSpace

CLIP_H = Encoder(
    "clip_h",
    ("cond_stage_model.model.", "conditioner.embedders.0.model.", "cond_stage_model.transformer."),
    layer=-2,
    projected=True,
    pad=0,
)
TELLTALE = "up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias"
SPREAD = 0.09
"""The bias of models that predict the velocity spreads more than this."""


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """Predicts noise, or the velocity: nothing but one weight of the file says which."""
    from nodes.models.sampling.sigma_space import sigma_space

    config = found.source.config
    plain = config["in_channels"] == config["out_channels"]
    prediction = "epsilon"
    if plain and (pieces := found.source.pieces.get(TELLTALE)) is not None:
        spread = found.tensor(pieces[0].name).float().std(correction=0)
        prediction = "v_prediction" if float(spread) > SPREAD else "epsilon"
    return sigma_space({"prediction_type": prediction}), found.latent


def _is_sd2(layout: Layout) -> bool:
    return layout.linear and layout.label is None and layout.classes is None


SD2 = Family(
    "Stable Diffusion 2.x",
    # Its attention leaves the range of half precision.
    detecting(_is_sd2, upcast_attention=True),
    NETWORK,
    SD,
    (CLIP_H,),
    sampling,
    inputs,
    call,
)
