"""Guidance by what a network says without some of its layers (skip layer guidance)."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor

from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.unet_patches import SkippedLayers
from nodes.models.sampling.cfg import CfgInput, Extra, ExtraPass


def skipped_layers(
    model: Denoiser, texts: tuple[str, ...], start: float, end: float, warn: Callable[[str], None]
) -> SkippedLayers | None:
    """The layers that some texts number ("7, 8, 9"), between two parts of the sampling.

    A UNet's layers are its transformer blocks, from 0 in the order in which they are evaluated.

    Args:
        model: whose layers they are.
        texts: numbers with anything else between them; of all texts together.
        start: part of the sampling from which on they are skipped, 0..1.
        end: the part up to which.
        warn: hears of layers that the model does not have.

    Returns:
        None where no layer is named that the model has.
    """
    named = {int(number) for text in texts for number in re.findall(r"\d+", text)}
    count = sum(
        ".transformer_blocks." in name and name.endswith(".norm1.weight")
        for name in model.source.pieces
    )
    known = frozenset(number for number in named if number < count)
    if missing := sorted(named - known):
        warn(
            f"layers: {', '.join(map(str, missing))} are not in this model, "
            f"{model.family.name}, which has {count}, 0 to {count - 1}; they are left out"
        )
    sigma = model.space.percent_to_sigma
    return SkippedLayers(known, sigma(start), sigma(end)) if known else None


def skip_layer_guidance(skipped: SkippedLayers, scale: float, rescale: float = 0.0) -> ExtraPass:
    """Away from the result without some layers; https://github.com/Stability-AI/sd3.5 (MIT).

    Args:
        skipped: the layers, and when.
        scale: how strongly.
        rescale: how far the result's standard deviation is brought to that of cond, 0..1.
    """

    def follow(given: CfgInput, answer: Tensor, extra: Extra) -> Tensor:
        answer = answer + (given.cond - extra.denoised) * scale
        if rescale:
            answer = answer * (rescale * given.cond.std() / answer.std() + 1 - rescale)
        return answer

    return ExtraPass(follow, patches=(skipped,), active=skipped.active)
