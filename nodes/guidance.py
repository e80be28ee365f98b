"""Nodes that guide a denoiser by rules of papers, beside those of `patches`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine import Range, Tooltip, node
from nodes.sockets import Conditioning, Model

NegScale = Annotated[float, Range(0.0, 100.0, 0.01), Tooltip("How much of the negative.")]


@node("APG", category="sampling/custom_sampling", display_name="Adaptive Projected Guidance")
def project_guidance(
    *,
    model: Model,
    eta: Annotated[
        float,
        Range(-10.0, 10.0, 0.01),
        Tooltip("How much of what lies along the positive; below 1 saturates less."),
    ] = 1.0,
    norm_threshold: Annotated[
        float, Range(0.0, 50.0, 0.1), Tooltip("The most that guidance may add; 0 for any.")
    ] = 5.0,
    momentum: Annotated[
        float, Range(-5.0, 1.0, 0.01), Tooltip("How much earlier steps count; below 0 against.")
    ] = 0.0,
) -> Model:
    """Guide strongly without the saturation that strong guidance brings (APG)."""
    from nodes.models.sampling.projected import AdaptiveProjection

    change = AdaptiveProjection(eta, norm_threshold, momentum)
    guidance = model.guidance
    return replace(model, guidance=replace(guidance, pre_cfg=(*guidance.pre_cfg, change)))


@node("RenormCFG", category="advanced/model")
def renorm(
    *,
    model: Model,
    cfg_trunc: Annotated[
        float,
        Range(0.0, 100.0, 0.01),
        Tooltip("The part of the sampling that is guided; 1 and more is all of it."),
    ] = 100.0,
    renorm_cfg: Annotated[
        float,
        Range(0.0, 100.0, 0.01),
        Tooltip("The most that guidance may make of the positive; 0 for any."),
    ] = 1.0,
) -> Model:
    """Guide as Lumina-Image 2.0 is: only at first, and without more strength.

    The part is that of the paper, from noise to picture; after it the positive counts alone.
    """
    from nodes.models.sampling.renormed import renormed

    guidance = model.guidance
    if cfg_trunc < 1:
        unguided = (model.space.percent_to_sigma(cfg_trunc), 0.0, 1.0)
        guidance = replace(guidance, scale_overrides=(*guidance.scale_overrides, unguided))
    if renorm_cfg > 0:
        guidance = replace(guidance, post_cfg=(*guidance.post_cfg, renormed(renorm_cfg)))
    return replace(model, guidance=guidance)


@node("PerpNeg", category="_for_testing", display_name="Perp-Neg", deprecated=True)
def perpendicular(
    *,
    model: Model,
    empty_conditioning: Annotated[Conditioning, Tooltip("Of no text.")],
    neg_scale: NegScale = 1.0,
) -> Model:
    """Away from the negative, but never away from what the positive has of it (Perp-Neg).

    As PerpNegGuider, for samplers without guiders; other changes of guidance act as well.
    """
    from nodes.models.sampling.cfg import ConditionedChange, across

    change = ConditionedChange(empty_conditioning, across(neg_scale))
    guidance = model.guidance
    return replace(model, guidance=replace(guidance, pre_cfg=(*guidance.pre_cfg, change)))
