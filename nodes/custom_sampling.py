"""The parts that custom samplers are made of: noise and guiders."""

from __future__ import annotations

from typing import Annotated

from engine import CPU, GPU, Choice, Tooltip, node
from nodes.sampling import Cfg, Negative, NoiseSeed, Positive
from nodes.sockets import Conditioning, Guider, Latent, Model, Noise, Sigmas


@node("RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(*, noise_seed: NoiseSeed = 0) -> Noise:
    """The noise of a seed."""
    from nodes.models.sampling.noise import NoiseSource

    return NoiseSource(noise_seed)


@node("DisableNoise", category="sampling/custom_sampling/noise")
def no_noise() -> Noise:
    """No noise: it is on the latents already."""
    from nodes.models.sampling.noise import NoiseSource

    return NoiseSource(None)


@node("BasicGuider", category="sampling/custom_sampling/guiders")
def basic_guider(*, model: Model, conditioning: Conditioning) -> Guider:
    """Towards one conditioning, without guidance."""
    from nodes.models.sampling import guiders

    return guiders.cfg_guider(model, conditioning)


@node("CFGGuider", category="sampling/custom_sampling/guiders")
def cfg_guider(*, model: Model, positive: Positive, negative: Negative, cfg: Cfg = 8.0) -> Guider:
    """Towards the positive conditioning and away from the negative."""
    from nodes.models.sampling import guiders

    return guiders.cfg_guider(model, positive, negative, cfg)


@node("DualCFGGuider", category="sampling/custom_sampling/guiders")
def dual_cfg_guider(
    *,
    model: Model,
    cond1: Annotated[Conditioning, Tooltip("The first text.")],
    cond2: Annotated[Conditioning, Tooltip("The second text.")],
    negative: Negative,
    cfg_conds: Annotated[Cfg, Tooltip("Of the first over the second.")] = 8.0,
    cfg_cond2_negative: Annotated[Cfg, Tooltip("Of the second over the negative.")] = 8.0,
    style: Annotated[
        str,
        Choice(("regular", "nested")),
        Tooltip("nested: the first beyond what the others make."),
    ],
) -> Guider:
    """Towards the first conditioning beyond the second, and that beyond the negative."""
    from nodes.models.sampling import guiders

    scales = cfg_conds, cfg_cond2_negative
    return guiders.dual_cfg_guider(model, cond1, cond2, negative, scales, nested=style == "nested")


@node("AddNoise", category="_for_testing/custom_sampling/noise", on=GPU | CPU, experimental=True)
def add_noise(*, model: Model, noise: Noise, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Latents with noise added, scaled by the first sigma minus the last."""
    from nodes.models.sampling.denoise import noised

    if len(sigmas) == 0:
        return latent_image
    strength = float(sigmas[0] - sigmas[-1]) if len(sigmas) > 1 else float(sigmas[0])
    start, index = latent_image["samples"], latent_image.get("batch_index")
    return {**latent_image, "samples": noised(model, start, noise.seed, index, strength)}
