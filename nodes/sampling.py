"""Nodes that denoise."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from engine import CPU, GPU, Choice, Range, Run, Seed, Step, Steps, Tooltip, node
from nodes.previews import previewer
from nodes.sockets import Conditioning, Guider, Latent, Model, Noise, Sampler, Sigmas

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.sampling.denoise import Finished
    from nodes.models.sampling.evaluation import StepRequest

# The keys of nodes.models.sampling.samplers.SAMPLERS and .schedules.SCHEDULES, which need torch.
SAMPLERS = (
    "euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2",
    "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m", "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu",
    "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm", "ipndm", "ipndm_v", "deis", "res_multistep",
    "res_multistep_cfg_pp", "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp",
    "gradient_estimation", "gradient_estimation_cfg_pp", "er_sde", "seeds_2", "seeds_3",
    "sa_solver", "sa_solver_pece", "ddim", "uni_pc", "uni_pc_bh2",
)  # fmt: skip
SCHEDULERS = (
    "simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal",
    "linear_quadratic", "kl_optimal",
)  # fmt: skip
SWITCH = ("enable", "disable")

StepCount = Annotated[int, Range(1, 10000), Tooltip("More steps take longer and wander less.")]
Cfg = Annotated[
    float,
    Range(0.0, 100.0, 0.1, 0.01),
    Tooltip("How strongly the text is followed; 1 ignores the negative and is twice as fast."),
]
SamplerName = Annotated[str, Choice(SAMPLERS), Tooltip("The algorithm of the steps.")]
Schedule = Annotated[str, Choice(SCHEDULERS), Tooltip("How sigma falls over the steps.")]
Positive = Annotated[Conditioning, Tooltip("What the picture shall show.")]
Negative = Annotated[Conditioning, Tooltip("What it shall not show.")]
Start = Annotated[Latent, Tooltip("Latents to start from: empty, or of a picture to change.")]
NoiseSeed = Annotated[Seed, Tooltip("The same seed gives the same noise.")]
StepNumber = Annotated[int, Range(0, 10000)]


@node("KSampler", category="sampling", display_name="KSampler", on=GPU | CPU)
def k_sampler(
    run: Run,
    *,
    model: Annotated[Model, Tooltip("The denoiser.")],
    seed: NoiseSeed = 0,
    steps: StepCount = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: Schedule,
    positive: Positive,
    negative: Negative,
    latent_image: Start,
    denoise: Annotated[
        float,
        Range(0.0, 1.0, 0.01),
        Tooltip("Below 1 only the last part of the schedule: something of the start is kept."),
    ] = 1.0,
) -> Steps[Latent]:
    """Denoise latents towards the positive conditioning and away from the negative."""
    from nodes.models.sampling import guiders
    from nodes.models.sampling.samplers import DISCARD_PENULTIMATE
    from nodes.models.sampling.schedules import sigmas

    discard_penultimate = sampler_name in DISCARD_PENULTIMATE
    down = sigmas(model.space, scheduler, steps, denoise, discard_penultimate=discard_penultimate)
    guider = guiders.cfg_guider(model, positive, negative, cfg)
    finished = yield from _denoised(run, guider, latent_image, sampler_name, down, seed)
    return {**latent_image, "samples": finished.latents}


@node("KSamplerAdvanced", category="sampling", display_name="KSampler (Advanced)", on=GPU | CPU)
def k_sampler_advanced(
    run: Run,
    *,
    model: Model,
    add_noise: Annotated[
        str, Choice(SWITCH), Tooltip("disable: the latents bring the noise along.")
    ],
    noise_seed: NoiseSeed = 0,
    steps: StepCount = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: Schedule,
    positive: Positive,
    negative: Negative,
    latent_image: Start,
    start_at_step: Annotated[StepNumber, Tooltip("The steps before were taken already.")] = 0,
    end_at_step: Annotated[StepNumber, Tooltip("The steps from here on are left.")] = 10000,
    return_with_leftover_noise: Annotated[
        str, Choice(SWITCH[::-1]), Tooltip("For another sampler that takes the rest of the steps.")
    ],
) -> Steps[Latent]:
    """Take some steps of a schedule; another sampler can take the rest."""
    from nodes.models.sampling import guiders
    from nodes.models.sampling.samplers import DISCARD_PENULTIMATE
    from nodes.models.sampling.schedules import part, sigmas

    whole = sigmas(
        model.space, scheduler, steps, discard_penultimate=sampler_name in DISCARD_PENULTIMATE
    )
    down = part(whole, start_at_step, end_at_step, leftover=return_with_leftover_noise == "enable")
    finished = yield from _denoised(
        run,
        guiders.cfg_guider(model, positive, negative, cfg),
        latent_image,
        sampler_name,
        down,
        noise_seed if add_noise == "enable" else None,
        later_noise=noise_seed,
    )
    return {**latent_image, "samples": finished.latents}


class Sampled(NamedTuple):
    """Where sampling ended, and the denoised latents of the last step."""

    output: Latent
    denoised_output: Latent


@node("SamplerCustom", category="sampling/custom_sampling", on=GPU | CPU)
def sampler_custom(
    run: Run,
    *,
    model: Model,
    add_noise: Annotated[bool, Tooltip("Off: the latents bring the noise along.")] = True,
    noise_seed: NoiseSeed = 0,
    cfg: Cfg = 8.0,
    positive: Positive,
    negative: Negative,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Start,
) -> Steps[Sampled]:
    """Denoise latents by any sampler and sigmas."""
    from nodes.models.sampling import guiders

    finished = yield from _denoised(
        run,
        guiders.cfg_guider(model, positive, negative, cfg),
        latent_image,
        sampler,
        sigmas,
        noise_seed if add_noise else None,
        later_noise=noise_seed,
    )
    return _both(latent_image, finished)


@node("SamplerCustomAdvanced", category="sampling/custom_sampling", on=GPU | CPU)
def sampler_custom_advanced(
    run: Run,
    *,
    noise: Noise,
    guider: Guider,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Start,
) -> Steps[Sampled]:
    """Denoise latents by any sampler, guider, noise and sigmas."""
    finished = yield from _denoised(
        run, guider, latent_image, sampler, sigmas, noise.seed, later_noise=noise.seed or 0
    )
    return _both(latent_image, finished)


def _both(start: Latent, finished: Finished) -> Sampled:
    return Sampled({**start, "samples": finished.latents}, {**start, "samples": finished.denoised})


def _denoised(
    run: Run,
    guider: Guider,
    start: Latent,
    sampler: Any,
    sigmas: Tensor,
    seed: int | None,
    *,
    later_noise: int | None = None,
) -> Generator[Step, Any, Finished]:
    """Sample down the sigmas; without a seed no noise is added, later steps have their own."""
    from nodes.models.sampling.denoise import denoise

    steps = denoise(
        guider,
        start["samples"],
        sampler=sampler,
        sigmas=sigmas,
        seed=(seed if seed is not None else later_noise) or 0,
        batch_index=start.get("batch_index"),
        mask=start.get("noise_mask"),
        noisy=seed is not None,
    )
    total, drawn = max(1, len(sigmas) - 1), previewer(run, guider.model)
    try:
        request = next(steps)
        while True:
            denoised = yield _step(request, drawn)
            request = steps.send(denoised.to(request.x.device))  # a logged one comes from the CPU
    except StopIteration as end:
        yield Step(total, total)
        return end.value


def _step(request: StepRequest, draw: Callable[[Tensor], bytes] | None) -> Step:
    from nodes.models.sampling.evaluation import evaluate

    seen = request.denoised
    drawn = partial(draw, seen) if draw is not None and seen is not None else None
    return Step(request.index, request.total, request.key, request, evaluate, drawn)
