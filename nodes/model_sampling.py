"""Model sampling: the sigma space of a denoiser, and what its output means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from engine import Choice, Range, Tooltip, node
from nodes.sockets import Latent, Model

if TYPE_CHECKING:
    from nodes.models.sampling.sigma_space import EdmPrediction, Prediction

AURA_FLOW = ("flow", "img_to_img_velocity")
SAMPLINGS = ("eps", "v_prediction", "lcm", "x0", "img_to_img")
PREDICTIONS: Mapping[str, Prediction] = {
    "eps": "epsilon",
    "v_prediction": "v_prediction",
    "lcm": "lcm",
    "x0": "sample",
    "img_to_img": "img_to_img",
}
CONTINUOUS = ("v_prediction", "edm", "edm_playground_v2.5", "eps", "cosmos_rflow")
CONTINUOUS_PREDICTIONS: Mapping[str, tuple[EdmPrediction, float]] = {
    "v_prediction": ("v_prediction", 1.0),
    "edm": ("epsilon", 0.5),
    "edm_playground_v2.5": ("epsilon", 0.5),
    "eps": ("noise", 1.0),
    "cosmos_rflow": ("cosmos_rflow", 1.0),
}
"""What the network answers, and the standard deviation that latents were taken to have."""
PLAYGROUND: Mapping[str, Any] = {
    "scaling_factor": 0.5,
    "latents_mean": (-1.6574, 1.886, -1.383, 2.5155),
    "latents_std": (8.4927, 5.9022, 6.5498, 5.2299),
}
"""Latents as https://huggingface.co/playgroundai/playground-v2.5-1024px-aesthetic has them."""
FLUX_TOKENS = (256, 4096)  # between which the shift grows
FLUX_TOKEN_PIXELS = 256  # a square of 16 x 16
FLUX_LEVELS = 10000
LTX_TOKENS = (1024, 4096)

Level = Annotated[float, Range(0.0, 1000.0, 0.001, False)]
Highest = Annotated[Level, Tooltip("The highest sigma.")]
Lowest = Annotated[Level, Tooltip("The lowest sigma.")]
Shift = Annotated[
    float, Range(0.0, 100.0, 0.01), Tooltip("Higher takes more of the steps where noise is strong.")
]
Side = Annotated[int, Range(16, 16384, 8), Tooltip("Of the picture, in pixels.")]
Kind = Annotated[
    str, Choice(SAMPLINGS), Tooltip("What the network predicts; the file may not say it.")
]


@node("ModelSamplingDiscrete", category="advanced/model")
def discrete_sampling(
    *,
    model: Model,
    sampling: Kind,
    zsnr: Annotated[bool, Tooltip("Zero terminal SNR: the highest level is pure noise.")] = False,
) -> Model:
    """Sample a denoiser at the training steps of Stable Diffusion, by a prediction type."""
    from nodes.models.sampling.sigma_space import discrete

    return replace(model, space=discrete(model.space, PREDICTIONS[sampling], zero_snr=zsnr))


@node("ModelSamplingContinuousEDM", category="advanced/model")
def edm_sampling(
    *,
    model: Model,
    sampling: Annotated[str, Choice(CONTINUOUS), Tooltip("What the network predicts.")],
    sigma_max: Highest = 120.0,
    sigma_min: Lowest = 0.002,
) -> Model:
    """Sample a denoiser at any sigma, as EDM models are trained.

    Raises:
        ValueError: bounds that are no range.
    """
    from nodes.models.sampling.sigma_space import Edm

    _check(sigma_min, sigma_max)
    prediction, data = CONTINUOUS_PREDICTIONS[sampling]
    model = replace(model, space=Edm(sigma_min, sigma_max, data, prediction))
    if sampling != "edm_playground_v2.5":
        return model
    return replace(model, latent=replace(model.latent, **PLAYGROUND))


@node("ModelSamplingContinuousV", category="advanced/model")
def v_sampling(
    *,
    model: Model,
    sampling: Annotated[str, Choice(("v_prediction",)), Tooltip("What the network predicts.")],
    sigma_max: Highest = 500.0,
    sigma_min: Lowest = 0.03,
) -> Model:
    """Sample a denoiser at any sigma; its timestep is the angle atan(sigma).

    Raises:
        ValueError: bounds that are no range.
    """
    from nodes.models.sampling.sigma_space import Edm

    _check(sigma_min, sigma_max)
    return replace(model, space=Edm(sigma_min, sigma_max, 1.0, "v_prediction", "angle"))


@node("ModelSamplingSD3", category="advanced/model")
def sd3_sampling(*, model: Model, shift: Shift = 3.0) -> Model:
    """Sample a denoiser as a rectified flow (SD3): the timestep is 1000 sigma."""
    from nodes.models.sampling.flows import Flow

    return replace(model, space=Flow(shift, 1000.0))


@node("ModelSamplingAuraFlow", category="advanced/model")
def aura_flow_sampling(
    *,
    model: Model,
    shift: Shift = 1.73,
    sampling: Annotated[
        str,
        Choice(AURA_FLOW),
        Tooltip("What the network predicts; the second is of Marigold, from picture to picture."),
    ]
    | None = None,
) -> Model:
    """Sample a denoiser as a rectified flow (AuraFlow): the timestep is sigma."""
    from nodes.models.sampling.flows import Flow, ImageVelocity

    space = ImageVelocity if sampling == "img_to_img_velocity" else Flow
    return replace(model, space=space(shift, 1.0))


@node("ModelSamplingFlux", category="advanced/model")
def flux_sampling(
    *,
    model: Model,
    max_shift: Annotated[Shift, Tooltip("Of a picture of 4096 tokens, 1024 x 1024.")] = 1.15,
    base_shift: Annotated[Shift, Tooltip("Of a picture of 256 tokens, 256 x 256.")] = 0.5,
    width: Side = 1024,
    height: Side = 1024,
) -> Model:
    """Sample a denoiser as a rectified flow whose shift grows with the picture."""
    tokens = width * height / FLUX_TOKEN_PIXELS
    return _shifted(model, tokens, FLUX_TOKENS, (base_shift, max_shift))


@node("ModelSamplingLTXV", category="advanced/model")
def ltxv_sampling(
    *,
    model: Model,
    max_shift: Annotated[Shift, Tooltip("Of a video of 4096 tokens.")] = 2.05,
    base_shift: Annotated[Shift, Tooltip("Of a video of 1024 tokens.")] = 0.95,
    latent: Annotated[Latent | None, Tooltip("Says how large; 4096 tokens without it.")] = None,
) -> Model:
    """Sample a denoiser as a rectified flow whose shift grows with the video."""
    tokens = LTX_TOKENS[1] if latent is None else math.prod(latent["samples"].shape[2:])
    return _shifted(model, tokens, LTX_TOKENS, (base_shift, max_shift))


def _shifted(
    model: Model, tokens: float, bounds: tuple[int, int], shifts: tuple[float, float]
) -> Model:
    """The model as a flow whose shift, a logarithm, lies on a line through two."""
    from nodes.models.sampling.flows import Flow

    slope = (shifts[1] - shifts[0]) / (bounds[1] - bounds[0])
    shift = shifts[0] + slope * (tokens - bounds[0])
    return replace(model, space=Flow(math.exp(shift), 1.0, FLUX_LEVELS))


def _check(low: float, high: float) -> None:
    if not 0 < low < high:
        raise ValueError(
            f"sigma_min is {low:g} and sigma_max {high:g}: the lowest must be above 0 and below "
            "the highest"
        )
