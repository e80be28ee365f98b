"""The parts that custom samplers are made of: noise, guiders, samplers."""

from __future__ import annotations

from typing import Annotated

from engine import CPU, GPU, Choice, Range, Tooltip, node
from nodes.sampling import Cfg, NoiseSeed, SamplerName
from nodes.sockets import Conditioning, Guider, Latent, Model, Noise, Sampler, Sigmas

LcmNoise = Annotated[float, Range(0.0, 64.0, 0.01)]
Eta = Annotated[float, Range(0.0, 100.0, 0.01, False), Tooltip("How much fresh noise; 0 is none.")]
Fresh = Annotated[float, Range(0.0, 100.0, 0.01, False), Tooltip("How strong fresh noise is.")]


@node("RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(*, noise_seed: NoiseSeed = 0) -> Noise:
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
def select_sampler(*, sampler_name: SamplerName) -> Sampler:
    """A sampler by its name."""
    from nodes.models.samplers import Way

    return Way(sampler_name)


@node("SamplerEulerAncestral", category="sampling/custom_sampling/samplers")
def euler_ancestral(*, eta: Eta = 1.0, s_noise: Fresh = 1.0) -> Sampler:
    """Euler's steps with fresh noise after each."""
    from nodes.models.samplers import Way

    return Way("euler_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerLMS", category="sampling/custom_sampling/samplers")
def lms(
    *, order: Annotated[int, Range(1, 100), Tooltip("From so many steps the next one.")] = 4
) -> Sampler:
    """Linear multistep: one question for each step, answered from the last ones too."""
    from nodes.models.samplers import Way

    return Way("lms", {"order": order})


@node("SamplerDPMPP_2S_Ancestral", category="sampling/custom_sampling/samplers")
def dpmpp_2s_ancestral(*, eta: Eta = 1.0, s_noise: Fresh = 1.0) -> Sampler:
    """DPM-Solver++(2S) with fresh noise after each step."""
    from nodes.models.samplers import Way

    return Way("dpmpp_2s_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerLCM", category="model/sampling/samplers")
def lcm(
    *,
    s_noise: Annotated[LcmNoise, Tooltip("How strong fresh noise is at first.")] = 1.0,
    s_noise_end: Annotated[LcmNoise, Tooltip("How strong it is at the end.")] = 1.0,
    noise_clip_std: Annotated[
        float, Range(0.0, 10.0, 0.01), Tooltip("Cut at so many deviations; 0 cuts nothing.")
    ] = 0.0,
) -> Sampler:
    """For models that go all the way in each step (LCM): fresh noise after each."""
    from nodes.models.samplers import Way

    numbers = {"s_noise": s_noise, "s_noise_end": s_noise_end, "noise_clip_std": noise_clip_std}
    return Way("lcm", numbers)


@node("AddNoise", category="_for_testing/custom_sampling/noise", on=GPU | CPU, experimental=True)
def add_noise(*, model: Model, noise: Noise, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Latents with as much noise on as lies between the first level and the last."""
    from nodes.models.denoise import noised

    if len(sigmas) == 0:
        return latent_image
    strength = float(sigmas[0] - sigmas[-1]) if len(sigmas) > 1 else float(sigmas[0])
    start, index = latent_image["samples"], latent_image.get("batch_index")
    return {**latent_image, "samples": noised(model, start, noise.seed, index, strength)}
