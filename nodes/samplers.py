"""Samplers with their options, for custom sampling."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from engine import Choice, Range, Tooltip, node
from nodes.sampling import SamplerName
from nodes.sockets import Model, Sampler

# As nodes.models.latents.latents.SCALE_METHODS, which needs torch.
LATENT_METHODS = ("bislerp", "nearest-exact", "bilinear", "area", "bicubic")
LcmNoise = Annotated[float, Range(0.0, 64.0, 0.01)]
Number = Annotated[float, Range(0.0, 100.0, 0.01, False)]
Eta = Annotated[Number, Tooltip("eta: how much fresh noise; 0 is none.")]
Fresh = Annotated[Number, Tooltip("s_noise: factor of fresh noise.")]
NoiseDevice = Annotated[
    str, Choice(("gpu", "cpu")), Tooltip("Noise is always drawn on the CPU: a seed means the same.")
]
Part = Annotated[float, Range(0.0, 1.0, 0.001)]


@node("KSamplerSelect", category="sampling/custom_sampling/samplers")
def select_sampler(*, sampler_name: SamplerName) -> Sampler:
    """A sampler by its name."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler(sampler_name)


@node("SamplerEulerAncestral", category="sampling/custom_sampling/samplers")
def euler_ancestral(*, eta: Eta = 1.0, s_noise: Fresh = 1.0) -> Sampler:
    """Euler ancestral: Euler's steps with fresh noise after each."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler("euler_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerLMS", category="sampling/custom_sampling/samplers")
def lms(
    *, order: Annotated[int, Range(1, 100), Tooltip("Order: how many derivatives a step uses.")] = 4
) -> Sampler:
    """LMS, linear multistep: one model call a step, from the last derivatives too."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler("lms", {"order": order})


@node(
    "SamplerDPMPP_2S_Ancestral",
    category="sampling/custom_sampling/samplers",
    display_name="Sampler DPM++ 2S Ancestral",
)
def dpmpp_2s_ancestral(*, eta: Eta = 1.0, s_noise: Fresh = 1.0) -> Sampler:
    """DPM-Solver++(2S) ancestral: fresh noise after each step."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler("dpmpp_2s_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerLCM", category="model/sampling/samplers")
def lcm(
    *,
    s_noise: Annotated[LcmNoise, Tooltip("How strong fresh noise is at first.")] = 1.0,
    s_noise_end: Annotated[LcmNoise, Tooltip("How strong it is at the end.")] = 1.0,
    noise_clip_std: Annotated[
        float, Range(0.0, 10.0, 0.01), Tooltip("Cut at so many deviations; 0 cuts nothing.")
    ] = 0.0,
) -> Sampler:
    """LCM: each step goes to the denoised latents, then fresh noise is added."""
    from nodes.models.sampling.samplers import Sampler

    numbers = {"s_noise": s_noise, "s_noise_end": s_noise_end, "noise_clip_std": noise_clip_std}
    return Sampler("lcm", numbers)


@node(
    "SamplerEulerAncestralCFGPP",
    category="sampling/custom_sampling/samplers",
    display_name="Sampler Euler Ancestral CFG++",
)
def euler_ancestral_cfg_pp(
    *,
    eta: Annotated[float, Range(0.0, 1.0, 0.01, False), Tooltip("How much fresh noise.")] = 1.0,
    s_noise: Annotated[float, Range(0.0, 10.0, 0.01, False), Tooltip("How strong it is.")] = 1.0,
) -> Sampler:
    """Euler ancestral CFG++: guided, but with the noise predicted by uncond."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler("euler_ancestral_cfg_pp", {"eta": eta, "s_noise": s_noise})


@node(
    "SamplerDPMPP_SDE",
    category="sampling/custom_sampling/samplers",
    display_name="Sampler DPM++ SDE",
)
def dpmpp_sde(
    *,
    eta: Eta = 1.0,
    s_noise: Fresh = 1.0,
    r: Annotated[Number, Tooltip("Where in a step the second model call is.")] = 0.5,
    noise_device: NoiseDevice,
) -> Sampler:
    """DPM-Solver++ SDE: two model calls a step."""
    from nodes.models.sampling.samplers import Sampler

    if r == 0:
        raise ValueError("r: it must be above 0; 0.5 asks in the middle of a step")
    return Sampler("dpmpp_sde", {"eta": eta, "s_noise": s_noise, "r": r})


@node(
    "SamplerDPMPP_2M_SDE",
    category="sampling/custom_sampling/samplers",
    display_name="Sampler DPM++ 2M SDE",
)
def dpmpp_2m_sde(
    *,
    solver_type: Annotated[
        str, Choice(("midpoint", "heun")), Tooltip("How the last two denoised latents are weighed.")
    ],
    eta: Eta = 1.0,
    s_noise: Fresh = 1.0,
    noise_device: NoiseDevice,
) -> Sampler:
    """DPM-Solver++(2M) SDE, from the last two denoised latents."""
    from nodes.models.sampling.samplers import Sampler

    numbers = {"eta": eta, "s_noise": s_noise, "heun": solver_type == "heun"}
    return Sampler("dpmpp_2m_sde", numbers)


@node(
    "SamplerDPMPP_3M_SDE",
    category="sampling/custom_sampling/samplers",
    display_name="Sampler DPM++ 3M SDE",
)
def dpmpp_3m_sde(*, eta: Eta = 1.0, s_noise: Fresh = 1.0, noise_device: NoiseDevice) -> Sampler:
    """DPM-Solver++(3M) SDE, from the last three denoised latents."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler("dpmpp_3m_sde", {"eta": eta, "s_noise": s_noise})


@node(
    "SamplerDPMAdaptative",
    category="sampling/custom_sampling/samplers",
    display_name="Sampler DPM Adaptive",
)
def dpm_adaptive(
    *,
    order: Annotated[int, Range(2, 3), Tooltip("Order: model calls a step.")] = 3,
    rtol: Annotated[Number, Tooltip("Relative tolerance between two orders.")] = 0.05,
    atol: Annotated[Number, Tooltip("Absolute tolerance between two orders.")] = 0.0078,
    h_init: Annotated[Number, Tooltip("Size of the first step, in half log SNR.")] = 0.05,
    pcoeff: Annotated[
        Number, Tooltip("Proportional coefficient of the step size controller.")
    ] = 0.0,
    icoeff: Annotated[Number, Tooltip("Integral coefficient of the controller.")] = 1.0,
    dcoeff: Annotated[Number, Tooltip("Derivative coefficient of the controller.")] = 0.0,
    accept_safety: Annotated[
        Number, Tooltip("Safety: steps below this factor are rejected.")
    ] = 0.81,
    eta: Eta = 0.0,
    s_noise: Fresh = 1.0,
) -> Sampler:
    """DPM-Solver with adaptive steps: only the first sigma counts and the last above 0."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler(
        "dpm_adaptive",
        {
            "order": order,
            "rtol": rtol,
            "atol": atol,
            "h_init": h_init,
            "pcoeff": pcoeff,
            "icoeff": icoeff,
            "dcoeff": dcoeff,
            "accept_safety": accept_safety,
            "eta": eta,
            "s_noise": s_noise,
        },
    )


@node("SamplerER_SDE", category="sampling/custom_sampling/samplers")
def er_sde(
    *,
    solver_type: Annotated[
        str,
        Choice(("ER-SDE", "Reverse-time SDE", "ODE")),
        Tooltip("What noise counts on the way; ODE has none."),
    ],
    max_stage: Annotated[int, Range(1, 3), Tooltip("How many denoised latents make a step.")] = 3,
    eta: Annotated[Number, Tooltip("How much fresh noise, in the reverse-time SDE.")] = 1.0,
    s_noise: Fresh = 1.0,
) -> Sampler:
    """ER-SDE: the extended reverse-time SDE, from up to three denoised latents."""
    from nodes.models.sampling.samplers import Sampler
    from nodes.models.sampling.samplers.stochastic import er_scale, reverse_scale

    if solver_type == "ER-SDE":
        scale = er_scale
    else:
        eta = eta if solver_type == "Reverse-time SDE" else 0.0
        scale = partial(reverse_scale, eta=eta)
    strength = s_noise if solver_type == "ER-SDE" or eta > 0 else 0.0
    return Sampler("er_sde", {"max_stage": max_stage, "s_noise": strength, "scale": scale})


@node("SamplerSASolver", category="sampling/custom_sampling/samplers")
def sa_solver(
    *,
    model: Model,
    eta: Annotated[float, Range(0.0, 10.0, 0.01, False), Tooltip("How much fresh noise.")] = 1.0,
    sde_start_percent: Annotated[Part, Tooltip("Fresh noise from here on.")] = 0.2,
    sde_end_percent: Annotated[Part, Tooltip("No fresh noise from here on.")] = 0.8,
    s_noise: Fresh = 1.0,
    predictor_order: Annotated[int, Range(1, 6), Tooltip("Order of the predictor.")] = 3,
    corrector_order: Annotated[int, Range(0, 6), Tooltip("Order of the corrector; 0: none.")] = 4,
    use_pece: Annotated[bool, Tooltip("PECE: evaluate the model again after each correction.")],
    simple_order_2: Annotated[bool, Tooltip("Simple weights at order 2.")],
) -> Sampler:
    """SA-Solver: stochastic Adams, with fresh noise in a part of the sampling."""
    from nodes.models.sampling.samplers import Sampler

    return Sampler(
        "sa_solver",
        {
            "start": model.space.percent_to_sigma(sde_start_percent),
            "end": model.space.percent_to_sigma(sde_end_percent),
            "eta": eta,
            "s_noise": s_noise,
            "predictor_order": predictor_order,
            "corrector_order": corrector_order,
            "use_pece": use_pece,
            "simple_order_2": simple_order_2,
        },
    )


@node("SamplerEulerCFGpp", category="_for_testing", display_name="Sampler Euler CFG++")
def euler_cfg_pp(
    *,
    version: Annotated[
        str,
        Choice(("regular", "alternative")),
        Tooltip("regular: that of the paper; alternative: Euler with twice the guidance."),
    ],
) -> Sampler:
    """Euler's steps with guidance of the CFG++ kind, for a cfg about 1.

    The alternative is no paper's: it goes as far beyond the guided answer as that lies beyond the
    one without guidance.
    """
    from nodes.models.sampling.samplers import Sampler
    from nodes.models.sampling.samplers.beyond import euler_beyond_cfg_pp

    if version == "regular":
        return Sampler("euler_cfg_pp")
    return Sampler("euler_beyond_cfg_pp", function=euler_beyond_cfg_pp)


@node("SamplerLCMUpscale", category="sampling/custom_sampling/samplers")
def lcm_upscale(
    *,
    scale_ratio: Annotated[
        float, Range(0.1, 20.0, 0.01), Tooltip("So many times larger is each side in the end.")
    ] = 1.0,
    scale_steps: Annotated[
        int, Range(-1, 1000, 1), Tooltip("After so many steps; -1 for half of them.")
    ] = -1,
    upscale_method: Annotated[str, Choice(LATENT_METHODS), Tooltip("How latents get larger.")],
) -> Sampler:
    """For models of few steps (LCM): the first steps on small latents, which then grow.

    The sizes on the way are evenly spaced, and the last step is taken at the last size.
    """
    from nodes.models.sampling.samplers import Sampler
    from nodes.models.sampling.samplers.growing import lcm_upscale as growing

    numbers: dict[str, object] = {
        "scale_ratio": scale_ratio, "scale_steps": scale_steps, "upscale_method": upscale_method,
    }  # fmt: skip
    return Sampler("lcm_upscale", numbers, growing)
