"""Nodes that mix models of one build."""

from __future__ import annotations

from typing import Annotated

from engine import Range, Tooltip, node
from nodes.sockets import Clip, Model

Ratio = Annotated[float, Range(0.0, 1.0, 0.01), Tooltip("How much of the first.")]
Multiplier = Annotated[float, Range(-10.0, 10.0, 0.01), Tooltip("How many times the difference.")]
CATEGORY = "advanced/model_merging"


@node("ModelMergeSimple", category=CATEGORY)
def mix_models(*, model1: Model, model2: Model, ratio: Ratio = 1.0) -> Model:
    """Something between two denoisers."""
    from nodes.models.networks.merging import merged

    return merged(model1, model2, ratio, 1 - ratio)


@node("ModelMergeBlocks", category=CATEGORY)
def mix_blocks(
    *,
    model1: Model,
    model2: Model,
    input: Ratio = 1.0,
    middle: Ratio = 1.0,
    out: Ratio = 1.0,
) -> Model:
    """Two denoisers mixed, each part of them in its own way."""
    from nodes.models.networks.merging import merged_by_blocks

    return merged_by_blocks(model1, model2, down=input, middle=middle, up=out)


@node("ModelMergeSubtract", category=CATEGORY)
def subtract_models(*, model1: Model, model2: Model, multiplier: Multiplier = 1.0) -> Model:
    """What one denoiser has and the other has not, so many times."""
    from nodes.models.networks.merging import merged

    return merged(model1, model2, multiplier, -multiplier)


@node("ModelMergeAdd", category=CATEGORY)
def add_models(*, model1: Model, model2: Model) -> Model:
    """Two denoisers added up; the second is a difference as a rule."""
    from nodes.models.networks.merging import merged

    return merged(model1, model2, 1.0, 1.0)


@node("CLIPMergeSimple", category=CATEGORY)
def mix_clips(*, clip1: Clip, clip2: Clip, ratio: Ratio = 1.0) -> Clip:
    """Something between two text encoders."""
    from nodes.models.networks.merging import merged

    return merged(clip1, clip2, ratio, 1 - ratio)


@node("CLIPMergeSubtract", category=CATEGORY)
def subtract_clips(*, clip1: Clip, clip2: Clip, multiplier: Multiplier = 1.0) -> Clip:
    """What one text encoder has and the other has not, so many times."""
    from nodes.models.networks.merging import merged

    return merged(clip1, clip2, multiplier, -multiplier)


@node("CLIPMergeAdd", category=CATEGORY)
def add_clips(*, clip1: Clip, clip2: Clip) -> Clip:
    """Two text encoders added up; the second is a difference as a rule."""
    from nodes.models.networks.merging import merged

    return merged(clip1, clip2, 1.0, 1.0)
