"""Stable Diffusion 2.x upscaler: pictures four times as large, steered by a text.

Beside the noisy latents, whose cells are of 4 x 4 pixels, stands the small picture itself, with
noise of a level that the network is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.sd2 import CLIP_H
from nodes.models.families.unet import NETWORK, call, fitted
from nodes.models.families.unet import text as unet_text
from nodes.models.families.unet_layout import HEADS, unet_layout
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

FORMAT = LatentFormat(factor=4, scaling_factor=0.08333, own_blank=True)
PIXELS = 3
"""Channels of the small picture."""
BETAS = {"beta_start": 0.0001, "beta_end": 0.02}
"""Of its training, and of the noise on the small picture."""
MOST_NOISE = 350
"""Levels of noise on the small picture that it was trained with."""
SEED_OFFSET = -10
"""From the seed of the sampling to that of this noise."""


def detect(shapes: Shapes) -> Net | None:
    """A UNet that is given a picture of three colours, and a number of a table."""
    layout = unet_layout(shapes)
    if layout is None or layout.classes is None or not layout.linear:
        return None
    if layout.channels != PIXELS + layout.config["out_channels"]:
        return None
    settings = {"attention_head_dim": HEADS, "upcast_attention": True}
    return Net(whole(layout.names), {**layout.config, **settings})


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """Predicts the velocity."""
    from nodes.models.sampling.sigma_space import sigma_space

    return sigma_space({"prediction_type": "v_prediction", **BETAS}), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, the small picture with noise, and the level of that.

    Raises:
        ValueError: the conditioning has no picture.
    """
    import torch

    from nodes.models.conditioning.inputs import Collation, Input

    picture: Tensor | None = request.options.get("concat_image")
    if picture is None:
        raise ValueError(
            f"this model, {facts.family}, enlarges a picture, and the conditioning has none; put "
            "SD_4XUpscale_Conditioning between the texts and the sampler"
        )
    level = round(MOST_NOISE * float(request.options.get("noise_augmentation", 0.0)))
    noised = _noised(fitted(picture.float(), request.x), level, request.seed)
    return {
        "text": Input(unet_text(request, facts), Collation.TEXT),
        "concat": Input(noised.to(request.x), Collation.LIKE_X),
        "label": Input(torch.tensor([level]), Collation.EACH),
    }


def _noised(picture: Tensor, level: int, seed: int) -> Tensor:
    """A picture [B, 3, h, w] of -1..1 with noise of a level."""
    import torch

    from nodes.models.sampling.sigma_space import discrete, sigma_space

    kept = discrete(sigma_space(BETAS), "epsilon").alphas_cumprod[level].float()
    generator = torch.Generator().manual_seed(seed + SEED_OFFSET)
    noise = torch.randn(picture.shape, generator=generator).to(picture)
    return picture * kept.sqrt() + noise * (1 - kept).sqrt()


SD2_UPSCALER = Family(
    "Stable Diffusion 2.x upscaler",
    detect,
    NETWORK,
    FORMAT,
    (CLIP_H,),
    sampling,
    inputs,
    call,
)
