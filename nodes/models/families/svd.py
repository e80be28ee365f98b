"""Stable Video Diffusion: a picture, and what a vision encoder sees in it, become a video.

Latents of a batch are the frames of one video, which are evaluated together. Preconditioned as EDM,
with velocities (Blattmann et al. 2023, https://arxiv.org/abs/2311.15127, appendix D.2).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.unet import DOWN, INNER, MID, edited, text
from nodes.models.families.unet_layout import SIZES
from nodes.models.families.video_layout import video_layout
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import SD, LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "diffusers.models.unets.unet_spatio_temporal_condition:UNetSpatioTemporalConditionModel"
LOW, HIGH = 0.002, 700.0
"""Levels of noise from which and to which its authors sample."""
FPS, MOTION, AUGMENTATION = 6, 127, 0.0
"""Frames a second, how much moves, and noise on the picture, where the conditioning has none."""


def detecting(labels: Collection[int]) -> Callable[[Shapes], Net | None]:
    """What recognises UNets of videos that are given a picture, and a vector of such a width."""

    def detect(shapes: Shapes) -> Net | None:
        layout = video_layout(shapes)
        if layout is None or layout.label not in labels:
            return None
        if layout.channels != 2 * layout.config["out_channels"]:
            return None
        return Net(whole(layout.names), layout.config)

    return detect


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """Predicts the velocity, of latents of unit variance, at levels up to `HIGH`."""
    from nodes.models.sampling.sigma_space import Edm

    return Edm(LOW, HIGH, 1.0, "v_prediction"), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """What was seen, the picture, and how fast the video is, how much moves, and its noise.

    The network was trained with one frame a second less than there are.
    """
    import torch

    from nodes.models.conditioning.sinusoids import sinusoids

    options = request.options
    numbers = (
        options.get("fps", FPS) - 1,
        options.get("motion_bucket_id", MOTION),
        options.get("augmentation_level", AUGMENTATION),
    )
    label = sinusoids(torch.tensor([numbers], dtype=torch.float32), SIZES).flatten(1)
    return video_inputs(request, facts, label)


def video_inputs(request: InputsRequest, facts: Facts, label: Tensor) -> Inputs:
    """The inputs of a UNet of videos, with a `label` [1 or frames, width] of all or of each."""
    from nodes.models.conditioning.inputs import FRAMES, Collation, Input, frames

    return {
        "text": Input(text(request, facts), Collation.TEXT),
        "label": Input(label, Collation.EACH),
        "concat": Input(edited(request), Collation.LIKE_X),
        FRAMES: Input(frames(len(request.x)), Collation.SAME),
    }


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output for frames [B, C, h, w] of one or more videos, as `Family.call`.

    Raises:
        ValueError: a control net, or a patch of the attention, of UNets of pictures.
    """
    import torch

    from nodes.models.conditioning.inputs import FRAMES
    from nodes.models.networks.patched_unet import PatchedUNet

    if isinstance(module, PatchedUNet):
        raise ValueError(
            "this model makes videos, and a node changes its UNet as one of pictures (FreeU, "
            "attention guidance, GLIGEN and the like); take the model from before that node"
        )
    if any(name.startswith((DOWN, MID, INNER)) for name in inputs):
        raise ValueError(
            "this model makes videos, and the ControlNet is for UNets of pictures; take the "
            "conditioning from before Apply ControlNet"
        )
    h = torch.cat([x, inputs["concat"].to(x)], dim=1)
    emb = module.time_embedding(module.time_proj(timestep).to(x))
    emb = emb + module.add_embedding(inputs["label"].to(x))
    return _evaluated(module, h, emb, inputs["text"].to(x), int(inputs[FRAMES]))


def _evaluated(module: Any, h: Tensor, emb: Tensor, text: Tensor, frames: int) -> Tensor:
    """The output; diffusers' own forward has one `emb` for all frames, where SV3D has one each."""
    given = {"temb": emb, "image_only_indicator": h.new_zeros(len(h) // frames, frames)}

    def of(block: Any) -> dict[str, Any]:
        attends = getattr(block, "has_cross_attention", False)
        return {**given, "encoder_hidden_states": text} if attends else given

    h = module.conv_in(h)
    skips = [h]
    for block in module.down_blocks:
        h, more = block(hidden_states=h, **of(block))
        skips.extend(more)
    h = module.mid_block(hidden_states=h, encoder_hidden_states=text, **given)
    for block in module.up_blocks:
        count = len(block.resnets)
        skips, own = skips[:-count], tuple(skips[-count:])
        size = skips[-1].shape[2:] if skips else None
        h = block(hidden_states=h, res_hidden_states_tuple=own, upsample_size=size, **of(block))
    return module.conv_out(module.conv_act(module.conv_norm_out(h)))


SVD = Family(
    "Stable Video Diffusion",
    detecting((3 * SIZES,)),
    NETWORK,
    SD,
    (),
    sampling,
    inputs,
    call,
)
