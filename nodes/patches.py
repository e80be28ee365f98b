"""Nodes that change how a denoiser is guided."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from engine import Mark, Range, Tooltip, node
from nodes.sampling import Cfg
from nodes.sockets import Conditioning, Guider, Model
from nodes.widgets import Share

if TYPE_CHECKING:
    from nodes.models.sampling.cfg import PostCfg

Part = Annotated[float, Range(0.0, 1.0, 0.001)]
LeastCfg = Annotated[float, Range(0.0, 100.0, 0.5, 0.01), Tooltip("Of the weakest picture.")]


class Patched(NamedTuple):
    """A denoiser that is guided in another way."""

    patched_model: Model


@node("RescaleCFG", category="advanced/model")
def rescale(
    *, model: Model, multiplier: Annotated[Share, Tooltip("How much of it.")] = 0.7
) -> Model:
    """RescaleCFG: bring the standard deviation back to that of cond."""
    from nodes.models.sampling.cfg import rescale_cfg

    return _guided(model, cfg_function=rescale_cfg(multiplier))


@node("CFGNorm", category="advanced/guidance", experimental=True)
def norm(
    *,
    model: Model,
    strength: Annotated[float, Range(0.0, 100.0, 0.01), Tooltip("How much of it.")] = 1.0,
    pre_cfg: Annotated[bool, Tooltip("On the noise, longer or shorter, in place of after it.")]
    | None = False,
) -> Patched:
    """CFGNorm: limit the norm over the channels to that of cond."""
    from nodes.models.sampling.cfg import cfg_norm, cfg_norm_of_noise

    if pre_cfg:
        return Patched(_guided(model, cfg_function=cfg_norm_of_noise(strength)))
    return Patched(_after_cfg(model, cfg_norm(strength)))


@node("CFGZeroStar", category="advanced/guidance")
def cfg_zero_star(*, model: Model) -> Patched:
    """CFG-Zero*: scale uncond by its projection on cond before CFG."""
    from nodes.models.sampling import cfg

    return Patched(_after_cfg(model, cfg.cfg_zero_star))


@node("TCFG", category="advanced/guidance", display_name="Tangential Damping CFG")
def tangential_damping(*, model: Model) -> Patched:
    """TCFG (tangential damping): uncond keeps only its direction shared with cond."""
    from nodes.models.sampling import cfg

    guidance = model.guidance
    changed = (*guidance.pre_cfg, cfg.tangential_damping)
    return Patched(_guided(model, pre_cfg=changed))


@node("Mahiro", category="_for_testing", display_name="Mahiro CFG")
def mahiro(*, model: Model) -> Patched:
    """Mahiro: guide more towards cond, the less it is like uncond."""
    from nodes.models.sampling import cfg

    return Patched(_after_cfg(model, cfg.mahiro))


@node("CFGOverride", category="model/sampling/guiders")
def override(
    *,
    model: Model,
    cfg: Annotated[
        float, Range(0.0, 100.0, 0.1), Tooltip("Scale in place of the sampler's.")
    ] = 1.0,
    start_percent: Annotated[Part, Tooltip("From this fraction of the sampling on.")] = 0.0,
    end_percent: Annotated[Part, Tooltip("Up to this fraction of the sampling.")] = 1.0,
) -> Model:
    """Override the cfg scale in a part of the sampling."""
    span = (
        model.space.percent_to_sigma(start_percent),
        model.space.percent_to_sigma(end_percent),
        cfg,
    )
    return _guided(model, scale_overrides=(*model.guidance.scale_overrides, span))


@node("FreSca", category="_for_testing", display_name="FreSca")
def scale_frequencies(
    *,
    model: Model,
    scale_low: Annotated[float, Range(0, 10, 0.01), Tooltip("Scale of low frequencies.")] = 1.0,
    scale_high: Annotated[float, Range(0, 10, 0.01), Tooltip("Scale of high frequencies.")] = 1.25,
    freq_cutoff: Annotated[int, Range(1, 10000, 1), Tooltip("So many frequencies are low.")] = 20,
) -> Model:
    """FreSca: scale low and high frequencies of the guidance apart."""
    from nodes.models.sampling.cfg import fresca

    change = fresca(scale_low, scale_high, freq_cutoff)
    return _guided(model, pre_cfg=(*model.guidance.pre_cfg, change))


@node("VideoLinearCFGGuidance", category="sampling/video_models")
def guide_linearly(*, model: Model, min_cfg: LeastCfg = 1.0) -> Model:
    """Linear CFG: a scale that grows over the frames of a video."""
    from nodes.models.sampling.cfg import video_cfg

    rule = video_cfg(min_cfg, there_and_back=False)
    return _guided(model, cfg_function=rule)


@node("VideoTriangleCFGGuidance", category="sampling/video_models")
def guide_there_and_back(*, model: Model, min_cfg: LeastCfg = 1.0) -> Model:
    """Triangle CFG: a scale that is highest in the middle of a video."""
    from nodes.models.sampling.cfg import video_cfg

    rule = video_cfg(min_cfg, there_and_back=True)
    return _guided(model, cfg_function=rule)


@node(
    "TemporalScoreRescaling",
    category="model/patch/unet",
    display_name="TSR - Temporal Score Rescaling",
)
def rescale_score(
    *,
    model: Model,
    tsr_k: Annotated[
        float, Range(0.01, 100.0, 0.001), Tooltip("Below 1 sharper, above 1 softer."), Mark.ADVANCED
    ] = 0.95,
    tsr_sigma: Annotated[
        float, Range(0.01, 100.0, 0.001), Tooltip("How early it sets in."), Mark.ADVANCED
    ] = 1.0,
) -> Patched:
    """Temporal score rescaling: less or more predicted noise, later steps the more so."""
    from nodes.models.sampling.cfg import temporal_score_rescaling

    return Patched(_after_cfg(model, temporal_score_rescaling(tsr_k, tsr_sigma)))


@node("Epsilon Scaling", category="model_patches/unet")
def scale_noise(
    *,
    model: Model,
    scaling_factor: Annotated[
        float, Range(0.5, 1.5, 0.001), Tooltip("The predicted noise is divided by it.")
    ] = 1.005,
) -> Model:
    """Epsilon scaling: divide the predicted noise, which sharpens."""
    from nodes.models.sampling.cfg import epsilon_scaling

    return _after_cfg(model, epsilon_scaling(scaling_factor))


@node("DifferentialDiffusion", category="_for_testing", display_name="Differential Diffusion")
def differ(
    *, model: Model, strength: Annotated[Share, Tooltip("How much of it.")] | None = 1.0
) -> Model:
    """Differential diffusion: a mask says when each pixel begins to change."""
    return replace(model, differential=1.0 if strength is None else strength)


@node("PerpNegGuider", category="_for_testing", experimental=True)
def perpendicular_guider(
    *,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty_conditioning: Annotated[Conditioning, Tooltip("Conditioning of an empty prompt.")],
    cfg: Cfg = 8.0,
    neg_scale: Annotated[
        float, Range(0.0, 100.0, 0.01), Tooltip("Scale of the negative part.")
    ] = 1.0,
) -> Guider:
    """Perp-Neg: guide away from the part of the negative that is perpendicular to the positive."""
    from nodes.models.sampling.guiders import perp_neg_guider

    return perp_neg_guider(model, positive, negative, empty_conditioning, cfg, neg_scale)


def _guided(model: Model, **changes: Any) -> Model:
    """The model with some of its `Guidance` changed."""
    return replace(model, guidance=replace(model.guidance, **changes))


def _after_cfg(model: Model, function: PostCfg) -> Model:
    """The model with one more function after CFG."""
    return _guided(model, post_cfg=(*model.guidance.post_cfg, function))
