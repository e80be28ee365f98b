"""Levels of noise, from which samplers walk down: made by a schedule, cut, turned, written."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.sampling import Schedule, StepCount
from nodes.sockets import Latent, Model, Sigmas
from nodes.widgets import Share

Level = Annotated[float, Range(0.0, 5000.0, 0.01, False)]
Highest = Annotated[Level, Tooltip("The level to begin with: as a rule, the model's highest.")]
Lowest = Annotated[Level, Tooltip("The last level before 0: as a rule, the model's lowest.")]
Part = Annotated[Share, Tooltip("Below 1 only the last part of the levels.")]
Rho = Annotated[
    float, Range(0.0, 100.0, 0.01, False), Tooltip("Higher puts more of the levels at the end.")
]
Shift = Annotated[float, Range(0.0, 100.0, 0.01)]
Shape = Annotated[float, Range(0.0, 50.0, 0.01, False)]
LARGEST, SMALLEST = 14.614642, 0.0291675  # levels of Stable Diffusion
FLUX2_TOKEN_PIXELS = 256  # a square of 16 x 16


@node("BasicScheduler", category="sampling/custom_sampling/schedulers")
def basic_schedule(
    *,
    model: Model,
    scheduler: Schedule,
    steps: StepCount = 20,
    denoise: Part = 1.0,
) -> Sigmas:
    """The levels of noise that a model knows, by a named schedule."""
    from nodes.models.sampling.schedules import sigmas

    return sigmas(model.space, scheduler, steps, denoise)


@node("BetaSamplingScheduler", category="sampling/custom_sampling/schedulers")
def beta_schedule(
    *,
    model: Model,
    steps: StepCount = 20,
    alpha: Annotated[Shape, Tooltip("Lower puts more of them at the end.")] = 0.6,
    beta: Annotated[Shape, Tooltip("Lower puts more of them at the beginning.")] = 0.6,
) -> Sigmas:
    """Levels by quantiles of a beta distribution: with 0.6 more of them at both ends."""
    from nodes.models.sampling.schedules import beta as by_quantiles

    return by_quantiles(model.space, steps, max(alpha, 0.01), max(beta, 0.01))


@node("KarrasScheduler", category="sampling/custom_sampling/schedulers")
def karras_schedule(
    *,
    steps: StepCount = 20,
    sigma_max: Highest = LARGEST,
    sigma_min: Lowest = SMALLEST,
    rho: Rho = 7.0,
) -> Sigmas:
    """Levels whose rho-th roots are evenly spaced."""
    from nodes.models.sampling.schedules import power_ramp

    return power_ramp(steps, sigma_min, sigma_max, rho)


@node("ExponentialScheduler", category="sampling/custom_sampling/schedulers")
def exponential_schedule(
    *, steps: StepCount = 20, sigma_max: Highest = LARGEST, sigma_min: Lowest = SMALLEST
) -> Sigmas:
    """Levels whose logarithms are evenly spaced."""
    from nodes.models.sampling.schedules import log_ramp

    return log_ramp(steps, sigma_min, sigma_max)


@node("PolyexponentialScheduler", category="sampling/custom_sampling/schedulers")
def polyexponential_schedule(
    *,
    steps: StepCount = 20,
    sigma_max: Highest = LARGEST,
    sigma_min: Lowest = SMALLEST,
    rho: Rho = 1.0,
) -> Sigmas:
    """Levels whose logarithms fall as a power."""
    from nodes.models.sampling.schedules import log_ramp

    return log_ramp(steps, sigma_min, sigma_max, rho)


@node("LaplaceScheduler", category="sampling/custom_sampling/schedulers")
def laplace_schedule(
    *,
    steps: StepCount = 20,
    sigma_max: Highest = LARGEST,
    sigma_min: Lowest = SMALLEST,
    mu: Annotated[
        float,
        Range(-10.0, 10.0, 0.1, False),
        Tooltip("Where the middle is: a logarithm of a level."),
    ] = 0.0,
    beta: Annotated[
        float, Range(0.0, 10.0, 0.1, False), Tooltip("How far they spread about the middle.")
    ] = 0.5,
) -> Sigmas:
    """Levels spread as a Laplace distribution, most of them about the middle."""
    from nodes.models.sampling.schedules import laplace_ramp

    return laplace_ramp(steps, sigma_min, sigma_max, mu, beta)


@node("VPScheduler", category="sampling/custom_sampling/schedulers")
def vp_schedule(
    *,
    steps: StepCount = 20,
    beta_d: Annotated[Level, Tooltip("How fast noise comes on, beyond beta_min.")] = 19.9,
    beta_min: Annotated[Level, Tooltip("How fast noise comes on at first.")] = 0.1,
    eps_s: Annotated[
        float, Range(0.0, 1.0, 0.0001, False), Tooltip("The time of the last level but 0.")
    ] = 0.001,
) -> Sigmas:
    """Levels of the variance preserving process, evenly spaced in its time."""
    from nodes.models.sampling.schedules import variance_preserving

    return variance_preserving(steps, beta_d, beta_min, eps_s)


@node("SDTurboScheduler", category="sampling/custom_sampling/schedulers")
def turbo_schedule(
    *,
    model: Model,
    steps: Annotated[int, Range(1, 10), Tooltip("How many, ten at most.")] = 1,
    denoise: Part = 1.0,
) -> Sigmas:
    """The few levels that turbo models were distilled for."""
    from nodes.models.sampling.schedules import turbo

    return turbo(model.space, steps, denoise)


@node("Flux2Scheduler", category="model/sampling/schedulers")
def flux2_schedule(
    *,
    steps: Annotated[int, Range(1, 4096), Tooltip("How many.")] = 20,
    width: Annotated[int, Range(16, 16384, 1), Tooltip("Of the picture, in pixels.")] = 1024,
    height: Annotated[int, Range(16, 16384, 1), Tooltip("Of the picture, in pixels.")] = 1024,
) -> Sigmas:
    """The levels of FLUX.2 for pictures of a size."""
    from nodes.models.sampling.schedules import flux2

    return flux2(steps, round(width * height / FLUX2_TOKEN_PIXELS))


@node("LTXVScheduler", category="sampling/custom_sampling/schedulers")
def ltxv_schedule(
    *,
    steps: StepCount = 20,
    max_shift: Annotated[Shift, Tooltip("Of a large video.")] = 2.05,
    base_shift: Annotated[Shift, Tooltip("Of a small one.")] = 0.95,
    stretch: Annotated[bool, Tooltip("Make the last level but 0 the terminal one.")] = True,
    terminal: Annotated[
        float, Range(0.0, 0.99, 0.01), Tooltip("The last level but 0, where they are stretched.")
    ] = 0.1,
    latent: Annotated[Latent | None, Tooltip("Says how large; a large one without it.")] = None,
) -> Sigmas:
    """The levels of LTX Video for a size of videos."""
    from nodes.models.sampling.schedules import LTX_TOKENS, ltxv

    tokens = LTX_TOKENS[1] if latent is None else math.prod(latent["samples"].shape[2:])
    return ltxv(steps, tokens, (base_shift, max_shift), terminal if stretch else None)


@node("AlignYourStepsScheduler", category="sampling/custom_sampling/schedulers")
def aligned_schedule(
    *,
    model_type: Annotated[str, Choice(("SD1", "SDXL", "SVD")), Tooltip("The kind of the model.")],
    steps: StepCount = 10,
    denoise: Part = 1.0,
) -> Sigmas:
    """Levels that were found best for few steps with a kind of model."""
    from nodes.models.sampling.schedules import aligned

    return aligned(model_type, steps, denoise)


@node("ManualSigmas", category="model/sampling/sigmas", experimental=True)
def manual_sigmas(
    *,
    sigmas: Annotated[
        str, Tooltip("Numbers; what stands between them does not matter.")
    ] = "1, 0.5",
) -> Sigmas:
    """The levels that are written down."""
    from nodes.models.sampling.schedules import written

    return written(sigmas)


class Halves(NamedTuple):
    """The levels before and after a point."""

    high_sigmas: Sigmas
    low_sigmas: Sigmas


@node("SplitSigmas", category="sampling/custom_sampling/sigmas")
def split_sigmas(
    *,
    sigmas: Sigmas,
    step: Annotated[int, Range(0, 10000), Tooltip("How many steps are before the point.")] = 0,
) -> Halves:
    """The levels up to a step, and those from there."""
    return Halves(sigmas[: step + 1], sigmas[step:])


@node("SplitSigmasDenoise", category="sampling/custom_sampling/sigmas")
def split_sigmas_by_share(
    *, sigmas: Sigmas, denoise: Annotated[Share, Tooltip("How much goes to the second part.")] = 1.0
) -> Halves:
    """The levels before a share of the last steps, and those of the share."""
    last = round((len(sigmas) - 1) * denoise)
    cut = max(0, len(sigmas) - 1 - last)
    return Halves(sigmas[: cut + 1], sigmas[cut:])


@node("FlipSigmas", category="sampling/custom_sampling/sigmas")
def flip_sigmas(*, sigmas: Sigmas) -> Sigmas:
    """The levels the other way round, from the picture to noise."""
    from nodes.models.sampling.schedules import flipped

    return flipped(sigmas)


@node("SetFirstSigma", category="sampling/custom_sampling/sigmas")
def set_first_sigma(
    *,
    sigmas: Sigmas,
    sigma: Annotated[
        float, Range(0.0, 20000.0, 0.001, False), Tooltip("The level to begin with.")
    ] = 136.0,
) -> Sigmas:
    """The levels with another one to begin with."""
    changed = sigmas.clone()
    changed[:1] = sigma
    return changed


class SigmaValue(NamedTuple):
    """A level of noise."""

    sigma_value: float


@node("SamplingPercentToSigma", category="sampling/custom_sampling/sigmas")
def percent_to_sigma(
    *,
    model: Model,
    sampling_percent: Annotated[
        float, Range(0.0, 1.0, 0.0001), Tooltip("0 is the beginning, 1 the end.")
    ] = 0.0,
    return_actual_sigma: Annotated[
        bool, Tooltip("At the ends the model's own levels, not endless noise and none.")
    ] = False,
) -> SigmaValue:
    """The level of noise when a part of the sampling is done."""
    space = model.space
    if return_actual_sigma and sampling_percent in (0.0, 1.0):
        return SigmaValue(float(space.table[-1 if sampling_percent == 0.0 else 0]))
    return SigmaValue(space.percent_to_sigma(sampling_percent))
