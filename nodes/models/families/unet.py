"""What all families with a UNet have in common: its inputs, and how it is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families.family import Facts, Net, Shapes
from nodes.models.families.unet_layout import Layout, unet_layout
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest

GUIDED = "time_cond_proj_dim"
"""In the config of UNets that are given the scale of guidance: how many numbers it becomes."""
NETWORK = "diffusers.models.unets.unet_2d_condition:UNet2DConditionModel"
DOWN, MID, INNER = "control.down.", "control.mid", "control.inner."
"""Names of residuals: added to what a level hands across, to the middle, and to a level itself."""


def detecting(claims: Callable[[Layout], bool], **settings: Any) -> Callable[[Shapes], Net | None]:
    """What recognises UNets whose layout `claims` says yes to; `settings` go into the config."""

    def detect(shapes: Shapes) -> Net | None:
        layout = unet_layout(shapes)
        if layout is None or not claims(layout):
            return None
        latents = int(layout.config["out_channels"])
        if layout.channels - latents not in (0, *extra_channels(latents)):
            return None
        return Net(whole(layout.names), {**layout.config, **settings})

    return detect


def extra_channels(latents: int) -> tuple[int, int]:
    """How many channels a UNet has beside latents: to edit a picture, and to inpaint one.

    The former is given the picture's latents, the latter those and a mask.
    """
    return latents, latents + 1


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of a UNet for its input [B, C, h, w], as `Family.call`."""
    import torch

    if (more := inputs.get("concat")) is not None:
        x = torch.cat([x, more.to(x)], dim=1)
    added = None
    if "sizes" in inputs:
        # Sizes stay in float32: bfloat16 would round 1023 to 1024.
        sizes = inputs["sizes"].to(x.device)
        added = {"text_embeds": inputs["pooled"].to(x), "time_ids": sizes}
    return module(
        x,
        timestep,
        encoder_hidden_states=inputs["text"].to(x),
        class_labels=_label(inputs["label"], x) if "label" in inputs else None,
        timestep_cond=inputs["guidance"].to(x) if "guidance" in inputs else None,
        added_cond_kwargs=added,
        **_steered(inputs, x),
        return_dict=False,
    )[0]


def _label(label: Tensor, x: Tensor) -> Tensor:
    """A vector in the format of `x`, or numbers of a table, which stay integers."""
    return label.to(x) if label.is_floating_point() else label.to(x.device)


def _steered(inputs: Mapping[str, Tensor], x: Tensor) -> dict[str, Any]:
    """What control nets add, see `SteeringNet.residuals`, as the network takes it."""

    def named(start: str) -> list[Tensor]:
        return [inputs[name].to(x) for name in sorted(inputs) if name.startswith(start)]

    found: dict[str, Any] = {}
    if MID in inputs:
        found["down_block_additional_residuals"] = tuple(named(DOWN))
        found["mid_block_additional_residual"] = inputs[MID].to(x)
    if inner := named(INNER):
        found["down_intrablock_additional_residuals"] = inner
    return found


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, and for UNets with more channels than latents what goes beside these.

    UNets that were distilled with their guidance are given its scale, too.
    """
    from nodes.models.conditioning.inputs import Collation, Input
    from nodes.models.sampling.sigma_space import Edm

    found = {"text": Input(text(request, facts), Collation.TEXT)}
    if (width := facts.config.get(GUIDED)) is not None:
        found["guidance"] = Input(_guidance(request.guidance, int(width)), Collation.EACH)
    more = int(facts.config.get("in_channels", 4)) - facts.latent.channels
    editing, inpainting = extra_channels(facts.latent.channels)
    if more == inpainting:
        found["concat"] = Input(_inpainting(request, facts), Collation.LIKE_X)
    elif more == editing:
        # Of these models only CosXL Edit was trained on scaled latents beside the noisy ones.
        scaled = isinstance(facts.space, Edm)
        found["concat"] = Input(edited(request, facts.latent if scaled else None), Collation.LIKE_X)
    return found


def text(request: InputsRequest, facts: Facts) -> Tensor:
    """The text, [1, tokens, width].

    Raises:
        ValueError: it is of another width than the network takes.
    """
    found = request.text.shape[-1]
    width = facts.config.get("cross_attention_dim", found)
    if found != width:
        raise ValueError(
            f"the conditioning is {found} wide and this model, {facts.family}, takes {width}; "
            "encode the text with the CLIP of the same checkpoint"
        )
    return request.text


def _guidance(scale: float, width: int) -> Tensor:
    """The scale of guidance as sines, then cosines, [1, width].

    Luo et al. 2023, https://arxiv.org/abs/2310.04378, section 4.2, whose scale is one less.
    """
    import torch

    half = width // 2
    angles = 1000 * (scale - 1) * torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
    return torch.cat([angles.sin(), angles.cos()])[None]


def _inpainting(request: InputsRequest, facts: Facts) -> Tensor:
    """A mask, 1 where the picture changes, and the picture without what it hides.

    Both stand in the conditioning (InpaintModelConditioning); else they are those of the latents
    that sampling begins with.
    """
    import torch

    picture: Tensor | None = request.options.get("concat_latent_image")
    mask: Tensor | None = request.options.get("concat_mask")
    if picture is not None:
        picture = fitted(facts.latent.process_in(picture.float()), request.x)
    elif request.latents is not None:
        picture = fitted(request.latents, request.x)
    else:
        picture = torch.zeros_like(request.x)
    if mask is not None:
        mask = fitted(mask.float().reshape(-1, 1, *mask.shape[-2:]), request.x).round()
    elif request.mask is not None:
        mask = fitted(request.mask, request.x).round()
    else:
        mask = torch.ones_like(request.x[:, :1])
    count = max(len(picture), len(mask))
    parts = [part.to(request.x) for part in (mask, picture)]
    return torch.cat([_as_many(part, count) for part in parts], dim=1)


def edited(request: InputsRequest, latent: LatentFormat | None = None) -> Tensor:
    """The latents of the picture that is given beside the noisy ones, zeros where none is.

    They are as autoencoders give them, or with a `latent` format in the unit of the denoiser.
    """
    import torch

    picture: Tensor | None = request.options.get("concat_latent_image")
    if picture is None:
        return torch.zeros_like(request.x)
    scaled = picture if latent is None else latent.process_in(picture.float())
    return fitted(scaled, request.x).to(request.x)


def _as_many(tensor: Tensor, count: int) -> Tensor:
    from nodes.models.conditioning.inputs import repeated

    return repeated(tensor, count)


def fitted(latents: Tensor, x: Tensor) -> Tensor:
    """Latents at the size of `x`."""
    from torch.nn.functional import interpolate

    if latents.shape[2:] == x.shape[2:]:
        return latents
    return interpolate(latents.float(), size=x.shape[2:], mode="bilinear")
