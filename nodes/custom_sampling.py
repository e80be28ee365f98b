"""The parts that custom samplers are made of: noise, guiders, samplers, levels of noise."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import CPU, GPU, Choice, Range, Seed, Tooltip, node
from nodes.sampling import SAMPLERS, SCHEDULERS, Cfg, StepCount
from nodes.sockets import Conditioning, Guider, Latent, Model, Noise, Sampler, Sigmas

Level = Annotated[float, Range(0.0, 5000.0, 0.01, False)]
Rho = Annotated[float, Range(0.0, 100.0, 0.01, False)]
Share = Annotated[float, Range(0.0, 1.0, 0.01)]
MEGAPIXELS = 256  # pixels of a FLUX.2 picture for each of its tokens


@node("RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(*, noise_seed: Seed = 0) -> Noise:
    """The noise of a seed."""
    from nodes.models.noise import NoiseSource

    return NoiseSource(noise_seed)


@node("DisableNoise", category="sampling/custom_sampling/noise")
def no_noise() -> Noise:
    """No noise: it is on the latents already."""
    from nodes.models.noise import NoiseSource

    return NoiseSource(None)


@node("BasicGuider", category="sampling/custom_sampling/guiders")
def basic_guider(*, model: Model, conditioning: Conditioning) -> Guider:
    """Towards one conditioning, without guidance."""
    from nodes.models.guidance import guide

    return guide(model, conditioning)


@node("CFGGuider", category="sampling/custom_sampling/guiders")
def cfg_guider(
    *, model: Model, positive: Conditioning, negative: Conditioning, cfg: Cfg = 8.0
) -> Guider:
    """Towards the positive conditioning and away from the negative."""
    from nodes.models.guidance import guide

    return guide(model, positive, negative, cfg)


@node("DualCFGGuider", category="sampling/custom_sampling/guiders")
def dual_cfg_guider(
    *,
    model: Model,
    cond1: Conditioning,
    cond2: Conditioning,
    negative: Conditioning,
    cfg_conds: Annotated[Cfg, Tooltip("Of the first over the second.")] = 8.0,
    cfg_cond2_negative: Annotated[Cfg, Tooltip("Of the second over the negative.")] = 8.0,
    style: Annotated[str, Choice(("regular", "nested"))],
) -> Guider:
    """Towards the first conditioning beyond the second, and that beyond the negative."""
    from nodes.models.guidance import dual_guide

    scales = cfg_conds, cfg_cond2_negative
    return dual_guide(model, cond1, cond2, negative, scales, nested=style == "nested")


@node("KSamplerSelect", category="sampling/custom_sampling/samplers")
def select_sampler(*, sampler_name: Annotated[str, Choice(SAMPLERS)]) -> Sampler:
    """A sampler by its name."""
    from nodes.models.samplers import Way

    return Way(sampler_name)


@node("SamplerEulerAncestral", category="sampling/custom_sampling/samplers")
def euler_ancestral(
    *,
    eta: Annotated[
        float, Range(0.0, 100.0, 0.01, False), Tooltip("How much fresh noise; 0 is plain Euler.")
    ] = 1.0,
    s_noise: Annotated[
        float, Range(0.0, 100.0, 0.01, False), Tooltip("How strong the fresh noise is.")
    ] = 1.0,
) -> Sampler:
    """Euler's steps with fresh noise after each."""
    from nodes.models.samplers import Way

    return Way("euler_ancestral", {"eta": eta, "s_noise": s_noise})


@node("BasicScheduler", category="sampling/custom_sampling/schedulers")
def basic_schedule(
    *,
    model: Model,
    scheduler: Annotated[str, Choice(SCHEDULERS)],
    steps: StepCount = 20,
    denoise: Share = 1.0,
) -> Sigmas:
    """The levels of noise that a model knows, by a named schedule."""
    from nodes.models.schedules import sigmas

    return sigmas(model.levels, scheduler, steps, denoise)


@node("BetaSamplingScheduler", category="sampling/custom_sampling/schedulers")
def beta_schedule(
    *,
    model: Model,
    steps: StepCount = 20,
    alpha: Annotated[float, Range(0.0, 50.0, 0.01, False)] = 0.6,
    beta: Annotated[float, Range(0.0, 50.0, 0.01, False)] = 0.6,
) -> Sigmas:
    """Levels by quantiles of a beta distribution: with 0.6 more of them at both ends."""
    from nodes.models.schedules import beta as by_quantiles

    return by_quantiles(model.levels, steps, max(alpha, 0.01), max(beta, 0.01))


@node("KarrasScheduler", category="sampling/custom_sampling/schedulers")
def karras_schedule(
    *,
    steps: StepCount = 20,
    sigma_max: Level = 14.614642,
    sigma_min: Level = 0.0291675,
    rho: Rho = 7.0,
) -> Sigmas:
    """Levels whose rho-th roots are evenly spaced."""
    from nodes.models.schedules import power_ramp

    return power_ramp(steps, sigma_min, sigma_max, rho)


@node("ExponentialScheduler", category="sampling/custom_sampling/schedulers")
def exponential_schedule(
    *, steps: StepCount = 20, sigma_max: Level = 14.614642, sigma_min: Level = 0.0291675
) -> Sigmas:
    """Levels whose logarithms are evenly spaced."""
    from nodes.models.schedules import log_ramp

    return log_ramp(steps, sigma_min, sigma_max)


@node("PolyexponentialScheduler", category="sampling/custom_sampling/schedulers")
def polyexponential_schedule(
    *,
    steps: StepCount = 20,
    sigma_max: Level = 14.614642,
    sigma_min: Level = 0.0291675,
    rho: Rho = 1.0,
) -> Sigmas:
    """Levels whose logarithms fall as a power."""
    from nodes.models.schedules import log_ramp

    return log_ramp(steps, sigma_min, sigma_max, rho)


@node("LaplaceScheduler", category="sampling/custom_sampling/schedulers")
def laplace_schedule(
    *,
    steps: StepCount = 20,
    sigma_max: Level = 14.614642,
    sigma_min: Level = 0.0291675,
    mu: Annotated[float, Range(-10.0, 10.0, 0.1, False)] = 0.0,
    beta: Annotated[float, Range(0.0, 10.0, 0.1, False)] = 0.5,
) -> Sigmas:
    """Levels spread as a Laplace distribution, most of them about the middle."""
    from nodes.models.schedules import laplace_ramp

    return laplace_ramp(steps, sigma_min, sigma_max, mu, beta)


@node("VPScheduler", category="sampling/custom_sampling/schedulers")
def vp_schedule(
    *,
    steps: StepCount = 20,
    beta_d: Level = 19.9,
    beta_min: Level = 0.1,
    eps_s: Annotated[float, Range(0.0, 1.0, 0.0001, False)] = 0.001,
) -> Sigmas:
    """Levels of the variance preserving process, evenly spaced in its time."""
    from nodes.models.schedules import variance_preserving

    return variance_preserving(steps, beta_d, beta_min, eps_s)


@node("SDTurboScheduler", category="sampling/custom_sampling/schedulers")
def turbo_schedule(
    *, model: Model, steps: Annotated[int, Range(1, 10)] = 1, denoise: Share = 1.0
) -> Sigmas:
    """The few levels that turbo models were distilled for."""
    from nodes.models.schedules import turbo

    return turbo(model.levels, steps, denoise)


@node("Flux2Scheduler", category="model/sampling/schedulers")
def flux2_schedule(
    *,
    steps: Annotated[int, Range(1, 4096)] = 20,
    width: Annotated[int, Range(16, 16384, 1)] = 1024,
    height: Annotated[int, Range(16, 16384, 1)] = 1024,
) -> Sigmas:
    """The levels of FLUX.2 for pictures of a size."""
    from nodes.models.schedules import flux2

    return flux2(steps, round(width * height / MEGAPIXELS))


@node("ManualSigmas", category="model/sampling/sigmas", experimental=True)
def manual_sigmas(
    *,
    sigmas: Annotated[
        str, Tooltip("Numbers; what stands between them does not matter.")
    ] = "1, 0.5",
) -> Sigmas:
    """The levels that are written down."""
    from nodes.models.schedules import written

    return written(sigmas)


class Halves(NamedTuple):
    """The levels before and after a point."""

    high_sigmas: Sigmas
    low_sigmas: Sigmas


@node("SplitSigmas", category="sampling/custom_sampling/sigmas")
def split_sigmas(*, sigmas: Sigmas, step: Annotated[int, Range(0, 10000)] = 0) -> Halves:
    """The levels up to a step, and those from there."""
    return Halves(sigmas[: step + 1], sigmas[step:])


@node("SplitSigmasDenoise", category="sampling/custom_sampling/sigmas")
def split_sigmas_by_share(*, sigmas: Sigmas, denoise: Share = 1.0) -> Halves:
    """The levels before a share of the last steps, and those of the share."""
    last = round((len(sigmas) - 1) * denoise)
    cut = max(0, len(sigmas) - 1 - last)
    return Halves(sigmas[: cut + 1], sigmas[cut:])


@node("FlipSigmas", category="sampling/custom_sampling/sigmas")
def flip_sigmas(*, sigmas: Sigmas) -> Sigmas:
    """The levels the other way round, from the picture to noise."""
    from nodes.models.schedules import flipped

    return flipped(sigmas)


@node("SetFirstSigma", category="sampling/custom_sampling/sigmas")
def set_first_sigma(
    *, sigmas: Sigmas, sigma: Annotated[float, Range(0.0, 20000.0, 0.001, False)] = 136.0
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
    sampling_percent: Annotated[float, Range(0.0, 1.0, 0.0001)] = 0.0,
    return_actual_sigma: Annotated[
        bool, Tooltip("At the ends the model's own levels, not endless noise and none.")
    ] = False,
) -> SigmaValue:
    """The level of noise when a part of the sampling is done."""
    levels = model.levels
    if return_actual_sigma and sampling_percent in (0.0, 1.0):
        return SigmaValue(float(levels.table[-1 if sampling_percent == 0.0 else 0]))
    return SigmaValue(levels.at(sampling_percent))


@node("AddNoise", category="_for_testing/custom_sampling/noise", on=GPU | CPU, experimental=True)
def add_noise(*, model: Model, noise: Noise, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Latents with as much noise on as lies between the first level and the last."""
    from nodes.models.denoise import noised

    if len(sigmas) == 0:
        return latent_image
    strength = float(sigmas[0] - sigmas[-1]) if len(sigmas) > 1 else float(sigmas[0])
    start, index = latent_image["samples"], latent_image.get("batch_index")
    return {**latent_image, "samples": noised(model, start, noise.seed, index, strength)}
