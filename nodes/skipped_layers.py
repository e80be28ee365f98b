"""Skip layer guidance (SLG)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine import Range, Run, Tooltip, node
from nodes.sockets import Model

Part = Annotated[float, Range(0.0, 1.0, 0.001)]
Start = Annotated[Part, Tooltip("From this fraction of the sampling on.")]
End = Annotated[Part, Tooltip("Up to this fraction of the sampling.")]
Scale = Annotated[float, Range(0.0, 10.0, 0.1), Tooltip("How strongly.")]
Layers = Annotated[str, Tooltip("Numbers of layers, from 0; a UNet's are its transformer blocks.")]
Double = Annotated[str, Tooltip("Numbers of blocks of picture and text; a UNet has one kind.")]
Single = Annotated[str, Tooltip("Numbers of blocks of both as one; a UNet has one kind.")]
DEFAULT = "7, 8, 9"


@node("SkipLayerGuidanceSD3", category="advanced/guidance")
def guide(
    run: Run,
    *,
    model: Model,
    layers: Layers = DEFAULT,
    scale: Scale = 3.0,
    start_percent: Start = 0.01,
    end_percent: End = 0.15,
) -> Model:
    """Guide away from the result without some layers; one evaluation more a step."""
    return guide_by_kinds(
        run,
        model=model,
        double_layers=layers,
        single_layers="",
        scale=scale,
        start_percent=start_percent,
        end_percent=end_percent,
    )


@node("SkipLayerGuidanceDiT", category="advanced/guidance")
def guide_by_kinds(
    run: Run,
    *,
    model: Model,
    double_layers: Double = DEFAULT,
    single_layers: Single = DEFAULT,
    scale: Scale = 3.0,
    start_percent: Start = 0.01,
    end_percent: End = 0.15,
    rescaling_scale: Annotated[
        float,
        Range(0.0, 10.0, 0.01),
        Tooltip("How far the standard deviation is brought back to that of cond."),
    ] = 0.0,
) -> Model:
    """Guide away from the result without double and single blocks; one evaluation more a step."""
    from nodes.models.sampling.skipped_layers import skip_layer_guidance, skipped_layers

    texts = double_layers, single_layers
    skipped = skipped_layers(model, texts, start_percent, end_percent, run.warn)
    if skipped is None or scale == 0:
        return model
    passes = (*model.guidance.post_cfg, skip_layer_guidance(skipped, scale, rescaling_scale))
    return replace(model, guidance=replace(model.guidance, post_cfg=passes))


@node("SkipLayerGuidanceDiTSimple", category="advanced/guidance")
def skip_in_uncond(
    run: Run,
    *,
    model: Model,
    double_layers: Double = DEFAULT,
    single_layers: Single = DEFAULT,
    start_percent: Start = 0.0,
    end_percent: End = 1.0,
) -> Model:
    """Skip layers for uncond only; no further evaluation."""
    from nodes.models.sampling.skipped_layers import skipped_layers

    texts = double_layers, single_layers
    skipped = skipped_layers(model, texts, start_percent, end_percent, run.warn)
    if skipped is None:
        return model
    patches = (*model.guidance.uncond_patches, skipped)
    return replace(model, guidance=replace(model.guidance, uncond_patches=patches))
