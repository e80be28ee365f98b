"""SDXL: the texts of CLIP-L and CLIP-G side by side, a pooled one, and sizes of the picture.

Smaller models (SSD-1B, Segmind Vega) and distilled ones (Turbo, Lightning, LCM, Hyper) are built
alike. Files of models that were trained otherwise hold a tensor that marks them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nodes.models.families.family import Encoder, Facts, Family, Found
from nodes.models.families.sd1 import CLIP_L
from nodes.models.families.unet import NETWORK, call, detecting
from nodes.models.families.unet import inputs as unet_inputs
from nodes.models.families.unet_layout import SIZES, Layout
from nodes.models.latents.formats import SDXL as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

CLIP_G = Encoder(
    "clip_g",
    (
        "conditioner.embedders.1.model.",
        "conditioner.embedders.0.model.",
        "text_encoders.clip_g.transformer.",
    ),
    folder="text_encoder_2",
    tokenizer="tokenizer_2",
    layer=-2,
    final_norm=False,
    projected=True,
    pad=0,
)
PLAYGROUND_SCALE = 0.5
REFINER_SIZES = 5


def is_refiner(layout: Layout) -> bool:
    """Whether the vector beside the text is the pooled text, as wide as that, and five sizes."""
    return layout.label == layout.context + REFINER_SIZES * SIZES


def _is_base(layout: Layout) -> bool:
    labelled = layout.label is not None and not layout.outer_attention
    return layout.linear and labelled and not is_refiner(layout)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """Predicts noise, unless its file is marked.

    ``v_pred``: the velocity, with ``ztsnr`` from pure noise on; ``edm_mean`` and ``edm_std``
    (Playground 2.5): preconditioned as EDM, latents of unit variance; ``edm_vpred.sigma_max``
    (CosXL): EDM with velocities.
    """
    from nodes.models.sampling.sigma_space import Edm, sigma_space

    mean, std = found.marked("edm_mean"), found.marked("edm_std")
    if mean and std:
        latent = replace(
            found.latent,
            scaling_factor=PLAYGROUND_SCALE,
            latents_mean=_numbers(found.tensor(mean)),
            latents_std=_numbers(found.tensor(std)),
            latent_rgb_factors=None,
        )
        return Edm(), latent
    if (largest := found.marked("edm_vpred.sigma_max")) is not None:
        smallest = found.marked("edm_vpred.sigma_min")
        low = 0.002 if smallest is None else float(found.tensor(smallest))
        return Edm(low, float(found.tensor(largest)), 1.0, "v_prediction"), found.latent
    velocity = found.marked("v_pred") is not None
    config = {
        "prediction_type": "v_prediction" if velocity else "epsilon",
        "rescale_betas_zero_snr": velocity and found.marked("ztsnr") is not None,
    }
    return sigma_space(config), found.latent


def _numbers(tensor: Tensor) -> tuple[float, ...]:
    return tuple(float(number) for number in tensor.flatten())


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, the pooled one, and sizes: of the picture, where it is cut, and that is wanted."""
    options = request.options
    height, width = picture_size(request, facts)
    sizes = [
        *(height, width),
        *(options.get("crop_h", 0), options.get("crop_w", 0)),
        *(options.get("target_height", height), options.get("target_width", width)),
    ]
    return with_sizes(request, facts, sizes)


def picture_size(request: InputsRequest, facts: Facts) -> tuple[float, float]:
    """Height and width in pixels: of the conditioning, or else of the latents."""
    rows, columns = (side * facts.latent.factor for side in request.x.shape[-2:])
    return request.options.get("height", rows), request.options.get("width", columns)


def with_sizes(request: InputsRequest, facts: Facts, sizes: list[float]) -> Inputs:
    """The inputs of a UNet, with the pooled text, or image embeddings in its place, and sizes.

    Raises:
        ValueError: the conditioning has no pooled text, or a text of another width.
    """
    import torch

    from nodes.models.conditioning.inputs import Collation, Input
    from nodes.models.conditioning.unclip import OPTION as UNCLIP
    from nodes.models.conditioning.unclip import noised_embedding

    plain = unet_inputs(request, facts)
    pooled = request.options.get("pooled_output")
    wanted = int(facts.config["projection_class_embeddings_input_dim"]) - SIZES * len(sizes)
    if seen := request.options.get(UNCLIP):
        noised = noised_embedding(seen, request.seed)
        pooled = noised[:, : noised.shape[1] // 2]
    if pooled is None or pooled.shape[-1] != wanted:
        found = "has none" if pooled is None else f"has one of {pooled.shape[-1]}"
        raise ValueError(
            f"this model is given a pooled text of {wanted} numbers beside the text, and the "
            f"conditioning {found}; encode the text with the CLIP of the same checkpoint"
        )
    return {
        **plain,
        "pooled": Input(pooled, Collation.EACH),
        "sizes": Input(torch.tensor([sizes], dtype=torch.float32), Collation.EACH),
    }


SDXL = Family(
    "SDXL",
    detecting(_is_base),
    NETWORK,
    FORMAT,
    (
        replace(
            CLIP_L,
            prefixes=("conditioner.embedders.0.transformer.", *CLIP_L.prefixes),
            layer=-2,
            final_norm=False,
        ),
        CLIP_G,
    ),
    sampling,
    inputs,
    call,
)
