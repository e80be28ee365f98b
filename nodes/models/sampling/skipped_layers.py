"""Guidance by what a network says without some of its layers (skip layer guidance)."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor

from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.patched_transformer import block_counts
from nodes.models.networks.unet_patches import SkippedLayers
from nodes.models.sampling.cfg import CfgInput, Extra, ExtraPass


def skipped_layers(
    model: Denoiser, texts: tuple[str, str], start: float, end: float, warn: Callable[[str], None]
) -> SkippedLayers | None:
    """The layers that two texts number ("7, 8, 9"), between two parts of the sampling.

    A UNet's layers are its transformer blocks, from 0 in the order in which they are evaluated; of
    a transformer the first text numbers the blocks of picture and text, the second those of both as
    one.

    Args:
        model: whose layers they are.
        texts: numbers with anything else between them; of a UNet those of both texts together.
        start: part of the sampling from which on they are skipped, 0..1.
        end: the part up to which.
        warn: hears of layers that the model does not have.

    Returns:
        None where no layer is named that the model has.
    """
    double, single = (frozenset(map(int, re.findall(r"\d+", text))) for text in texts)
    if model.is_unet:
        count = sum(
            ".transformer_blocks." in name and name.endswith(".norm1.weight")
            for name in model.source.pieces
        )
        kinds = [("layers", double | single, count)]
    else:
        counts = block_counts(model.source.pieces)
        kinds = [
            ("layers", double, counts["double"]),
            ("single layers", single, counts["single"]),
        ]
    known = [_known(model, *kind, warn) for kind in kinds]
    sigma = model.space.percent_to_sigma
    return SkippedLayers(known[0], sigma(start), sigma(end), *known[1:]) if any(known) else None


def _known(
    model: Denoiser, kind: str, named: frozenset[int], count: int, warn: Callable[[str], None]
) -> frozenset[int]:
    """Those of some numbers that a model has."""
    known = frozenset(number for number in named if number < count)
    if missing := sorted(named - known):
        there = f"{count}, 0 to {count - 1}" if count else "none"
        warn(
            f"{kind}: {', '.join(map(str, missing))} are not in this model, "
            f"{model.family.name}, which has {there}; they are left out"
        )
    return known


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
