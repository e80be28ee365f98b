"""Sigmas for custom sampling: made by a schedule, split, flipped, or written down."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.sampling import Schedule, StepCount
from nodes.sockets import Latent, Model, Sigmas
from nodes.widgets import Share

Level = Annotated[float, Range(0.0, 5000.0, 0.01, False)]
Highest = Annotated[Level, Tooltip("The first sigma: as a rule, the model's highest.")]
Lowest = Annotated[Level, Tooltip("The last sigma before 0: as a rule, the model's lowest.")]
Denoise = Annotated[Share, Tooltip("Below 1 only the last part of the schedule.")]
Rho = Annotated[
    float, Range(0.0, 100.0, 0.01, False), Tooltip("Higher puts more steps at low sigmas.")
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
    denoise: Denoise = 1.0,
) -> Sigmas:
    """Sigmas of a model by a named scheduler."""
    from nodes.models.sampling.schedules import sigmas

    return sigmas(model.space, scheduler, steps, denoise)


@node("BetaSamplingScheduler", category="sampling/custom_sampling/schedulers")
def beta_schedule(
    *,
    model: Model,
    steps: StepCount = 20,
    alpha: Annotated[Shape, Tooltip("Lower puts more steps at the end.")] = 0.6,
    beta: Annotated[Shape, Tooltip("Lower puts more steps at the beginning.")] = 0.6,
) -> Sigmas:
    """Beta schedule: quantiles of a beta distribution; 0.6 puts more at both ends."""
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
    """Karras schedule: rho-th roots of sigma are evenly spaced."""
    from nodes.models.sampling.schedules import power_ramp

    return power_ramp(steps, sigma_min, sigma_max, rho)


@node("ExponentialScheduler", category="sampling/custom_sampling/schedulers")
def exponential_schedule(
    *, steps: StepCount = 20, sigma_max: Highest = LARGEST, sigma_min: Lowest = SMALLEST
) -> Sigmas:
    """Exponential schedule: logarithms of sigma are evenly spaced."""
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
    """Polyexponential schedule: logarithms of sigma fall as a power."""
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
        Tooltip("Mean of log sigma."),
    ] = 0.0,
    beta: Annotated[
        float, Range(0.0, 10.0, 0.1, False), Tooltip("Scale of the distribution.")
    ] = 0.5,
) -> Sigmas:
    """Laplace schedule: quantiles of a Laplace distribution of log sigma."""
    from nodes.models.sampling.schedules import laplace_ramp

    return laplace_ramp(steps, sigma_min, sigma_max, mu, beta)


@node("VPScheduler", category="sampling/custom_sampling/schedulers")
def vp_schedule(
    *,
    steps: StepCount = 20,
    beta_d: Annotated[Level, Tooltip("Slope of beta over time.")] = 19.9,
    beta_min: Annotated[Level, Tooltip("beta at time 0.")] = 0.1,
    eps_s: Annotated[
        float, Range(0.0, 1.0, 0.0001, False), Tooltip("Time of the last sigma above 0.")
    ] = 0.001,
) -> Sigmas:
    """VP schedule: the variance preserving process, evenly spaced in time."""
    from nodes.models.sampling.schedules import variance_preserving

    return variance_preserving(steps, beta_d, beta_min, eps_s)


@node("SDTurboScheduler", category="sampling/custom_sampling/schedulers")
def turbo_schedule(
    *,
    model: Model,
    steps: Annotated[int, Range(1, 10), Tooltip("How many, ten at most.")] = 1,
    denoise: Denoise = 1.0,
) -> Sigmas:
    """SDTurbo: the few sigmas that turbo models were distilled for."""
    from nodes.models.sampling.schedules import turbo

    return turbo(model.space, steps, denoise)


@node("Flux2Scheduler", category="model/sampling/schedulers")
def flux2_schedule(
    *,
    steps: Annotated[int, Range(1, 4096), Tooltip("How many.")] = 20,
    width: Annotated[int, Range(16, 16384, 1), Tooltip("Of the picture, in pixels.")] = 1024,
    height: Annotated[int, Range(16, 16384, 1), Tooltip("Of the picture, in pixels.")] = 1024,
) -> Sigmas:
    """Sigmas of FLUX.2 for a size of picture."""
    from nodes.models.sampling.schedules import flux2

    return flux2(steps, round(width * height / FLUX2_TOKEN_PIXELS))


@node("LTXVScheduler", category="sampling/custom_sampling/schedulers")
def ltxv_schedule(
    *,
    steps: StepCount = 20,
    max_shift: Annotated[Shift, Tooltip("Shift for a large video.")] = 2.05,
    base_shift: Annotated[Shift, Tooltip("Shift for a small one.")] = 0.95,
    stretch: Annotated[
        bool, Tooltip("Stretch so that the last sigma above 0 is `terminal`.")
    ] = True,
    terminal: Annotated[
        float, Range(0.0, 0.99, 0.01), Tooltip("The last sigma above 0, where they are stretched.")
    ] = 0.1,
    latent: Annotated[Latent | None, Tooltip("Says how large; a large one without it.")] = None,
) -> Sigmas:
    """Sigmas of LTX Video for a size of video."""
    from nodes.models.sampling.schedules import LTX_TOKENS, ltxv

    tokens = LTX_TOKENS[1] if latent is None else math.prod(latent["samples"].shape[2:])
    return ltxv(steps, tokens, (base_shift, max_shift), terminal if stretch else None)


@node("AlignYourStepsScheduler", category="sampling/custom_sampling/schedulers")
def aligned_schedule(
    *,
    model_type: Annotated[str, Choice(("SD1", "SDXL", "SVD")), Tooltip("The kind of the model.")],
    steps: StepCount = 10,
    denoise: Denoise = 1.0,
) -> Sigmas:
    """Align Your Steps: sigmas optimised for few steps with a kind of model."""
    from nodes.models.sampling.schedules import aligned

    return aligned(model_type, steps, denoise)


@node("ManualSigmas", category="model/sampling/sigmas", experimental=True)
def manual_sigmas(
    *,
    sigmas: Annotated[
        str, Tooltip("Numbers; what stands between them does not matter.")
    ] = "1, 0.5",
) -> Sigmas:
    """Sigmas that are written as text."""
    from nodes.models.sampling.schedules import written

    return written(sigmas)


class Halves(NamedTuple):
    """Sigmas before and after a point."""

    high_sigmas: Sigmas
    low_sigmas: Sigmas


@node("SplitSigmas", category="sampling/custom_sampling/sigmas")
def split_sigmas(
    *,
    sigmas: Sigmas,
    step: Annotated[int, Range(0, 10000), Tooltip("How many steps are before the point.")] = 0,
) -> Halves:
    """Sigmas up to a step, and from there on."""
    return Halves(sigmas[: step + 1], sigmas[step:])


@node("SplitSigmasDenoise", category="sampling/custom_sampling/sigmas")
def split_sigmas_by_share(
    *, sigmas: Sigmas, denoise: Annotated[Share, Tooltip("How much goes to the second part.")] = 1.0
) -> Halves:
    """Sigmas split so that the second part is a fraction of the steps."""
    last = round((len(sigmas) - 1) * denoise)
    cut = max(0, len(sigmas) - 1 - last)
    return Halves(sigmas[: cut + 1], sigmas[cut:])


@node("FlipSigmas", category="sampling/custom_sampling/sigmas")
def flip_sigmas(*, sigmas: Sigmas) -> Sigmas:
    """Sigmas in reverse order, from the picture to noise."""
    from nodes.models.sampling.schedules import flipped

    return flipped(sigmas)


@node("SetFirstSigma", category="sampling/custom_sampling/sigmas")
def set_first_sigma(
    *,
    sigmas: Sigmas,
    sigma: Annotated[float, Range(0.0, 20000.0, 0.001, False), Tooltip("The first sigma.")] = 136.0,
) -> Sigmas:
    """Sigmas with another first value."""
    changed = sigmas.clone()
    changed[:1] = sigma
    return changed


class SigmaValue(NamedTuple):
    """One sigma."""

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
    """Sigma when a fraction of the sampling is done."""
    space = model.space
    if return_actual_sigma and sampling_percent in (0.0, 1.0):
        return SigmaValue(float(space.table[-1 if sampling_percent == 0.0 else 0]))
    return SigmaValue(space.percent_to_sigma(sampling_percent))
