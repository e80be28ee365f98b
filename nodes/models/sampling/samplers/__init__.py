"""Samplers: how noise becomes a latent, one call to the model after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from nodes.models.sampling.samplers.dpm_solver import dpm_adaptive, dpm_fast
from nodes.models.sampling.samplers.exponential import dpmpp_2m, dpmpp_2s_ancestral, res_multistep
from nodes.models.sampling.samplers.flows import by_signal_ratio, same_in_flow
from nodes.models.sampling.samplers.k_diffusion import (
    ddpm,
    dpm_2,
    dpm_2_ancestral,
    euler,
    euler_ancestral,
    euler_ancestral_cfg_pp,
    gradient_estimation,
    heun,
    heunpp2,
    lcm,
)
from nodes.models.sampling.samplers.multistep import deis, ipndm, ipndm_v, lms
from nodes.models.sampling.samplers.protocol import ModelCall, Noise, SamplerFunction, SamplerSteps
from nodes.models.sampling.samplers.sa_solver import sa_solver
from nodes.models.sampling.samplers.stochastic import (
    dpmpp_2m_sde,
    dpmpp_3m_sde,
    dpmpp_sde,
    er_sde,
    seeds_2,
    seeds_3,
)
from nodes.models.sampling.samplers.uni_pc import uni_pc
from nodes.models.sampling.sigma_space import EXPLODING, SigmaSpace

__all__ = [
    "BROWNIAN",
    "DISCARD_PENULTIMATE",
    "SAMPLERS",
    "ModelCall",
    "Noise",
    "Sampler",
    "SamplerSteps",
]

_dpmpp_2m_sde_heun = partial(dpmpp_2m_sde, heun=True)

SAMPLERS: Mapping[str, SamplerFunction] = {
    "euler": same_in_flow(euler),
    "euler_cfg_pp": partial(euler_ancestral_cfg_pp, eta=0.0),
    "euler_ancestral": euler_ancestral,
    "euler_ancestral_cfg_pp": euler_ancestral_cfg_pp,
    "heun": same_in_flow(heun),
    "heunpp2": same_in_flow(heunpp2),
    "dpm_2": same_in_flow(dpm_2),
    "dpm_2_ancestral": dpm_2_ancestral,
    "lms": same_in_flow(lms),
    "dpm_fast": same_in_flow(dpm_fast),
    "dpm_adaptive": dpm_adaptive,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_2s_ancestral_cfg_pp": by_signal_ratio(
        partial(dpmpp_2s_ancestral, space=EXPLODING, cfg_pp=True)
    ),
    "dpmpp_sde": by_signal_ratio(dpmpp_sde),
    "dpmpp_sde_gpu": by_signal_ratio(dpmpp_sde),
    "dpmpp_2m": same_in_flow(dpmpp_2m),
    "dpmpp_2m_cfg_pp": by_signal_ratio(partial(dpmpp_2m, cfg_pp=True)),
    "dpmpp_2m_sde": by_signal_ratio(dpmpp_2m_sde),
    "dpmpp_2m_sde_gpu": by_signal_ratio(dpmpp_2m_sde),
    "dpmpp_2m_sde_heun": by_signal_ratio(_dpmpp_2m_sde_heun),
    "dpmpp_2m_sde_heun_gpu": by_signal_ratio(_dpmpp_2m_sde_heun),
    "dpmpp_3m_sde": by_signal_ratio(dpmpp_3m_sde),
    "dpmpp_3m_sde_gpu": by_signal_ratio(dpmpp_3m_sde),
    "ddpm": by_signal_ratio(ddpm),
    "lcm": lcm,
    "ipndm": same_in_flow(ipndm),
    "ipndm_v": same_in_flow(ipndm_v),
    "deis": same_in_flow(deis),
    "res_multistep": res_multistep,
    "res_multistep_cfg_pp": by_signal_ratio(partial(res_multistep, space=EXPLODING, cfg_pp=True)),
    "res_multistep_ancestral": partial(res_multistep, eta=1.0),
    "res_multistep_ancestral_cfg_pp": by_signal_ratio(
        partial(res_multistep, space=EXPLODING, eta=1.0, cfg_pp=True)
    ),
    "gradient_estimation": same_in_flow(gradient_estimation),
    "gradient_estimation_cfg_pp": by_signal_ratio(partial(gradient_estimation, cfg_pp=True)),
    "er_sde": by_signal_ratio(er_sde),
    "seeds_2": by_signal_ratio(seeds_2),
    "seeds_3": by_signal_ratio(seeds_3),
    "sa_solver": by_signal_ratio(sa_solver, "start", "end"),
    "sa_solver_pece": by_signal_ratio(partial(sa_solver, use_pece=True), "start", "end"),
    "ddim": same_in_flow(euler),
    "uni_pc": uni_pc,
    "uni_pc_bh2": partial(uni_pc, exponential=True),
}
"""Those on the device of the model (`_gpu`) draw their noise as the others do: on the CPU."""
DISCARD_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
"""Samplers that leave out the last level but 0: they would ask for one that is lower still."""
BROWNIAN = frozenset(name for name in SAMPLERS if name.startswith("dpmpp_") and "sde" in name)
"""Samplers whose noise is one path through all levels, see `brownian`."""


@dataclass(frozen=True)
class Sampler:
    """A sampler by its name in `SAMPLERS`, and the numbers it is given.

    Attributes:
        function: of a sampler that has no name there.
    """

    name: str
    numbers: Mapping[str, object] = field(default_factory=dict[str, object])
    function: SamplerFunction | None = None

    @property
    def cfg_pp(self) -> bool:
        """Whether it wants the answer without guidance too, see `protocol.Answers`."""
        return self.name.endswith("_cfg_pp")

    def steps(self, x: Tensor, sigmas: Tensor, noise: Noise, space: SigmaSpace) -> SamplerSteps:
        """Its calls of a model of that sigma space, from `x` down the sigmas."""
        numbers = dict(self.numbers)
        if self.name.startswith("sa_solver"):
            numbers = {
                "start": space.percent_to_sigma(0.2),
                "end": space.percent_to_sigma(0.8),
                **numbers,
            }
        function = SAMPLERS[self.name] if self.function is None else self.function
        return function(x, sigmas, noise, space, **numbers)
